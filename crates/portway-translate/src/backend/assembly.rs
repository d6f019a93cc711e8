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

use super::claims;
use super::endpoints::EndpointsIndex;
use super::policy_status::{MAX_ANCESTORS, ancestor_status};
use super::service;
use super::uses;
use crate::context::{Context, Output};
use crate::finding::{Finding, FindingCode, Severity};
use crate::listener::{GatewayView, Protocol};
use crate::route::reference_to_gateway;

/// Fills the configurations of one translation.
#[derive(Debug)]
pub(crate) struct Assembly<'c, 'a> {
    context: &'c Context<'a>,
    index: EndpointsIndex<'a>,
    /// Endpoints of all Gateways: what several use is shared.
    endpoints: BTreeMap<EndpointsKey, Arc<Endpoints>>,
    ancestors: BTreeMap<ObjectKey, Vec<PolicyAncestorStatus>>,
    findings: Vec<Finding>,
}

impl<'c, 'a> Assembly<'c, 'a> {
    /// Before the first Gateway.
    pub(crate) fn new(context: &'c Context<'a>) -> Self {
        Self {
            context,
            index: EndpointsIndex::new(context.snapshot),
            endpoints: BTreeMap::new(),
            ancestors: BTreeMap::new(),
            findings: Vec::new(),
        }
    }

    /// Adds what the routes and listeners of a Gateway use to its configuration.
    pub(crate) fn add(&mut self, gateway: &GatewayView<'_>, configuration: &mut Configuration) {
        let keys = in_use(gateway, configuration);
        let without_room = self.add_ancestors(gateway, &keys);
        for (key, is_spoken_to) in keys {
            let endpoints = self.endpoints_of(&key.endpoints);
            configuration.endpoints.insert(key.endpoints.clone(), endpoints);
            let tls = if is_spoken_to {
                self.tls(&key, gateway, &without_room, configuration)
            } else {
                BackendTls::Plain
            };
            configuration.backends.insert(key.clone(), Arc::new(Backend { key, tls }));
        }
    }

    /// Writes the statuses of policies, and what is worth telling.
    pub(crate) fn finish(mut self, out: &mut Output) {
        for (key, policy) in &self.context.snapshot.backend_tls_policies {
            self.find_in_policy(key, policy);
        }
        for (key, ancestors) in self.ancestors {
            out.statuses.backend_tls_policies.entry(key).or_default().ancestors = ancestors;
        }
        out.findings.append(&mut self.findings);
    }

    fn endpoints_of(&mut self, key: &EndpointsKey) -> Arc<Endpoints> {
        if let Some(known) = self.endpoints.get(key) {
            return Arc::clone(known);
        }
        let endpoints = Arc::new(self.index.endpoints(key));
        if endpoints.endpoints.is_empty() {
            self.findings.extend(self.no_endpoints(key));
        }
        self.endpoints.insert(key.clone(), Arc::clone(&endpoints));
        endpoints
    }

    fn no_endpoints(&self, key: &EndpointsKey) -> Option<Finding> {
        let service = self.service(key)?;
        let mut ports = service::ports(service).enumerate();
        let found = ports.find(|(_, port)| service::is_port(port, key));
        let field = found.map_or_else(String::new, |(index, _)| format!("spec.ports[{index}]"));
        let why = self.index.absence(service, found.map(|(_, port)| port));
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
        Some(if service::has_selector(service) && !self.index.is_listed(service) {
            finding(Severity::Note).with_help(
                "a cluster finds pods by the Service's selector; without one, name endpoints by --endpoint or run \
                 with --demo-backends",
            )
        } else {
            finding(Severity::Warning)
                .with_help("list endpoints in an EndpointSlice with the label kubernetes.io/service-name")
        })
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
    fn add_ancestors(
        &mut self,
        gateway: &GatewayView<'_>,
        keys: &BTreeMap<BackendKey, bool>,
    ) -> BTreeSet<ObjectKey> {
        let mut without_room = BTreeSet::new();
        for (key, verdict) in claims::judge(self.context, keys.iter().filter(|it| *it.1).map(|it| it.0)) {
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

/// The backends that the routes of a configuration and the listeners of a Gateway name, and whether
/// the Gateway itself speaks to them: what it only passes through, clients have encrypted already.
fn in_use(gateway: &GatewayView<'_>, configuration: &Configuration) -> BTreeMap<BackendKey, bool> {
    let passing: BTreeSet<_> = gateway
        .listeners
        .iter()
        .filter(|it| it.protocol == Some(Protocol::TlsPassthrough))
        .map(|it| &it.key)
        .collect();
    let mut keys: BTreeMap<BackendKey, bool> = BTreeMap::new();
    let mut add = |key: &BackendKey, is_spoken_to: bool| match keys.get_mut(key) {
        Some(known) => *known |= is_spoken_to,
        None => {
            keys.insert(key.clone(), is_spoken_to);
        }
    };
    for route in configuration.routes.values() {
        let is_spoken_to = route.attachments.iter().any(|it| !passing.contains(&it.listener));
        uses::of_rules(&route.rules, &mut |key| add(key, is_spoken_to));
    }
    for listener in gateway.listeners.iter().filter_map(|it| it.config.as_ref()) {
        uses::of_filters(&listener.filters, &mut |key| add(key, true));
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
