//! Why a value does not fit its type, in plain words.

use std::fmt;

use serde::de::{self, Unexpected};
use serde_json::Value;

use super::FieldPath;
use crate::manifest::wording::{did_you_mean, excerpt, listed};

/// A value that does not fit, and where it is.
#[derive(Debug)]
pub(super) struct Mismatch {
    /// The path of the value; `None` until the walk, on its way back, adds it.
    pub(super) path: Option<FieldPath>,
    pub(super) reason: Reason,
}

/// Why it does not fit.
#[derive(Debug)]
pub(super) enum Reason {
    /// The mapping lacks a field.
    Missing(&'static str),
    /// The text is none of those allowed.
    UnknownVariant { found: String, allowed: &'static [&'static str] },
    /// It is of another type.
    Type { found: Found, expected: Expected },
    /// It is a whole number, but too small or too large.
    Range { found: String, least: i128, most: i128 },
    /// What the type itself says.
    Other(String),
}

/// What the type asks for.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub(super) enum Expected {
    Text,
    Boolean,
    Integer { least: i128, most: i128 },
    Number,
    List,
    Mapping,
    Nothing,
}

/// What was found instead.
#[derive(Debug)]
pub(super) enum Found {
    Text(String),
    Boolean(bool),
    Number(String),
    List,
    Mapping,
    Nothing,
}

impl From<&Value> for Found {
    fn from(value: &Value) -> Self {
        match value {
            Value::Null => Self::Nothing,
            Value::Bool(value) => Self::Boolean(*value),
            Value::Number(value) => Self::Number(value.to_string()),
            Value::String(text) => Self::Text(text.clone()),
            Value::Array(_) => Self::List,
            Value::Object(_) => Self::Mapping,
        }
    }
}

impl Reason {
    /// What to do about it.
    pub(super) fn help(&self) -> Option<String> {
        match self {
            Self::UnknownVariant { found, allowed } => did_you_mean(found, allowed),
            Self::Type { found, expected } => match (found, expected) {
                (Found::Text(text), Expected::Integer { .. }) if text.parse::<i64>().is_ok() => {
                    Some(format!("remove the quotes: {text}"))
                }
                (Found::Text(text), Expected::Boolean) if text.parse::<bool>().is_ok() => {
                    Some(format!("remove the quotes: {text}"))
                }
                (Found::Number(number), Expected::Text) => Some(format!("put it in quotes: \"{number}\"")),
                (Found::Boolean(_), Expected::Text) => Some(
                    "put it in quotes: YAML takes true, yes, on, false, no and off for booleans".to_owned(),
                ),
                (Found::Nothing, Expected::Text) => Some("write \"\" for an empty text".to_owned()),
                (Found::Mapping | Found::Text(_), Expected::List) => {
                    Some("start each item of the list with `- `".to_owned())
                }
                (Found::List, Expected::Mapping | Expected::Text) => {
                    Some("remove the leading `- `".to_owned())
                }
                _ => None,
            },
            Self::Other(message) if message.starts_with(NOT_BASE64) => Some(
                "encode it, as `base64 -w0` does; in a Secret, plain text can stand under `stringData` instead"
                    .to_owned(),
            ),
            Self::Missing(_) | Self::Range { .. } | Self::Other(_) => None,
        }
    }
}

impl fmt::Display for Expected {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        f.write_str(match self {
            Self::Text => "text",
            Self::Boolean => "`true` or `false`",
            Self::Integer { .. } => "a whole number",
            Self::Number => "a number",
            Self::List => "a list",
            Self::Mapping => "a mapping",
            Self::Nothing => "nothing",
        })
    }
}

impl fmt::Display for Found {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        match self {
            Self::Text(text) => write!(f, "the text \"{}\"", excerpt(text)),
            Self::Boolean(value) => write!(f, "the boolean {value}"),
            Self::Number(number) => write!(f, "the number {number}"),
            Self::List => f.write_str("a list"),
            Self::Mapping => f.write_str("a mapping"),
            Self::Nothing => f.write_str("nothing"),
        }
    }
}

impl fmt::Display for Reason {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        match self {
            Self::Missing(_) => f.write_str("this field is required, and it is missing"),
            Self::UnknownVariant { found, allowed } => {
                write!(f, "\"{}\" is not allowed here; allowed are {}", excerpt(found), listed(allowed))
            }
            Self::Type { found, expected } => write!(f, "{expected} is expected here, not {found}"),
            Self::Range { found, least, most } => {
                write!(f, "{found} is out of range: from {least} to {most}")
            }
            Self::Other(message) => f.write_str(message),
        }
    }
}

impl fmt::Display for Mismatch {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        self.reason.fmt(f)
    }
}

impl std::error::Error for Mismatch {}

impl From<Reason> for Mismatch {
    fn from(reason: Reason) -> Self {
        Self { path: None, reason }
    }
}

const NOT_BASE64: &str = "this is not base64";

/// What the `base64` crate says of a text, without saying of which encoding.
const BASE64_FAULTS: [&str; 5] =
    ["Invalid symbol", "Invalid byte", "Invalid last symbol", "Invalid input length", "Invalid padding"];

/// What types themselves report. That a value is of a wrong type, the walk mostly finds out before.
impl de::Error for Mismatch {
    fn custom<T: fmt::Display>(message: T) -> Self {
        let message = message.to_string();
        let is_of_base64 = BASE64_FAULTS.iter().any(|fault| message.starts_with(fault));
        Reason::Other(if is_of_base64 { format!("{NOT_BASE64}: {message}") } else { message }).into()
    }

    fn invalid_value(found: Unexpected<'_>, expected: &dyn de::Expected) -> Self {
        match found {
            Unexpected::Str(text) => Self::custom(format!("\"{}\" is not {expected}", excerpt(text))),
            found => Self::custom(format!("{found} is not {expected}")),
        }
    }

    fn unknown_variant(found: &str, allowed: &'static [&'static str]) -> Self {
        Reason::UnknownVariant { found: found.to_owned(), allowed }.into()
    }

    fn missing_field(field: &'static str) -> Self {
        Reason::Missing(field).into()
    }
}
