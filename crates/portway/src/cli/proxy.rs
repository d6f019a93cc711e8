//! The options of `portway proxy`.

use std::net::{IpAddr, SocketAddr};
use std::path::PathBuf;
use std::time::Duration;

use clap::{Args, ValueHint};
use portway_config::NamespacedName;

use super::run::parse_duration;
use super::stream::StreamArgs;
use super::{AccessLog, DEFAULT_ADMIN};

#[derive(Debug, Args)]
#[command(after_help = PROXY_HELP)]
pub(crate) struct ProxyArgs {
    /// The Gateway to serve
    #[arg(long, value_name = "NAMESPACE/NAME", value_parser = parse_gateway)]
    pub(crate) gateway: NamespacedName,

    #[command(flatten)]
    pub(crate) stream: StreamArgs,

    /// Where the last good configuration is kept, so that a restart needs no controller
    ///
    /// It holds the private keys of the Gateway's certificates.
    #[arg(long, value_name = "DIRECTORY", value_hint = ValueHint::DirPath)]
    pub(crate) state_dir: Option<PathBuf>,

    /// Address to listen on; may be repeated; by default all addresses
    #[arg(long, value_name = "ADDR")]
    pub(crate) bind: Vec<IpAddr>,

    /// Address for /healthz, /readyz, /metrics, /status and /config; port 0 takes a free one
    ///
    /// No listener can have this port.
    #[arg(long, value_name = "ADDR:PORT", default_value = DEFAULT_ADMIN)]
    pub(crate) admin: SocketAddr,

    /// Threads that serve; by default one for each core that the process may use, its CPU limit regarded
    #[arg(long, value_name = "N", value_parser = clap::value_parser!(u16).range(1..=1024))]
    pub(crate) workers: Option<u16>,

    /// Form of the access log on standard output
    #[arg(long, value_name = "FORM", default_value = "auto")]
    pub(crate) access_log: AccessLog,

    /// Count requests for each route too; this makes more series
    #[arg(long)]
    pub(crate) route_metrics: bool,

    /// How long to serve on after SIGTERM, while others learn that this proxy is not ready any more
    #[arg(long, value_name = "DURATION", default_value = "5s", value_parser = parse_duration)]
    pub(crate) drain_delay: Duration,

    /// How long requests under way may take to end after that, such as 30s or 2m
    #[arg(long, value_name = "DURATION", default_value = "30s", value_parser = parse_duration)]
    pub(crate) drain_timeout: Duration,
}

const PROXY_HELP: &str = "\
It is ready as soon as it serves a configuration, from the controller or from the state directory. When
the controller is away, it serves on and tries again. What it cannot use is refused alone, with the
reason here and at the controller: routes keep their last good version, what protects lets nobody in.

SIGTERM and SIGINT take it out of readiness, wait for the delay, and let requests under way end; a
second one ends the process at once.

Exit status:
  0  stopped by a signal
  1  could not start: the message tells why
  2  wrong use of the command line

Example:
  portway proxy --gateway my-app/my-gateway --controller portway.portway-system.svc:9901 \\
    --controller-ca /etc/portway/ca.crt --token-file /var/run/secrets/portway/token \\
    --state-dir /var/lib/portway --admin 0.0.0.0:9900";

fn parse_gateway(text: &str) -> Result<NamespacedName, String> {
    match text.split_once('/') {
        Some((namespace, name)) if !namespace.is_empty() && !name.is_empty() && !name.contains('/') => {
            Ok(NamespacedName::new(namespace, name))
        }
        _ => Err("it needs a namespace and a name, as in my-app/my-gateway".to_owned()),
    }
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn a_gateway_has_a_namespace_and_a_name() {
        assert_eq!(parse_gateway("a/b"), Ok(NamespacedName::new("a", "b")));
        for wrong in ["", "a", "/b", "a/", "a/b/c"] {
            assert!(parse_gateway(wrong).is_err(), "{wrong}");
        }
    }
}
