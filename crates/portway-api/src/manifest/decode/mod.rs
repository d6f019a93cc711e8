//! From a document to a typed object, with every field that does not fit.
//!
//! `serde` stops at the first error and knows nothing of places. So a deserializer of our own walks the value: it
//! knows the path it is at, sees the field names and the enum values that a type has (for suggestions), and notices
//! which fields a type passes over. To report all errors of a document and not just the first, it decodes once more
//! with what was wrong left out, as long as that helps.

mod error;
#[cfg(test)]
mod tests;
mod walk;

use std::cell::RefCell;

use serde::de::DeserializeOwned;

use self::{
    error::{Mismatch, Reason},
    walk::{Cursor, Unknown},
};
use super::{
    field_path::{FieldPath, Segment},
    limits,
    origin::Document,
    problem::{Problem, ProblemCode},
    wording::{did_you_mean, listed},
};

/// Reads a document as a `T`: the object, unless it does not fit, and all that is wrong.
///
/// A field that the type does not have is a problem, but the object is read without it, as an API server does. A field
/// that is `null` counts as absent.
pub fn decode<T: DeserializeOwned>(document: &Document) -> (Option<T>, Vec<Problem>) {
    let Decoded { object, left_out, problems } = decode_what_fits(document);
    (object.filter(|_| left_out.is_empty()), problems)
}

/// As much of an object as fits its type.
#[derive(Debug)]
pub(super) struct Decoded<T> {
    /// The object, where what is left of it fits.
    pub(super) object: Option<T>,
    /// What does not fit and is left out.
    pub(super) left_out: Vec<FieldPath>,
    /// What is wrong.
    pub(super) problems: Vec<Problem>,
}

/// Reads a document as a `T`, without what does not fit.
pub(super) fn decode_what_fits<T: DeserializeOwned>(document: &Document) -> Decoded<T> {
    let mut problems = Vec::new();
    let mut left_out = Vec::new();
    let (object, unknown) = loop {
        let unknown = RefCell::new(Vec::new());
        let cursor = Cursor::root(&document.value, &left_out, &unknown);
        let mismatch = match T::deserialize(cursor) {
            Ok(object) => break (Some(object), unknown),
            Err(mismatch) => mismatch,
        };
        let path = mismatch.path.clone().unwrap_or_default();
        // What is missing because it was left out is reported already; so its owner is left out too.
        let is_aftermath =
            matches!(mismatch.reason, Reason::Missing(field) if left_out.contains(&path.child(field)));
        if !is_aftermath {
            problems.push(report(document, mismatch, &path));
        }
        if path.is_root() || left_out.contains(&path) || problems.len() >= limits::MAX_TYPE_PROBLEMS {
            break (None, unknown);
        }
        left_out.push(path);
    };
    problems.extend(unknown.into_inner().into_iter().map(|field| unknown_field(document, field)));
    problems.sort_by(|a, b| a.position.cmp(&b.position));
    Decoded { object, left_out, problems }
}

impl<T> Decoded<T> {
    pub(super) fn map<U>(self, into: impl FnOnce(T) -> U) -> Decoded<U> {
        Decoded { object: self.object.map(into), left_out: self.left_out, problems: self.problems }
    }
}

fn report(document: &Document, mismatch: Mismatch, path: &FieldPath) -> Problem {
    let code = match mismatch.reason {
        Reason::Missing(_) => ProblemCode::MissingField,
        Reason::UnknownVariant { .. } => ProblemCode::UnknownValue,
        Reason::Type { .. } => ProblemCode::WrongType,
        Reason::Range { .. } | Reason::Other(_) => ProblemCode::InvalidValue,
    };
    let (field, position) = match mismatch.reason {
        Reason::Missing(field) => (path.child(field), document.origin.position(path)),
        _ => (path.clone(), document.origin.value_position(path)),
    };
    let problem =
        Problem::error(code, mismatch.reason.to_string()).of(document.label()).field(field).at(position);
    Problem { help: mismatch.reason.help(), ..problem }
}

fn unknown_field(document: &Document, Unknown { path, known }: Unknown) -> Problem {
    let position = document.origin.position(&path);
    let (message, help) = match path.segments().last() {
        Some(Segment::Key(name)) => {
            let help =
                did_you_mean(name, known).unwrap_or_else(|| format!("the fields here are {}", listed(known)));
            (format!("there is no field `{name}` here"), help)
        }
        _ => ("there is no such field".to_owned(), "remove it".to_owned()),
    };
    Problem::error(ProblemCode::UnknownField, message)
        .of(document.label())
        .field(path)
        .at(position)
        .help(help)
}
