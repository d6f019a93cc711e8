//! Which sockets each Gateway listens on.

use std::collections::{BTreeMap, BTreeSet};
use std::fmt;
use std::net::{IpAddr, SocketAddr};

use portway_api::gateway::{GatewayStatus, IP_ADDRESS};
use portway_config::{Configuration, ListenerProtocol, NamespacedName};
use portway_proxy::connection::{BindError, BindFailure};
use portway_proxy::snapshot::{Binding, Transport};

/// Which sockets each Gateway listens on.
#[derive(Clone, Debug, Default, PartialEq, Eq)]
pub(crate) struct Bindings {
    /// Those to be opened.
    pub(crate) of: BTreeMap<NamespacedName, Vec<Binding>>,
    /// Those that cannot be.
    pub(crate) unavailable: Vec<Unavailable>,
}

/// A socket that cannot be opened.
#[derive(Clone, Debug, PartialEq, Eq)]
pub(crate) struct Unavailable {
    pub(crate) gateway: NamespacedName,
    pub(crate) address: IpAddr,
    pub(crate) transport: Transport,
    /// The port that the listeners name.
    pub(crate) listener_port: u16,
    pub(crate) why: Why,
}

/// Why a socket cannot be opened.
#[derive(Clone, Debug, PartialEq, Eq)]
pub(crate) enum Why {
    /// An older Gateway has it.
    Taken(NamespacedName),
    /// With the offset there is no such port.
    BeyondLastPort { port_offset: u16 },
    /// The system refuses, in its words and in what to do about it.
    Refused { error: String, help: Option<&'static str> },
}

/// Distributes addresses and ports. `gateways`: the older first, which has precedence, with their addresses.
pub(crate) fn plan(gateways: &[(&Configuration, Vec<IpAddr>)], port_offset: u16) -> Bindings {
    let mut owners = BTreeMap::<(SocketAddr, Transport), &NamespacedName>::new();
    let mut plan = Bindings::default();
    for (configuration, addresses) in gateways {
        let gateway = &configuration.gateway;
        let bindings = plan.of.entry(gateway.clone()).or_default();
        let ports: BTreeSet<_> =
            configuration.listeners.values().map(|it| (it.port, transport(&it.protocol))).collect();
        for (listener_port, transport) in ports {
            for &address in addresses {
                let why = match listener_port.checked_add(port_offset) {
                    None => Why::BeyondLastPort { port_offset },
                    Some(port) => {
                        let address = SocketAddr::new(address, port);
                        let owner = *owners.entry((address, transport)).or_insert(gateway);
                        if owner == gateway {
                            bindings.push(Binding { address, transport, listener_port });
                            continue;
                        }
                        Why::Taken(owner.clone())
                    }
                };
                let gateway = gateway.clone();
                plan.unavailable.push(Unavailable { gateway, address, transport, listener_port, why });
            }
        }
    }
    plan
}

/// The transport of a listener.
pub(crate) fn transport(protocol: &ListenerProtocol) -> Transport {
    match protocol {
        ListenerProtocol::Udp => Transport::Udp,
        _ => Transport::Tcp,
    }
}

/// The addresses that translation assigned to a Gateway; where these are names alone, `default`.
pub(crate) fn addresses(status: Option<&GatewayStatus>, default: &[IpAddr]) -> Vec<IpAddr> {
    let assigned = status.into_iter().flat_map(|status| &status.addresses);
    let mut addresses: Vec<IpAddr> = assigned
        .filter(|address| address.kind.as_deref().is_none_or(|kind| kind == IP_ADDRESS))
        .filter_map(|address| address.value.parse().ok())
        .collect();
    if addresses.is_empty() {
        addresses.extend(default);
    }
    addresses
}

impl From<&BindFailure> for Unavailable {
    fn from(failure: &BindFailure) -> Self {
        let Binding { address, transport, listener_port } = failure.binding;
        let help = match &failure.error {
            BindError::Permission => Some(
                "pass --port-offset, such as 8000 to serve port 80 as 8080; or give the capability, as in \
                 `setcap cap_net_bind_service=+ep PATH-OF-PORTWAY`",
            ),
            BindError::InUse => Some("stop the other process, or pass another --port-offset or --bind"),
            BindError::AddressNotAvailable => Some("pass an address of this machine as --bind"),
            BindError::Claimed(_) | BindError::Other(_) => None,
        };
        let error = format!("cannot listen on {transport} {address}: {}", failure.error);
        let why = Why::Refused { error, help };
        Self { gateway: failure.gateway.clone(), address: address.ip(), transport, listener_port, why }
    }
}

impl Unavailable {
    /// What to do about it.
    pub(crate) fn help(&self) -> Option<String> {
        match &self.why {
            Why::Taken(_) => Some(
                "give one of the two another port, or addresses of their own: spec.addresses, and one --bind for each"
                    .to_owned(),
            ),
            Why::BeyondLastPort { .. } => Some("pass a smaller --port-offset".to_owned()),
            Why::Refused { help, .. } => help.map(str::to_owned),
        }
    }
}

/// A sentence without a full stop.
impl fmt::Display for Unavailable {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        let Self { address, transport, listener_port, .. } = self;
        match &self.why {
            Why::Taken(by) => {
                write!(
                    f,
                    "{transport} port {listener_port} of {address} is served for Gateway {by}, which has precedence"
                )
            }
            Why::BeyondLastPort { port_offset } => write!(
                f,
                "port {listener_port} cannot be opened: with the port offset {port_offset} it is beyond 65535"
            ),
            Why::Refused { error, .. } => f.write_str(error),
        }
    }
}

#[cfg(test)]
mod tests {
    use std::sync::Arc;

    use portway_config::{HostnamePattern, Listener, ListenerKey, ListenerParent};

    use super::*;

    fn gateway(name: &str, listeners: &[(u16, ListenerProtocol)]) -> Configuration {
        let name = NamespacedName::new("a", name);
        let mut configuration = Configuration::empty(name.clone());
        for (number, (port, protocol)) in listeners.iter().enumerate() {
            let key = ListenerKey {
                parent: ListenerParent::Gateway(name.clone()),
                name: number.to_string().into(),
            };
            let hostname = HostnamePattern::Any;
            let listener = Listener {
                key: key.clone(),
                port: *port,
                hostname,
                protocol: protocol.clone(),
                filters: vec![],
            };
            configuration.listeners.insert(key, Arc::new(listener));
        }
        configuration
    }

    fn shown(bindings: &Bindings, gateway: &str) -> Vec<String> {
        let of = bindings.of.get(&NamespacedName::new("a", gateway)).unwrap();
        of.iter().map(|it| format!("{} {} for {}", it.transport, it.address, it.listener_port)).collect()
    }

    #[test]
    fn the_older_gateway_has_the_port() {
        use ListenerProtocol::{Http, Tcp, Udp};
        let (old, young) = (
            gateway("old", &[(80, Http), (80, Http), (53, Udp)]),
            gateway("young", &[(80, Http), (53, Tcp)]),
        );
        let local: IpAddr = [127, 0, 0, 1].into();
        let plan = plan(&[(&old, vec![local]), (&young, vec![local])], 8000);
        assert_eq!(shown(&plan, "old"), ["UDP 127.0.0.1:8053 for 53", "TCP 127.0.0.1:8080 for 80"]);
        assert_eq!(shown(&plan, "young"), ["TCP 127.0.0.1:8053 for 53"]);
        let told: Vec<_> = plan.unavailable.iter().map(ToString::to_string).collect();
        assert_eq!(told, ["TCP port 80 of 127.0.0.1 is served for Gateway a/old, which has precedence"]);
    }

    #[test]
    fn gateways_with_addresses_of_their_own_do_not_meet() {
        let (one, two) = (
            gateway("one", &[(80, ListenerProtocol::Http)]),
            gateway("two", &[(80, ListenerProtocol::Http)]),
        );
        let of = |last: u8| vec![IpAddr::from([127, 0, 0, last])];
        let plan = plan(&[(&one, of(1)), (&two, of(2))], 0);
        assert_eq!(plan.unavailable, []);
        assert_eq!(shown(&plan, "two"), ["TCP 127.0.0.2:80 for 80"]);
    }

    #[test]
    fn an_offset_may_lead_beyond_the_last_port() {
        let high = gateway("high", &[(60_000, ListenerProtocol::Http)]);
        let plan = plan(&[(&high, vec![[127, 0, 0, 1].into()])], 8000);
        assert_eq!(shown(&plan, "high"), [] as [&str; 0]);
        assert_eq!(
            plan.unavailable[0].to_string(),
            "port 60000 cannot be opened: with the port offset 8000 it is beyond 65535"
        );
    }

    #[test]
    fn a_refused_socket_names_the_option_that_helps() {
        let told = |error| {
            let address = "127.0.0.1:80".parse().unwrap();
            let binding = Binding { address, transport: Transport::Tcp, listener_port: 80 };
            let unavailable =
                Unavailable::from(&BindFailure { gateway: NamespacedName::new("a", "b"), binding, error });
            (unavailable.to_string(), unavailable.help().unwrap_or_default())
        };
        let (message, help) = told(BindError::Permission);
        assert!(message.starts_with("cannot listen on TCP 127.0.0.1:80: permission denied"), "{message}");
        assert!(help.starts_with("pass --port-offset, such as 8000 to serve port 80 as 8080"), "{help}");
        assert!(told(BindError::InUse).1.contains("--port-offset"));
        assert!(told(BindError::AddressNotAvailable).1.contains("--bind"));
    }
}
