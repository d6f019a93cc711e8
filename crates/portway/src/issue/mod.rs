//! One form for everything that is wrong or worth a note, wherever it was found.
//!
//! Manifests have [`Problem`]s, translation has [`Finding`]s, the matcher refuses what it cannot compile.
//! People and scripts get them all in this one form, with file, line and column.

mod serial;
mod text;

use std::collections::{BTreeMap, BTreeSet};

use portway_api::manifest::{FieldPath, Origin, Position, Problem, ProblemCode, Severity, Source};
use portway_api::object::ObjectRef;
use portway_api::resource::DEFAULT_NAMESPACE;
use portway_proxy::snapshot;
use portway_proxy::tls::TlsRefused;
use portway_route::{Place, Refused, RefusedReason};
use portway_translate::{Finding, FindingCode, finding};
use serde::{Deserialize, Serialize};

pub(crate) use self::serial::source_name;
pub(crate) use self::text::{Style, render};

/// Something that is wrong or worth a note. The order is that of a report: errors first, then by place.
#[derive(Clone, Debug, PartialEq, Eq, PartialOrd, Ord, Serialize, Deserialize)]
pub(crate) struct Issue {
    #[serde(with = "serial::severity")]
    pub(crate) severity: Severity,
    /// Where it is written, as far as that is known.
    #[serde(with = "serial::position", default, skip_serializing_if = "Option::is_none")]
    pub(crate) position: Option<Position>,
    /// The kind of issue, in kebab-case. Scripts may rely on it.
    pub(crate) code: String,
    /// The object, such as `HTTPRoute my-app/web`.
    #[serde(default, skip_serializing_if = "Option::is_none")]
    pub(crate) object: Option<String>,
    /// The field, such as `spec.rules[0].matches[1].path.value`.
    #[serde(default, skip_serializing_if = "Option::is_none")]
    pub(crate) field: Option<String>,
    pub(crate) message: String,
    /// What to do about it.
    #[serde(default, skip_serializing_if = "Option::is_none")]
    pub(crate) help: Option<String>,
}

/// Where each object is written.
#[derive(Debug, Default)]
pub(crate) struct Origins {
    places: BTreeMap<ObjectRef, Origin>,
    /// Objects that are written somewhere and left out, since they have errors.
    left_out: BTreeSet<String>,
}

impl Origins {
    pub(crate) fn insert(&mut self, object: ObjectRef, origin: Origin) {
        self.places.insert(object, origin);
    }

    /// Notes the objects that have these errors. Those that are not left out in spite of them are no matter.
    pub(crate) fn note_errors(&mut self, issues: &[Issue]) {
        let errors = issues.iter().filter(|issue| issue.severity == Severity::Error);
        for object in errors.filter_map(|issue| issue.object.as_deref()) {
            self.left_out.insert(with_namespace(object));
        }
    }

    /// Message and help of a finding. Where an object does not exist because it was left out, they say that instead.
    fn explain_absence(&self, finding: &Finding) -> (String, Option<String>) {
        const ABSENT: &str = " does not exist";
        let message = &finding.message;
        let absent = message.split_once(ABSENT).filter(|_| finding.code == FindingCode::ReferenceNotFound);
        match absent {
            Some((object, rest)) if self.left_out.contains(object) => (
                format!("{object} is left out because it has errors{rest}"),
                Some("mend its errors, which are told too".to_owned()),
            ),
            _ => (message.clone(), finding.help.clone()),
        }
    }

    /// Where an object is written.
    pub(crate) fn start(&self, object: &ObjectRef) -> Option<Position> {
        Some(self.places.get(object)?.start())
    }

    /// Where a field is written, or what of it there is.
    pub(crate) fn position(&self, object: &ObjectRef, field: &FieldPath) -> Option<Position> {
        Some(self.places.get(object)?.position(field))
    }
}

/// What is wrong with the text of an object by itself, whatever others say.
#[derive(Clone, Debug)]
pub(crate) struct OwnFault {
    /// The object whose text is wrong.
    pub(crate) culprit: ObjectRef,
    /// As it was found: perhaps of an object that refers to the culprit.
    pub(crate) issue: Issue,
}

impl OwnFault {
    /// What translation found, if it is one.
    pub(crate) fn found(finding: &Finding, issue: &Issue) -> Option<Self> {
        let culprit = finding.culprit.clone().filter(|_| finding.severity == finding::Severity::Error)?;
        Some(Self { culprit, issue: issue.clone() })
    }

    /// What the proxy refuses, if it is one.
    pub(crate) fn refused(refused: &snapshot::Refused, issue: &Issue) -> Option<Self> {
        let culprit = match refused {
            snapshot::Refused::Routing(Refused::Rule {
                route,
                reason: RefusedReason::Pattern { .. },
                ..
            }) => crate::object_name::route(route),
            snapshot::Refused::Tls(TlsRefused::Certificate { certificate, .. }) => {
                ObjectRef::namespaced("Secret", &crate::object_name::key(&certificate.0))
            }
            snapshot::Refused::Tls(TlsRefused::Trust { trust, .. }) => crate::object_name::trust(&trust.0),
            _ => return None,
        };
        Some(Self { culprit, issue: issue.clone() })
    }

    /// Tells it of the culprit, which is written at `position`.
    pub(crate) fn of_culprit(&self, position: Position) -> Issue {
        let culprit = self.culprit.to_string();
        if self.issue.object.as_ref() == Some(&culprit) {
            return self.issue.clone();
        }
        let message = &self.issue.message;
        let message = message.strip_prefix(&format!("{culprit} ")).unwrap_or(message).to_owned();
        let (object, position) = (Some(culprit), Some(position));
        Issue { object, position, field: None, message, ..self.issue.clone() }
    }
}

/// The name of an object that may be written without a namespace; others name it with the default one. (Cluster-scoped
/// objects have none, and get a name that nobody asks for.)
pub(crate) fn with_namespace(object: &str) -> String {
    match object.split_once(' ') {
        Some((kind, name)) if !name.contains('/') => format!("{kind} {DEFAULT_NAMESPACE}/{name}"),
        _ => object.to_owned(),
    }
}

impl From<Problem> for Issue {
    fn from(problem: Problem) -> Self {
        let field = problem.field.filter(|field| !field.is_root());
        Self {
            severity: problem.severity,
            position: problem.position,
            code: problem.code.as_str().to_owned(),
            object: problem.object,
            field: field.map(|field| field.to_string()),
            message: problem.message,
            help: problem.help,
        }
    }
}

impl Issue {
    /// What translation found.
    pub(crate) fn found(finding: &Finding, origins: &Origins) -> Self {
        // What does not read as a path leads to the object itself.
        let path = finding.field.parse::<FieldPath>().unwrap_or_default();
        let (message, help) = origins.explain_absence(finding);
        Self {
            severity: match finding.severity {
                finding::Severity::Error => Severity::Error,
                finding::Severity::Warning => Severity::Warning,
                finding::Severity::Note => Severity::Note,
            },
            position: origins.position(&finding.object, &path),
            code: kebab_case(&finding.code),
            object: Some(finding.object.to_string()),
            field: Some(finding.field.clone()).filter(|field| !field.is_empty()),
            message,
            help,
        }
    }

    /// That there is no object at all in what was read, which began with `source`.
    pub(crate) fn nothing_in(source: Option<Source>) -> Self {
        Self {
            severity: Severity::Warning,
            position: source.map(|source| Position { source, line: 1, column: 1 }),
            code: ProblemCode::Unreadable.as_str().to_owned(),
            object: None,
            field: None,
            message: "there is no manifest in it".to_owned(),
            help: Some("check that it is what you meant, and that whatever writes it has".to_owned()),
        }
    }

    /// What the proxy cannot serve, though translation found no fault with it.
    pub(crate) fn refused(refused: &snapshot::Refused, origins: &Origins) -> Self {
        let ((object, field), message) = match refused {
            snapshot::Refused::Routing(refused) => (refused_place(refused), refused.reason().to_string()),
            snapshot::Refused::Tls(refused) => (tls_place(refused), refused.to_string()),
        };
        Self {
            severity: Severity::Error,
            position: field.parse().ok().and_then(|field| origins.position(&object, &field)),
            code: "not-served".to_owned(),
            object: Some(object.to_string()),
            field: Some(field).filter(|field| !field.is_empty()),
            message: format!("this is not served: {message}"),
            help: None,
        }
    }
}

/// Object and field of TLS settings that are refused.
fn tls_place(refused: &TlsRefused) -> (ObjectRef, String) {
    let listener = match refused {
        TlsRefused::Certificate { listener, .. } | TlsRefused::Trust { listener, .. } => listener,
        TlsRefused::NoCertificate(listener) => listener,
    };
    (crate::object_name::listener_parent(&listener.parent), "spec.listeners".to_owned())
}

/// Object and field of what the matcher refuses.
fn refused_place(refused: &Refused) -> (ObjectRef, String) {
    match refused {
        Refused::Rule { route, rule, reason } => {
            let field = match reason {
                RefusedReason::Pattern { match_index, place, .. } => {
                    format!("spec.rules[{rule}].matches[{match_index}].{}", match_field(place))
                }
                _ => format!("spec.rules[{rule}]"),
            };
            (crate::object_name::route(route), field)
        }
        Refused::Attachment { route, .. } => (crate::object_name::route(route), "spec.parentRefs".to_owned()),
        Refused::Listener { listener, .. } => {
            (crate::object_name::listener_parent(&listener.parent), "spec.listeners".to_owned())
        }
    }
}

/// The field of a match that a pattern stands in.
fn match_field(place: &Place) -> &'static str {
    match place {
        Place::Path => "path",
        Place::GrpcService | Place::GrpcMethod => "method",
        Place::Header(_) => "headers",
        Place::QueryParam(_) => "queryParams",
    }
}

/// The name of a unit variant as serde writes it.
fn kebab_case(code: &impl Serialize) -> String {
    match serde_json::to_value(code) {
        Ok(serde_json::Value::String(word)) => word,
        // Codes are unit variants, which serde writes as strings.
        _ => String::new(),
    }
}

/// How many issues there are of each severity.
#[derive(Clone, Copy, Debug, Default, PartialEq, Eq, Serialize)]
pub(crate) struct Counts {
    pub(crate) errors: usize,
    pub(crate) warnings: usize,
    pub(crate) notes: usize,
}

impl Counts {
    pub(crate) fn of(issues: &[Issue]) -> Self {
        let mut counts = Self::default();
        for issue in issues {
            match issue.severity {
                Severity::Error => counts.errors += 1,
                Severity::Warning => counts.warnings += 1,
                Severity::Note => counts.notes += 1,
            }
        }
        counts
    }
}
