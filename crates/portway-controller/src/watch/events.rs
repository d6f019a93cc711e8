//! The events of one watch, through whatever ends it.

use futures_util::{Stream, StreamExt};
use kube::runtime::watcher::{Error, Event};
use tokio::time::sleep;

use super::pause::Pauses;
use crate::failure::{self, Subject, Telling};
use crate::metrics::Metrics;

/// The events of one watch. It is begun again whenever it ends, with growing pauses, and the log tells once why.
///
/// This is not `kube::runtime::WatchStreamExt::backoff`: there each attempt to list anew begins with an event
/// ([`Event::Init`]), which counts as success, so that a list that is refused would be asked for at the shortest pause
/// for ever, with a line in the log each time.
pub(crate) struct Events<S> {
    stream: S,
    subject: Subject,
    metrics: Metrics,
    pauses: Pauses,
    telling: Telling,
}

impl<S, K> Events<S>
where
    S: Stream<Item = Result<Event<K>, Error>> + Unpin,
{
    /// Of a watch that `kube::runtime::watcher` has made.
    pub(crate) fn new(stream: S, subject: Subject, metrics: Metrics) -> Self {
        Self { stream, subject, metrics, pauses: Pauses::new(), telling: Telling::default() }
    }

    /// The next event, however long it takes; None when the watch gives up, which kube's never does.
    pub(crate) async fn next(&mut self) -> Option<Event<K>> {
        loop {
            match self.stream.next().await? {
                // It says that a list will be asked for, not that one has come.
                Ok(Event::Init) => return Some(Event::Init),
                Ok(event) => {
                    self.telling.works();
                    self.pauses.begin_again();
                    return Some(event);
                }
                Err(error) => {
                    self.tell(&error);
                    sleep(self.pauses.draw()).await;
                }
            }
        }
    }
}

impl<S> Events<S> {
    fn tell(&mut self, error: &Error) {
        self.metrics.watch_restarted(self.subject.kind(), failure::reason(error));
        if failure::is_forbidden(error) {
            if self.telling.is_forbidden() {
                failure::log_forbidden(&self.subject);
            }
        } else {
            failure::log_end(&self.subject, error, !self.telling.fails());
        }
    }
}

#[cfg(test)]
mod tests {
    use futures_util::stream;
    use kube::core::Status;
    use tokio::time::Instant;

    use super::*;
    use crate::limits::{WATCH_PAUSE, WATCH_PAUSE_MAX};

    fn refused() -> Result<Event<()>, Error> {
        let status = Status { code: 403, ..Status::default() };
        Err(Error::InitialListFailed(kube::Error::Api(Box::new(status))))
    }

    /// What kube's watcher says of lists that are refused one after the other.
    fn attempts(count: usize) -> impl Iterator<Item = Result<Event<()>, Error>> {
        (0..count).flat_map(|_| [Ok(Event::Init), refused()])
    }

    #[tokio::test(start_paused = true)]
    async fn lists_that_are_refused_are_asked_for_with_growing_pauses() {
        let answers = attempts(100).chain([Ok(Event::Init), Ok(Event::InitDone)]).chain(attempts(1));
        let stream = stream::iter(answers.chain([Ok(Event::Init)]));
        let mut events =
            Events::new(stream, Subject::of_kind("Gateway", "gateways", "example.com"), Metrics::default());
        let begun = Instant::now();
        while !matches!(events.next().await, Some(Event::InitDone)) {}
        // All but the first few pauses are as long as they become, or up to a quarter shorter.
        assert!(begun.elapsed() > WATCH_PAUSE_MAX * 95 * 3 / 4, "{:?}", begun.elapsed());
        assert_eq!(events.telling.refusals, 0);
        let begun = Instant::now();
        assert!(matches!(events.next().await, Some(Event::Init)));
        assert!(matches!(events.next().await, Some(Event::Init)));
        assert_eq!(events.telling.refusals, 1);
        assert!(begun.elapsed() <= WATCH_PAUSE, "{:?}", begun.elapsed());
    }
}
