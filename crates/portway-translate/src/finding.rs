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
    /// The object at fault.
    pub object: ObjectRef,
    /// The field at fault, as Kubernetes writes paths: `spec.rules[0].matches[1].path.value`; may be empty.
    pub field: String,
    /// What happened: a sentence without capital and full stop.
    pub message: String,
    /// What to do: likewise.
    pub help: Option<String>,
}

impl Finding {
    /// A finding without help.
    pub fn new(
        severity: Severity,
        code: FindingCode,
        object: ObjectRef,
        field: impl Into<String>,
        message: impl Into<String>,
    ) -> Self {
        Self { severity, code, object, field: field.into(), message: message.into(), help: None }
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
