//! `portway demo-backend`: one demo backend as a process of its own, the stand-in for a pod's container.

use std::fs;
use std::io;

use tokio::signal::unix::{SignalKind, signal};

use super::server::ServerThread;
use crate::cli::DemoBackendArgs;

/// Serves until a signal asks for the end.
pub(crate) fn run(args: &DemoBackendArgs) -> io::Result<()> {
    // A pod's name is the host name of its containers.
    let name = fs::read_to_string("/proc/sys/kernel/hostname")?.trim().to_owned();
    let thread = ServerThread::start()?;
    let servers: Vec<_> = args
        .bind
        .iter()
        .map(|address| {
            thread
                .serve_at(*address, name.clone())
                .map_err(|error| io::Error::new(error.kind(), format!("{address}: {error}")))
        })
        .collect::<io::Result<_>>()?;
    tokio::runtime::Builder::new_current_thread().enable_all().build()?.block_on(asked_to_end())?;
    // Takes no more connections; those that there are end with the process.
    drop(servers);
    Ok(())
}

/// SIGTERM by the kubelet, SIGINT by a terminal. The first process of a container has to ask for them: for it the
/// kernel ignores every signal without a handler.
async fn asked_to_end() -> io::Result<()> {
    let mut terminate = signal(SignalKind::terminate())?;
    let mut interrupt = signal(SignalKind::interrupt())?;
    tokio::select! {
        _ = terminate.recv() => {}
        _ = interrupt.recv() => {}
    }
    Ok(())
}
