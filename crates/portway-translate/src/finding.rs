//! What is worth telling a person about the objects, beside their conditions.

use std::fmt;

use portway_api::object::ObjectRef;
use serde::Serialize;

/// How bad a finding is.
#[derive(Clone, Copy, Debug, PartialEq, Eq, PartialOrd, Ord, Serialize)]
#[serde(rename_all = "lowercase")]
pub enum Severity {
    /// Something does not work.
    Error,
    /// Something works otherwise than it seems.
    Warning,
    /// Good to know.
    Note,
}

/// One finding. `portway check` shows it with file and line, which it looks up by object and field.
#[derive(Clone, Debug, PartialEq, Eq, PartialOrd, Ord, Serialize)]
pub struct Finding {
    /// How bad it is.
    pub severity: Severity,
    /// What kind of finding it is.
    pub code: FindingCode,
    /// The object that it is told of.
    pub object: ObjectRef,
    /// The field of that object, as Kubernetes writes paths: `spec.rules[0].matches[1].path.value`; may be empty.
    pub field: String,
    /// What happened: a sentence without capital and full stop.
    pub message: String,
    /// What to do: likewise.
    pub help: Option<String>,
    /// The object whose own text is wrong, whatever other objects, the options and the clock say: most often `object`, and
    /// the Secret where a listener refers to one with a broken certificate. None where no text is wrong by itself.
    pub culprit: Option<ObjectRef>,
}

impl Finding {
    /// A finding without help, whose culprit is what its code says ([`FindingCode::is_own`]).
    pub fn new(
        severity: Severity,
        code: FindingCode,
        object: ObjectRef,
        field: impl Into<String>,
        message: impl Into<String>,
    ) -> Self {
        let culprit = code.is_own().then(|| object.clone());
        Self { severity, code, object, field: field.into(), message: message.into(), help: None, culprit }
    }

    /// Says whose text is wrong, where the code does not tell.
    #[must_use]
    pub(crate) fn with_culprit(mut self, culprit: Culprit) -> Self {
        self.culprit = match culprit {
            Culprit::Itself => Some(self.object.clone()),
            Culprit::Other(object) => Some(*object),
            Culprit::Nobody => None,
        };
        self
    }

    /// Says what to do.
    #[must_use]
    pub fn with_help(mut self, help: impl Into<String>) -> Self {
        self.help = Some(help.into());
        self
    }

    /// What is wrong and what to do, as a condition of the object tells it: without the object's name.
    pub(crate) fn sentence(&self) -> String {
        let field = if self.field.is_empty() { String::new() } else { format!("{}: ", self.field) };
        match &self.help {
            Some(help) => format!("{field}{}; {help}.", self.message),
            None => format!("{field}{}.", self.message),
        }
    }
}

/// Whose text is wrong by itself.
#[derive(Clone, Debug, PartialEq, Eq)]
pub(crate) enum Culprit {
    /// The object's that the finding is told of.
    Itself,
    /// That of an object that it refers to.
    Other(Box<ObjectRef>),
    /// Nobody's: it depends on what other objects, the options or the clock say.
    Nobody,
}

/// Kinds of findings. The names are stable: scripts may rely on them.
#[derive(Clone, Copy, Debug, PartialEq, Eq, PartialOrd, Ord, Hash, Serialize)]
#[serde(rename_all = "kebab-case")]
pub enum FindingCode {
    /// A reference to an object that does not exist.
    ReferenceNotFound,
    /// A reference crosses namespaces without a ReferenceGrant.
    ReferenceNotPermitted,
    /// A reference to a kind that cannot be used there.
    InvalidKind,
    /// A route attaches to no listener.
    RouteNotAttached,
    /// A rule can never match, because others win every request.
    RuleNeverMatches,
    /// A rule matches less than it seems, because others win some requests.
    RulePartlyShadowed,
    /// Two listeners are in conflict.
    ListenerConflict,
    /// A certificate is invalid or does not fit its key.
    InvalidCertificate,
    /// A certificate is expired or not yet valid.
    CertificateExpired,
    /// A value cannot be served.
    UnsupportedValue,
    /// A value makes no sense.
    InvalidValue,
    /// A namespace that no manifest declares is taken to exist.
    ImpliedNamespace,
    /// An object has no effect.
    NoEffect,
    /// A policy lost to another.
    PolicyConflict,
    /// A backend has no endpoint.
    NoEndpoints,
}

impl FindingCode {
    /// Whether what is found is wrong in the object's own text, as far as the code tells: no other object, no option and no
    /// passing of time would mend it.
    pub fn is_own(self) -> bool {
        match self {
            Self::InvalidKind | Self::UnsupportedValue | Self::InvalidValue => true,
            Self::ReferenceNotFound
            | Self::ReferenceNotPermitted
            | Self::RouteNotAttached
            | Self::RuleNeverMatches
            | Self::RulePartlyShadowed
            | Self::ListenerConflict
            | Self::InvalidCertificate
            | Self::CertificateExpired
            | Self::ImpliedNamespace
            | Self::NoEffect
            | Self::PolicyConflict
            | Self::NoEndpoints => false,
        }
    }
}

/// Names a kind that a reference asks for: `ConfigMap` of the core group, others with theirs.
pub(crate) fn kind_of_group(kind: &str, group: &str) -> String {
    if group.is_empty() { kind.to_owned() } else { format!("{kind} of {group}") }
}

impl fmt::Display for Finding {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        write!(f, "{}: ", self.object)?;
        if !self.field.is_empty() {
            write!(f, "{}: ", self.field)?;
        }
        f.write_str(&self.message)
    }
}
