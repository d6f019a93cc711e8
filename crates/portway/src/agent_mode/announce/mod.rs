//! Announcing the addresses of Gateways from this node (`docs/announcing.md`).
//!
//! It has a thread of its own: heartbeats must not wait for tables that are being computed. What is decided is
//! `portway_announce`'s; here are the clock, the sockets and the way to the kernel.

mod links;
mod seen;
mod segment;
mod worker;

use std::collections::BTreeSet;
use std::io;
use std::net::IpAddr;
use std::path::PathBuf;
use std::sync::Arc;
use std::thread::{self, JoinHandle};

use portway_config::Configuration;
use tokio::sync::{mpsc, watch};

pub(crate) use self::seen::{AnnouncedAddress, Seen};
use self::worker::{Command, Worker};

/// How addresses are announced.
#[derive(Debug)]
pub(crate) struct AnnounceOptions {
    /// The node's name.
    pub(crate) node: Arc<str>,
    /// At which interfaces; none: at those in the same network as an address.
    pub(crate) interfaces: Vec<String>,
    /// Where the kernel's programs are kept.
    pub(crate) pins: PathBuf,
}

/// Announces addresses until it is stopped.
#[derive(Debug)]
pub(crate) struct Announcing {
    commands: mpsc::UnboundedSender<Command>,
    seen: watch::Receiver<Seen>,
    thread: JoinHandle<()>,
}

impl Announcing {
    /// Begins; there are no addresses yet.
    ///
    /// # Errors
    ///
    /// There is no thread to be had.
    pub(crate) fn start(options: AnnounceOptions) -> io::Result<Self> {
        let (commands, received) = mpsc::unbounded_channel();
        let (tell, seen) = watch::channel(Seen::default());
        let runtime = tokio::runtime::Builder::new_current_thread().enable_all().build()?;
        let thread = thread::Builder::new().name("portway-announce".to_owned()).spawn(move || {
            runtime.block_on(Worker::new(options, tell).run(received));
        })?;
        Ok(Self { commands, seen, thread })
    }

    /// The addresses of all listeners are to be announced, by this node or another.
    pub(crate) fn follow(&self, configuration: &Configuration) {
        let addresses: BTreeSet<IpAddr> =
            configuration.exposures.values().flat_map(|it| it.addresses.iter().copied()).collect();
        self.send(Command::Serve(addresses));
    }

    /// Whether the node should have addresses.
    pub(crate) fn set_eligible(&self, is_eligible: bool) {
        self.send(Command::SetEligible(is_eligible));
    }

    /// Who announces what, as it is now and whenever it changes.
    pub(crate) fn seen(&self) -> watch::Receiver<Seen> {
        self.seen.clone()
    }

    /// Hands all addresses over, and waits until that is done or nobody wants them.
    pub(crate) fn stop(self) {
        self.send(Command::Leave);
        drop(self.commands);
        if self.thread.join().is_err() {
            tracing::error!("the thread that announces addresses ended in a panic");
        }
    }

    fn send(&self, command: Command) {
        // It ends by a panic alone, which stop() tells of.
        let _ = self.commands.send(command);
    }
}
