//! A document and where each of its fields is written.

use std::sync::Arc;

use serde_json::Value;

use super::{
    field_path::FieldPath,
    places::{Places, Spot},
    position::{Position, Source},
};

/// One Kubernetes object as it stands in a manifest: untyped, always a mapping.
#[derive(Clone, Debug)]
pub struct Document {
    /// What is written.
    pub value: Value,
    /// Where it is written.
    pub origin: Origin,
}

impl Document {
    /// The `apiVersion`, where it is given as text.
    pub fn api_version(&self) -> Option<&str> {
        self.value.get("apiVersion")?.as_str()
    }

    /// The `kind`, where it is given as text.
    pub fn kind(&self) -> Option<&str> {
        self.value.get("kind")?.as_str()
    }

    /// How messages name the object, as far as it names itself: `HTTPRoute my-app/web`.
    pub fn label(&self) -> Option<String> {
        let metadata = |field: &str| self.value.get("metadata")?.get(field)?.as_str();
        let kind = self.kind()?;
        Some(match (metadata("namespace"), metadata("name")) {
            (Some(namespace), Some(name)) => format!("{kind} {namespace}/{name}"),
            (None, Some(name)) => format!("{kind} {name}"),
            (_, None) => kind.to_owned(),
        })
    }
}

/// Where an object and each of its fields are written. Cheap to clone.
#[derive(Clone, Debug)]
pub struct Origin {
    source: Source,
    places: Arc<Places>,
    /// The object among the values of its document, which may be a list.
    object: Spot,
}

impl Origin {
    /// The text that holds the object.
    pub fn source(&self) -> &Source {
        &self.source
    }

    /// Where the object starts.
    pub fn start(&self) -> Position {
        self.places.value(self.object).within(&self.source)
    }

    /// Where the field is written: its key, or the item of a list. The nearest ancestor's place, if it is not there.
    pub fn position(&self, field: &FieldPath) -> Position {
        self.places.key(self.nearest(field).0).within(&self.source)
    }

    /// Where the field's value is written. Of a field that is not there, what [`position`](Self::position) says.
    pub fn value_position(&self, field: &FieldPath) -> Position {
        match self.nearest(field) {
            (spot, true) => self.places.value(spot).within(&self.source),
            (_, false) => self.position(field),
        }
    }

    /// The spot of the field or of its nearest ancestor, and whether it is the field's own.
    fn nearest(&self, field: &FieldPath) -> (Spot, bool) {
        let mut spot = self.object;
        for segment in field.segments() {
            match self.places.part(spot, segment) {
                Some(part) => spot = part,
                None => return (spot, false),
            }
        }
        (spot, true)
    }
}

/// A value together with the places of all its parts: a document, or an object in a list.
#[derive(Clone, Debug)]
pub(super) struct Node {
    pub(super) value: Value,
    pub(super) places: Arc<Places>,
    pub(super) spot: Spot,
}

impl Node {
    /// The object that this is, where its value is a mapping.
    pub(super) fn into_document(self, source: &Source) -> Document {
        let Self { value, places, spot } = self;
        Document { value, origin: Origin { source: source.clone(), places, object: spot } }
    }
}
