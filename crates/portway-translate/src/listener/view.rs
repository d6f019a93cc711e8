//! What the work on listeners hands to the work on routes.

use std::sync::Arc;

use portway_api::listener::Listener;
use portway_api::object::ObjectRef;
use portway_api::resource::GATEWAY_GROUP;
use portway_api::{Gateway, GatewayClass, ListenerSet, ObjectKey, Snapshot};
use portway_config::key::CertificateKey;
use portway_config::{HostnamePattern, ListenerKey, RouteKind};

use super::allowed::AllowedRoutes;
use crate::condition::Conditions;
use crate::context::Output;
use crate::finding::{Finding, FindingCode, Severity};
use crate::gateway::address::Addresses;
use crate::listener_set::ListenerSetView;
use crate::options::Options;
use crate::reason::{ConditionType, Reason};
use crate::reference_grant::Referrer;

/// A Gateway of one of our classes, with all its listeners.
#[derive(Debug)]
pub(crate) struct GatewayView<'a> {
    /// Namespace and name.
    pub(crate) key: ObjectKey,
    /// The object.
    pub(crate) gateway: &'a Gateway,
    /// Its class.
    pub(crate) class: &'a GatewayClass,
    /// Whether it is served at all. Where it is not, it has no configuration.
    pub(crate) accepted: bool,
    /// Its own listeners, then those of its ListenerSets, in order of precedence.
    pub(crate) listeners: Vec<ListenerView<'a>>,
    /// Its ListenerSets, in order of precedence, those that it does not let in among them.
    pub(crate) listener_sets: Vec<ListenerSetView<'a>>,
    /// Its addresses.
    pub(crate) addresses: Addresses,
    /// The certificate that it shows to backends, when it names one that can be used.
    pub(crate) client_certificate: Option<CertificateKey>,
    /// Conditions of the Gateway itself.
    pub(crate) conditions: Conditions,
}

impl<'a> GatewayView<'a> {
    /// The Gateway is not accepted, and so not served. The first reason stays.
    pub(crate) fn refuse(&mut self, reason: Reason, message: impl Into<String>) {
        self.accepted = false;
        self.conditions.fail(ConditionType::Accepted, reason, message);
    }

    /// The listeners that belong to the Gateway itself.
    pub(crate) fn own_listeners(&self) -> impl Iterator<Item = &ListenerView<'a>> {
        self.listeners.iter().filter(|it| matches!(it.owner, Owner::Gateway(_)))
    }
}

/// Whose listener it is.
#[derive(Clone, Copy, Debug)]
pub(crate) enum Owner<'a> {
    /// The Gateway's.
    Gateway(&'a Gateway),
    /// A ListenerSet's.
    ListenerSet(&'a ListenerSet),
}

impl<'a> Owner<'a> {
    /// Kind, in the API's spelling.
    pub(crate) fn kind(self) -> &'static str {
        match self {
            Self::Gateway(_) => "Gateway",
            Self::ListenerSet(_) => "ListenerSet",
        }
    }

    /// The listeners, as they are written.
    pub(crate) fn listeners(self) -> &'a [Listener] {
        match self {
            Self::Gateway(it) => &it.spec.listeners,
            Self::ListenerSet(it) => &it.spec.listeners,
        }
    }

    /// `metadata.generation`.
    pub(crate) fn generation(self) -> i64 {
        match self {
            Self::Gateway(it) => it.generation(),
            Self::ListenerSet(it) => it.generation(),
        }
    }

    /// As grants name who refers.
    pub(crate) fn referrer(self) -> Referrer<'a> {
        Referrer { group: GATEWAY_GROUP, kind: self.kind(), namespace: self.namespace() }
    }

    /// Name.
    pub(crate) fn name(self) -> &'a str {
        match self {
            Self::Gateway(it) => it.name(),
            Self::ListenerSet(it) => it.name(),
        }
    }

    /// Namespace: from here references start, and this is what `Same` means.
    pub(crate) fn namespace(self) -> &'a str {
        match self {
            Self::Gateway(it) => it.namespace(),
            Self::ListenerSet(it) => it.namespace(),
        }
    }

    /// The Gateway that serves it; for a ListenerSet, that which it asks.
    pub(crate) fn gateway(self) -> ObjectKey {
        match self {
            Self::Gateway(it) => it.key(),
            Self::ListenerSet(it) => {
                let parent = &it.spec.parent_ref;
                ObjectKey::new(parent.namespace.as_deref().unwrap_or(it.namespace()), &parent.name)
            }
        }
    }

    /// How messages name it.
    pub(crate) fn object_ref(self) -> ObjectRef {
        match self {
            Self::Gateway(it) => ObjectRef::of(it),
            Self::ListenerSet(it) => ObjectRef::of(it),
        }
    }
}

/// A protocol that we serve, with the TLS mode where it matters.
#[derive(Clone, Copy, Debug, PartialEq, Eq, PartialOrd, Ord)]
#[allow(missing_docs, reason = "see `portway_config::ListenerProtocol`")]
pub(crate) enum Protocol {
    Http,
    Https,
    TlsTerminate,
    TlsPassthrough,
    Tcp,
    Udp,
}

impl Protocol {
    /// The kinds of routes that can attach.
    pub(crate) fn route_kinds(self) -> &'static [RouteKind] {
        match self {
            Self::Http | Self::Https => &[RouteKind::Http, RouteKind::Grpc],
            Self::TlsTerminate | Self::TlsPassthrough => &[RouteKind::Tls],
            Self::Tcp => &[RouteKind::Tcp],
            Self::Udp => &[RouteKind::Udp],
        }
    }
}

/// One listener of a Gateway or of a ListenerSet.
#[derive(Debug)]
pub(crate) struct ListenerView<'a> {
    /// Key.
    pub(crate) key: ListenerKey,
    /// Whose listener it is.
    pub(crate) owner: Owner<'a>,
    /// Index in the owner's `spec.listeners`.
    pub(crate) index: usize,
    /// As it is written.
    pub(crate) spec: &'a Listener,
    /// Hostname; `Any` for protocols that have none.
    pub(crate) hostname: HostnamePattern,
    /// Port; 0 where it is written out of range (then `accepted` is false).
    pub(crate) port: u16,
    /// Protocol; absent where it is one that we do not serve (then `accepted` is false).
    pub(crate) protocol: Option<Protocol>,
    /// Which routes may attach.
    pub(crate) allowed: AllowedRoutes<'a>,
    /// Whether it claims its port and hostname against others, served or not.
    pub(super) claims: bool,
    /// Whether its condition `Accepted` is true.
    pub(crate) accepted: bool,
    /// What the data plane shall do; present if and only if the listener is served.
    pub(crate) config: Option<portway_config::Listener>,
    /// Conditions.
    pub(crate) conditions: Conditions,
    /// Number of accepted routes that name this listener and that it allows. By the specification
    /// it does not matter here whether the listener itself is accepted or served.
    pub(crate) attached_routes: usize,
}

impl<'a> ListenerView<'a> {
    /// Name.
    pub(crate) fn name(&self) -> &Arc<str> {
        &self.key.name
    }

    /// Whether routes of `namespace` may attach.
    pub(crate) fn allows_namespace(&self, namespace: &str, snapshot: &Snapshot, options: &Options) -> bool {
        self.allowed.namespaces.contain(namespace, snapshot, options)
    }

    /// Whether routes of this kind may attach.
    pub(crate) fn allows_kind(&self, kind: RouteKind) -> bool {
        self.allowed.kinds.contains(&kind)
    }

    /// Path of a field below this listener: `spec.listeners[2].tls`.
    pub(crate) fn field(&self, below: &str) -> String {
        let separator = if below.is_empty() || below.starts_with('[') { "" } else { "." };
        format!("spec.listeners[{}]{separator}{below}", self.index)
    }

    /// A finding about a field below this listener.
    pub(crate) fn finding(
        &self,
        severity: Severity,
        code: FindingCode,
        below: &str,
        message: impl Into<String>,
    ) -> Finding {
        Finding::new(severity, code, self.owner.object_ref(), self.field(below), message)
    }

    /// A finding of something that does not work.
    pub(crate) fn error(&self, code: FindingCode, below: &str, message: impl Into<String>) -> Finding {
        self.finding(Severity::Error, code, below, message)
    }

    /// The listener is not accepted, and so not served. The first reason stays.
    pub(crate) fn refuse(&mut self, reason: Reason, error: Finding, out: &mut Output) {
        self.accepted = false;
        self.conditions.fail(ConditionType::Accepted, reason, error.sentence());
        self.conditions.fail(ConditionType::Programmed, programmed_reason(reason), error.sentence());
        out.find(error);
    }

    /// A reference of the listener leads to nothing usable.
    pub(crate) fn unresolved(&mut self, reason: Reason, error: Finding, out: &mut Output) {
        self.conditions.fail(ConditionType::ResolvedRefs, reason, error.sentence());
        out.find(error);
    }
}

/// The reason for not being programmed that goes with a reason for not being accepted.
fn programmed_reason(accepted: Reason) -> Reason {
    match accepted {
        Reason::HostnameConflict | Reason::ProtocolConflict | Reason::PortUnavailable => accepted,
        _ => Reason::Invalid,
    }
}
