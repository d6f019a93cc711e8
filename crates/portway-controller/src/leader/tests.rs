//! Elections at an API server that goes away, hangs, loses answers, and comes back; time is the test's.

use std::sync::{Arc, Mutex};
use std::time::Duration;

use futures_util::{Stream, StreamExt, stream};
use jiff::{SignedDuration, Timestamp};
use k8s_openapi::api::coordination::v1::Lease;
use proptest::prelude::*;
use tokio::sync::watch;
use tokio::task::JoinHandle;
use tokio::time::{Instant, sleep};

use super::candidate::Candidate;
use super::claim::Move;
use super::leases::{Leases, WriteError};
use crate::limits::LEASE_DURATION;

/// How long after the return of the API server somebody leads at the latest.
const SOON: Duration = LEASE_DURATION.saturating_add(Duration::from_secs(2));

/// How the API server is.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
enum Mode {
    Up,
    /// Its process is gone: connections are refused.
    Gone,
    /// It takes requests, and neither carries them out nor answers.
    Hangs,
    /// It carries requests out, but no answer comes.
    Mute,
    /// It has just begun, and does not know permissions yet.
    Forbids,
}

#[derive(Debug)]
struct State {
    lease: Option<Lease>,
    version: u64,
}

/// An API server that holds one Lease.
#[derive(Clone)]
struct Server {
    state: Arc<Mutex<State>>,
    mode: watch::Sender<Mode>,
    changes: watch::Sender<Option<Lease>>,
    /// Whether watches that an absence has ended come back.
    watches_return: bool,
}

impl Server {
    fn new(watches_return: bool) -> Self {
        let state = State { lease: None, version: 0 };
        Self {
            state: Arc::new(Mutex::new(state)),
            mode: watch::Sender::new(Mode::Up),
            changes: watch::Sender::new(None),
            watches_return,
        }
    }

    fn mode(&self) -> Mode {
        *self.mode.borrow()
    }

    fn set(&self, mode: Mode) {
        self.mode.send_replace(mode);
    }

    /// Waits as long as the answer does; whether the request gets as far as to be carried out.
    async fn take(&self) -> Result<(), WriteError> {
        sleep(Duration::from_millis(5)).await;
        match self.mode() {
            Mode::Up | Mode::Mute => Ok(()),
            Mode::Gone => Err(WriteError::Unavailable("connection refused".to_owned())),
            Mode::Forbids => Err(WriteError::Forbidden("not yet".to_owned())),
            Mode::Hangs => std::future::pending().await,
        }
    }

    async fn answer<T>(&self, answer: T) -> T {
        sleep(Duration::from_millis(5)).await;
        match self.mode() {
            Mode::Mute | Mode::Hangs => std::future::pending().await,
            _ => answer,
        }
    }

    fn write_now(&self, step: Move) -> Result<Lease, WriteError> {
        let mut state = self.state.lock().unwrap();
        let present = state.lease.as_ref().map(|it| it.metadata.resource_version.clone());
        let mut lease = match step {
            Move::Create(spec) if present.is_none() => Lease { spec: Some(spec), ..Lease::default() },
            Move::Replace(lease) if present == Some(lease.metadata.resource_version.clone()) => *lease,
            _ => return Err(WriteError::Overtaken),
        };
        state.version += 1;
        lease.metadata.resource_version = Some(state.version.to_string());
        state.lease = Some(lease.clone());
        self.changes.send_replace(Some(lease.clone()));
        Ok(lease)
    }
}

impl Leases for Server {
    fn watch(&self) -> impl Stream<Item = Option<Lease>> + Send + 'static {
        let (server, changes) = (self.clone(), self.changes.subscribe());
        let begin = (server, changes, true, false);
        stream::unfold(begin, |(server, mut changes, is_first, mut is_broken)| async move {
            if !is_first && changes.changed().await.is_err() {
                return None;
            }
            let mut mode = server.mode.subscribe();
            if *mode.borrow() != Mode::Up {
                is_broken = true;
                // What has happened meanwhile comes with the list that follows.
                let _ = mode.wait_for(|it| *it == Mode::Up).await;
            }
            if is_broken && !server.watches_return {
                std::future::pending::<()>().await;
            }
            sleep(Duration::from_millis(10)).await;
            let lease = changes.borrow_and_update().clone();
            Some((lease, (server, changes, false, is_broken)))
        })
        .boxed()
    }

    async fn write(&self, step: Move) -> Result<Lease, WriteError> {
        self.take().await?;
        let written = self.write_now(step);
        self.answer(written).await
    }

    async fn read(&self) -> Result<Option<Lease>, WriteError> {
        self.take().await?;
        let lease = self.state.lock().unwrap().lease.clone();
        self.answer(Ok(lease)).await
    }
}

/// A controller that takes part.
struct Replica {
    leads: watch::Receiver<bool>,
    stop: watch::Sender<bool>,
    task: JoinHandle<()>,
}

impl Replica {
    /// Its clock is wrong by so many seconds.
    fn start(server: &Server, name: &str, skew: i64) -> Self {
        let (sender, leads) = watch::channel(false);
        let (stop, stopped) = watch::channel(false);
        let begun = Instant::now();
        let clock = move || {
            let passed = SignedDuration::try_from(begun.elapsed()).unwrap();
            Timestamp::from_second(1_800_000_000 + skew).unwrap() + passed
        };
        let candidate =
            Candidate::new(server.clone(), "n/portway".to_owned(), name.to_owned(), sender, clock);
        Self { leads, stop, task: tokio::spawn(candidate.run(stopped)) }
    }

    fn leads(&self) -> bool {
        !self.task.is_finished() && *self.leads.borrow()
    }

    /// SIGKILL.
    async fn kill(&mut self) {
        self.task.abort();
        while !self.task.is_finished() {
            tokio::task::yield_now().await;
        }
    }
}

/// Looks at the replicas every 50 ms for some time: never do two lead. Returns when one first did.
async fn follow(replicas: &[Replica], duration: Duration) -> Option<Duration> {
    let begun = Instant::now();
    let mut first = None;
    while begun.elapsed() < duration {
        sleep(Duration::from_millis(50)).await;
        let leaders = replicas.iter().filter(|it| it.leads()).count();
        assert!(leaders < 2, "{leaders} lead");
        if leaders == 1 {
            first.get_or_insert(begun.elapsed());
        }
    }
    first
}

fn leader(replicas: &[Replica]) -> usize {
    replicas.iter().position(Replica::leads).expect("somebody leads")
}

async fn two(server: &Server, skew: i64) -> Vec<Replica> {
    let replicas = vec![Replica::start(server, "a", 0), Replica::start(server, "b", skew)];
    let first = follow(&replicas, Duration::from_secs(3)).await;
    assert!(first.is_some_and(|it| it < Duration::from_secs(1)), "{first:?}");
    replicas
}

#[tokio::test(start_paused = true)]
async fn after_an_absence_of_the_api_server_somebody_leads_soon() {
    for watches_return in [true, false] {
        for mode in [Mode::Gone, Mode::Hangs, Mode::Mute, Mode::Forbids] {
            for absence in [1, 4, 6, 24, 120] {
                let server = Server::new(watches_return);
                let replicas = two(&server, 0).await;
                server.set(mode);
                follow(&replicas, Duration::from_secs(absence)).await;
                server.set(Mode::Up);
                let first = follow(&replicas, Duration::from_secs(30)).await;
                assert!(first.is_some_and(|it| it <= SOON), "{mode:?} for {absence} s: {first:?}");
                assert!(replicas.iter().any(Replica::leads), "nobody leads in the end");
            }
        }
    }
}

/// Proxies find it where it was: kube-proxy takes half a minute after an absence until it sees another address.
#[tokio::test(start_paused = true)]
async fn after_an_absence_the_same_leads_if_it_is_there_and_another_if_not() {
    for absence in [6, 24, 120] {
        let server = Server::new(true);
        let mut replicas = two(&server, 0).await;
        let before = leader(&replicas);
        server.set(Mode::Gone);
        follow(&replicas, Duration::from_secs(absence)).await;
        server.set(Mode::Up);
        follow(&replicas, Duration::from_secs(20)).await;
        assert_eq!(leader(&replicas), before);

        server.set(Mode::Gone);
        follow(&replicas, Duration::from_secs(absence)).await;
        replicas[before].kill().await;
        server.set(Mode::Up);
        let first = follow(&replicas, Duration::from_secs(20)).await;
        assert!(first.is_some_and(|it| it <= SOON), "{first:?}");
    }
}

#[tokio::test(start_paused = true)]
async fn who_cannot_renew_leads_no_more_when_its_time_is_over_though_a_request_is_under_way() {
    for mode in [Mode::Gone, Mode::Hangs, Mode::Mute] {
        let server = Server::new(true);
        let replicas = two(&server, 0).await;
        server.set(mode);
        let begun = Instant::now();
        while replicas.iter().any(Replica::leads) {
            sleep(Duration::from_millis(10)).await;
        }
        assert!(begun.elapsed() <= LEASE_DURATION, "{mode:?}: {:?}", begun.elapsed());
    }
}

#[tokio::test(start_paused = true)]
async fn a_short_absence_changes_nothing() {
    let server = Server::new(true);
    let replicas = two(&server, 0).await;
    let before = leader(&replicas);
    server.set(Mode::Gone);
    sleep(Duration::from_millis(1200)).await;
    server.set(Mode::Up);
    let begun = Instant::now();
    while begun.elapsed() < Duration::from_secs(20) {
        sleep(Duration::from_millis(50)).await;
        assert_eq!(leader(&replicas), before);
    }
}

#[tokio::test(start_paused = true)]
async fn one_that_is_killed_is_followed_when_its_time_is_over() {
    for watches_return in [true, false] {
        let server = Server::new(watches_return);
        let mut replicas = two(&server, 0).await;
        let dead = leader(&replicas);
        replicas[dead].kill().await;
        let first = follow(&replicas, Duration::from_secs(30)).await;
        assert!(first.is_some_and(|it| it <= SOON), "{first:?}");
        // As its Pod is started again under the same name, or under another.
        let again = Replica::start(&server, if dead == 0 { "a" } else { "b" }, 0);
        replicas[dead] = again;
        assert!(follow(&replicas, Duration::from_secs(30)).await.is_some());
        assert_eq!(leader(&replicas), 1 - dead, "who came back does not take what another holds");
    }
}

#[tokio::test(start_paused = true)]
async fn one_that_ends_is_followed_at_once() {
    let server = Server::new(true);
    let replicas = two(&server, 0).await;
    let ending = leader(&replicas);
    replicas[ending].stop.send_replace(true);
    let first = follow(&replicas, Duration::from_secs(10)).await;
    assert!(first.is_some_and(|it| it <= Duration::from_millis(200)), "{first:?}");
    assert_eq!(leader(&replicas), 1 - ending);
}

/// The renewal that is under way when it is asked to end goes through, and it must not keep the Lease by that.
#[tokio::test(start_paused = true)]
async fn one_that_ends_while_it_renews_lets_go_all_the_same() {
    for offset in 0..40 {
        let server = Server::new(true);
        let replicas = two(&server, 0).await;
        sleep(Duration::from_millis(offset * 40)).await;
        let ending = leader(&replicas);
        replicas[ending].stop.send_replace(true);
        let first = follow(&replicas, Duration::from_secs(3)).await;
        assert!(first.is_some_and(|it| it <= Duration::from_secs(2)), "{offset}: {first:?}");
    }
}

#[tokio::test(start_paused = true)]
async fn clocks_that_are_a_minute_apart_neither_steal_nor_wait_for_ever() {
    for skew in [-60, 60, -3600, 3600] {
        let server = Server::new(true);
        let mut replicas = two(&server, skew).await;
        let first = leader(&replicas);
        let begun = Instant::now();
        while begun.elapsed() < Duration::from_secs(90) {
            sleep(Duration::from_millis(50)).await;
            assert_eq!(leader(&replicas), first, "skew {skew}");
        }
        replicas[first].kill().await;
        let next = follow(&replicas, Duration::from_secs(30)).await;
        assert!(next.is_some_and(|it| it <= SOON), "skew {skew}: {next:?}");
    }
}

proptest! {
    #![proptest_config(ProptestConfig::with_cases(64))]

    /// However the API server comes and goes: never do two lead, and when it is back, somebody does soon.
    #[test]
    fn never_two_and_soon_one(
        absences in proptest::collection::vec((0..5_usize, 0..12_000_u64), 1..12),
        watches_return: bool,
    ) {
        let runtime =
            tokio::runtime::Builder::new_current_thread().enable_time().start_paused(true).build().unwrap();
        let modes = [Mode::Up, Mode::Gone, Mode::Hangs, Mode::Mute, Mode::Forbids];
        runtime.block_on(async {
            let server = Server::new(watches_return);
            let replicas = two(&server, 60).await;
            for (mode, millis) in absences {
                server.set(modes[mode]);
                follow(&replicas, Duration::from_millis(millis)).await;
            }
            server.set(Mode::Up);
            let first = follow(&replicas, Duration::from_secs(20)).await;
            assert!(first.is_some_and(|it| it <= SOON), "{first:?}");
        });
    }
}
