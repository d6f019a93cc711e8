//! The rules held against the CRDs: whatever their schema refuses must be refused here, at the same field.

mod cel;
mod crd;
mod schema;

use crate::manifest::{Reading, Severity, Source, read};

/// Reads an object.
fn reading(object: &serde_json::Value) -> Reading {
    read(&Source::new("object.json"), &object.to_string())
}

/// The errors of an object, each with its field.
fn errors(object: &serde_json::Value) -> Vec<(String, String)> {
    let errors = reading(object).problems.into_iter().filter(|problem| problem.severity == Severity::Error);
    errors
        .map(|problem| {
            assert!(problem.position.is_some(), "{problem}");
            (problem.field.clone().unwrap_or_default().to_string(), problem.to_string())
        })
        .collect()
}
