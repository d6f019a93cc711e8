//! The options of `portway run`.

use std::io::{self, IsTerminal};
use std::net::{IpAddr, SocketAddr};
use std::time::Duration;

use clap::{Args, ValueEnum};
use portway_proxy::observe::LogFormat;

use super::{DEFAULT_ADMIN, Manifests};
use crate::endpoints::EndpointOption;
use crate::kernel_path::{Ebpf, Network};

#[derive(Debug, Args)]
#[command(after_help = RUN_HELP)]
pub(crate) struct RunArgs {
    #[command(flatten)]
    pub(crate) manifests: Manifests,

    /// Address to listen on, for Gateways that name none in spec.addresses; may be repeated
    ///
    /// The default is reachable from this machine alone, so that trying something out exposes nothing. Use
    /// 0.0.0.0 for all IPv4 addresses and :: for all addresses.
    #[arg(long, value_name = "ADDR", default_value = "127.0.0.1")]
    pub(crate) bind: Vec<IpAddr>,

    /// Added to every port that is opened, so that port 80 can be served as 8080 without privileges
    #[arg(long, value_name = "N", default_value_t = 0)]
    pub(crate) port_offset: u16,

    /// Address for /healthz, /readyz, /metrics, /status and /config; port 0 takes a free one
    #[arg(long, value_name = "ADDR:PORT", default_value = DEFAULT_ADMIN)]
    pub(crate) admin: SocketAddr,

    /// Start a small server in the place of each replica of a Deployment that a Service selects
    ///
    /// It answers in the form of the image nginxdemos/hello:plain-text: server address and name, date, URI and
    /// request id. Services whose endpoints are given otherwise keep those.
    #[arg(long)]
    pub(crate) demo_backends: bool,

    /// Where a Service is really served, in place of what manifests say; may be repeated
    ///
    /// Without PORT for all ports of the Service. HOST is an address or a DNS name.
    #[arg(long = "endpoint", value_name = "NAMESPACE/SERVICE[:PORT]=HOST:PORT,...")]
    pub(crate) endpoints: Vec<EndpointOption>,

    /// Threads that serve; by default one for each core that the process may use
    #[arg(long, value_name = "N", value_parser = clap::value_parser!(u16).range(1..=1024))]
    pub(crate) workers: Option<u16>,

    /// Proxies in front of Portway whose X-Forwarded-For entries are believed
    #[arg(long, value_name = "N", default_value_t = 0)]
    pub(crate) trusted_hops: u8,

    /// Form of the access log on standard output
    #[arg(long, value_name = "FORM", default_value = "auto")]
    pub(crate) access_log: AccessLog,

    /// Count requests for each route too; this makes more series
    #[arg(long)]
    pub(crate) route_metrics: bool,

    /// Whether the kernel may serve TCPRoutes and UDPRoutes by itself, by eBPF programs at the network interfaces
    ///
    /// It needs Linux 6.6 and root (CAP_BPF, CAP_NET_ADMIN, CAP_PERFMON). Such connections have counters, but no lines
    /// in the access log. `portway status` tells the way of each listener, and why.
    #[arg(long, value_name = "WHEN", default_value = "auto")]
    pub(crate) ebpf: Ebpf,

    /// Network whose hosts have this machine as their router; may be repeated
    ///
    /// Replies of endpoints there come back through this machine of themselves, so that the kernel need not hide the
    /// clients' addresses from them.
    #[arg(long = "ebpf-routed-back", value_name = "CIDR")]
    pub(crate) routed_back: Vec<Network>,

    /// How long requests under way may take to end after SIGTERM or SIGINT, such as 30s or 2m
    #[arg(long, value_name = "DURATION", default_value = "30s", value_parser = parse_duration)]
    pub(crate) drain_timeout: Duration,
}

/// Form of the access log.
#[derive(Clone, Copy, Debug, PartialEq, Eq, ValueEnum)]
pub(crate) enum AccessLog {
    /// `text` on a terminal, else `json`
    Auto,
    /// One JSON object for each request
    Json,
    /// One line for people
    Text,
    /// None
    Off,
}

impl AccessLog {
    /// What that is on the standard output of this process.
    pub(crate) fn format(self) -> LogFormat {
        match self {
            Self::Auto if io::stdout().is_terminal() => LogFormat::Text,
            Self::Auto | Self::Json => LogFormat::Json,
            Self::Text => LogFormat::Text,
            Self::Off => LogFormat::Off,
        }
    }
}

const RUN_HELP: &str = "\
Files are watched: an edit, a renamed file, `git checkout` or a swapped ConfigMap takes effect at
once and disturbs no connection. A file with errors never replaces a good one: it is refused and
reported, here and in `portway status`, and its last good version serves on. SIGHUP looks again at
once.

SIGTERM and SIGINT let requests under way end; a second one ends the process at once.

Exit status:
  0  stopped by a signal
  1  could not start: the message tells why
  2  wrong use of the command line

Examples:
  portway run examples/my-app --demo-backends --port-offset 8000
  portway run manifests/ --bind 0.0.0.0 --endpoint my-app/my-web-app:80=127.0.0.1:3000
  helm template ./chart | portway run - --demo-backends --port-offset 8000";

/// Reads a number with a unit: `ms`, `s` or `m`; without a unit seconds are meant.
pub(super) fn parse_duration(text: &str) -> Result<Duration, String> {
    let split = text.find(|c: char| !c.is_ascii_digit()).unwrap_or(text.len());
    let (number, unit) = text.split_at(split);
    let number: u32 = number.parse().map_err(|_| "it needs a whole number, as in 30s".to_owned())?;
    match unit {
        "ms" => Ok(Duration::from_millis(number.into())),
        "" | "s" => Ok(Duration::from_secs(number.into())),
        "m" => Ok(Duration::from_secs(u64::from(number) * 60)),
        _ => Err("the units are ms, s and m".to_owned()),
    }
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn durations_have_units() {
        assert_eq!(parse_duration("250ms"), Ok(Duration::from_millis(250)));
        assert_eq!(parse_duration("30s"), Ok(Duration::from_secs(30)));
        assert_eq!(parse_duration("30"), Ok(Duration::from_secs(30)));
        assert_eq!(parse_duration("2m"), Ok(Duration::from_secs(120)));
        for wrong in ["", "s", "-1s", "1h", "1.5s", "99999999999s"] {
            assert!(parse_duration(wrong).is_err(), "{wrong}");
        }
    }
}
