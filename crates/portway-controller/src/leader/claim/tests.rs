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
    let mut claim = candidate("a");
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

/// As after a restart of its container: the name is the same, but what this process wrote is not.
#[test]
fn a_lease_of_an_earlier_process_of_the_same_name_is_taken_over_at_once_and_not_believed_in() {
    let (mut world, mut before, mut after) = (World::new(), candidate("a"), candidate("a"));
    assert!(world.round(&mut before));
    world.wait(1);
    after.observe(world.lease.clone(), world.now);
    assert!(!after.is_held(world.now));
    let second = Timestamp::from_second(1).unwrap();
    let step = after.next(world.now, second).unwrap();
    world.write(step, &mut after);
    assert!(after.is_held(world.now));
}

/// Others count from when they see a renewal, at the earliest from when it was written.
#[test]
fn time_is_counted_from_the_begin_of_a_write_however_late_it_is_seen() {
    let (mut world, mut a) = (World::new(), candidate("a"));
    a.observe(None, world.now);
    let begun = world.now;
    let step = a.next(begun, Timestamp::from_second(1).unwrap()).unwrap();
    let mut of_server = candidate("nobody");
    world.write(step, &mut of_server);
    // The answer is lost; the watch brings the Lease after three seconds.
    world.wait(3);
    a.observe(world.lease.clone(), world.now);
    assert_eq!(a.held_until(), Some(begun + DURATION));
}

#[test]
fn a_state_that_is_past_is_passed_over() {
    let (mut world, mut a) = (World::new(), candidate("a"));
    world.round_at(&mut a, Timestamp::from_second(1).unwrap());
    let past = world.lease.clone();
    world.wait(2);
    world.round_at(&mut a, Timestamp::from_second(3).unwrap());
    let until = a.held_until();
    world.wait(2);
    a.observe(past, world.now);
    assert_eq!(a.held_until(), until);
    // Another one, which has not seen the newer: it counts from now, and is refused if it comes too early.
    let mut b = candidate("b");
    b.observe(world.lease.clone(), world.now);
    assert_eq!(b.next(world.now, Timestamp::UNIX_EPOCH), None);
}

#[test]
fn nonsense_in_the_lease_keeps_nobody_out_for_ever() {
    for seconds in [Some(i32::MAX), Some(0), Some(-1), None] {
        let mut claim = candidate("a");
        let spec = LeaseSpec {
            holder_identity: Some("b".to_owned()),
            lease_duration_seconds: seconds,
            renew_time: Some(MicroTime(Timestamp::MAX)),
            ..LeaseSpec::default()
        };
        let now = Instant::now();
        claim.observe(Some(Lease { spec: Some(spec), ..Lease::default() }), now);
        assert_eq!(claim.next(now + Duration::from_secs(4), Timestamp::UNIX_EPOCH), None, "{seconds:?}");
        assert!(claim.next(now + LEASE_DURATION_MAX, Timestamp::UNIX_EPOCH).is_some(), "{seconds:?}");
    }
}
