//! From a `backendRef` to a backend.

use std::sync::Arc;

use portway_api::ObjectKey;
use portway_api::core::{Service, ServicePort};
use portway_api::reference::BackendObjectReference;
use portway_config::key::{BackendKey, EndpointsKey, NamespacedName};
use portway_config::route::{BackendTarget, Fault, FaultReason};

use super::app_protocol::{Traffic, backend_protocol};
use super::service::{self, Transport};
use crate::context::Context;
use crate::field::Field;
use crate::problem::{Problem, Problems};
use crate::reason::Reason;
use crate::reference_grant::{Referent, Referrer};

/// Why a reference leads to no backend.
struct Unresolved {
    reason: Reason,
    /// Field of the reference that is at fault.
    field: &'static str,
    message: String,
    help: Option<String>,
}

impl Unresolved {
    fn new(reason: Reason, field: &'static str, message: String) -> Self {
        Self { reason, field, message, help: None }
    }
}

/// The backend that `reference` names. What leads to none is reported, and gets an invalid target
/// that keeps its share of the requests, as the Gateway API asks for.
pub(crate) fn target(
    context: &Context<'_>,
    referrer: Referrer<'_>,
    reference: &BackendObjectReference,
    traffic: Traffic,
    field: &Field<'_>,
    problems: &mut Problems,
) -> BackendTarget {
    match resolve(context, referrer, reference, traffic) {
        Ok((key, refusal)) => {
            problems.unresolved.extend(
                refusal.map(|why| Problem::new(Reason::InvalidBackendTLSPolicy, &field.field("name"), why)),
            );
            BackendTarget::Backend(key)
        }
        Err(Unresolved { reason, field: name, message, help }) => {
            let fault = Fault { reason: fault_reason(reason), message: Arc::from(message.as_str()) };
            problems.unresolved.push(Problem { help, ..Problem::new(reason, &field.field(name), message) });
            BackendTarget::Invalid(fault)
        }
    }
}

fn fault_reason(reason: Reason) -> FaultReason {
    match reason {
        Reason::RefNotPermitted => FaultReason::RefNotPermitted,
        Reason::InvalidKind => FaultReason::InvalidKind,
        Reason::UnsupportedProtocol => FaultReason::UnsupportedProtocol,
        _ => FaultReason::BackendNotFound,
    }
}

/// The backend, and why no connection to it may be made: its BackendTLSPolicy is invalid. Such a
/// backend stays what it is, since its configuration refuses connections.
fn resolve(
    context: &Context<'_>,
    referrer: Referrer<'_>,
    reference: &BackendObjectReference,
    traffic: Traffic,
) -> Result<(BackendKey, Option<String>), Unresolved> {
    check_kind(reference)?;
    let namespace = reference.namespace.as_deref().unwrap_or(referrer.namespace);
    // Before anything is looked up: without a grant nobody may learn here whether the Service exists.
    check_grant(context, referrer, namespace, &reference.name)?;
    let key = ObjectKey::new(namespace, reference.name.as_str());
    let Some(service) = context.service(&key) else {
        let message = format!("Service {key} does not exist");
        let help = Some("create it, or name another".to_owned());
        return Err(Unresolved { help, ..Unresolved::new(Reason::BackendNotFound, "name", message) });
    };
    let number = port_number(service, &key, reference.port)?;
    let port = if service::external_name(service).is_some() {
        // A DNS name has every port; the list says at most what is spoken there.
        service::ports(service).find(|port| port.port == i32::from(number))
    } else {
        Some(listed_port(service, &key, number, traffic)?)
    };
    let app_protocol = port.and_then(|port| port.app_protocol.as_deref());
    let claim = context.backend_tls.claim(&key, port);
    let protocol = backend_protocol(traffic, app_protocol, claim.is_some()).map_err(|why| {
        let message = format!("port {number} of Service {key} cannot be used: {why}");
        Unresolved::new(Reason::UnsupportedProtocol, "port", message)
    })?;
    // A TLSRoute may pass through what its client encrypted, which no policy is asked for.
    let claim = claim.filter(|_| matches!(traffic, Traffic::Http | Traffic::Grpc));
    let checked = claim.map(|claim| context.backend_tls.checked(context, claim.policy));
    let refusal = checked.and_then(|it| it.settings.as_ref().err().map(|fault| fault.message.to_string()));
    let service = NamespacedName::new(namespace, reference.name.as_str());
    let endpoints = EndpointsKey { service, port: number, transport: protocol.transport() };
    Ok((BackendKey { endpoints, protocol }, refusal))
}

fn check_kind(reference: &BackendObjectReference) -> Result<(), Unresolved> {
    let (group, kind) = (reference.group(), reference.kind());
    if group.is_empty() && kind == "Service" {
        return Ok(());
    }
    let field = if kind == "Service" { "group" } else { "kind" };
    let group = if group.is_empty() { "core".to_owned() } else { format!("`{group}`") };
    let message =
        format!("{kind} of API group {group} is not a kind of backend that is supported; use a Service");
    Err(Unresolved::new(Reason::InvalidKind, field, message))
}

fn check_grant(
    context: &Context<'_>,
    referrer: Referrer<'_>,
    namespace: &str,
    name: &str,
) -> Result<(), Unresolved> {
    if context.grants.permits(referrer, Referent { group: "", kind: "Service", namespace, name }) {
        return Ok(());
    }
    let Referrer { kind, namespace: from, .. } = referrer;
    let message = format!(
        "the reference to Service {namespace}/{name} is not permitted: \
         no ReferenceGrant in namespace {namespace} opens it to {kind} of namespace {from}"
    );
    let help = format!(
        "create a ReferenceGrant in namespace {namespace} from {kind} of namespace {from} to Service {name}"
    );
    Err(Unresolved { help: Some(help), ..Unresolved::new(Reason::RefNotPermitted, "namespace", message) })
}

fn port_number(service: &Service, key: &ObjectKey, port: Option<i32>) -> Result<u16, Unresolved> {
    let Some(port) = port else {
        let message = format!(
            "a reference to a Service needs a port; Service {key} has {}",
            service::list_ports(service)
        );
        return Err(Unresolved::new(Reason::BackendNotFound, "port", message));
    };
    match u16::try_from(port) {
        Ok(number) if number > 0 => Ok(number),
        _ => {
            let message = format!("{port} is no port; ports are 1 to 65535");
            Err(Unresolved::new(Reason::BackendNotFound, "port", message))
        }
    }
}

fn listed_port<'a>(
    service: &'a Service,
    key: &ObjectKey,
    number: u16,
    traffic: Traffic,
) -> Result<&'a ServicePort, Unresolved> {
    let wanted = if traffic == Traffic::Datagrams { Transport::Udp } else { Transport::Tcp };
    let same_number = || service::ports(service).filter(|port| port.port == i32::from(number));
    let Some(first) = same_number().next() else {
        let message = format!("Service {key} has no port {number}; it has {}", service::list_ports(service));
        return Err(Unresolved::new(Reason::BackendNotFound, "port", message));
    };
    let Some(port) = same_number().find(|port| service::protocol(port) == wanted) else {
        let message =
            format!("port {number} of Service {key} is {}, but {wanted} is needed", service::protocol(first));
        return Err(Unresolved::new(Reason::UnsupportedProtocol, "port", message));
    };
    Ok(port)
}
