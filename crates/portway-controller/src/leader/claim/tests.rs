use super::*;

const DURATION: Duration = Duration::from_secs(5);

/// An API server that holds one Lease, and a clock.
struct World {
    lease: Option<Lease>,
    version: u64,
    now: Instant,
}

impl World {
    fn new() -> Self {
        Self { lease: None, version: 0, now: Instant::now() }
    }

    fn wait(&mut self, seconds: u64) {
        self.now += Duration::from_secs(seconds);
    }

    /// One round of a candidate: it sees what there is, and does what is due.
    fn round(&mut self, claim: &mut Claim) -> bool {
        self.round_at(claim, Timestamp::UNIX_EPOCH)
    }

    /// The same of one whose clock shows `time`.
    fn round_at(&mut self, claim: &mut Claim, time: Timestamp) -> bool {
        claim.observe(self.lease.clone(), self.now);
        if let Some(step) = claim.next(self.now, time) {
            self.write(step, claim);
        }
        claim.is_held(self.now)
    }

    fn write(&mut self, step: Move, claim: &mut Claim) {
        let mut lease = match step {
            Move::Create(spec) if self.lease.is_none() => Lease { spec: Some(spec), ..Lease::default() },
            Move::Replace(lease)
                if self
                    .lease
                    .as_ref()
                    .is_some_and(|it| it.metadata.resource_version == lease.metadata.resource_version) =>
            {
                *lease
            }
            _ => return,
        };
        self.version += 1;
        lease.metadata.resource_version = Some(self.version.to_string());
        self.lease = Some(lease);
        claim.observe(self.lease.clone(), self.now);
    }
}

fn candidate(name: &str) -> Claim {
    Claim::new(name.to_owned(), DURATION)
}

#[test]
fn the_first_leads_and_renews() {
    let (mut world, mut a, mut b) = (World::new(), candidate("a"), candidate("b"));
    for _ in 0..10 {
        assert!(world.round(&mut a));
        assert!(!world.round(&mut b));
        world.wait(2);
    }
    assert_eq!(world.lease.unwrap().spec.unwrap().lease_transitions, Some(0));
}

#[test]
fn a_dead_leader_is_followed_when_its_time_is_over() {
    let (mut world, mut a, mut b) = (World::new(), candidate("a"), candidate("b"));
    assert!(world.round(&mut a));
    assert!(!world.round(&mut b));
    world.wait(4);
    assert!(!world.round(&mut b));
    world.wait(1);
    assert!(!a.is_held(world.now), "who cannot renew does not lead");
    assert!(world.round(&mut b));
    assert!(!world.round(&mut a));
}

#[test]
fn a_leader_that_ends_is_followed_at_once() {
    let (mut world, mut a, mut b) = (World::new(), candidate("a"), candidate("b"));
    world.round(&mut a);
    world.round(&mut b);
    let release = a.release(Timestamp::UNIX_EPOCH).unwrap();
    world.write(release, &mut a);
    assert!(!a.is_held(world.now));
    assert!(world.round(&mut b));
    assert!(b.release(Timestamp::UNIX_EPOCH).is_some());
    assert_eq!(a.release(Timestamp::UNIX_EPOCH), None);
}

#[test]
fn of_two_who_reach_for_it_one_gets_it() {
    let (mut world, mut a, mut b) = (World::new(), candidate("a"), candidate("b"));
    a.observe(None, world.now);
    b.observe(None, world.now);
    let (first, second) =
        (a.next(world.now, Timestamp::UNIX_EPOCH), b.next(world.now, Timestamp::UNIX_EPOCH));
    world.write(first.unwrap(), &mut a);
    world.write(second.unwrap(), &mut b);
    assert!(a.is_held(world.now) && !b.is_held(world.now));
}

#[test]
fn nothing_is_done_before_anything_is_seen() {
    let claim = candidate("a");
    assert_eq!(claim.next(Instant::now(), Timestamp::UNIX_EPOCH), None);
    assert!(!claim.is_held(Instant::now()));
}

#[test]
fn clocks_that_differ_by_years_change_nothing() {
    let years = |count: i64| Timestamp::from_second(count * 365 * 24 * 3600).unwrap();
    for (early, late) in [(years(10), years(90)), (years(90), years(10))] {
        let (mut world, mut a, mut b) = (World::new(), candidate("a"), candidate("b"));
        for _ in 0..10 {
            assert!(world.round_at(&mut a, early));
            assert!(!world.round_at(&mut b, late));
            world.wait(2);
        }
        world.wait(2);
        assert!(!world.round_at(&mut b, late), "4 seconds without renewal");
        world.wait(1);
        assert!(world.round_at(&mut b, late));
        assert!(!world.round_at(&mut a, early));
    }
}
