//! A worker's thread: it opens and closes ports as it is told, and drains.

use std::collections::HashMap;
use std::io;
use std::rc::{Rc, Weak};
use std::thread::JoinHandle;
use std::time::Duration;

use futures_util::future::join_all;
use portway_config::ListenerKey;
use tokio::net::TcpListener;
use tokio::sync::{mpsc, oneshot};
use tokio::task::LocalSet;

use super::Worker;
use crate::connection::{BoundSocket, Downstream, Group, Owner, Port, accept_loop, datagram_loop};
use crate::snapshot::PortKey;

/// What a worker is told.
pub(crate) enum Command {
    /// Open and close ports; `done` is told when the sockets of closed ports are closed.
    Change { change: PortChange, done: oneshot::Sender<()> },
    /// Close all ports, ask all connections to end, and cut what is left after `grace`. `done` is told
    /// how many were cut.
    Drain { grace: Duration, done: oneshot::Sender<usize> },
}

/// A change of the ports of a worker.
#[derive(Default)]
pub(crate) struct PortChange {
    pub(crate) open: Vec<OpenedPort>,
    pub(crate) close: Vec<PortKey>,
    pub(crate) hand_over: Vec<(PortKey, Owner)>,
    /// Listeners whose connections end although their port may stay.
    pub(crate) drain: Vec<ListenerKey>,
}

/// A port with the socket for one worker.
pub(crate) struct OpenedPort {
    pub(crate) key: PortKey,
    pub(crate) owner: Owner,
    pub(crate) socket: BoundSocket,
}

/// A running worker, as its proxy sees it. The thread ends when this is dropped.
#[derive(Debug)]
pub(crate) struct WorkerHandle {
    pub(crate) commands: mpsc::UnboundedSender<Command>,
    pub(crate) thread: JoinHandle<()>,
}

impl WorkerHandle {
    /// Starts a thread. `worker` is called on it: much of a worker may not leave its thread.
    pub(crate) fn start(id: usize, worker: impl FnOnce() -> Worker + Send + 'static) -> io::Result<Self> {
        let runtime = tokio::runtime::Builder::new_current_thread().enable_all().build()?;
        let (commands, received) = mpsc::unbounded_channel();
        let thread = std::thread::Builder::new().name(format!("portway-worker-{id}")).spawn(move || {
            let local = LocalSet::new();
            local.block_on(&runtime, async move {
                Ports::new(worker()).follow(received).await;
            });
            // Dropping `local` ends the connections that are left.
        })?;
        Ok(Self { commands, thread })
    }
}

/// The ports that a worker serves.
struct Ports {
    downstream: Rc<Downstream>,
    open: HashMap<PortKey, OpenPort>,
    /// Connections of all ports, those of closed ones included.
    groups: Vec<Weak<Group>>,
}

struct OpenPort {
    port: Rc<Port>,
    serving: tokio::task::JoinHandle<()>,
}

impl Ports {
    fn new(worker: Worker) -> Self {
        Self { downstream: Downstream::new(Rc::new(worker)), open: HashMap::new(), groups: Vec::new() }
    }

    async fn follow(mut self, mut commands: mpsc::UnboundedReceiver<Command>) {
        tokio::task::spawn_local(Rc::clone(&self.downstream).give_memory_back());
        while let Some(command) = commands.recv().await {
            // Whoever asked may have gone away; the work is done all the same.
            match command {
                Command::Change { change, done } => {
                    self.change(change).await;
                    let _ = done.send(());
                }
                Command::Drain { grace, done } => {
                    let _ = done.send(self.drain(grace).await);
                }
            }
        }
    }

    async fn change(&mut self, change: PortChange) {
        for opened in change.open {
            let address = opened.key.address;
            if let Err(error) = self.open(opened) {
                tracing::error!(%address, %error, "a worker cannot serve a socket that is bound");
            }
        }
        for (key, owner) in change.hand_over {
            if let Some(open) = self.open.get(&key) {
                self.retire(open.port.hand_over(owner));
                self.groups.push(Rc::downgrade(&open.port.tenure().group));
            }
        }
        change.drain.iter().for_each(|listener| self.downstream.drain_listener(listener));
        let closed = change.close.iter().filter_map(|key| self.open.remove(key)).collect();
        for port in self.close(closed).await {
            self.retire(port.tenure().group);
        }
        self.groups.retain(|group| group.strong_count() > 0);
    }

    fn open(&mut self, opened: OpenedPort) -> io::Result<()> {
        let port = Port::new(opened.key.address, opened.owner);
        let downstream = Rc::clone(&self.downstream);
        self.groups.push(Rc::downgrade(&port.tenure().group));
        let serving = match opened.socket {
            BoundSocket::Tcp(socket) => {
                let listener = TcpListener::from_std(socket)?;
                tokio::task::spawn_local(accept_loop(listener, Rc::clone(&port), downstream))
            }
            BoundSocket::Udp(socket) => {
                let address = opened.key.address;
                let serving = datagram_loop(socket, Rc::clone(&port), downstream);
                tokio::task::spawn_local(async move {
                    if let Err(error) = serving.await {
                        tracing::error!(%address, %error, "a worker cannot serve a socket that is bound");
                    }
                })
            }
        };
        self.open.insert(opened.key, OpenPort { port, serving });
        Ok(())
    }

    /// Stops taking connections and closes the sockets.
    async fn close(&mut self, ports: Vec<OpenPort>) -> Vec<Rc<Port>> {
        ports.iter().for_each(|open| open.port.stop());
        let mut closed = Vec::with_capacity(ports.len());
        for open in ports {
            if let Err(error) = open.serving.await {
                tracing::error!(address = %open.port.address(), %error, "the accept loop ended in a panic");
            }
            closed.push(open.port);
        }
        closed
    }

    /// Asks connections to end, and cuts those that have not in time.
    fn retire(&self, group: Rc<Group>) {
        group.drain();
        let grace = self.downstream.worker.limits.drain_timeout;
        tokio::task::spawn_local(async move {
            if tokio::time::timeout(grace, group.ended()).await.is_err() {
                group.abort();
            }
        });
    }

    async fn drain(&mut self, grace: Duration) -> usize {
        let open = self.open.drain().map(|(_, open)| open).collect();
        // Held, so that the groups of the closed ports live until their connections have ended.
        let _ports = self.close(open).await;
        let groups: Vec<Rc<Group>> = self.groups.iter().filter_map(Weak::upgrade).collect();
        groups.iter().for_each(|group| group.drain());
        let ended = join_all(groups.iter().map(|group| group.ended()));
        let _ = tokio::time::timeout(grace, ended).await;
        let left = groups.iter().map(|group| group.len()).sum();
        groups.iter().for_each(|group| group.abort());
        join_all(groups.iter().map(|group| group.ended())).await;
        left
    }
}
