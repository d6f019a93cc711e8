//! What the process says about itself: lines on standard error.

use std::io::{self, IsTerminal};

use tracing_subscriber::EnvFilter;

/// What is said where neither `--log-level` nor `RUST_LOG` says otherwise.
const DEFAULT: &str = "info";

/// What is not said at all, unless it is asked for.
const KUBE: &str = "kube_client::client::builder=off";

/// Begins to log. `level` is that of `--log-level`.
///
/// # Errors
///
/// The level cannot be read; the message says why.
pub(crate) fn start(level: Option<&str>) -> Result<(), String> {
    let filter = match level {
        Some(level) => EnvFilter::try_new(level).map_err(|error| format!("`{level}`: {error}"))?,
        // A RUST_LOG that was meant for another program is no reason not to start.
        None => EnvFilter::try_from_default_env().unwrap_or_else(|_| EnvFilter::new(DEFAULT)),
    };
    // kube logs each refused connection by itself, many a second; whoever asked for it gets an error anyway.
    let filter = if filter.to_string().contains("kube_client") {
        filter
    } else {
        filter.add_directive(KUBE.parse().map_err(|error| format!("`{KUBE}`: {error}"))?)
    };
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
