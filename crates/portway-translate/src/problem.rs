//! What is wrong with an object, gathered field by field while it is translated.
//!
//! One mistake must not hide the others: who translates a field reports here and goes on. What
//! becomes of the object is decided afterwards, and told in its conditions and in findings alike.

use portway_api::object::ObjectRef;

use crate::field::Field;
use crate::finding::{Culprit, Finding, FindingCode, Severity};
use crate::reason::Reason;

/// What is wrong with one field.
#[derive(Clone, Debug, PartialEq, Eq)]
pub(crate) struct Problem {
    /// Reason of the condition that tells of it.
    pub(crate) reason: Reason,
    /// Kind of the finding that tells of it.
    pub(crate) code: FindingCode,
    /// The field, as Kubernetes writes paths.
    pub(crate) field: String,
    /// What is wrong; a sentence without capital and full stop.
    pub(crate) message: String,
    /// What to do.
    pub(crate) help: Option<String>,
    /// Whose text is wrong.
    pub(crate) culprit: Culprit,
}

impl Problem {
    /// A problem without help.
    pub(crate) fn new(reason: Reason, field: &Field<'_>, message: impl Into<String>) -> Self {
        let (field, message, code) = (field.to_string(), message.into(), code_of(reason));
        let culprit = match reason {
            // Of the Service and the policy that it refers to.
            Reason::UnsupportedProtocol | Reason::InvalidBackendTLSPolicy => Culprit::Nobody,
            _ if code.is_own() => Culprit::Itself,
            _ => Culprit::Nobody,
        };
        Self { reason, code, field, message, help: None, culprit }
    }

    /// As a condition's message tells it.
    pub(crate) fn sentence(&self) -> String {
        match &self.help {
            Some(help) => format!("{}: {}; {help}.", self.field, self.message),
            None => format!("{}: {}.", self.field, self.message),
        }
    }

    /// As a finding about `object`.
    pub(crate) fn finding(&self, object: &ObjectRef) -> Finding {
        let (field, message) = (self.field.as_str(), self.message.as_str());
        let finding = Finding::new(Severity::Error, self.code, object.clone(), field, message);
        Finding { help: self.help.clone(), ..finding.with_culprit(self.culprit.clone()) }
    }
}

fn code_of(reason: Reason) -> FindingCode {
    match reason {
        Reason::RefNotPermitted => FindingCode::ReferenceNotPermitted,
        Reason::InvalidKind => FindingCode::InvalidKind,
        Reason::BackendNotFound | Reason::TargetNotFound => FindingCode::ReferenceNotFound,
        Reason::Conflicted => FindingCode::PolicyConflict,
        Reason::NoValidCACertificate => FindingCode::InvalidCertificate,
        _ => FindingCode::UnsupportedValue,
    }
}

/// What is wrong with an object.
#[derive(Clone, Debug, Default)]
pub(crate) struct Problems {
    /// Values that cannot be served.
    pub(crate) invalid: Vec<Problem>,
    /// References that lead to nothing usable.
    pub(crate) unresolved: Vec<Problem>,
    remarks: Vec<Remark>,
}

/// What works, though otherwise than it seems.
#[derive(Clone, Debug)]
struct Remark {
    severity: Severity,
    code: FindingCode,
    field: String,
    message: String,
}

impl Problems {
    /// A value that cannot be served.
    pub(crate) fn invalid(&mut self, field: &Field<'_>, message: impl Into<String>) {
        self.refuse(Reason::UnsupportedValue, field, message);
    }

    /// A value that cannot be served, for a reason of its own.
    pub(crate) fn refuse(&mut self, reason: Reason, field: &Field<'_>, message: impl Into<String>) {
        self.invalid.push(Problem::new(reason, field, message));
    }

    /// A value that cannot be served because of what another object says.
    pub(crate) fn refuse_beside(&mut self, reason: Reason, field: &Field<'_>, message: impl Into<String>) {
        let problem = Problem::new(reason, field, message);
        self.invalid.push(Problem { culprit: Culprit::Nobody, ..problem });
    }

    /// Something that works, though otherwise than it seems.
    pub(crate) fn remark(
        &mut self,
        severity: Severity,
        code: FindingCode,
        field: &Field<'_>,
        message: impl Into<String>,
    ) {
        self.remarks.push(Remark { severity, code, field: field.to_string(), message: message.into() });
    }

    /// All as findings about `object`.
    pub(crate) fn findings(&self, object: &ObjectRef) -> impl Iterator<Item = Finding> {
        let problems = self.invalid.iter().chain(&self.unresolved).map(|it| it.finding(object));
        problems.chain(self.remarks.iter().map(|it| {
            Finding::new(it.severity, it.code, object.clone(), it.field.as_str(), it.message.as_str())
        }))
    }
}
