//! Core objects, as far as Portway reads them: the API server's rules for ports and addresses.

use std::net::IpAddr;

use super::{
    check::{Check, Validate},
    syntax,
};
use crate::core::{EndpointSlice, Endpoints, IntOrString, Service, ServicePort};

/// The protocols of ports.
const PROTOCOLS: &[&str] = &["TCP", "UDP", "SCTP"];

/// The type of a Service that is only an alias.
const EXTERNAL_NAME: &str = "ExternalName";

impl Validate for Service {
    fn validate(&self, check: &mut Check<'_>) {
        let Some(spec) = &self.spec else { return };
        let ports = spec.ports.as_deref().unwrap_or_default();
        check.within("spec", |check| {
            if let Some(kind) = &spec.type_ {
                let types = ["ClusterIP", "NodePort", "LoadBalancer", EXTERNAL_NAME];
                check.within("type", |check| check.one_of(kind, &types));
            }
            if spec.type_.as_deref() == Some(EXTERNAL_NAME) {
                match &spec.external_name {
                    Some(name) => check.text("externalName", name.trim_end_matches('.'), &syntax::DNS_NAME),
                    None => {
                        check.require("externalName", "the type is ExternalName, so the field is required");
                    }
                }
            }
            check.list("ports", ports, 0..=usize::MAX);
            let named = ports.iter().filter(|port| port.name.is_some()).count();
            if ports.len() > 1 && named < ports.len() {
                let help = "the endpoints of a port are found by its name";
                check.refuse_field("ports", "each of several ports needs a name", help);
            } else {
                check.unique("ports", "port", ports, |port| port.name.clone().unwrap_or_default());
            }
            check.unique("ports", "port", ports, |port| {
                format!("{}/{}", port.port, port.protocol.as_deref().unwrap_or("TCP"))
            });
        });
    }
}

impl Validate for ServicePort {
    fn validate(&self, check: &mut Check<'_>) {
        check.port("port", Some(self.port));
        check.optional_text("name", self.name.as_ref(), &syntax::DNS_LABEL);
        protocol(self.protocol.as_ref(), check);
        match &self.target_port {
            Some(IntOrString::Int(port)) => check.port("targetPort", Some(*port)),
            Some(IntOrString::String(name)) => check.text("targetPort", name, &syntax::PORT_NAME),
            None => {}
        }
    }
}

fn protocol(protocol: Option<&String>, check: &mut Check<'_>) {
    if let Some(protocol) = protocol {
        check.within("protocol", |check| check.one_of(protocol, PROTOCOLS));
    }
}

impl Validate for EndpointSlice {
    fn validate(&self, check: &mut Check<'_>) {
        check.within("addressType", |check| check.one_of(&self.address_type, &["IPv4", "IPv6", "FQDN"]));
        let endpoints = self.endpoints.as_deref().unwrap_or_default();
        check.items("endpoints", endpoints, 0..=1000, |check, endpoint| {
            check.items("addresses", &endpoint.addresses, 1..=100, |check, address| {
                slice_address(&self.address_type, address, check);
            });
        });
        check.items("ports", self.ports.as_deref().unwrap_or_default(), 0..=20_000, |check, port| {
            check.port("port", port.port);
            protocol(port.protocol.as_ref(), check);
        });
    }
}

fn slice_address(address_type: &str, address: &str, check: &mut Check<'_>) {
    let ip = address.parse::<IpAddr>().ok();
    match (address_type, ip) {
        ("IPv4", Some(IpAddr::V4(_))) | ("IPv6", Some(IpAddr::V6(_))) => {}
        ("IPv4" | "IPv6", _) => check.refuse(format!("\"{address}\" is not an {address_type} address")),
        ("FQDN", _) => check.form(address, &syntax::DNS_NAME),
        _ => {}
    }
}

impl Validate for Endpoints {
    fn validate(&self, check: &mut Check<'_>) {
        let subsets = self.subsets.as_deref().unwrap_or_default();
        check.items("subsets", subsets, 0..=usize::MAX, |check, subset| {
            for (field, addresses) in
                [("addresses", &subset.addresses), ("notReadyAddresses", &subset.not_ready_addresses)]
            {
                check.items(
                    field,
                    addresses.as_deref().unwrap_or_default(),
                    0..=usize::MAX,
                    |check, address| {
                        if address.ip.parse::<IpAddr>().is_err() {
                            check.refuse_field(
                                "ip",
                                format!("\"{}\" is not an IP address", address.ip),
                                "write one",
                            );
                        }
                    },
                );
            }
            check.items(
                "ports",
                subset.ports.as_deref().unwrap_or_default(),
                0..=usize::MAX,
                |check, port| {
                    check.port("port", Some(port.port));
                    protocol(port.protocol.as_ref(), check);
                },
            );
        });
    }
}
