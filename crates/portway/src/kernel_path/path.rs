//! The way of a listener's traffic, with its reason. Every reason code stands here, and in `docs/ebpf.md`.

use std::collections::BTreeMap;
use std::net::SocketAddr;
use std::sync::Arc;

use portway_config::ListenerKey;
use serde::{Deserialize, Serialize};

/// The way of a listener's traffic at one of its addresses.
#[derive(Clone, Debug, PartialEq, Eq, Serialize, Deserialize)]
#[serde(rename_all = "camelCase")]
pub(crate) struct ListenerPath {
    /// The listener, in words.
    pub(crate) listener: String,
    /// The same, for the one who has told of it.
    #[serde(skip)]
    pub(crate) key: Option<ListenerKey>,
    /// `TCP` or `UDP`.
    pub(crate) transport: String,
    /// Where clients find it.
    pub(crate) address: SocketAddr,
    pub(crate) path: Path,
    /// What endpoints see of the client, or the proxies to whom the kernel brings its packets; absent where the kernel does
    /// nothing.
    #[serde(default, skip_serializing_if = "Option::is_none")]
    pub(crate) client_address: Option<ClientAddress>,
    /// A code.
    pub(crate) reason: String,
    /// The reason in words, without a full stop.
    pub(crate) message: String,
}

/// What stands in the kernel.
#[derive(Clone, Debug, PartialEq, Eq, Serialize, Deserialize)]
#[serde(rename_all = "camelCase")]
pub(crate) struct KernelReport {
    pub(crate) programs: Vec<String>,
    /// Those that the programs are attached to.
    pub(crate) interfaces: Vec<String>,
    /// Addresses with port and protocol that are served.
    pub(crate) services: usize,
    pub(crate) endpoints: usize,
    /// Of the endpoints, those that get no new flows.
    pub(crate) draining: usize,
    /// Entries of established flows, two for each.
    pub(crate) flows: usize,
    pub(crate) new_flows: usize,
    /// How full they are, but for those whose number of entries is fixed.
    pub(crate) maps: BTreeMap<String, MapReport>,
    /// Packets that were dropped, by reason code.
    pub(crate) drops: BTreeMap<String, u64>,
}

/// How full a map is.
#[derive(Clone, Debug, PartialEq, Eq, Serialize, Deserialize)]
pub(crate) struct MapReport {
    pub(crate) entries: u64,
    /// Entries that there is room for.
    pub(crate) limit: u64,
}

/// Who takes a listener's traffic to its endpoints.
#[derive(Clone, Copy, Debug, PartialEq, Eq, Serialize, Deserialize)]
#[serde(rename_all = "lowercase")]
pub(crate) enum Path {
    /// eBPF programs, without the proxy.
    Kernel,
    /// eBPF programs, to the Gateway's proxies.
    #[serde(rename = "kernel-to-proxy")]
    KernelToProxy,
    Proxy,
}

/// What the other side of the kernel's path sees of a client's address.
#[derive(Clone, Copy, Debug, PartialEq, Eq, Serialize, Deserialize)]
#[serde(rename_all = "lowercase")]
pub(crate) enum ClientAddress {
    Kept,
    Hidden,
}

impl Path {
    pub(crate) fn as_str(self) -> &'static str {
        match self {
            Self::Kernel => "kernel",
            Self::KernelToProxy => "kernel-to-proxy",
            Self::Proxy => "proxy",
        }
    }
}

/// Why some endpoints do not see the client's address.
#[derive(Clone, Debug, PartialEq, Eq)]
pub(crate) enum Hidden {
    /// Nothing says that their replies come back by this machine of themselves.
    NotRoutedBack,
    /// It is not known which node one is on.
    NodeUnknown,
    /// The node of one has no agent, by its name.
    NoAgent(Arc<str>),
    /// No address of the node, by its name, is a neighbour on an Ethernet link of this one.
    NotOnLink(Arc<str>),
}

impl Hidden {
    fn message(&self) -> String {
        match self {
            Self::NotRoutedBack => {
                "endpoints see this machine's address, since their replies must come back here".to_owned()
            }
            Self::NodeUnknown => {
                "endpoints see this node's address: which node one is on is not known".to_owned()
            }
            Self::NoAgent(node) => {
                format!("endpoints see this node's address: {node}, the node of one, has no agent")
            }
            Self::NotOnLink(node) => {
                format!(
                    "endpoints see this node's address: {node}, the node of one, is not on a link of this node"
                )
            }
        }
    }
}

/// Why a listener is served the way it is.
#[derive(Clone, Debug, PartialEq, Eq)]
pub(crate) enum Reason {
    ClientAddressKept,
    ClientAddressHidden(Hidden),
    ReadsContent,
    NoRoute,
    BackendTls,
    EndpointByName,
    EndpointOnLoopback,
    Loopback,
    NotOfInterface,
    PacketFilter,
    OtherFamily,
    EndpointUnreachable,
    EndpointNotByEthernet,
    NotForwarding,
    SourcePortsInUse,
    NotPermitted(String),
    KernelRefuses(String),
}

impl Reason {
    pub(super) fn path(&self) -> Path {
        match self {
            Self::ClientAddressKept | Self::ClientAddressHidden(_) => Path::Kernel,
            _ => Path::Proxy,
        }
    }

    /// What endpoints see of the client, where the kernel serves them.
    pub(super) fn client_address(&self) -> Option<ClientAddress> {
        match self {
            Self::ClientAddressKept => Some(ClientAddress::Kept),
            Self::ClientAddressHidden(_) => Some(ClientAddress::Hidden),
            _ => None,
        }
    }

    pub(crate) fn code(&self) -> &'static str {
        match self {
            Self::ClientAddressKept => "client_address_kept",
            Self::ClientAddressHidden(_) => "client_address_hidden",
            Self::ReadsContent => "reads_content",
            Self::NoRoute => "no_route",
            Self::BackendTls => "backend_tls",
            Self::EndpointByName => "endpoint_by_name",
            Self::EndpointOnLoopback => "endpoint_on_loopback",
            Self::Loopback => "loopback",
            Self::NotOfInterface => "not_of_interface",
            Self::PacketFilter => "packet_filter",
            Self::OtherFamily => "other_family",
            Self::EndpointUnreachable => "endpoint_unreachable",
            Self::EndpointNotByEthernet => "endpoint_not_by_ethernet",
            Self::NotForwarding => "not_forwarding",
            Self::SourcePortsInUse => "source_ports_in_use",
            Self::NotPermitted(_) => "not_permitted",
            Self::KernelRefuses(_) => "kernel_refuses",
        }
    }

    /// In words, without a full stop.
    pub(crate) fn message(&self) -> String {
        let text = match self {
            Self::ClientAddressKept => "endpoints see the client's address",
            Self::ClientAddressHidden(hidden) => return hidden.message(),
            Self::ReadsContent => "HTTP and TLS are read to find the route",
            Self::NoRoute => "no route is attached",
            Self::BackendTls => "a backend is spoken to by TLS",
            Self::EndpointByName => "an endpoint is named by a DNS name",
            Self::EndpointOnLoopback => "an endpoint has a loopback address",
            Self::Loopback => "what is sent to a loopback address passes no network interface",
            Self::NotOfInterface => "no Ethernet interface of this machine has the address",
            Self::PacketFilter => {
                "this machine has nftables or iptables, whose rules the kernel path would pass by; --ebpf on if that \
                 is as it should be"
            }
            Self::OtherFamily => "a backend has no endpoint with an address of the listener's family",
            Self::EndpointUnreachable => "this machine has no route to an endpoint",
            Self::EndpointNotByEthernet => "the way to an endpoint is by an interface that is not Ethernet",
            Self::NotForwarding => {
                "this machine does not forward: set the sysctls net.ipv4.ip_forward and \
                 net.ipv6.conf.all.forwarding to 1"
            }
            Self::SourcePortsInUse => {
                "the source ports from 61000 on are in the sysctl net.ipv4.ip_local_port_range, so others may use them"
            }
            Self::NotPermitted(why) | Self::KernelRefuses(why) => why,
        };
        text.to_owned()
    }
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn the_codes_are_documented_each_with_its_path() {
        let page = include_str!("../../../../docs/ebpf.md");
        let section = page.split("\n## ").find(|it| it.starts_with("`portway run --ebpf`\n")).unwrap();
        let rows = section.lines().filter_map(|it| it.strip_prefix("| `")).filter(|it| !it.starts_with("--"));
        let documented: Vec<_> =
            rows.map(|it| it.split(" | ").take(2).collect::<Vec<_>>().join(" ")).collect();
        let none = String::new;
        let all = [
            Reason::ClientAddressKept,
            Reason::ClientAddressHidden(Hidden::NotRoutedBack),
            Reason::ReadsContent,
            Reason::NoRoute,
            Reason::BackendTls,
            Reason::EndpointByName,
            Reason::EndpointOnLoopback,
            Reason::Loopback,
            Reason::NotOfInterface,
            Reason::PacketFilter,
            Reason::OtherFamily,
            Reason::EndpointUnreachable,
            Reason::EndpointNotByEthernet,
            Reason::NotForwarding,
            Reason::SourcePortsInUse,
            Reason::NotPermitted(none()),
            Reason::KernelRefuses(none()),
        ];
        let codes: Vec<_> = all.iter().map(|it| format!("{}` {}", it.code(), it.path().as_str())).collect();
        assert_eq!(documented, codes);
    }
}
