//! One entry of `spec.addresses`: whether it can be had.

use std::net::IpAddr;

use portway_api::Gateway;
use portway_api::gateway::{
    GatewaySpecAddress, GatewayStatusAddress, HOSTNAME_ADDRESS, IP_ADDRESS, ROUTABILITY_CLUSTER,
};

use super::super::error;
use super::{Failure, Outcome, cluster, ip, serves_loopback_only};
use crate::finding::{Culprit, FindingCode, Severity};
use crate::hostname;
use crate::options::{ClusterOptions, Options};
use crate::reason::Reason;

/// A routability that says nothing, reserved for the conformance suite: whoever reports routability must echo it.
const ROUTABILITY_SENTINEL: &str = "testing.x-k8s.io/sentinel";

/// One entry of `spec.addresses`.
#[derive(Clone, Copy, Debug)]
pub(super) struct Request<'a> {
    pub(super) gateway: &'a Gateway,
    pub(super) index: usize,
    pub(super) spec: &'a GatewaySpecAddress,
    pub(super) options: &'a Options,
}

type Answer = Result<Outcome, Box<Failure>>;

impl<'a> Request<'a> {
    /// Decides what becomes of it. `taken` are addresses that other entries have.
    pub(super) fn assign(self, taken: &mut Vec<String>) -> Answer {
        let kind = self.spec.kind();
        if kind != IP_ADDRESS && kind != HOSTNAME_ADDRESS {
            let message = format!("addresses of type {kind} are not supported");
            let (reason, code) = (Reason::UnsupportedAddress, FindingCode::UnsupportedValue);
            return Err(self.fail(reason, code, ".type", message, "use IPAddress or Hostname"));
        }
        let routability = self.routability()?;
        if let Some(cluster) = &self.options.cluster {
            self.check_value()?;
            return self.decided(cluster);
        }
        match (kind, self.spec.value()) {
            (IP_ADDRESS, Some(value)) => self.static_ip(value, routability),
            (IP_ADDRESS, None) => self.dynamic_ip(routability, taken),
            (_, Some(value)) => self.static_hostname(value, routability),
            (_, None) => {
                let message = "there is no supply of hostnames to assign one from".to_owned();
                let help = "name the hostname, or use type IPAddress";
                let (reason, code) = (Reason::AddressNotAssigned, FindingCode::UnsupportedValue);
                Err(self.fail(reason, code, ".value", message, help))
            }
        }
    }

    /// An entry that asks for what another one asks for: each must have an address of its own.
    pub(super) fn repeated(self, value: &str) -> Box<Failure> {
        let message = format!("{value} is asked for twice");
        self.fail(Reason::AddressNotUsable, FindingCode::InvalidValue, ".value", message, "remove one")
    }

    /// The routability to report, where we can give it.
    fn routability(self) -> Result<&'a str, Box<Failure>> {
        let (code, message) = match self.spec.routability.as_deref().unwrap_or_default() {
            "" => return Ok(""),
            ROUTABILITY_SENTINEL if self.spec.kind() == IP_ADDRESS => return Ok(ROUTABILITY_SENTINEL),
            ROUTABILITY_CLUSTER if self.options.cluster.is_some() && self.spec.kind() == IP_ADDRESS => {
                return Ok(ROUTABILITY_CLUSTER);
            }
            ROUTABILITY_CLUSTER => {
                (FindingCode::UnsupportedValue, "there is no ClusterIP to be had".to_owned())
            }
            other if is_prefixed(other) => {
                (FindingCode::UnsupportedValue, format!("routability {other} is not known"))
            }
            other => {
                let message = format!(
                    "`{other}` is neither Cluster nor a name behind a domain, such as example.com/internal"
                );
                (FindingCode::InvalidValue, message)
            }
        };
        Err(self.fail(Reason::AddressNotAssigned, code, ".routability", message, "leave out `routability`"))
    }

    /// The first address that nobody has yet.
    fn dynamic_ip(self, routability: &str, taken: &mut Vec<String>) -> Answer {
        let ours = &self.options.default_addresses;
        if ours.is_empty() {
            return Ok(Outcome::Awaited(String::new()));
        }
        let Some(free) = ours.iter().find(|it| !taken.contains(&it.to_string())) else {
            let message = format!("there are no more than {} addresses to assign", ours.len());
            let (reason, code) = (Reason::AddressNotAssigned, FindingCode::UnsupportedValue);
            return Err(self.fail(reason, code, "", message, "ask for fewer"));
        };
        taken.push(free.to_string());
        Ok(Outcome::Assigned(ip(*free, routability)))
    }

    fn static_ip(self, value: &str, routability: &str) -> Answer {
        let address = self.host_address(value)?;
        let ours = &self.options.default_addresses;
        let covers =
            |it: &IpAddr| *it == address || (it.is_unspecified() && it.is_ipv4() == address.is_ipv4());
        if ours.is_empty() || ours.iter().any(covers) {
            return Ok(Outcome::Assigned(ip(address, routability)));
        }
        let ours: Vec<_> = ours.iter().map(ToString::to_string).collect();
        let message =
            format!("{address} is not one of the addresses that are served here: {}", ours.join(", "));
        let (reason, code) = (Reason::AddressNotUsable, FindingCode::UnsupportedValue);
        Err(self.fail(reason, code, ".value", message, "name one of these, or none"))
    }

    /// The value as the address of a host.
    fn host_address(self, value: &str) -> Result<IpAddr, Box<Failure>> {
        let refuse = |message: String, help: &str| {
            Err(self.fail(Reason::AddressNotUsable, FindingCode::InvalidValue, ".value", message, help))
        };
        let Ok(address) = value.parse::<IpAddr>() else {
            let message = format!("`{value}` is not an IP address");
            return refuse(message, "give an address such as 192.0.2.1 or 2001:db8::1");
        };
        let is_broadcast = matches!(address, IpAddr::V4(it) if it.is_broadcast());
        if address.is_unspecified() || address.is_multicast() || is_broadcast {
            let message = format!("{address} is not the address of a host");
            return refuse(message, "give the address of a host");
        }
        Ok(address)
    }

    fn static_hostname(self, value: &str, routability: &str) -> Answer {
        self.check_hostname(value)?;
        // Whether the name leads here is in the hands of whoever keeps the DNS zone.
        Ok(Outcome::Assigned(GatewayStatusAddress {
            kind: Some(HOSTNAME_ADDRESS.to_owned()),
            value: value.to_owned(),
            routability: Some(routability.to_owned()),
        }))
    }

    fn check_hostname(self, value: &str) -> Result<(), Box<Failure>> {
        hostname::parse(value).map(drop).map_err(|fault| {
            let message = format!("`{value}` {fault}");
            let (reason, code) = (Reason::AddressNotUsable, FindingCode::InvalidValue);
            self.fail(reason, code, ".value", message, "give a name such as gateway.example.com")
        })
    }

    /// Whether the value, where there is one, is of its type at all.
    fn check_value(self) -> Result<(), Box<Failure>> {
        match self.spec.value() {
            Some(value) if self.spec.kind() == IP_ADDRESS => self.host_address(value).map(drop),
            Some(value) => self.check_hostname(value),
            None => Ok(()),
        }
    }

    /// As whoever provisions has decided.
    fn decided(self, cluster: &ClusterOptions) -> Answer {
        let outcomes = cluster.addresses.get(&self.gateway.key());
        match outcomes.and_then(|it| it.get(self.index)) {
            Some(outcome) => {
                cluster::outcome(self.gateway, &format!("spec.addresses[{}]", self.index), outcome)
            }
            None => Ok(Outcome::Awaited(String::new())),
        }
    }

    fn fail(
        self,
        reason: Reason,
        code: FindingCode,
        below: &str,
        message: String,
        help: &str,
    ) -> Box<Failure> {
        let field = format!("spec.addresses[{}]{below}", self.index);
        let mut finding = error(self.gateway, code, field, message).with_help(help);
        // What cannot be had on a developer's machine may well be had elsewhere.
        if code == FindingCode::UnsupportedValue && reason != Reason::UnsupportedAddress {
            finding = finding.with_culprit(Culprit::Nobody);
            if serves_loopback_only(self.options) {
                finding.severity = Severity::Warning;
            }
        }
        Box::new(Failure { reason, finding })
    }
}

/// Implementations' own values: a DNS name that is not Kubernetes' own, a slash, and more.
fn is_prefixed(value: &str) -> bool {
    value.split_once('/').is_some_and(|(prefix, path)| {
        let reserved = prefix == "k8s.io" || prefix.ends_with(".k8s.io");
        !path.is_empty() && !prefix.is_empty() && !reserved && hostname::parse(prefix).is_ok()
    })
}
