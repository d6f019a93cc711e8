//! The data plane of a process, as the rest of the process sees it: start, apply, drain.

use std::collections::BTreeMap;
use std::io;
use std::mem::discriminant;
use std::net::{IpAddr, Ipv4Addr, SocketAddr};
use std::sync::Arc;
use std::time::Duration;

use arc_swap::ArcSwap;
use futures_util::future::join_all;
use portway_config::{Listener, ListenerKey, Revision};
use tokio::sync::{Mutex, oneshot};

use crate::Snapshot;
use crate::connection::{self, BindError, BindFailure, BoundSocket, Owner};
use crate::limits::Limits;
use crate::observe::Observer;
use crate::snapshot::{Binding, PortKey};
use crate::upstream::Pools;
use crate::worker::{Command, OpenedPort, PortChange, Worker, WorkerHandle};

/// How a proxy is started.
#[derive(Clone, Debug)]
pub struct ProxyOptions {
    /// Worker threads; by default one for each core that the process may use.
    pub workers: usize,
    /// Limits and defaults.
    pub limits: Arc<Limits>,
}

impl Default for ProxyOptions {
    fn default() -> Self {
        Self { workers: std::thread::available_parallelism().map_or(1, usize::from), limits: Arc::default() }
    }
}

/// The running data plane: its workers, its sockets, its snapshot. Dropping it ends all connections.
#[derive(Debug)]
pub struct Proxy {
    snapshot: Arc<ArcSwap<Snapshot>>,
    limits: Arc<Limits>,
    workers: Vec<WorkerHandle>,
    /// The ports that are served. Locked for as long as a change is under way, so that they are one at a time.
    ports: Mutex<BTreeMap<PortKey, Owner>>,
}

/// What became of a snapshot.
#[derive(Debug)]
pub struct Applied {
    /// The snapshot that is served.
    pub revision: Revision,
    /// Sockets that were opened.
    pub opened: Vec<Binding>,
    /// Sockets that were closed.
    pub closed: Vec<Binding>,
    /// Sockets that could not be opened; the next snapshot tries again. All else is served.
    pub failures: Vec<BindFailure>,
}

/// How a drain ended.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub struct Drained {
    /// Connections and UDP sessions that had not ended within the grace, and were cut.
    pub cut: usize,
}

impl Proxy {
    /// Starts the workers. They serve nothing until a snapshot is applied. `observer` sees what they do.
    ///
    /// # Errors
    ///
    /// The system gave no thread, or no event queue for one.
    pub fn start(options: ProxyOptions, observer: &Arc<Observer>) -> io::Result<Self> {
        let snapshot = Arc::new(ArcSwap::from_pointee(Snapshot::empty()));
        let start = |id| {
            let (limits, snapshot) = (Arc::clone(&options.limits), Arc::clone(&snapshot));
            let observer = Arc::clone(observer);
            WorkerHandle::start(id, move || {
                let upstream = Pools::new(Arc::clone(&limits), id);
                Worker { id, snapshot, limits, upstream, recorder: observer.recorder() }
            })
        };
        let workers = (0..options.workers.max(1)).map(start).collect::<io::Result<_>>()?;
        Ok(Self { snapshot, limits: options.limits, workers, ports: Mutex::default() })
    }

    /// The snapshot that is served.
    pub fn snapshot(&self) -> Arc<Snapshot> {
        self.snapshot.load_full()
    }

    /// Serves `snapshot` from now on.
    ///
    /// New sockets are bound first, then the snapshot is swapped in at once, then sockets that it does not
    /// name are closed and their connections asked to end, as are those of listeners that are gone or
    /// that now treat TLS or its clients otherwise. All other sockets and connections are left alone.
    /// Returns when every worker has followed.
    pub async fn apply(&self, snapshot: impl Into<Arc<Snapshot>>) -> Applied {
        let snapshot = snapshot.into();
        let revision = snapshot.revision;
        let mut ports = self.ports.lock().await;

        let mut failures = Vec::new();
        let wanted = claim(&snapshot, &mut failures);
        let mut changes: Vec<PortChange> = self.workers.iter().map(|_| PortChange::default()).collect();
        let opened = self.open(&wanted, &mut ports, &mut changes, &mut failures);
        hand_over(&wanted, &mut ports, &mut changes);
        let closed = close(&wanted, &mut ports, &mut changes);
        let ended = ended_listeners(&self.snapshot.load(), &snapshot);
        changes.iter_mut().for_each(|change| change.drain.clone_from(&ended));

        self.snapshot.store(snapshot);
        self.tell_all(changes.into_iter().map(|change| |done| Command::Change { change, done })).await;
        Applied { revision, opened, closed, failures }
    }

    /// Stops accepting, asks every connection to end, and waits until they have, at most for `grace`; then
    /// cuts those that are left.
    pub async fn drain(&self, grace: Duration) -> Drained {
        let mut ports = self.ports.lock().await;
        ports.clear();
        let commands = self.workers.iter().map(|_| |done| Command::Drain { grace, done });
        Drained { cut: self.tell_all(commands).await.into_iter().sum() }
    }

    /// Ends the workers and all connections at once, and waits for the threads.
    pub fn shutdown(self) {
        for WorkerHandle { commands, thread } in self.workers {
            drop(commands);
            if thread.join().is_err() {
                tracing::error!("a worker thread ended in a panic");
            }
        }
    }

    fn open(
        &self,
        wanted: &BTreeMap<PortKey, Owner>,
        ports: &mut BTreeMap<PortKey, Owner>,
        changes: &mut [PortChange],
        failures: &mut Vec<BindFailure>,
    ) -> Vec<Binding> {
        let mut opened = Vec::new();
        for (key, owner) in wanted {
            if ports.contains_key(key) {
                continue;
            }
            match self.bind(*key, wanted) {
                Ok(sockets) => {
                    for (change, socket) in changes.iter_mut().zip(sockets) {
                        change.open.push(OpenedPort { key: *key, owner: owner.clone(), socket });
                    }
                    ports.insert(*key, owner.clone());
                    opened.push(key.binding(owner));
                }
                Err(error) => {
                    let gateway = owner.gateway.clone();
                    failures.push(BindFailure { gateway, binding: key.binding(owner), error });
                }
            }
        }
        opened
    }

    fn bind(&self, key: PortKey, wanted: &BTreeMap<PortKey, Owner>) -> Result<Vec<BoundSocket>, BindError> {
        // An IPv6 wildcard also takes IPv4, unless IPv4 is asked for by itself.
        let v4 = SocketAddr::new(IpAddr::V4(Ipv4Addr::UNSPECIFIED), key.address.port());
        let only_v6 =
            !key.address.ip().is_unspecified() || wanted.contains_key(&PortKey { address: v4, ..key });
        connection::bind(key.address, key.transport, only_v6, self.workers.len(), &self.limits)
    }

    /// Tells each worker its command and waits for all answers.
    async fn tell_all<T, C>(&self, commands: impl Iterator<Item = C>) -> Vec<T>
    where
        C: FnOnce(oneshot::Sender<T>) -> Command,
    {
        let ask = |(worker, command): (&WorkerHandle, C)| {
            let (done, answer) = oneshot::channel();
            // A worker that is gone drops `done`, and its answer is missing below.
            let _ = worker.commands.send(command(done));
            answer
        };
        // All are asked before the first answer is waited for.
        let answers: Vec<_> = self.workers.iter().zip(commands).map(ask).collect();
        let answers = join_all(answers).await;
        if answers.iter().any(Result::is_err) {
            tracing::error!("a worker thread is gone; restart the process");
        }
        answers.into_iter().filter_map(Result::ok).collect()
    }
}

/// Finds the Gateway for each port. Where two want the same, the first has it.
fn claim(snapshot: &Snapshot, failures: &mut Vec<BindFailure>) -> BTreeMap<PortKey, Owner> {
    let mut wanted = BTreeMap::<PortKey, Owner>::new();
    for gateway in &snapshot.gateways {
        for binding in &gateway.bindings {
            let name = &gateway.configuration.gateway;
            let owner = Owner { gateway: name.clone(), listener_port: binding.listener_port };
            match wanted.get(&binding.key()) {
                Some(other) if *other == owner => {}
                Some(other) => failures.push(BindFailure {
                    gateway: name.clone(),
                    binding: *binding,
                    error: BindError::Claimed(other.gateway.clone()),
                }),
                None => {
                    wanted.insert(binding.key(), owner);
                }
            }
        }
    }
    wanted
}

fn hand_over(
    wanted: &BTreeMap<PortKey, Owner>,
    ports: &mut BTreeMap<PortKey, Owner>,
    changes: &mut [PortChange],
) {
    for (key, owner) in ports.iter_mut() {
        let Some(next) = wanted.get(key).filter(|next| *next != owner) else { continue };
        *owner = next.clone();
        changes.iter_mut().for_each(|change| change.hand_over.push((*key, next.clone())));
    }
}

fn close(
    wanted: &BTreeMap<PortKey, Owner>,
    ports: &mut BTreeMap<PortKey, Owner>,
    changes: &mut [PortChange],
) -> Vec<Binding> {
    let mut closed = Vec::new();
    ports.retain(|key, owner| {
        let stays = wanted.contains_key(key);
        if !stays {
            closed.push(key.binding(owner));
            changes.iter_mut().for_each(|change| change.close.push(*key));
        }
        stays
    });
    closed
}

/// Listeners whose connections were admitted under terms that hold no longer. Requests in clear text are
/// judged one by one, and certificates may change under a connection.
fn ended_listeners(old: &Snapshot, new: &Snapshot) -> Vec<ListenerKey> {
    let mut ended = Vec::new();
    for gateway in &old.gateways {
        let next = new.gateway(&gateway.configuration.gateway);
        for (key, listener) in &gateway.configuration.listeners {
            let goes_on = next
                .and_then(|next| next.configuration.listeners.get(key))
                .is_some_and(|next| Arc::ptr_eq(next, listener) || admits_alike(listener, next));
            if !goes_on {
                ended.push(key.clone());
            }
        }
    }
    ended
}

fn admits_alike(old: &Listener, new: &Listener) -> bool {
    let validation = |listener: &Listener| listener.protocol.termination()?.client_validation.clone();
    old.port == new.port
        && discriminant(&old.protocol) == discriminant(&new.protocol)
        && validation(old) == validation(new)
}
