//! The options of `portway agent`.

use std::net::{IpAddr, SocketAddr};
use std::path::PathBuf;
use std::time::Duration;

use clap::{Args, Subcommand, ValueEnum, ValueHint};

use portway_ebpf::service::Transport;

use super::Output;
use super::run::parse_duration;
use super::stream::StreamArgs;
use crate::agent_mode::At;
use crate::kernel_path::Network;

#[derive(Debug, Args)]
#[command(after_help = AGENT_HELP, args_conflicts_with_subcommands = true, subcommand_negates_reqs = true)]
pub(crate) struct AgentArgs {
    #[command(subcommand)]
    pub(crate) command: Option<AgentCommand>,

    #[command(flatten)]
    pub(crate) serve: Option<AgentServeArgs>,

    // Not within the others: clap takes options with such a part of their own for given never.
    #[command(flatten)]
    pub(crate) stream: Option<StreamArgs>,
}

#[derive(Debug, Subcommand)]
pub(crate) enum AgentCommand {
    /// Show what the agent of this node serves, and why not the rest
    Status {
        /// The admin address of the agent
        #[arg(long, value_name = "ADDR:PORT", default_value = DEFAULT_AGENT_ADMIN)]
        admin: SocketAddr,

        /// Form of the answer
        #[arg(long, short, value_name = "FORM", default_value = "text")]
        output: Output,
    },
    /// List the flows of this node, or follow them; the agent need not run
    Flows(FlowsArgs),
    /// Detach the programs that an agent has left on this node, and forget their flows
    Remove {
        /// Where they are kept
        #[arg(long, value_name = "DIRECTORY", default_value = DEFAULT_PINS, value_hint = ValueHint::DirPath)]
        pins: PathBuf,
    },
}

#[derive(Debug, Args)]
#[command(after_help = FLOWS_HELP)]
pub(crate) struct FlowsArgs {
    /// Flows of these clients alone: an address, with or without a port, or a network
    #[arg(long, value_name = "ADDR[:PORT]|CIDR")]
    pub(crate) client: Option<At>,

    /// Flows to these addresses of Gateways alone
    #[arg(long, value_name = "ADDR[:PORT]|CIDR")]
    pub(crate) address: Option<At>,

    /// Flows that these endpoints have alone
    #[arg(long, value_name = "ADDR[:PORT]|CIDR")]
    pub(crate) endpoint: Option<At>,

    /// Flows of this protocol alone
    #[arg(long, value_name = "tcp|udp", value_parser = parse_transport)]
    pub(crate) protocol: Option<Transport>,

    /// Print flows as they begin and end, instead of those that there are
    #[arg(long)]
    pub(crate) follow: bool,

    /// How often to look, with --follow
    #[arg(long, value_name = "DURATION", default_value = "1s", value_parser = parse_interval)]
    pub(crate) interval: Duration,

    /// List so many flows at most, those first that were idle for the shortest time; 0 for all
    #[arg(long, value_name = "COUNT", default_value_t = 200)]
    pub(crate) limit: usize,

    /// Form of the answer
    #[arg(long, short, value_name = "FORM", default_value = "text")]
    pub(crate) output: Output,

    /// Where the agent keeps its maps
    #[arg(long, value_name = "DIRECTORY", default_value = DEFAULT_PINS, value_hint = ValueHint::DirPath)]
    pub(crate) pins: PathBuf,

    /// The admin address of the agent, who knows the listeners' names
    #[arg(long, value_name = "ADDR:PORT", default_value = DEFAULT_AGENT_ADMIN)]
    pub(crate) admin: SocketAddr,
}

fn parse_transport(text: &str) -> Result<Transport, String> {
    match text.to_ascii_lowercase().as_str() {
        "tcp" => Ok(Transport::Tcp),
        "udp" => Ok(Transport::Udp),
        _ => Err("it is tcp or udp".to_owned()),
    }
}

/// Each look reads two maps whole.
fn parse_interval(text: &str) -> Result<Duration, String> {
    let interval = parse_duration(text)?;
    if interval < Duration::from_millis(100) { Err("it is 100ms at least".to_owned()) } else { Ok(interval) }
}

/// Whether something is done.
#[derive(Clone, Copy, Debug, PartialEq, Eq, ValueEnum)]
#[allow(missing_docs, reason = "the names say it")]
pub(crate) enum Switch {
    On,
    Off,
}

/// Where an agent keeps programs and maps.
const DEFAULT_PINS: &str = "/sys/fs/bpf/portway";

/// Where an agent answers questions: it shares the node's ports.
const DEFAULT_AGENT_ADMIN: &str = "127.0.0.1:19902";

#[derive(Debug, Args)]
pub(crate) struct AgentServeArgs {
    /// The node's own address: the interface that has it leads out of the node
    #[arg(long, value_name = "ADDR")]
    pub(crate) node_address: IpAddr,

    /// The node's name, under which it announces addresses of Gateways by ARP and NDP; without it, it announces none
    #[arg(long, value_name = "NAME")]
    pub(crate) node_name: Option<String>,

    /// Write a Lease for each address that this node announces, in this namespace; without it, none
    #[arg(long, value_name = "NAMESPACE")]
    pub(crate) lease_namespace: Option<String>,

    /// Announce addresses at this interface, instead of those that have an address of the same network; repeatable
    #[arg(long, value_name = "INTERFACE")]
    pub(crate) announce_interface: Vec<String>,

    /// Enforce NetworkPolicies at the pods of this node; `off` ends what an agent before has enforced
    #[arg(long, value_name = "on|off", default_value = "off")]
    #[arg(requires_ifs = [("on", "node_name"), ("on", "service_network")])]
    pub(crate) policy: Switch,

    /// A network of the cluster's Service addresses, for network policies: what pods send there is judged by the address that it
    /// is led to; repeatable
    #[arg(long, value_name = "CIDR")]
    pub(crate) service_network: Vec<Network>,

    /// A network that pods of this node have their addresses from, for network policies: what comes from outside for an address
    /// that no pod is known to have is dropped; repeatable
    #[arg(long, value_name = "CIDR")]
    pub(crate) pod_network: Vec<Network>,

    /// Where programs and maps are kept, in a bpffs, so that connections go on while no agent runs
    #[arg(long, value_name = "DIRECTORY", default_value = DEFAULT_PINS, value_hint = ValueHint::DirPath)]
    pub(crate) pins: PathBuf,

    /// Address for /healthz, /readyz, /metrics and /status
    #[arg(long, value_name = "ADDR:PORT", default_value = DEFAULT_AGENT_ADMIN)]
    pub(crate) admin: SocketAddr,

    /// How long the connections of an endpoint that has left may go on
    #[arg(long, value_name = "DURATION", default_value = "5m", value_parser = parse_duration)]
    pub(crate) drain_timeout: Duration,
}

const AGENT_HELP: &str = "\
It runs as a DaemonSet, made by the Helm chart in deploy/ where agent.enabled is set. It needs Linux 6.6, the
node's network, a bpffs, and the capabilities CAP_BPF, CAP_NET_ADMIN and CAP_PERFMON.

Exit status:
  0  stopped by a signal
  1  could not start: the message tells why
  2  wrong use of the command line

Examples:
  kubectl --namespace portway-system exec daemonset/portway-agent -- /portway agent status
  kubectl --namespace portway-system exec daemonset/portway-agent -- /portway agent flows --client 192.0.2.0/24
  portway agent remove";

const FLOWS_HELP: &str = "\
Exit status:
  0  listed, or whoever read what was followed has seen enough
  1  there are no maps to read: the message tells why
  2  wrong use of the command line

Examples:
  portway agent flows --address 192.0.2.10:443
  portway agent flows --follow --protocol udp
  portway agent flows --limit 0 --output json | jq -r '.flows[].client'";
