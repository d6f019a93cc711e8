//! The thread that announces: hears, decides, tells.

use std::collections::{BTreeMap, BTreeSet};
use std::net::IpAddr;
use std::path::PathBuf;
use std::time::Duration;

use portway_announce::limits::OFFER_PATIENCE;
use portway_announce::{Effect, Election};
use portway_ebpf::KernelError;
use portway_ebpf::announce::{Announcer, Link};
use tokio::sync::{mpsc, watch};
use tokio::time::{Instant, sleep_until};

use super::links::{interfaces, places};
use super::segment::Segments;
use super::{AnnounceOptions, AnnouncedAddress, Seen};

/// How often to look at the interfaces and the programs again: both change without anybody saying so.
const LOOK_AGAIN: Duration = Duration::from_secs(1);

/// What the worker is told.
#[derive(Debug)]
pub(super) enum Command {
    /// The addresses of all Gateways.
    Serve(BTreeSet<IpAddr>),
    SetEligible(bool),
    /// Hand all over, and end.
    Leave,
}

pub(super) struct Worker {
    options: Options,
    election: Election,
    began: Instant,
    /// The addresses of all Gateways, once they are known. What an agent before this one has left stays until then.
    wanted: Option<BTreeSet<IpAddr>>,
    /// Where each of them is announced.
    places: BTreeMap<IpAddr, Vec<Link>>,
    segments: Segments,
    /// Absent: the programs are not there.
    announcer: Option<Announcer>,
    look_at: Instant,
    /// Since when it hands over.
    leaves: Option<Instant>,
    transitions: u64,
    seen: watch::Sender<Seen>,
}

struct Options {
    node: String,
    interfaces: Vec<String>,
    pins: PathBuf,
}

impl Worker {
    pub(super) fn new(options: AnnounceOptions, seen: watch::Sender<Seen>) -> Self {
        let AnnounceOptions { node, interfaces, pins } = options;
        let now = Instant::now();
        Self {
            election: Election::new(node.clone()),
            options: Options { node: node.to_string(), interfaces, pins },
            began: now,
            wanted: None,
            places: BTreeMap::new(),
            segments: Segments::default(),
            announcer: None,
            look_at: now + LOOK_AGAIN,
            leaves: None,
            transitions: 0,
            seen,
        }
    }

    /// Announces until it is told to leave, and that is done.
    pub(super) async fn run(mut self, mut commands: mpsc::UnboundedReceiver<Command>) {
        loop {
            let deadline = (self.began + self.election.deadline()).min(self.look_at);
            let deadline = self.leaves.map_or(deadline, |at| deadline.min(at + OFFER_PATIENCE));
            tokio::select! {
                command = commands.recv(), if self.leaves.is_none() => match command {
                    Some(command) => self.obey(command),
                    None => self.obey(Command::Leave),
                },
                () = self.segments.readable() => {}
                () = sleep_until(deadline) => {}
            }
            if Instant::now() >= self.look_at {
                self.look();
            }
            self.step();
            let has_waited = self.leaves.is_some_and(|at| Instant::now() >= at + OFFER_PATIENCE);
            if self.leaves.is_some() && (has_waited || !self.election.holds_any()) {
                return;
            }
        }
    }

    fn obey(&mut self, command: Command) {
        match command {
            Command::Serve(addresses) => {
                self.wanted = Some(addresses);
                self.look();
            }
            Command::SetEligible(is_eligible) => self.election.set_eligible(is_eligible, self.now()),
            Command::Leave => {
                self.leaves = Some(Instant::now());
                self.election.leave(self.now());
            }
        }
    }

    /// Looks at the machine, and announces what it can of what is wanted.
    fn look(&mut self) {
        self.look_at = Instant::now() + LOOK_AGAIN;
        let Some(wanted) = &self.wanted else { return };
        if self.announcer.as_ref().is_some_and(|it| !it.is_in_place()) {
            self.announcer = None;
        }
        let is_new = self.announcer.is_none();
        if is_new {
            // Not there before the kernel has something to serve.
            self.announcer = Announcer::open(&self.options.pins).ok();
        }
        let interfaces = interfaces();
        self.places = match &self.announcer {
            Some(_) => places(wanted, &interfaces, &self.options.interfaces),
            None => BTreeMap::new(),
        };
        let links = self.places.values().flatten().copied().collect();
        self.segments.listen_on(&links, &interfaces);
        let now = self.now();
        let effects = self.election.serve(&self.places.keys().copied().collect(), now);
        self.carry_out(effects);
        if is_new && let Some(announcer) = &self.announcer {
            let answered = announcer.answered().into_iter().map(|it| it.0).collect();
            self.election.resume(&answered);
        }
        self.repair();
    }

    /// Brings the kernel to what is decided, whatever has happened to it.
    fn repair(&mut self) {
        let Some(announcer) = &mut self.announcer else { return };
        let answers = self.election.answered();
        let is_due = |(address, index): &(IpAddr, u32)| {
            let links = self.places.get(address).filter(|_| answers.contains(address));
            links.is_some_and(|it| it.iter().any(|link| link.interface == *index))
        };
        let mut done = Ok(());
        for (address, interface) in announcer.answered().iter().filter(|it| !is_due(it)) {
            done = done.and(announcer.stop(*address, *interface));
        }
        for held in self.election.held().iter().filter(|it| it.holder.as_deref() == Some(&self.options.node))
        {
            for link in self.places.get(&held.address).into_iter().flatten() {
                done = done.and(announcer.answer(held.address, *link));
                self.segments.follow_questions(held.address, *link, true);
            }
        }
        self.check(done);
    }

    /// What has come, then what time brings; and tells the others.
    fn step(&mut self) {
        let now = self.now();
        let heard = self.segments.receive();
        let mut effects: Vec<_> = heard.iter().flat_map(|it| self.election.hear(it, now)).collect();
        effects.extend(self.election.tick(now));
        self.carry_out(effects);
        if let Some(heartbeat) = self.election.heartbeat(now) {
            self.segments.send(&heartbeat);
        }
        if let Some(announcer) = &mut self.announcer {
            let done = announcer.live();
            self.check(done);
        }
        self.publish();
    }

    fn carry_out(&mut self, effects: Vec<Effect>) {
        for effect in effects {
            let done = self.carry_out_one(&effect);
            self.check(done);
        }
    }

    fn carry_out_one(&mut self, effect: &Effect) -> Result<(), KernelError> {
        let (Effect::Take { address, .. } | Effect::Announce { address } | Effect::Release { address }) =
            *effect;
        // Of an address that is no more wanted, what the kernel has is found by repair().
        let links = self.places.get(&address).cloned().unwrap_or_default();
        let Some(announcer) = &mut self.announcer else { return Ok(()) };
        match effect {
            Effect::Take { term, .. } => {
                tracing::info!("{address} is announced by this node from now on (term {term})");
                self.transitions += 1;
                for link in links {
                    announcer.answer(address, link)?;
                    announcer.tell(address, link)?;
                    self.segments.follow_questions(address, link, true);
                }
            }
            Effect::Announce { .. } => links.iter().try_for_each(|it| announcer.tell(address, *it))?,
            Effect::Release { .. } => {
                tracing::info!("{address} is not announced by this node any more");
                for link in links {
                    announcer.stop(address, link.interface)?;
                    self.segments.follow_questions(address, link, false);
                }
            }
        }
        Ok(())
    }

    /// Tries again at the next look what the kernel has refused.
    fn check(&mut self, done: Result<(), KernelError>) {
        if let Err(error) = done {
            tracing::error!("an address cannot be announced: {error}");
        }
    }

    fn publish(&self) {
        let address = |it: portway_announce::Held| AnnouncedAddress {
            address: it.address,
            is_here: it.holder.as_deref() == Some(&self.options.node),
            node: it.holder.map(|it| it.to_string()),
            transitions: it.term,
        };
        let seen = Seen {
            addresses: self.election.held().into_iter().map(address).collect(),
            transitions: self.transitions,
            peers: self.election.peers().count(),
        };
        self.seen.send_if_modified(|told| {
            let is_news = *told != seen;
            *told = seen;
            is_news
        });
    }

    fn now(&self) -> Duration {
        self.began.elapsed()
    }
}
