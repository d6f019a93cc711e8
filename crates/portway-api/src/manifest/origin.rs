//! A document and where each of its fields is written.

use std::{collections::BTreeMap, sync::Arc};

use serde_json::Value;

use super::{
    field_path::{FieldPath, Segment},
    position::{Place, Position, Source},
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
    root: Arc<Spot>,
}

impl Origin {
    pub(super) fn new(source: Source, root: Spot) -> Self {
        Self { source, root: Arc::new(root) }
    }

    /// The text that holds the object.
    pub fn source(&self) -> &Source {
        &self.source
    }

    /// Where the object starts.
    pub fn start(&self) -> Position {
        self.root.value.within(&self.source)
    }

    /// Where the field is written: its key, or the item of a list. The nearest ancestor's place, if it is not there.
    pub fn position(&self, field: &FieldPath) -> Position {
        let spot = self.nearest(field).0;
        spot.key.unwrap_or(spot.value).within(&self.source)
    }

    /// Where the field's value is written. Of a field that is not there, what [`position`](Self::position) says.
    pub fn value_position(&self, field: &FieldPath) -> Position {
        match self.nearest(field) {
            (spot, true) => spot.value.within(&self.source),
            (_, false) => self.position(field),
        }
    }

    /// The spot of the field or of its nearest ancestor, and whether it is the field's own.
    fn nearest(&self, field: &FieldPath) -> (&Spot, bool) {
        let mut spot = &*self.root;
        for segment in field.segments() {
            match spot.child(segment) {
                Some(child) => spot = child,
                None => return (spot, false),
            }
        }
        (spot, true)
    }
}

/// A value together with the places of all its parts.
#[derive(Clone, Debug)]
pub(super) struct Node {
    pub(super) value: Value,
    pub(super) spot: Spot,
}

/// Where a value is written, and where its parts are.
#[derive(Clone, Debug)]
pub(super) struct Spot {
    /// Of an entry of a mapping, where the key is.
    pub(super) key: Option<Place>,
    /// Where the value is.
    pub(super) value: Place,
    /// The parts of a mapping or list.
    pub(super) parts: Parts,
}

/// The spots within a value.
#[derive(Clone, Debug)]
pub(super) enum Parts {
    /// Of a scalar.
    None,
    /// Of a mapping.
    Entries(BTreeMap<String, Spot>),
    /// Of a list.
    Items(Vec<Spot>),
}

impl Spot {
    fn child(&self, segment: &Segment) -> Option<&Self> {
        match (&self.parts, segment) {
            (Parts::Entries(entries), Segment::Key(key)) => entries.get(key.as_ref()),
            (Parts::Items(items), Segment::Index(index)) => items.get(*index),
            _ => None,
        }
    }
}
