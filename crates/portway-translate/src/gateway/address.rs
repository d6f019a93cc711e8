//! The addresses of a Gateway: which are asked for, which it gets, and from where they are reachable (GEP-5093).

mod cluster;
mod request;

use std::collections::BTreeSet;
use std::net::IpAddr;

use portway_api::Gateway;
use portway_api::gateway::{GatewayStatusAddress, IP_ADDRESS};

use self::request::Request;
use crate::condition::Conditions;
use crate::context::Output;
use crate::finding::Finding;
use crate::listener::GatewayView;
use crate::options::Options;
use crate::reason::{ConditionType, Reason};

/// What became of the addresses of a Gateway.
#[derive(Debug)]
pub(crate) struct Addresses {
    outcomes: Vec<Outcome>,
    /// Whether `spec.addresses` names any.
    requested: bool,
    /// Whether nobody but this machine can connect.
    exposes_nothing: bool,
}

/// What became of one address.
#[derive(Debug)]
enum Outcome {
    Assigned(GatewayStatusAddress),
    /// Whoever provisions may find one yet; who is waited for.
    Awaited(String),
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
    /// Gateway does not have. To serve elsewhere instead could expose what was meant to be internal
    /// (GEP-5093: "MUST NOT substitute a different scope"). On loopback it exposes nothing.
    pub(crate) fn may_serve(&self) -> bool {
        !self.requested
            || self.exposes_nothing
            || self.outcomes.iter().any(|it| !matches!(it, Outcome::Failed(_)))
    }

    /// Those that are assigned, in the order of the spec.
    pub(crate) fn assigned(&self) -> impl Iterator<Item = &GatewayStatusAddress> {
        self.outcomes
            .iter()
            .filter_map(|it| if let Outcome::Assigned(address) = it { Some(address) } else { None })
    }

    fn awaited(&self) -> impl Iterator<Item = &str> {
        self.outcomes
            .iter()
            .filter_map(|it| if let Outcome::Awaited(whom) = it { Some(whom.as_str()) } else { None })
    }

    fn failures(&self) -> impl Iterator<Item = &Failure> {
        self.outcomes
            .iter()
            .filter_map(|it| if let Outcome::Failed(failure) = it { Some(&**failure) } else { None })
    }
}

/// Decides which of the addresses the Gateway gets.
pub(crate) fn assign(gateway: &Gateway, options: &Options) -> Addresses {
    let exposes_nothing = serves_loopback_only(options);
    let requests = &gateway.spec.addresses;
    if requests.is_empty() {
        if let Some(cluster) = &options.cluster {
            let outcomes = cluster::chosen(gateway, cluster);
            return Addresses { outcomes, requested: false, exposes_nothing };
        }
        let ours = options.default_addresses.iter();
        let outcomes = ours.map(|address| Outcome::Assigned(ip(*address, ""))).collect();
        return Addresses { outcomes, requested: false, exposes_nothing };
    }
    let mut taken: Vec<String> = requests.iter().filter_map(|it| it.value().map(str::to_owned)).collect();
    let mut seen = BTreeSet::new();
    let mut outcomes = Vec::new();
    for (index, spec) in requests.iter().enumerate() {
        let request = Request { gateway, index, spec, options };
        let repeated = spec.value().filter(|value| !seen.insert((spec.kind(), *value)));
        let outcome = match repeated {
            Some(value) => Err(request.repeated(value)),
            None => request.assign(&mut taken),
        };
        outcomes.push(outcome.unwrap_or_else(Outcome::Failed));
    }
    Addresses { outcomes, requested: true, exposes_nothing }
}

/// Whether nobody but this machine can connect: somebody tries something out.
fn serves_loopback_only(options: &Options) -> bool {
    !options.default_addresses.is_empty() && options.default_addresses.iter().all(IpAddr::is_loopback)
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
    let failed = addresses.failures().map(|it| it.finding.sentence());
    let awaited =
        addresses.awaited().filter(|whom| !whom.is_empty()).map(|whom| format!("{AWAITED}: {whom}."));
    let sentences: Vec<_> = failed.chain(awaited).collect();
    let message = if sentences.is_empty() { format!("{AWAITED}.") } else { sentences.join(" ") };
    if addresses.failures().any(|it| it.reason == Reason::AddressNotUsable) {
        conditions.set(Programmed, false, Reason::AddressNotUsable, message.clone());
    } else if assigned == 0 {
        conditions.set(Programmed, false, Reason::AddressNotAssigned, message.clone());
    }
    // "The condition MUST be omitted until the controller has reconciled address assignment" (GEP-5093).
    if addresses.awaited().next().is_some() {
        return;
    }
    let (reason, message) = match assigned {
        0 => (Reason::NotAssigned, message),
        _ if assigned < total => (Reason::PartiallyAssigned, message),
        _ => (Reason::AddressesAssigned, "All addresses are assigned.".to_owned()),
    };
    conditions.set(AddressesAssigned, reason == Reason::AddressesAssigned, reason, message);
}

const AWAITED: &str = "No address is assigned yet";
