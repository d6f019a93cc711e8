//! What a BackendTLSPolicy comes to: the settings that it asks for, or why they cannot be had.

use std::sync::Arc;

use portway_api::BackendTlsPolicy;
use portway_api::backend_tls_policy::{
    BackendTlsPolicyValidation, SubjectAltName as ApiName, SubjectAltNameType, WellKnownCaCertificates,
};
use portway_api::reference::{LocalObjectReference, ObjectReference};
use portway_api::resource::{GATEWAY_GROUP, Spec};
use portway_config::backend::{BackendTlsSettings, BackendTrust, SubjectAltName};
use portway_config::route::{Fault, FaultReason};
use portway_config::tls::TrustBundle;

use crate::context::Context;
use crate::field::Field;
use crate::finding::{FindingCode, Severity};
use crate::hostname;
use crate::problem::{Problem, Problems};
use crate::reason::Reason;
use crate::reference_grant::Referrer;
use crate::tls::{BrokenRefKind, reference};

/// The domain of the options that are ours.
const OUR_DOMAIN: &str = "portway.dev/";

/// What a BackendTLSPolicy comes to, whichever Gateway uses it.
#[derive(Debug)]
pub(crate) struct CheckedPolicy {
    /// The settings, without a client certificate, which is the Gateway's. Where the policy is
    /// invalid no connection may be made: never is clear text what TLS was asked for.
    pub(crate) settings: Result<BackendTlsSettings, Fault>,
    /// The trust anchors that the settings name.
    pub(crate) bundles: Vec<Arc<TrustBundle>>,
    /// What is wrong with it.
    pub(crate) problems: Problems,
    /// Options that have no effect.
    pub(crate) ignored_options: Vec<String>,
}

/// Checks a policy.
pub(crate) fn check(context: &Context<'_>, policy: &BackendTlsPolicy) -> CheckedPolicy {
    let mut problems = Problems::default();
    let mut bundles = Vec::new();
    let validation = &policy.spec.validation;
    let field = Field::SPEC.field("validation");
    let trust = trust(context, policy, &field, &mut bundles, &mut problems);
    let server_name = hostname::precise(&validation.hostname);
    if let Err(fault) = &server_name {
        let message = format!("`{}` {fault}", validation.hostname);
        problems.refuse(Reason::Invalid, &field.field("hostname"), message);
    }
    let subject_alt_names = subject_alt_names(&validation.subject_alt_names, &field, &mut problems);
    let ignored_options = options(policy, &mut problems);
    let settings = match (trust, server_name) {
        (Some(trust), Ok(server_name)) if problems.invalid.is_empty() => {
            Ok(BackendTlsSettings { server_name, trust, subject_alt_names, client_certificate: None })
        }
        _ => Err(fault(policy, &problems)),
    };
    CheckedPolicy { settings, bundles, problems, ignored_options }
}

fn fault(policy: &BackendTlsPolicy, problems: &Problems) -> Fault {
    let why = problems.invalid.first().map(|it| format!("{}: {}", it.field, it.message));
    let message = format!("BackendTLSPolicy {}: {}", policy.key(), why.unwrap_or_default());
    Fault { reason: FaultReason::InvalidBackendTls, message: message.into() }
}

fn trust(
    context: &Context<'_>,
    policy: &BackendTlsPolicy,
    field: &Field<'_>,
    bundles: &mut Vec<Arc<TrustBundle>>,
    problems: &mut Problems,
) -> Option<BackendTrust> {
    let BackendTlsPolicyValidation { ca_certificate_refs, well_known_ca_certificates, .. } =
        &policy.spec.validation;
    let well_known = well_known_ca_certificates.as_ref().filter(|it| **it != nothing());
    match (ca_certificate_refs.as_slice(), well_known) {
        ([], None) => {
            let message = "one of caCertificateRefs and wellKnownCACertificates must be given";
            problems.refuse(Reason::Invalid, field, message);
            None
        }
        ([], Some(WellKnownCaCertificates::System)) => Some(BackendTrust::System),
        ([], Some(WellKnownCaCertificates::Other(name))) => {
            let message = format!("`{name}` is not a set of authorities that is supported; use System");
            problems.refuse(Reason::Invalid, &field.field("wellKnownCACertificates"), message);
            None
        }
        ([_, ..], Some(_)) => {
            let message = "only one of caCertificateRefs and wellKnownCACertificates may be given";
            problems.refuse(Reason::Invalid, field, message);
            None
        }
        (references, None) => anchors(context, policy, references, field, bundles, problems),
    }
}

/// An empty text is the same as none.
fn nothing() -> WellKnownCaCertificates {
    WellKnownCaCertificates::Other(String::new())
}

/// The anchors of all references that lead to some; what does not is reported.
fn anchors(
    context: &Context<'_>,
    policy: &BackendTlsPolicy,
    references: &[LocalObjectReference],
    field: &Field<'_>,
    bundles: &mut Vec<Arc<TrustBundle>>,
    problems: &mut Problems,
) -> Option<BackendTrust> {
    type PolicySpec = portway_api::backend_tls_policy::BackendTlsPolicySpec;
    let from = Referrer { group: GATEWAY_GROUP, kind: PolicySpec::KIND, namespace: policy.namespace() };
    for (index, it) in references.iter().enumerate() {
        let at = field.item("caCertificateRefs", index);
        let LocalObjectReference { group, kind, name } = it.clone();
        match reference::trust(context, from, &ObjectReference { group, kind, name, namespace: None }) {
            Ok(checked) => {
                for objection in context.objections(&checked) {
                    problems.remark(Severity::Warning, FindingCode::CertificateExpired, &at, objection);
                }
                bundles.push(checked.bundle);
            }
            Err(broken) => {
                let reason = match broken.kind {
                    BrokenRefKind::Kind => Reason::InvalidKind,
                    _ => Reason::InvalidCACertificateRef,
                };
                let problem = Problem::new(reason, &at, broken.message);
                let (code, help, culprit) = (broken.kind.code(), Some(broken.help), broken.culprit);
                problems.unresolved.push(Problem { code, help, culprit, ..problem });
            }
        }
    }
    if bundles.is_empty() {
        let message = "none of the references leads to a certificate of an authority";
        problems.refuse(Reason::NoValidCACertificate, &field.field("caCertificateRefs"), message);
        return None;
    }
    Some(BackendTrust::Bundles(bundles.iter().map(|bundle| bundle.key.clone()).collect()))
}

fn subject_alt_names(names: &[ApiName], field: &Field<'_>, problems: &mut Problems) -> Vec<SubjectAltName> {
    let mut checked = Vec::with_capacity(names.len());
    for (index, name) in names.iter().enumerate() {
        let at = field.item("subjectAltNames", index);
        let given = |text: &Option<String>| text.clone().filter(|text| !text.is_empty());
        let result = match (name.kind, given(&name.hostname), given(&name.uri)) {
            (SubjectAltNameType::Hostname, Some(text), None) => {
                let pattern = hostname::parse(&text).map_err(|fault| format!("`{text}` {fault}"));
                pattern.map(|pattern| SubjectAltName::Dns(pattern.to_string().into()))
            }
            (SubjectAltNameType::Uri, None, Some(text)) => uri(&text),
            (SubjectAltNameType::Hostname, ..) => {
                Err("its type Hostname asks for the field hostname and no other".to_owned())
            }
            (SubjectAltNameType::Uri, ..) => {
                Err("its type URI asks for the field uri and no other".to_owned())
            }
        };
        match result {
            Ok(name) => checked.push(name),
            Err(why) => problems.refuse(Reason::Invalid, &at, why),
        }
    }
    checked
}

/// An absolute URI: a scheme, a colon, and something behind it (RFC 3986, section 3).
fn uri(text: &str) -> Result<SubjectAltName, String> {
    let is_scheme = |scheme: &str| {
        scheme.bytes().all(|c| c.is_ascii_alphanumeric() || b"+-.".contains(&c))
            && scheme.bytes().next().is_some_and(|c| c.is_ascii_alphabetic())
    };
    match text.split_once(':') {
        Some((scheme, rest))
            if is_scheme(scheme) && !rest.is_empty() && text.bytes().all(|c| c.is_ascii_graphic()) =>
        {
            Ok(SubjectAltName::Uri(text.into()))
        }
        _ => Err(format!("`{}` is no absolute URI", text.escape_default())),
    }
}

/// There are no options yet. One that is ours by its domain, or that the API reserves by having none,
/// asks for something that is not done; those of other implementations are for them.
fn options(policy: &BackendTlsPolicy, problems: &mut Problems) -> Vec<String> {
    let mut ignored = Vec::new();
    let field = Field::SPEC.field("options");
    for name in policy.spec.options.keys() {
        if name.contains('/') && !name.starts_with(OUR_DOMAIN) {
            let message = format!("the option {name} belongs to another implementation and is ignored");
            problems.remark(Severity::Warning, FindingCode::NoEffect, &field, message);
            ignored.push(name.clone());
        } else {
            problems.refuse(Reason::Invalid, &field, format!("the option {name} is not supported"));
        }
    }
    ignored
}

#[cfg(test)]
mod tests;
