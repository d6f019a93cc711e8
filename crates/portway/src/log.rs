//! What the process says about itself: lines on standard error.

use std::io::{self, IsTerminal};

use tracing_subscriber::EnvFilter;
use tracing_subscriber::filter::ParseError;

/// What is said where neither `--log-level` nor `RUST_LOG` says otherwise.
const DEFAULT: &str = "info";

/// What is not said at all, unless it is asked for: kube logs each refused connection, each watch that is not permitted
/// and each that breaks off by itself, many a second. Who asked for it gets an error anyway, and the controller tells it
/// once.
const KUBE: [&str; 2] = ["kube_client::client=off", "kube_runtime::watcher=off"];

/// Begins to log. `level` is that of `--log-level`.
///
/// # Errors
///
/// The level cannot be read; the message says why.
pub(crate) fn start(level: Option<&str>) -> Result<(), String> {
    // A RUST_LOG that was meant for another program is no reason not to start.
    let environment = std::env::var(EnvFilter::DEFAULT_ENV).ok().filter(|asked| filter(asked).is_ok());
    let asked = level.or(environment.as_deref()).unwrap_or(DEFAULT);
    let filter = filter(asked).map_err(|error| format!("`{asked}`: {error}"))?;
    let color =
        io::stderr().is_terminal() && std::env::var_os("NO_COLOR").is_none_or(|value| value.is_empty());
    tracing_subscriber::fmt()
        .with_env_filter(filter)
        .with_writer(io::stderr)
        .with_ansi(color)
        .with_target(false)
        .init();
    Ok(())
}

/// What is said where this is asked for.
fn filter(asked: &str) -> Result<EnvFilter, ParseError> {
    let mut filter = EnvFilter::try_new(asked)?;
    for directive in KUBE {
        let of_crate = directive.split("::").next().unwrap_or_default();
        if !asked.contains(of_crate) {
            filter = filter.add_directive(directive.parse()?);
        }
    }
    Ok(filter)
}

#[cfg(test)]
mod tests {
    use std::sync::{Arc, Mutex};

    use super::*;

    #[derive(Clone, Default)]
    struct Lines(Arc<Mutex<Vec<u8>>>);

    impl io::Write for Lines {
        fn write(&mut self, bytes: &[u8]) -> io::Result<usize> {
            self.0.lock().unwrap().extend_from_slice(bytes);
            Ok(bytes.len())
        }

        fn flush(&mut self) -> io::Result<()> {
            Ok(())
        }
    }

    /// What is said of a storm of kube's and of a line of our own.
    fn said(asked: &str) -> (usize, usize) {
        let lines = Lines::default();
        let writer = lines.clone();
        let subscriber = tracing_subscriber::fmt()
            .with_env_filter(filter(asked).unwrap())
            .with_writer(move || writer.clone())
            .finish();
        tracing::subscriber::with_default(subscriber, || {
            for _ in 0..100 {
                tracing::error!(target: "kube_client::client::builder", "failed with error tcp connect error");
                tracing::warn!(target: "kube_runtime::watcher", "watch list error with 403");
                tracing::warn!(target: "kube_client::client", "eof in poll");
            }
            tracing::warn!("ours");
        });
        let lines = String::from_utf8(lines.0.lock().unwrap().clone()).unwrap();
        (lines.lines().filter(|it| !it.contains("ours")).count(), lines.matches("ours").count())
    }

    #[test]
    fn kubes_storms_are_silent_unless_they_are_asked_for() {
        assert_eq!(said(DEFAULT), (0, 1));
        assert_eq!(said("debug"), (0, 1));
        assert_eq!(said("warn,kube_client=error"), (100, 1));
        assert_eq!(said("off"), (0, 0));
        assert!(filter("no=such=level").is_err());
    }
}
