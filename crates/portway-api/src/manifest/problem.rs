//! What is wrong with a manifest, in the form that `check` prints.

use std::fmt;

use serde::{Serialize, Serializer};

use super::{field_path::FieldPath, position::Position};

/// How grave a [`Problem`] is.
#[derive(Clone, Copy, Debug, PartialEq, Eq, PartialOrd, Ord, Hash, Serialize)]
#[serde(rename_all = "lowercase")]
pub enum Severity {
    /// The object or the document cannot be used.
    Error,
    /// The object is used, but hardly does what its author wants.
    Warning,
    /// Something to know.
    Note,
}

impl Severity {
    /// The word that is printed: `error`, `warning` or `note`.
    pub const fn as_str(self) -> &'static str {
        match self {
            Self::Error => "error",
            Self::Warning => "warning",
            Self::Note => "note",
        }
    }
}

impl fmt::Display for Severity {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        f.write_str(self.as_str())
    }
}

/// Declares [`ProblemCode`] and its words in one place.
macro_rules! problem_codes {
    ($($(#[doc = $doc:literal])+ $variant:ident = $word:literal,)+) => {
        /// The kind of a [`Problem`]; printed in kebab-case. Scripts may rely on the words.
        #[derive(Clone, Copy, Debug, PartialEq, Eq, PartialOrd, Ord, Hash)]
        pub enum ProblemCode {
            $($(#[doc = $doc])+ $variant,)+
        }

        impl ProblemCode {
            /// Every code.
            pub const ALL: &'static [Self] = &[$(Self::$variant),+];

            /// The word that is printed, such as `unknown-field`.
            pub const fn as_str(self) -> &'static str {
                match self {
                    $(Self::$variant => $word,)+
                }
            }
        }
    };
}

problem_codes! {
    /// A file, a directory or standard input could not be read.
    Unreadable = "unreadable",
    /// The text is not UTF-8.
    Encoding = "encoding",
    /// The text is neither YAML nor JSON.
    Syntax = "syntax",
    /// A mapping holds one key twice.
    DuplicateKey = "duplicate-key",
    /// A limit on what is read was passed; see [`limits`](super::limits).
    LimitExceeded = "limit-exceeded",
    /// The document is no Kubernetes object: no mapping, or without `apiVersion` or `kind`.
    NotAnObject = "not-an-object",
    /// There is no such kind, and a similar one was probably meant.
    UnknownKind = "unknown-kind",
    /// The kind exists, but not in this version.
    UnsupportedVersion = "unsupported-version",
    /// An object of a kind that Portway has no use for.
    IgnoredKind = "ignored-kind",
    /// The object is defined a second time.
    DuplicateObject = "duplicate-object",
    /// The object has a field that its kind does not have.
    UnknownField = "unknown-field",
    /// A value has the wrong type, such as text for a number.
    WrongType = "wrong-type",
    /// A value is none of those that the field allows.
    UnknownValue = "unknown-value",
    /// A required field is missing.
    MissingField = "missing-field",
    /// A value breaks a rule of its field.
    InvalidValue = "invalid-value",
}

impl fmt::Display for ProblemCode {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        f.write_str(self.as_str())
    }
}

impl Serialize for ProblemCode {
    fn serialize<S: Serializer>(&self, serializer: S) -> Result<S::Ok, S::Error> {
        serializer.serialize_str(self.as_str())
    }
}

/// One thing that is wrong, or worth knowing, and where.
///
/// Printed for a person on one line, with a second one for what to do:
///
/// ```text
/// web.yaml:12:3: error[unknown-field]: HTTPRoute my-app/web: spec.hostname: an HTTPRoute has no such field
///   help: did you mean `hostnames`?
/// ```
#[derive(Clone, Debug, PartialEq, Eq, Serialize)]
pub struct Problem {
    /// How grave it is.
    pub severity: Severity,
    /// Its kind.
    pub code: ProblemCode,
    /// The object, such as `HTTPRoute my-app/web`.
    #[serde(skip_serializing_if = "Option::is_none")]
    pub object: Option<String>,
    /// The field of the object.
    #[serde(skip_serializing_if = "Option::is_none")]
    pub field: Option<FieldPath>,
    /// Where it is written.
    #[serde(skip_serializing_if = "Option::is_none")]
    pub position: Option<Position>,
    /// What is wrong, in one sentence without a full stop.
    pub message: String,
    /// What to do about it.
    #[serde(skip_serializing_if = "Option::is_none")]
    pub help: Option<String>,
}

impl Problem {
    /// A problem that names neither object nor place yet.
    pub fn new(severity: Severity, code: ProblemCode, message: impl Into<String>) -> Self {
        Self {
            severity,
            code,
            object: None,
            field: None,
            position: None,
            message: message.into(),
            help: None,
        }
    }

    /// An error that names neither object nor place yet.
    pub fn error(code: ProblemCode, message: impl Into<String>) -> Self {
        Self::new(Severity::Error, code, message)
    }

    /// Names the object, such as `HTTPRoute my-app/web`.
    #[must_use]
    pub fn of(mut self, object: Option<impl Into<String>>) -> Self {
        self.object = object.map(Into::into);
        self
    }

    /// Names the field.
    #[must_use]
    pub fn field(mut self, field: FieldPath) -> Self {
        self.field = Some(field);
        self
    }

    /// Names the place.
    #[must_use]
    pub fn at(mut self, position: Position) -> Self {
        self.position = Some(position);
        self
    }

    /// Says what to do.
    #[must_use]
    pub fn help(mut self, help: impl Into<String>) -> Self {
        self.help = Some(help.into());
        self
    }
}

impl fmt::Display for Problem {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        if let Some(position) = &self.position {
            write!(f, "{position}: ")?;
        }
        write!(f, "{}[{}]: ", self.severity, self.code)?;
        if let Some(object) = &self.object {
            write!(f, "{object}: ")?;
        }
        if let Some(field) = self.field.as_ref().filter(|field| !field.is_root()) {
            write!(f, "{field}: ")?;
        }
        f.write_str(&self.message)?;
        if let Some(help) = &self.help {
            write!(f, "\n  help: {help}")?;
        }
        Ok(())
    }
}

#[cfg(test)]
mod tests {
    use super::*;
    use crate::manifest::Source;

    fn problem() -> Problem {
        Problem::error(ProblemCode::UnknownField, "an HTTPRoute has no such field")
            .of(Some("HTTPRoute my-app/web"))
            .field("spec.hostname".parse().unwrap())
            .at(Position { source: Source::new("web.yaml"), line: 12, column: 3 })
            .help("did you mean `hostnames`?")
    }

    #[test]
    fn prints_place_object_field_and_what_to_do() {
        assert_eq!(
            problem().to_string(),
            "web.yaml:12:3: error[unknown-field]: HTTPRoute my-app/web: spec.hostname: an HTTPRoute has no such field\
             \n  help: did you mean `hostnames`?"
        );
        assert_eq!(
            Problem::new(Severity::Note, ProblemCode::Unreadable, "no manifests in `x`").to_string(),
            "note[unreadable]: no manifests in `x`"
        );
    }

    #[test]
    fn serializes_for_scripts() {
        assert_eq!(
            serde_json::to_value(problem()).unwrap(),
            serde_json::json!({
                "severity": "error",
                "code": "unknown-field",
                "object": "HTTPRoute my-app/web",
                "field": "spec.hostname",
                "position": {"source": "web.yaml", "line": 12, "column": 3},
                "message": "an HTTPRoute has no such field",
                "help": "did you mean `hostnames`?",
            })
        );
    }

    #[test]
    fn codes_are_kebab_case_and_distinct() {
        let words: std::collections::BTreeSet<_> =
            ProblemCode::ALL.iter().map(|code| code.as_str()).collect();
        assert_eq!(words.len(), ProblemCode::ALL.len());
        assert!(
            words.iter().all(|word| word.chars().all(|c| c.is_ascii_lowercase() || c == '-')),
            "{words:?}"
        );
    }
}
