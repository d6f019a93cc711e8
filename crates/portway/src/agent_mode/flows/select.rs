//! Which flows are asked for. Pure.

use std::net::SocketAddr;
use std::str::FromStr;

use portway_ebpf::pinned::SeenFlow;
use portway_ebpf::service::Transport;

use crate::kernel_path::Network;

/// Flows of which everything that is told here is so.
#[derive(Clone, Copy, Debug, Default, PartialEq, Eq)]
pub(super) struct Selection {
    pub(super) client: Option<At>,
    /// Of the Gateway.
    pub(super) address: Option<At>,
    pub(super) endpoint: Option<At>,
    pub(super) protocol: Option<Transport>,
}

impl Selection {
    pub(super) fn includes(&self, flow: &SeenFlow) -> bool {
        self.client.is_none_or(|it| it.includes(flow.client))
            && self.address.is_none_or(|it| it.includes(flow.listener))
            && self.endpoint.is_none_or(|it| flow.endpoint.is_some_and(|endpoint| it.includes(endpoint)))
            && self.protocol.is_none_or(|it| it.protocol() == flow.protocol)
    }
}

/// Addresses of a network, at any port or at one.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub(crate) struct At {
    network: Network,
    port: Option<u16>,
}

impl At {
    fn includes(self, address: SocketAddr) -> bool {
        self.network.contains(address.ip()) && self.port.is_none_or(|it| it == address.port())
    }
}

impl FromStr for At {
    type Err = String;

    fn from_str(text: &str) -> Result<Self, Self::Err> {
        let wrong = |_| "it needs an address, as in 192.0.2.1, [2001:db8::1]:443 or 10.244.0.0/16".to_owned();
        match text.parse::<SocketAddr>() {
            Ok(it) => {
                Ok(Self { network: it.ip().to_string().parse().map_err(wrong)?, port: Some(it.port()) })
            }
            Err(_) => Ok(Self { network: text.parse().map_err(wrong)?, port: None }),
        }
    }
}

#[cfg(test)]
mod tests {
    use super::*;
    use crate::agent_mode::flows::report::tests::flow;

    fn at(text: &str) -> Option<At> {
        Some(text.parse().unwrap())
    }

    #[test]
    fn each_filter_must_fit() {
        let flow = flow();
        let any = Selection::default();
        for (selection, fits) in [
            (any, true),
            (Selection { client: at("198.51.100.0/24"), ..any }, true),
            (Selection { client: at("198.51.100.7:40000"), ..any }, true),
            (Selection { client: at("198.51.100.7:40001"), ..any }, false),
            (Selection { client: at("203.0.113.10"), ..any }, false),
            (Selection { address: at("203.0.113.10"), ..any }, true),
            (Selection { address: at("203.0.113.10:81"), ..any }, false),
            (Selection { endpoint: at("10.0.0.2:8080"), ..any }, true),
            (Selection { endpoint: at("10.0.0.3"), ..any }, false),
            (Selection { protocol: Some(Transport::Tcp), ..any }, true),
            (Selection { protocol: Some(Transport::Udp), ..any }, false),
            (Selection { client: at("198.51.100.7"), protocol: Some(Transport::Udp), ..any }, false),
        ] {
            assert_eq!(selection.includes(&flow), fits, "{selection:?}");
        }
        let nowhere = SeenFlow { endpoint: None, ..flow };
        assert!(!Selection { endpoint: at("0.0.0.0/0"), ..any }.includes(&nowhere));
    }

    #[test]
    fn an_address_may_have_a_port_or_a_prefix() {
        for right in ["192.0.2.1", "192.0.2.1:80", "192.0.2.0/24", "2001:db8::1", "[2001:db8::1]:80", "::/0"]
        {
            assert!(right.parse::<At>().is_ok(), "{right}");
        }
        for wrong in ["", "web", "192.0.2.1:", "192.0.2.1:70000", "192.0.2.0/33", "[2001:db8::1]"] {
            assert!(wrong.parse::<At>().is_err(), "{wrong}");
        }
    }
}
