//! Waiting for a moment of the clock on the wall.

use std::time::Duration;

use jiff::Timestamp;

/// How long to wait at most before another look at the clock: it may be set, and stands still in no one's sleep.
const LOOK_AGAIN: Duration = Duration::from_secs(60);

/// Waits until `clock` shows a moment; for ever where there is none.
pub(super) async fn wait_until(moment: Option<Timestamp>, clock: impl Fn() -> Timestamp) {
    let Some(moment) = moment else { return std::future::pending().await };
    while let Some(pause) = pause(moment, clock()) {
        tokio::time::sleep(pause).await;
    }
}

/// How long to wait before the next look at the clock; none once the moment has come.
fn pause(moment: Timestamp, now: Timestamp) -> Option<Duration> {
    let left = Duration::try_from(moment.duration_since(now)).ok().filter(|left| !left.is_zero())?;
    Some(left.min(LOOK_AGAIN))
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn one_waits_no_longer_than_to_the_moment_and_looks_at_the_clock_meanwhile() {
        let at = |second| Timestamp::from_second(second).unwrap();
        assert_eq!(pause(at(100), at(98)), Some(Duration::from_secs(2)));
        assert_eq!(pause(at(100_000), at(0)), Some(LOOK_AGAIN));
        assert_eq!(pause(at(100), at(100)), None);
        assert_eq!(pause(at(100), at(101)), None);
    }
}
