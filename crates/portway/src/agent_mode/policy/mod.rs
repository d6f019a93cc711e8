//! Network policies at the pods of this node (`docs/ebpf.md`, "Network policy").
//!
//! It has a thread of its own: a pod's interface that appears must not wait for tables that are being computed.

mod report;
mod worker;

use std::io;
use std::net::IpAddr;
use std::path::{Path, PathBuf};
use std::sync::{Arc, Mutex, MutexGuard, PoisonError};
use std::thread::{self, JoinHandle};

use portway_config::Configuration;
use portway_config::network_policy::PolicyFacts;
use portway_ebpf::kernel::Ahead;
use portway_ebpf::pin;
use portway_ebpf::policy::{GatewayNumbers, Guard};
use tokio::sync::mpsc;

pub(crate) use self::report::{GuardedPod, PolicyReport};
use self::worker::{Command, Worker};
use crate::kernel_path::Network;

/// How policies are enforced.
#[derive(Clone, Debug)]
pub(crate) struct PolicyOptions {
    /// The node's name, under which its pods are known.
    pub(crate) node: Arc<str>,
    /// The node's own address.
    pub(crate) node_address: IpAddr,
    /// Networks of the Services' addresses.
    pub(crate) services: Vec<Network>,
    /// Networks that the node's pods get their addresses from.
    pub(crate) pods: Vec<Network>,
    /// Where programs and maps are kept.
    pub(crate) pins: PathBuf,
}

/// Enforces policies until it is stopped; what is in the kernel goes on.
#[derive(Debug)]
pub(crate) struct Policing {
    commands: mpsc::UnboundedSender<Command>,
    seen: Guarding,
    thread: JoinHandle<()>,
}

/// What is enforced, for those who ask. Cheap to clone.
#[derive(Clone, Debug, Default)]
pub(crate) struct Guarding {
    state: Arc<Mutex<State>>,
    /// Of its own lock, since tables may be long in the making.
    gateways: GatewayNumbers,
}

#[derive(Debug, Default)]
struct State {
    /// Absent: the kernel refuses.
    guard: Option<Guard>,
    /// Why nothing more than before is enforced, if that is so.
    trouble: Option<String>,
    /// What the tables in the kernel were made of.
    facts: PolicyFacts,
}

impl Guarding {
    fn lock(&self) -> MutexGuard<'_, State> {
        self.state.lock().unwrap_or_else(PoisonError::into_inner)
    }

    /// By which packets tell policies the Gateway that they came through.
    pub(crate) fn gateways(&self) -> GatewayNumbers {
        self.gateways.clone()
    }

    /// The pods, namespaces and policies that are enforced.
    pub(crate) fn facts(&self) -> PolicyFacts {
        self.lock().facts.clone()
    }

    /// The programs that are to come before all others at what comes in.
    pub(crate) fn ahead(&self) -> Vec<Ahead> {
        self.lock().guard.as_mut().map(Guard::first_programs).unwrap_or_default()
    }
}

impl Policing {
    /// Begins, with what is in the kernel already.
    ///
    /// # Errors
    ///
    /// There is no thread to be had.
    pub(crate) fn start(options: PolicyOptions) -> io::Result<Self> {
        let (commands, received) = mpsc::unbounded_channel();
        let seen = Guarding::default();
        let runtime = tokio::runtime::Builder::new_current_thread().enable_all().build()?;
        let mut worker = Worker::new(options, seen.clone());
        // Before anything else is attached, so that what it attaches comes first.
        worker.start();
        let body = move || runtime.block_on(worker.run(received));
        let thread = thread::Builder::new().name("portway-policy".to_owned()).spawn(body)?;
        Ok(Self { commands, seen, thread })
    }

    /// The policies, pods and namespaces of this configuration decide from now on.
    pub(crate) fn follow(&self, configuration: &Arc<Configuration>) {
        self.send(Command::Follow(Arc::clone(configuration)));
    }

    /// What is enforced.
    pub(crate) fn seen(&self) -> Guarding {
        self.seen.clone()
    }

    /// Ends. What is in the kernel goes on.
    pub(crate) fn stop(self) {
        self.send(Command::Stop);
        if self.thread.join().is_err() {
            tracing::error!("the thread that enforces network policies ended in a panic");
        }
    }

    fn send(&self, command: Command) {
        // It ends by a panic alone, which stop() tells of.
        let _ = self.commands.send(command);
    }
}

/// Where programs and maps of network policy are kept: beside those of balancing, which are taken away when the kernel refuses
/// one of them. Policies must go on then.
pub(crate) fn pins_beside(pins: &Path) -> PathBuf {
    let mut name = pins.file_name().unwrap_or_default().to_owned();
    // A bpffs takes no dot in a name.
    name.push("-policy");
    pins.with_file_name(name)
}

/// Ends what an agent before has enforced.
pub(crate) fn lift(pins: &Path) {
    match pin::remove(&pins_beside(pins), false) {
        Ok(true) => tracing::warn!("network policies are not enforced any more: --policy is off"),
        Ok(false) => {}
        Err(error) => tracing::error!("network policies of an agent before are still enforced: {error}"),
    }
}
