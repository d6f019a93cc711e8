//! The addresses of a Gateway: which are asked for, which it gets, and from where they are reachable (GEP-5093).

use std::net::IpAddr;

use portway_api::Gateway;
use portway_api::gateway::{
    GatewaySpecAddress, GatewayStatusAddress, HOSTNAME_ADDRESS, IP_ADDRESS, ROUTABILITY_CLUSTER,
};

use crate::condition::Conditions;
use crate::context::Output;
use crate::finding::{Finding, FindingCode};
use crate::hostname;
use crate::listener::GatewayView;
use crate::options::Options;
use crate::reason::{ConditionType, Reason};

/// A routability that says nothing, reserved for the conformance suite: whoever reports routability must echo it.
const ROUTABILITY_SENTINEL: &str = "testing.x-k8s.io/sentinel";

/// What became of the addresses of a Gateway.
#[derive(Debug)]
pub(crate) struct Addresses {
    outcomes: Vec<Outcome>,
    /// Whether `spec.addresses` names any.
    requested: bool,
}

/// What became of one address.
#[derive(Debug)]
enum Outcome {
    Assigned(GatewayStatusAddress),
    /// Whoever provisions may find one yet.
    Awaited,
    /// It is not to be had.
    Failed(Box<Failure>),
}

/// Why an address is not to be had.
#[derive(Debug)]
struct Failure {
    /// `UnsupportedAddress`, `AddressNotUsable` or `AddressNotAssigned`.
    reason: Reason,
    finding: Finding,
}

impl Addresses {
    /// Whether listeners may be served: not where all that was asked for is something that the
    /// Gateway does not have. To serve elsewhere instead could expose what was meant to be internal.
    pub(crate) fn may_serve(&self) -> bool {
        !self.requested || self.outcomes.iter().any(|it| !matches!(it, Outcome::Failed(_)))
    }

    /// Those that are assigned, in the order of the spec.
    pub(crate) fn assigned(&self) -> impl Iterator<Item = &GatewayStatusAddress> {
        self.outcomes
            .iter()
            .filter_map(|it| if let Outcome::Assigned(address) = it { Some(address) } else { None })
    }

    fn failures(&self) -> impl Iterator<Item = &Failure> {
        self.outcomes
            .iter()
            .filter_map(|it| if let Outcome::Failed(failure) = it { Some(&**failure) } else { None })
    }
}

/// Decides which of the addresses the Gateway gets.
pub(crate) fn assign(gateway: &Gateway, options: &Options) -> Addresses {
    let requests = &gateway.spec.addresses;
    if requests.is_empty() {
        let outcomes =
            options.default_addresses.iter().map(|address| Outcome::Assigned(ip(*address, ""))).collect();
        return Addresses { outcomes, requested: false };
    }
    let mut taken: Vec<String> = requests.iter().filter_map(|it| it.value().map(str::to_owned)).collect();
    let mut seen: Vec<(&str, &str)> = Vec::new();
    let mut outcomes = Vec::new();
    for (index, request) in requests.iter().enumerate() {
        let fail = |reason, code, below: &str, message: String, help: &str| {
            let field = format!("spec.addresses[{index}]{below}");
            let finding = super::error(gateway, code, field, message).with_help(help);
            Box::new(Failure { reason, finding })
        };
        let outcome = match (request.kind(), request.value()) {
            (kind, Some(value)) if seen.contains(&(kind, value)) => Err(fail(
                Reason::AddressNotUsable,
                FindingCode::InvalidValue,
                ".value",
                format!("{value} is asked for twice"),
                "remove one",
            )),
            _ => assign_one(request, options, &mut taken, &fail),
        };
        seen.extend(request.value().map(|value| (request.kind(), value)));
        outcomes.push(outcome.unwrap_or_else(Outcome::Failed));
    }
    Addresses { outcomes, requested: true }
}

type Fail<'a> = dyn Fn(Reason, FindingCode, &str, String, &str) -> Box<Failure> + 'a;

fn assign_one(
    request: &GatewaySpecAddress,
    options: &Options,
    taken: &mut Vec<String>,
    fail: &Fail<'_>,
) -> Result<Outcome, Box<Failure>> {
    let kind = request.kind();
    if kind != IP_ADDRESS && kind != HOSTNAME_ADDRESS {
        return Err(fail(
            Reason::UnsupportedAddress,
            FindingCode::UnsupportedValue,
            ".type",
            format!("addresses of type {kind} are not supported"),
            "use IPAddress or Hostname",
        ));
    }
    let routability = routability(request, fail)?;
    match (kind, request.value()) {
        (IP_ADDRESS, Some(value)) => static_ip(value, routability, options, fail),
        (IP_ADDRESS, None) => dynamic_ip(routability, options, taken, fail),
        (_, Some(value)) => static_hostname(value, routability, fail),
        (_, None) => Err(fail(
            Reason::AddressNotAssigned,
            FindingCode::UnsupportedValue,
            ".value",
            "there is no supply of hostnames to assign one from".to_owned(),
            "name the hostname, or use type IPAddress",
        )),
    }
}

/// The routability to report, where we can give it.
fn routability<'r>(request: &'r GatewaySpecAddress, fail: &Fail<'_>) -> Result<&'r str, Box<Failure>> {
    let (code, message) = match request.routability.as_deref().unwrap_or_default() {
        "" => return Ok(""),
        ROUTABILITY_SENTINEL if request.kind() == IP_ADDRESS => return Ok(ROUTABILITY_SENTINEL),
        ROUTABILITY_CLUSTER => (FindingCode::UnsupportedValue, "there is no ClusterIP to be had".to_owned()),
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
    Err(fail(Reason::AddressNotAssigned, code, ".routability", message, "leave out `routability`"))
}

/// The first address that nobody has yet.
fn dynamic_ip(
    routability: &str,
    options: &Options,
    taken: &mut Vec<String>,
    fail: &Fail<'_>,
) -> Result<Outcome, Box<Failure>> {
    let ours = &options.default_addresses;
    if ours.is_empty() {
        return Ok(Outcome::Awaited);
    }
    let free = ours.iter().find(|it| !taken.contains(&it.to_string())).ok_or_else(|| {
        let message = format!("there are no more than {} addresses to assign", ours.len());
        fail(Reason::AddressNotAssigned, FindingCode::UnsupportedValue, "", message, "ask for fewer")
    })?;
    taken.push(free.to_string());
    Ok(Outcome::Assigned(ip(*free, routability)))
}

/// Implementations' own values: a DNS name that is not Kubernetes' own, a slash, and more.
fn is_prefixed(value: &str) -> bool {
    value.split_once('/').is_some_and(|(prefix, path)| {
        let reserved = prefix == "k8s.io" || prefix.ends_with(".k8s.io");
        !path.is_empty() && !prefix.is_empty() && !reserved && hostname::parse(prefix).is_ok()
    })
}

fn static_ip(
    value: &str,
    routability: &str,
    options: &Options,
    fail: &Fail<'_>,
) -> Result<Outcome, Box<Failure>> {
    let refuse = |code, message: String, help: &str| {
        Err(fail(Reason::AddressNotUsable, code, ".value", message, help))
    };
    let Ok(address) = value.parse::<IpAddr>() else {
        let message = format!("`{value}` is not an IP address");
        return refuse(
            FindingCode::InvalidValue,
            message,
            "give an address such as 192.0.2.1 or 2001:db8::1",
        );
    };
    let is_broadcast = matches!(address, IpAddr::V4(it) if it.is_broadcast());
    if address.is_unspecified() || address.is_multicast() || is_broadcast {
        let message = format!("{address} is not the address of a host");
        return refuse(FindingCode::InvalidValue, message, "give the address of a host");
    }
    let ours = &options.default_addresses;
    let covers = |it: &IpAddr| *it == address || (it.is_unspecified() && it.is_ipv4() == address.is_ipv4());
    if ours.is_empty() || ours.iter().any(covers) {
        return Ok(Outcome::Assigned(ip(address, routability)));
    }
    let ours: Vec<_> = ours.iter().map(ToString::to_string).collect();
    let message = format!("{address} is not one of the addresses that are served here: {}", ours.join(", "));
    refuse(FindingCode::UnsupportedValue, message, "name one of these, or none")
}

fn static_hostname(value: &str, routability: &str, fail: &Fail<'_>) -> Result<Outcome, Box<Failure>> {
    match hostname::parse(value) {
        // Whether the name leads here is in the hands of whoever keeps the DNS zone.
        Ok(_) => Ok(Outcome::Assigned(GatewayStatusAddress {
            kind: Some(HOSTNAME_ADDRESS.to_owned()),
            value: value.to_owned(),
            routability: Some(routability.to_owned()),
        })),
        Err(fault) => Err(fail(
            Reason::AddressNotUsable,
            FindingCode::InvalidValue,
            ".value",
            format!("`{value}` {fault}"),
            "give a name such as gateway.example.com",
        )),
    }
}

fn ip(address: IpAddr, routability: &str) -> GatewayStatusAddress {
    GatewayStatusAddress {
        kind: Some(IP_ADDRESS.to_owned()),
        value: address.to_string(),
        routability: Some(routability.to_owned()),
    }
}

/// Refuses a Gateway that asks for addresses of a type which we do not know.
pub(super) fn check(view: &mut GatewayView<'_>, out: &mut Output) {
    out.findings.extend(view.addresses.failures().map(|failure| failure.finding.clone()));
    let unsupported = view.addresses.failures().find(|it| it.reason == Reason::UnsupportedAddress);
    if let Some(sentence) = unsupported.map(|it| it.finding.sentence()) {
        view.refuse(Reason::UnsupportedAddress, sentence);
    }
}

/// Writes what became of the addresses into the conditions of a Gateway that is accepted.
pub(super) fn tell(addresses: &Addresses, conditions: &mut Conditions) {
    use ConditionType::{AddressesAssigned, Programmed};

    let total = addresses.outcomes.len();
    let assigned = addresses.assigned().count();
    let sentences: Vec<_> = addresses.failures().map(|it| it.finding.sentence()).collect();
    let message = if sentences.is_empty() { AWAITED.to_owned() } else { sentences.join(" ") };
    if addresses.failures().any(|it| it.reason == Reason::AddressNotUsable) {
        conditions.set(Programmed, false, Reason::AddressNotUsable, message.clone());
    } else if assigned == 0 {
        conditions.set(Programmed, false, Reason::AddressNotAssigned, message.clone());
    }
    let (reason, message) = match assigned {
        0 => (Reason::NotAssigned, message),
        _ if assigned < total => (Reason::PartiallyAssigned, message),
        _ => (Reason::AddressesAssigned, "All addresses are assigned.".to_owned()),
    };
    conditions.set(AddressesAssigned, reason == Reason::AddressesAssigned, reason, message);
}

const AWAITED: &str = "No address is assigned yet.";
