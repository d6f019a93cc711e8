//! Which BackendTLSPolicy is for which port of a Service (GEP-1897, GEP-713).

use std::cell::RefCell;
use std::collections::BTreeMap;
use std::rc::Rc;

use portway_api::core::ServicePort;
use portway_api::{BackendTlsPolicy, ObjectKey, Snapshot};

use super::checked_policy::{self, CheckedPolicy};
use crate::context::Context;
use crate::precedence::Precedence;

/// All BackendTLSPolicies, by the Service that they are for.
#[derive(Debug)]
pub(crate) struct BackendTlsPolicies<'a> {
    /// For each Service the claims on it, the one with the highest precedence first.
    by_service: BTreeMap<ObjectKey, Vec<Claim<'a>>>,
    /// What policies came to that were looked at.
    checked: RefCell<BTreeMap<ObjectKey, Rc<CheckedPolicy>>>,
}

/// That a policy is for a Service, or for one port of it.
#[derive(Clone, Copy, Debug)]
pub(crate) struct Claim<'a> {
    /// The policy.
    pub(crate) policy: &'a BackendTlsPolicy,
    /// Index in its `targetRefs`.
    pub(crate) index: usize,
    /// Name of the port; absent is all of them.
    pub(crate) section: Option<&'a str>,
}

impl<'a> BackendTlsPolicies<'a> {
    /// Those of the snapshot.
    pub(crate) fn new(snapshot: &'a Snapshot) -> Self {
        let mut by_service: BTreeMap<_, Vec<_>> = BTreeMap::new();
        for policy in snapshot.backend_tls_policies.values() {
            for (index, target) in policy.spec.target_refs.iter().enumerate() {
                if target.group.is_empty() && target.kind == "Service" {
                    let service = ObjectKey::new(policy.namespace(), target.name.as_str());
                    let section = target.section_name.as_deref().filter(|name| !name.is_empty());
                    by_service.entry(service).or_default().push(Claim { policy, index, section });
                }
            }
        }
        for claims in by_service.values_mut() {
            claims
                .sort_by(|a, b| Precedence::of(&a.policy.metadata).cmp(&Precedence::of(&b.policy.metadata)));
        }
        Self { by_service, checked: RefCell::default() }
    }

    /// What a policy comes to.
    pub(crate) fn checked(&self, context: &Context<'_>, policy: &BackendTlsPolicy) -> Rc<CheckedPolicy> {
        let key = policy.key();
        if let Some(known) = self.checked.borrow().get(&key) {
            return Rc::clone(known);
        }
        let checked = Rc::new(checked_policy::check(context, policy));
        self.checked.borrow_mut().insert(key, Rc::clone(&checked));
        checked
    }

    /// The Services that there are claims on.
    pub(crate) fn services(&self) -> impl Iterator<Item = &ObjectKey> {
        self.by_service.keys()
    }

    /// The claims on a Service, the one with the highest precedence first.
    pub(crate) fn claims(&self, service: &ObjectKey) -> &[Claim<'a>] {
        self.by_service.get(service).map_or(&[], Vec::as_slice)
    }

    /// The claim that is in force for a port of a Service: one that names the port is more specific
    /// than one for the whole Service, and among equals the oldest wins.
    pub(crate) fn claim(&self, service: &ObjectKey, port: Option<&ServicePort>) -> Option<Claim<'a>> {
        let claims = self.claims(service);
        let name = port.and_then(|port| port.name.as_deref());
        let for_port = claims.iter().find(|claim| claim.section.is_some() && claim.section == name);
        for_port.or_else(|| claims.iter().find(|claim| claim.section.is_none())).copied()
    }
}
