//! Names, namespaces and labels.

use super::{
    check::{Check, Validate},
    syntax::{self, Form},
};
use crate::{Object, core::ObjectMeta, manifest::problem::Severity};

/// Checks an object's metadata by the rules of its kind.
pub(super) fn metadata(object: &Object, check: &mut Check<'_>) {
    let metadata = object.metadata();
    check.within("metadata", |check| {
        match &metadata.name {
            Some(name) => check.text("name", name, name_form(object)),
            None if metadata.generate_name.is_some() => {
                check.require(
                    "name",
                    "only an API server makes names by `generateName`; the object needs a name",
                );
            }
            None => check.require("name", "an object needs a name"),
        }
        match &metadata.namespace {
            Some(namespace) if object.is_cluster_scoped() => {
                let message = format!("a {} stands in no namespace; {namespace} is ignored", object.kind());
                check.within("namespace", |check| {
                    check.note(Severity::Warning, message, Some("remove it".to_owned()));
                });
            }
            Some(namespace) => check.text("namespace", namespace, &syntax::DNS_LABEL),
            None => {}
        }
        metadata.validate(check);
    });
}

fn name_form(object: &Object) -> &'static Form {
    match object {
        Object::Service(_) => &syntax::SERVICE_NAME,
        Object::Namespace(_) => &syntax::DNS_LABEL,
        // Prefixed by the signer's name and colons.
        Object::ClusterTrustBundle(_) => &syntax::OBJECT_NAME,
        _ => &syntax::DNS_NAME,
    }
}

impl Validate for ObjectMeta {
    fn validate(&self, check: &mut Check<'_>) {
        if let Some(labels) = &self.labels {
            check.map("labels", labels, usize::MAX, Some(&syntax::LABEL_KEY), &syntax::LABEL_VALUE);
        }
        for name in self.annotations.iter().flatten().map(|(name, _)| name) {
            check.within("annotations", |check| {
                // The API server takes upper case in an annotation's prefix too.
                check.within(name.clone(), |check| check.form(&name.to_lowercase(), &syntax::LABEL_KEY));
            });
        }
    }
}
