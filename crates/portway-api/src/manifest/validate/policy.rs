//! BackendTLSPolicy and ReferenceGrant.

use super::{
    check::{Check, Validate},
    listener::{LONGEST_OPTION, MAX_OPTIONS},
    syntax,
};
use crate::{
    backend_tls_policy::{
        BackendTlsPolicySpec, BackendTlsPolicyValidation, PolicyTargetReference, SubjectAltName,
        SubjectAltNameType, WellKnownCaCertificates,
    },
    reference_grant::{ReferenceGrantFrom, ReferenceGrantSpec, ReferenceGrantTo},
};

/// How many targets a policy may have.
const MAX_TARGETS: usize = 16;

/// How many references to CA certificates, and how many names, a policy may have.
const MAX_CA_REFS: usize = 8;
const MAX_NAMES: usize = 5;

/// How many entries each side of a grant may have.
const MAX_GRANTS: usize = 16;

impl Validate for BackendTlsPolicySpec {
    fn validate(&self, check: &mut Check<'_>) {
        check.list("targetRefs", &self.target_refs, 1..=MAX_TARGETS);
        check.value("validation", &self.validation);
        check.map("options", &self.options, MAX_OPTIONS, None, &syntax::any_text(LONGEST_OPTION));
        for (index, target) in self.target_refs.iter().enumerate().take(MAX_TARGETS) {
            let earlier = self.target_refs[..index].iter().enumerate();
            let Some((first, conflict)) =
                earlier.filter_map(|(i, other)| Some((i, conflict(other, target)?))).next()
            else {
                continue;
            };
            let message = format!("{conflict}: see item [{first}]");
            check.within("targetRefs", |check| {
                check.refuse_field(index, message, "tell the two apart by sectionName, or keep one");
            });
        }
    }
}

/// Why two targets of one policy cannot stand beside each other.
fn conflict(a: &PolicyTargetReference, b: &PolicyTargetReference) -> Option<&'static str> {
    let section =
        |target: &PolicyTargetReference| target.section_name.clone().filter(|name| !name.is_empty());
    if (&a.group, &a.kind, &a.name) != (&b.group, &b.kind, &b.name) {
        None
    } else if section(a).is_some() != section(b).is_some() {
        Some("this target stands here twice, once with and once without a sectionName")
    } else if section(a) == section(b) {
        Some("this target stands here twice")
    } else {
        None
    }
}

impl Validate for PolicyTargetReference {
    fn validate(&self, check: &mut Check<'_>) {
        check.text("group", &self.group, &syntax::GROUP);
        check.text("kind", &self.kind, &syntax::KIND);
        check.text("name", &self.name, &syntax::OBJECT_NAME);
        check.optional_text("sectionName", self.section_name.as_ref(), &syntax::DNS_NAME);
    }
}

impl Validate for BackendTlsPolicyValidation {
    fn validate(&self, check: &mut Check<'_>) {
        check.list("caCertificateRefs", &self.ca_certificate_refs, 0..=MAX_CA_REFS);
        check.text("hostname", &self.hostname, &syntax::DNS_NAME);
        check.list("subjectAltNames", &self.subject_alt_names, 0..=MAX_NAMES);
        if let Some(WellKnownCaCertificates::Other(name)) = &self.well_known_ca_certificates {
            check.text("wellKnownCACertificates", name, &syntax::WELL_KNOWN_CA);
        }
        match (self.ca_certificate_refs.is_empty(), &self.well_known_ca_certificates) {
            (true, None) => {
                check
                    .require("caCertificateRefs", "caCertificateRefs or wellKnownCACertificates is required");
            }
            (false, Some(_)) => check.refuse_field(
                "wellKnownCACertificates",
                "caCertificateRefs and wellKnownCACertificates exclude each other",
                "remove one of them",
            ),
            _ => {}
        }
    }
}

impl Validate for SubjectAltName {
    fn validate(&self, check: &mut Check<'_>) {
        let chosen = match self.kind {
            SubjectAltNameType::Hostname => "Hostname",
            SubjectAltNameType::Uri => "URI",
        };
        let is_set = |name: &Option<String>| name.as_ref().is_some_and(|name| !name.is_empty());
        check.union(
            chosen,
            &[("Hostname", "hostname", is_set(&self.hostname)), ("URI", "uri", is_set(&self.uri))],
        );
        check.optional_text("hostname", self.hostname.as_ref(), &syntax::HOSTNAME);
        check.optional_text("uri", self.uri.as_ref(), &syntax::URI);
    }
}

impl Validate for ReferenceGrantSpec {
    fn validate(&self, check: &mut Check<'_>) {
        check.list("from", &self.from, 1..=MAX_GRANTS);
        check.list("to", &self.to, 1..=MAX_GRANTS);
    }
}

impl Validate for ReferenceGrantFrom {
    fn validate(&self, check: &mut Check<'_>) {
        check.text("group", &self.group, &syntax::GROUP);
        check.text("kind", &self.kind, &syntax::KIND);
        check.text("namespace", &self.namespace, &syntax::DNS_LABEL);
    }
}

impl Validate for ReferenceGrantTo {
    fn validate(&self, check: &mut Check<'_>) {
        check.text("group", &self.group, &syntax::GROUP);
        check.text("kind", &self.kind, &syntax::KIND);
        check.optional_text("name", self.name.as_ref(), &syntax::OBJECT_NAME);
    }
}
