//! Puts the backends that are in use, with their endpoints and TLS settings, into configurations.

use std::collections::{BTreeMap, BTreeSet};
use std::sync::Arc;

use portway_api::backend_tls_policy::PolicyAncestorStatus;
use portway_api::core::Service;
use portway_api::object::ObjectRef;
use portway_api::{BackendTlsPolicy, ObjectKey};
use portway_config::Configuration;
use portway_config::backend::{Backend, BackendTls, BackendTlsSettings, Endpoints};
use portway_config::key::{BackendKey, BackendProtocol, EndpointsKey, Transport};
use portway_config::route::{Fault, FaultReason};
use portway_config::uses;

use super::claims;
use super::memory::BackendMemory;
use super::policy_status::{MAX_ANCESTORS, ancestor_status};
use super::service;
use crate::context::{Context, Output};
use crate::finding::{Finding, FindingCode, Severity};
use crate::listener::GatewayView;
use crate::route::reference_to_gateway;

/// Fills the configurations of one translation, from what is remembered and what is new.
pub(crate) struct Assembly<'c, 'a> {
    context: &'c Context<'a>,
    memory: &'c mut BackendMemory,
    ancestors: BTreeMap<ObjectKey, Vec<PolicyAncestorStatus>>,
    findings: Vec<Finding>,
}

impl<'c, 'a> Assembly<'c, 'a> {
    /// Before the first Gateway.
    pub(crate) fn new(context: &'c Context<'a>, memory: &'c mut BackendMemory) -> Self {
        let mut assembly = Self { context, memory, ancestors: BTreeMap::new(), findings: Vec::new() };
        assembly.renew_endpoints();
        assembly
    }

    /// Brings endpoints up to date that may be others now.
    fn renew_endpoints(&mut self) {
        for service in std::mem::take(&mut self.memory.stale) {
            for key in self.memory.of_service(&service) {
                let endpoints = self.find_endpoints(&key);
                for gateway in self.memory.gateways.values_mut() {
                    if gateway.endpoints.get(&key).is_some_and(|before| !Arc::ptr_eq(before, &endpoints)) {
                        gateway.endpoints.insert(key.clone(), Arc::clone(&endpoints));
                    }
                }
            }
        }
    }

    /// Adds what the routes and listeners of a Gateway use to its configuration.
    pub(crate) fn add(&mut self, gateway: &GatewayView<'_>, configuration: &mut Configuration) {
        // Taken out while it is worked on, as endpoints are of all Gateways.
        let mut own = self.memory.gateways.remove(&gateway.key).unwrap_or_default();
        let of_listeners = of_listeners(gateway);
        own.touched.extend(own.of_listeners.symmetric_difference(&of_listeners).cloned());
        own.of_listeners = of_listeners;
        // What a policy is for depends on more than its uses.
        let claimed: BTreeSet<_> =
            self.context.backend_tls.services().flat_map(|service| own.of_service(service)).collect();
        let spoken_to: Vec<_> = claimed.iter().filter(|key| own.in_use(key) == Some(true)).collect();
        let without_room = self.add_ancestors(gateway, &spoken_to);
        own.touched.extend(claimed);
        for key in std::mem::take(&mut own.touched) {
            let Some(is_spoken_to) = own.in_use(&key) else {
                own.backends.remove(&key);
                if !own.uses_endpoints(&key.endpoints) {
                    own.endpoints.remove(&key.endpoints);
                    self.memory.left.insert(key.endpoints);
                }
                continue;
            };
            let tls = if is_spoken_to {
                self.tls(&key, gateway, &without_room, configuration)
            } else {
                BackendTls::Plain
            };
            if !own.backends.get(&key).is_some_and(|before| before.tls == tls) {
                own.backends.insert(key.clone(), Arc::new(Backend { key: key.clone(), tls }));
            }
            if !own.endpoints.contains_key(&key.endpoints) {
                let known = self.memory.endpoints.get(&key.endpoints).cloned();
                let endpoints = known.unwrap_or_else(|| self.find_endpoints(&key.endpoints));
                own.endpoints.insert(key.endpoints, endpoints);
            }
        }
        configuration.backends = own.backends.clone();
        configuration.endpoints = own.endpoints.clone();
        self.memory.gateways.insert(gateway.key.clone(), own);
    }

    /// Writes the statuses of policies, and what is worth telling.
    pub(crate) fn finish(mut self, out: &mut Output) {
        self.forget_unused();
        for (key, policy) in &self.context.snapshot.backend_tls_policies {
            self.find_in_policy(key, policy);
        }
        for (key, ancestors) in self.ancestors {
            out.statuses.backend_tls_policies.entry(key).or_default().ancestors = ancestors;
        }
        out.findings.extend(self.memory.absent.values().cloned());
        out.findings.append(&mut self.findings);
    }

    fn forget_unused(&mut self) {
        let memory = &mut *self.memory;
        for key in std::mem::take(&mut memory.left) {
            if !memory.are_in_use(&key) {
                memory.endpoints.remove(&key);
                memory.absent.remove(&key);
            }
        }
    }

    /// Finds endpoints and remembers them: those that were there, if they are equal.
    fn find_endpoints(&mut self, key: &EndpointsKey) -> Arc<Endpoints> {
        let found = self.memory.index.of(self.context.snapshot).endpoints(key);
        let absent = if found.endpoints.is_empty() { self.no_endpoints(key) } else { None };
        match absent {
            Some(finding) => drop(self.memory.absent.insert(key.clone(), finding)),
            None => drop(self.memory.absent.remove(key)),
        }
        let known = self.memory.endpoints.get(key).filter(|known| ***known == found);
        let endpoints = known.cloned().unwrap_or_else(|| Arc::new(found));
        self.memory.endpoints.insert(key.clone(), Arc::clone(&endpoints));
        endpoints
    }

    fn no_endpoints(&self, key: &EndpointsKey) -> Option<Finding> {
        let service = self.service(key)?;
        let mut ports = service::ports(service).enumerate();
        let found = ports.find(|(_, port)| service::is_port(port, key));
        let field = found.map_or_else(String::new, |(index, _)| format!("spec.ports[{index}]"));
        let why = self.memory.index.of(self.context.snapshot).absence(service, found.map(|(_, port)| port));
        let message = match key.transport {
            Transport::Tcp => {
                format!("port {} has no endpoints, so that requests to it fail: {why}", key.port)
            }
            Transport::Udp => {
                format!("UDP port {} has no endpoints, so that datagrams to it are dropped: {why}", key.port)
            }
        };
        let object = ObjectRef::namespaced("Service", &service_key(key));
        let finding = |severity| Finding::new(severity, FindingCode::NoEndpoints, object, field, message);
        // Manifests hold no EndpointSlices where a cluster would make them.
        Some(
            if service::has_selector(service)
                && !self.memory.index.of(self.context.snapshot).is_listed(service)
            {
                finding(Severity::Note).with_help(
                "a cluster finds pods by the Service's selector; without one, name endpoints by --endpoint or run \
                 with --demo-backends",
            )
            } else {
                finding(Severity::Warning)
                    .with_help("list endpoints in an EndpointSlice with the label kubernetes.io/service-name")
            },
        )
    }

    fn service(&self, key: &EndpointsKey) -> Option<&'a Arc<Service>> {
        self.context.snapshot.services.get(&service_key(key))
    }

    fn tls(
        &self,
        key: &BackendKey,
        gateway: &GatewayView<'_>,
        without_room: &BTreeSet<ObjectKey>,
        configuration: &mut Configuration,
    ) -> BackendTls {
        let service = self.service(&key.endpoints);
        let port = service.and_then(|it| service::port(it, &key.endpoints));
        let claim = self.context.backend_tls.claim(&service_key(&key.endpoints), port);
        // There is no TLS over datagrams here (GEP-1897: BackendTLSPolicy applies to TCP traffic only).
        let Some(claim) = claim.filter(|_| key.protocol != BackendProtocol::Udp) else {
            return BackendTls::Plain;
        };
        let policy = claim.policy.key();
        if without_room.contains(&policy) {
            return BackendTls::Refused(no_room(&policy));
        }
        let checked = self.context.backend_tls.checked(self.context, claim.policy);
        match &checked.settings {
            Ok(settings) => {
                for bundle in &checked.bundles {
                    configuration.trust_bundles.insert(bundle.key.clone(), Arc::clone(bundle));
                }
                let client_certificate = self.client_certificate(gateway, configuration);
                BackendTls::Tls(BackendTlsSettings { client_certificate, ..settings.clone() })
            }
            Err(fault) => BackendTls::Refused(fault.clone()),
        }
    }

    /// The certificate that the Gateway shows to backends (GEP-3155), put into the configuration.
    fn client_certificate(
        &self,
        gateway: &GatewayView<'_>,
        configuration: &mut Configuration,
    ) -> Option<portway_config::key::CertificateKey> {
        let key = gateway.client_certificate.as_ref()?;
        let secret = ObjectKey::new(&*key.0.namespace, &*key.0.name);
        let checked = self.context.tls.certificate(&secret)?.ok()?;
        configuration.certificates.insert(key.clone(), checked.certificate);
        Some(key.clone())
    }

    /// Writes what is to be said of each policy towards this Gateway. Returns the policies whose
    /// status is full: they "MUST be considered unimplementable" for this Gateway.
    fn add_ancestors(&mut self, gateway: &GatewayView<'_>, spoken_to: &[&BackendKey]) -> BTreeSet<ObjectKey> {
        let mut without_room = BTreeSet::new();
        for (key, verdict) in claims::judge(self.context, spoken_to.iter().copied()) {
            let Some(policy) = self.context.snapshot.backend_tls_policies.get(&key) else { continue };
            let checked = self.context.backend_tls.checked(self.context, policy);
            self.findings.extend(verdict.problems.findings(&ObjectRef::of(&**policy)));
            let controller = gateway.class.spec.controller_name.as_str();
            let present = self.ancestors.entry(key.clone()).or_default();
            if present.len() + foreign_ancestors(policy, present, controller) >= MAX_ANCESTORS {
                self.findings.push(full(gateway, policy));
                without_room.insert(key);
                continue;
            }
            let ancestor = reference_to_gateway(&gateway.key);
            present.push(ancestor_status(self.context, policy, &checked, &verdict, ancestor, controller));
        }
        without_room
    }

    fn find_in_policy(&mut self, key: &ObjectKey, policy: &BackendTlsPolicy) {
        let object = ObjectRef::of(policy);
        let checked = self.context.backend_tls.checked(self.context, policy);
        self.findings.extend(checked.problems.findings(&object));
        for (index, target) in policy.spec.target_refs.iter().enumerate() {
            let field = format!("spec.targetRefs[{index}]");
            let service = ObjectKey::new(policy.namespace(), target.name.as_str());
            let found = if !target.group.is_empty() || target.kind != "Service" {
                let message = format!("{} of API group `{}` is no kind of target", target.kind, target.group);
                Some((Severity::Error, FindingCode::InvalidKind, message))
            } else if !self.context.snapshot.services.contains_key(&service) {
                let message = format!("Service {service} does not exist");
                Some((Severity::Error, FindingCode::ReferenceNotFound, message))
            } else if !self.ancestors.contains_key(key) {
                let message = format!(
                    "no route that is attached to a Gateway sends to Service {service}, unless it passes TLS through"
                );
                Some((Severity::Note, FindingCode::NoEffect, message))
            } else {
                None
            };
            self.findings.extend(found.map(|(severity, code, message)| {
                Finding::new(severity, code, object.clone(), field, message)
            }));
        }
    }
}

/// The backends that filters of a Gateway's listeners name.
fn of_listeners(gateway: &GatewayView<'_>) -> BTreeSet<BackendKey> {
    let mut keys = BTreeSet::new();
    for listener in gateway.listeners.iter().filter_map(|it| it.config.as_ref()) {
        uses::of_filters(&listener.filters, &mut |key| {
            keys.insert(key.clone());
        });
    }
    keys
}

fn service_key(key: &EndpointsKey) -> ObjectKey {
    ObjectKey::new(&*key.service.namespace, &*key.service.name)
}

/// Entries in a policy's status that others wrote, and that we must leave there.
fn foreign_ancestors(policy: &BackendTlsPolicy, ours: &[PolicyAncestorStatus], controller: &str) -> usize {
    let is_ours = |name: &str| name == controller || ours.iter().any(|it| it.controller_name == name);
    let ancestors = policy.status.iter().flat_map(|status| &status.ancestors);
    ancestors.filter(|it| !is_ours(&it.controller_name)).count()
}

fn no_room(policy: &ObjectKey) -> Fault {
    let message = format!(
        "the status of BackendTLSPolicy {policy} is full: it can tell of {MAX_ANCESTORS} Gateways and no more"
    );
    Fault { reason: FaultReason::InvalidBackendTls, message: message.into() }
}

fn full(gateway: &GatewayView<'_>, policy: &BackendTlsPolicy) -> Finding {
    let message = format!(
        "the policy is not in force for Gateway {}, and connections to its backends are refused: its status can \
         tell of {MAX_ANCESTORS} Gateways and no more",
        gateway.key
    );
    Finding::new(Severity::Error, FindingCode::NoEffect, ObjectRef::of(policy), "status.ancestors", message)
}
