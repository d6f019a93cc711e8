//! What the claims of BackendTLSPolicies on the Services of one Gateway come to.

use std::collections::{BTreeMap, BTreeSet};

use portway_api::ObjectKey;
use portway_api::core::{Service, ServicePort};
use portway_config::key::{BackendKey, BackendProtocol};

use super::service::{self, Transport};
use super::tls_policy::Claim;
use crate::context::Context;
use crate::field::Field;
use crate::precedence::Precedence;
use crate::problem::Problems;
use crate::reason::Reason;

/// For each policy that is for a Service in use, what is wrong with its claims.
pub(crate) fn judge<'k>(
    context: &Context<'_>,
    backends: impl Iterator<Item = &'k BackendKey>,
) -> BTreeMap<ObjectKey, Verdict> {
    let mut in_use: BTreeMap<ObjectKey, BTreeSet<u16>> = BTreeMap::new();
    for key in backends.filter(|key| key.protocol != BackendProtocol::Udp) {
        let name = &key.endpoints.service;
        in_use.entry(ObjectKey::new(&*name.namespace, &*name.name)).or_default().insert(key.endpoints.port);
    }
    let mut verdicts: BTreeMap<ObjectKey, Verdict> = BTreeMap::new();
    for (key, ports) in &in_use {
        let Some(service) = context.snapshot.services.get(key) else { continue };
        let claims = context.backend_tls.claims(key);
        for (position, claim) in claims.iter().enumerate() {
            if is_relevant(service, ports, claim) {
                let stronger = claims.get(..position).unwrap_or_default();
                verdicts.entry(claim.policy.key()).or_default().add(key, service, claim, stronger);
            }
        }
    }
    verdicts
}

/// Whether a claim matters for the ports of a Service that are in use. One on a port that does not
/// exist does: somebody should hear of it.
fn is_relevant(service: &Service, ports: &BTreeSet<u16>, claim: &Claim<'_>) -> bool {
    let Some(section) = claim.section else { return true };
    match named(service, section) {
        Some(port) => u16::try_from(port.port).is_ok_and(|number| ports.contains(&number)),
        None => true,
    }
}

fn named<'s>(service: &'s Service, section: &str) -> Option<&'s ServicePort> {
    service::ports(service).find(|port| port.name.as_deref() == Some(section))
}

/// What the claims of one policy come to.
#[derive(Debug, Default)]
pub(crate) struct Verdict {
    /// Claims that fail.
    pub(crate) problems: Problems,
    /// Claims that are in force, in words.
    pub(crate) in_force: Vec<String>,
    /// What the policy does not reach, in words.
    pub(crate) warnings: Vec<String>,
}

impl Verdict {
    fn add(&mut self, key: &ObjectKey, service: &Service, claim: &Claim<'_>, stronger: &[Claim<'_>]) {
        let field = Field::SPEC.item("targetRefs", claim.index);
        if let Some(winner) = stronger.iter().find(|other| other.section == claim.section) {
            let (ours, theirs) =
                (Precedence::of(&claim.policy.metadata), Precedence::of(&winner.policy.metadata));
            let message = format!(
                "BackendTLSPolicy {} is for {} too and takes precedence: {}",
                winner.policy.key(),
                target(key, claim),
                theirs.criterion(&ours)
            );
            return self.problems.refuse_beside(Reason::Conflicted, &field, message);
        }
        let udp = |port: &&ServicePort| service::protocol(port) == Transport::Udp;
        match claim.section {
            Some(section) => match named(service, section) {
                None => {
                    let message = format!(
                        "Service {key} has no port named {section}; it has {}",
                        service::list_ports(service)
                    );
                    return self.problems.refuse_beside(
                        Reason::TargetNotFound,
                        &field.field("sectionName"),
                        message,
                    );
                }
                // "If a policy explicitly attaches to a UDP port of a Service": GEP-1897.
                Some(port) if udp(&port) => {
                    let message = format!("port {section} of Service {key} is UDP, where there is no TLS");
                    return self.problems.refuse_beside(
                        Reason::Invalid,
                        &field.field("sectionName"),
                        message,
                    );
                }
                Some(_) => {}
            },
            None => {
                let count = service::ports(service).count();
                match service::ports(service).filter(udp).count() {
                    0 => {}
                    all if all == count => {
                        let message = format!("Service {key} has UDP ports only, where there is no TLS");
                        return self.problems.refuse_beside(Reason::Invalid, &field, message);
                    }
                    _ => self.warnings.push(format!("It is not for the UDP ports of Service {key}.")),
                }
            }
        }
        self.in_force.push(target(key, claim));
    }
}

fn target(service: &ObjectKey, claim: &Claim<'_>) -> String {
    match claim.section {
        Some(section) => format!("port {section} of Service {service}"),
        None => format!("Service {service}"),
    }
}
