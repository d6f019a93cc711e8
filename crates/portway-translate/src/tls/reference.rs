//! References to TLS material: of which kind, permitted or not, and what they lead to.

use std::fmt;

use portway_api::ObjectKey;
use portway_api::object::ObjectRef;
use portway_api::reference::{ObjectReference, SecretObjectReference};
use portway_config::NamespacedName;
use portway_config::key::TrustKey;

use super::{CheckedBundle, CheckedCertificate};
use crate::context::Context;
use crate::finding::{Culprit, Finding, FindingCode, kind_of_group};
use crate::reference_grant::{Referent, Referrer};

/// API group of ClusterTrustBundle.
pub(crate) const CERTIFICATES_GROUP: &str = "certificates.k8s.io";

/// A reference that leads to nothing usable.
#[derive(Clone, Debug, PartialEq, Eq)]
pub(crate) struct BrokenRef {
    /// In which way.
    pub(crate) kind: BrokenRefKind,
    /// What is wrong; a sentence without full stop.
    pub(crate) message: String,
    /// What to do.
    pub(crate) help: String,
    /// Whose text is wrong.
    pub(crate) culprit: Culprit,
}

/// In which way a reference is broken: each has a reason of its own in the conditions.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub(crate) enum BrokenRefKind {
    /// It is of a kind that cannot be used here.
    Kind,
    /// It crosses namespaces without a ReferenceGrant.
    NotPermitted,
    /// It leads to nothing.
    NotFound,
    /// It leads to something that cannot be used.
    Unusable,
}

impl BrokenRefKind {
    /// The code of the finding that tells of it.
    pub(crate) fn code(self) -> FindingCode {
        match self {
            Self::Kind => FindingCode::InvalidKind,
            Self::NotPermitted => FindingCode::ReferenceNotPermitted,
            Self::NotFound => FindingCode::ReferenceNotFound,
            Self::Unusable => FindingCode::InvalidCertificate,
        }
    }
}

impl BrokenRef {
    fn new(kind: BrokenRefKind, message: impl Into<String>, help: impl Into<String>) -> Self {
        let culprit = if kind.code().is_own() { Culprit::Itself } else { Culprit::Nobody };
        Self { kind, message: message.into(), help: help.into(), culprit }
    }

    /// It leads to something that is broken itself.
    fn broken(object: ObjectRef, fault: impl fmt::Display, help: &str) -> Self {
        let message = format!("{object} {fault}");
        Self {
            culprit: Culprit::Other(Box::new(object)),
            ..Self::new(BrokenRefKind::Unusable, message, help)
        }
    }

    /// Completes a finding about the reference, which has the message already.
    pub(crate) fn complete(self, finding: Finding) -> Finding {
        finding.with_help(self.help).with_culprit(self.culprit)
    }

    fn of_kind(group: &str, kind: &str, wanted: &str) -> Self {
        Self::new(
            BrokenRefKind::Kind,
            format!("{} is not a kind that can be used here", kind_of_group(kind, group)),
            format!("refer to {wanted}"),
        )
    }

    fn not_permitted(from: Referrer<'_>, to: &ObjectRef) -> Self {
        let namespace = to.namespace.as_deref().unwrap_or_default();
        Self::new(
            BrokenRefKind::NotPermitted,
            format!("{to} is in another namespace, and no ReferenceGrant there permits the reference"),
            format!(
                "create a ReferenceGrant in namespace {namespace} from {} of namespace {} to {}",
                from.kind, from.namespace, to.kind
            ),
        )
    }
}

/// The certificate that `reference` leads to.
pub(crate) fn certificate(
    context: &Context<'_>,
    from: Referrer<'_>,
    reference: &SecretObjectReference,
) -> Result<CheckedCertificate, BrokenRef> {
    let (group, kind) = (reference.group(), reference.kind());
    if (group, kind) != ("", "Secret") {
        return Err(BrokenRef::of_kind(group, kind, "a Secret of type kubernetes.io/tls"));
    }
    let namespace = reference.namespace.as_deref().unwrap_or(from.namespace);
    let key = ObjectKey::new(namespace, &reference.name);
    let object = ObjectRef::namespaced(kind, &key);
    // Whether the Secret exists is nobody's business who may not refer to it.
    if !context.grants.permits(from, Referent { group, kind, namespace, name: &reference.name }) {
        return Err(BrokenRef::not_permitted(from, &object));
    }
    match context.tls.certificate(&key) {
        Some(Ok(certificate)) => Ok(certificate),
        Some(Err(fault)) => {
            let help = fault.help();
            Err(BrokenRef::broken(object, fault, help))
        }
        None => Err(BrokenRef::new(
            BrokenRefKind::NotFound,
            format!("{object} does not exist"),
            "create it, or name another",
        )),
    }
}

/// The trust anchors that `reference` leads to.
pub(crate) fn trust(
    context: &Context<'_>,
    from: Referrer<'_>,
    reference: &ObjectReference,
) -> Result<CheckedBundle, BrokenRef> {
    let (group, kind, name) = (&*reference.group, &*reference.kind, &*reference.name);
    let (key, object) = match (group, kind) {
        ("", "ConfigMap") => {
            let namespace = reference.namespace.as_deref().unwrap_or(from.namespace);
            let object = ObjectRef::namespaced(kind, &ObjectKey::new(namespace, name));
            if !context.grants.permits(from, Referent { group, kind, namespace, name }) {
                return Err(BrokenRef::not_permitted(from, &object));
            }
            (TrustKey::ConfigMap(NamespacedName::new(namespace, name)), object)
        }
        // Cluster-scoped, and readable for all by design: no grant is asked for (GEP-5075).
        (CERTIFICATES_GROUP, "ClusterTrustBundle") => {
            let object = ObjectRef::cluster(kind, name);
            if reference.namespace.is_some() {
                let message = format!("{object} stands outside of namespaces, but the reference names one");
                return Err(BrokenRef {
                    culprit: Culprit::Itself,
                    ..BrokenRef::new(BrokenRefKind::Unusable, message, "leave out `namespace`")
                });
            }
            // Not that the object is missing, so that the one can be told from the other (GEP-5075, "API Availability").
            if context.options.cluster.as_ref().is_some_and(|it| it.lacks_trust_bundles) {
                return Err(BrokenRef::new(
                    BrokenRefKind::Kind,
                    format!(
                        "{object} cannot be: this cluster has no {CERTIFICATES_GROUP}/v1 ClusterTrustBundles"
                    ),
                    "name a ConfigMap with `ca.crt`, or run Kubernetes 1.37 or newer with that API",
                ));
            }
            (TrustKey::ClusterTrustBundle(name.into()), object)
        }
        _ => {
            return Err(BrokenRef::of_kind(
                group,
                kind,
                "a ConfigMap with `ca.crt`, or a ClusterTrustBundle",
            ));
        }
    };
    context.tls.trust(&key).map_err(|fault| {
        let help = fault.help();
        match fault {
            super::trust::TrustFault::NotFound => {
                BrokenRef::new(BrokenRefKind::NotFound, format!("{object} {fault}"), help)
            }
            fault => BrokenRef::broken(object, fault, help),
        }
    })
}
