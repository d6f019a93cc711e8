//! Why `portway run` could not start.

use std::io;
use std::net::SocketAddr;

use thiserror::Error;

/// Why `portway run` could not start. The message says what to do.
#[derive(Debug, Error)]
pub(crate) enum StartError {
    #[error(
        "cannot listen on {address} for the admin server: {error}\n  help: pass another address as --admin"
    )]
    Admin { address: SocketAddr, error: io::Error },
    #[error("cannot read any manifest")]
    NothingToRead,
    #[error("no socket could be opened")]
    NoSocket,
    #[error("--ebpf on: {0}\n  help: with --ebpf auto, the proxy serves what the kernel cannot")]
    Ebpf(String),
    #[error("cannot start the threads that serve: {0}")]
    Threads(io::Error),
    #[error("cannot listen for signals: {0}")]
    Signals(io::Error),
}
