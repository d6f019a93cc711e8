//! From the parser's events to values.

use std::{collections::HashMap, mem, sync::Arc};

use saphyr_parser::{Event, ScalarStyle};
use serde_json::{Map, Value};

use super::scalar;
use crate::manifest::{
    fault::{Budget, Fault, Size},
    field_path::Segment,
    limits,
    origin::Node,
    places::{Name, Places, Spot},
    position::Place,
    problem::ProblemCode,
};

/// Builds one document after another.
pub(super) struct Builder<'b> {
    budget: &'b mut Budget,
    /// The containers that are open, outermost first.
    open: Vec<Frame>,
    /// The values of the document's anchors, by the parser's numbers.
    anchors: HashMap<usize, Part>,
    places: Places,
    root: Option<Part>,
    /// What makes the document unusable, though its syntax can be followed.
    faults: Vec<Fault>,
}

/// A complete value, how much there is to copy in it, and where it is.
#[derive(Clone)]
struct Part {
    value: Value,
    size: Size,
    spot: Spot,
}

/// A mapping or list that is not complete yet.
struct Frame {
    spot: Spot,
    anchor: usize,
    size: Size,
    container: Container,
}

enum Container {
    Mapping {
        entries: Map<String, Value>,
        key: Option<Key>,
        /// The values of `<<`.
        merged: Vec<Part>,
    },
    List(Vec<Value>),
}

/// A key whose value comes next.
enum Key {
    Field(String, Place),
    /// `<<`, of YAML 1.1: the entries of the value are added to the mapping's own.
    Merge,
    /// One that is no text; reported already.
    Unusable,
}

impl<'b> Builder<'b> {
    pub(super) fn new(budget: &'b mut Budget) -> Self {
        Self {
            budget,
            open: Vec::new(),
            anchors: HashMap::new(),
            places: Places::default(),
            root: None,
            faults: Vec::new(),
        }
    }

    /// Ends the document: its value, if it is whole and without fault. Adds its faults to those given.
    pub(super) fn finish_document(&mut self, faults: &mut Vec<Fault>) -> Option<Node> {
        self.open.clear();
        self.anchors.clear();
        let places = mem::take(&mut self.places);
        let root = self.root.take();
        let usable = self.faults.is_empty();
        faults.append(&mut self.faults);
        root.filter(|_| usable).map(|Part { value, spot, .. }| Node {
            value,
            places: Arc::new(places.complete()),
            spot,
        })
    }

    /// Where the innermost container starts that is open.
    pub(super) fn innermost(&self) -> Option<Place> {
        self.open.last().map(|frame| self.places.value(frame.spot))
    }

    /// Takes an event of a document. An error ends the reading: a limit was passed.
    pub(super) fn event(&mut self, event: Event<'_>, place: Place) -> Result<(), Fault> {
        match event {
            Event::Scalar(text, style, anchor, tag) => {
                self.budget.take_nodes(1, place)?;
                let is_merge = text == "<<" && style == ScalarStyle::Plain && tag.is_none();
                let value = scalar::resolve(&text, style, tag.as_deref()).unwrap_or_else(|message| {
                    self.faults.push(Fault::new(ProblemCode::Syntax, place, message));
                    Value::Null
                });
                let size = Size { nodes: 1, bytes: text.len() };
                if anchor == 0 && self.awaits_key() {
                    self.take_key(value, size, place, is_merge);
                    return Ok(());
                }
                let spot = self.enter(place);
                self.places.leave(spot);
                self.complete(Part { value, size, spot }, anchor, is_merge)
            }
            Event::MappingStart(anchor, tag) => {
                self.check_tag(scalar::check_container_tag(tag.as_deref(), "map"), place);
                let container = Container::Mapping { entries: Map::new(), key: None, merged: Vec::new() };
                self.open(container, anchor, place)
            }
            Event::SequenceStart(anchor, tag) => {
                self.check_tag(scalar::check_container_tag(tag.as_deref(), "seq"), place);
                self.open(Container::List(Vec::new()), anchor, place)
            }
            Event::MappingEnd | Event::SequenceEnd => self.close(),
            Event::Alias(anchor) => self.alias(anchor, place),
            Event::Nothing
            | Event::StreamStart
            | Event::StreamEnd
            | Event::DocumentStart(_)
            | Event::DocumentEnd => Ok(()),
        }
    }

    fn check_tag(&mut self, tag: Result<(), String>, place: Place) {
        if let Err(message) = tag {
            self.faults.push(Fault::new(ProblemCode::Syntax, place, message));
        }
    }

    /// Adds a value to the places, as the part of the open container that comes next.
    fn enter(&mut self, place: Place) -> Spot {
        let (name, key) = match self.open.last().map(|frame| &frame.container) {
            None | Some(Container::List(_)) => (Name::ITEM, None),
            Some(Container::Mapping { key: Some(Key::Field(name, at)), .. }) => {
                (Name::of_key(name), Some(*at))
            }
            // A key itself, or a value that no key leads to.
            Some(Container::Mapping { .. }) => (Name::HIDDEN, None),
        };
        self.places.enter(name, key, place)
    }

    fn awaits_key(&self) -> bool {
        let innermost = self.open.last().map(|frame| &frame.container);
        matches!(innermost, Some(Container::Mapping { key: None, .. }))
    }

    /// Takes a value for the key of what comes next.
    fn take_key(&mut self, value: Value, size: Size, place: Place, is_merge: bool) {
        if let Some(Frame { container: Container::Mapping { key, .. }, size: whole, .. }) =
            self.open.last_mut()
        {
            whole.add(size);
            *key = Some(as_key(value, place, is_merge, &mut self.faults));
        }
    }

    fn open(&mut self, container: Container, anchor: usize, place: Place) -> Result<(), Fault> {
        let spot = self.enter(place);
        self.open.push(Frame { spot, anchor, size: Size { nodes: 1, bytes: 0 }, container });
        Budget::check_depth(self.open.len(), place)?;
        self.budget.take_nodes(1, place)
    }

    fn close(&mut self) -> Result<(), Fault> {
        // The parser ends only what it started.
        let Some(Frame { spot, anchor, size, container }) = self.open.pop() else { return Ok(()) };
        let value = match container {
            Container::List(items) => items.into(),
            Container::Mapping { mut entries, merged, .. } => {
                for part in merged {
                    self.merge(part, &mut entries)?;
                }
                entries.into()
            }
        };
        self.places.leave(spot);
        self.complete(Part { value, size, spot }, anchor, false)
    }

    /// Adds the entries of a `<<` that the mapping does not have itself.
    fn merge(&mut self, part: Part, entries: &mut Map<String, Value>) -> Result<(), Fault> {
        let Value::Object(values) = part.value else { return Ok(()) };
        let spots: Vec<_> = self.places.entries(part.spot).collect();
        for ((name, value), spot) in values.into_iter().zip(spots) {
            if !entries.contains_key(&name) {
                let size = Size { nodes: self.places.size(spot), bytes: 0 };
                self.budget.take_copy(size, self.places.key(spot))?;
                self.places.copy_whole(spot);
                entries.insert(name, value);
            }
        }
        Ok(())
    }

    fn alias(&mut self, anchor: usize, place: Place) -> Result<(), Fault> {
        // The alias is where the value is used; what lies within it is written at the anchor.
        let spot = self.enter(place);
        let Some(original) = self.anchors.get(&anchor).cloned() else {
            // The parser itself refuses an anchor that it never saw, so this one is still open.
            self.faults.push(Fault::new(ProblemCode::Syntax, place, "an alias stands within its own anchor"));
            self.places.leave(spot);
            return self.complete(Part { value: Value::Null, size: Size::default(), spot }, 0, false);
        };
        self.budget.take_copy(original.size, place)?;
        self.budget.take_nodes(original.size.nodes, place)?;
        self.places.copy_parts(original.spot);
        self.places.leave(spot);
        self.complete(Part { spot, ..original }, 0, false)
    }

    /// Puts a complete value where it belongs.
    fn complete(&mut self, part: Part, anchor: usize, is_merge: bool) -> Result<(), Fault> {
        let place = self.places.value(part.spot);
        if self.faults.len() > limits::MAX_SYNTAX_PROBLEMS {
            let message = "there are too many problems in this document; the rest of it was not read";
            return Err(Fault::new(ProblemCode::LimitExceeded, place, message));
        }
        if anchor != 0 {
            self.budget.take_copy(part.size, place)?;
            self.anchors.insert(anchor, part.clone());
        }
        if self.awaits_key() {
            self.take_key(part.value, part.size, place, is_merge);
            return Ok(());
        }
        let Some(frame) = self.open.last_mut() else {
            self.root = Some(part);
            return Ok(());
        };
        frame.size.add(part.size);
        match &mut frame.container {
            Container::List(items) => items.push(part.value),
            Container::Mapping { entries, key, merged } => match key.take() {
                Some(Key::Field(name, at)) if entries.contains_key(&name) => {
                    let first = self.places.part(frame.spot, &Segment::from(name.clone()));
                    let first = first.map_or(at, |first| self.places.key(first));
                    self.faults.push(Fault::duplicate_key(&name, at, first));
                }
                Some(Key::Field(name, _)) => {
                    entries.insert(name, part.value);
                }
                Some(Key::Merge) => match mergeable(part, &self.places) {
                    Some(parts) => merged.extend(parts),
                    None => self.faults.push(unmergeable(place)),
                },
                Some(Key::Unusable) | None => {}
            },
        }
        Ok(())
    }
}

/// A value in the place of a key. Kubernetes' objects have text for keys; numbers and booleans are taken as text.
fn as_key(value: Value, place: Place, is_merge: bool, faults: &mut Vec<Fault>) -> Key {
    let fault = match value {
        _ if is_merge => return Key::Merge,
        Value::String(name) => return Key::Field(name, place),
        Value::Bool(_) | Value::Number(_) => return Key::Field(value.to_string(), place),
        Value::Null => Fault::new(ProblemCode::Syntax, place, "a key is empty"),
        Value::Object(_) | Value::Array(_) => Fault::new(
            ProblemCode::Syntax,
            place,
            "a mapping or list is used as a key",
        )
        .help(
            "if this is a template (`{{ ... }}`), render it first; quote a text that starts with `{` or `[`",
        ),
    };
    faults.push(fault);
    Key::Unusable
}

/// What a `<<` takes: a mapping or a list of them, the first of which wins.
fn mergeable(part: Part, places: &Places) -> Option<Vec<Part>> {
    match part.value {
        Value::Object(_) => Some(vec![part]),
        Value::Array(items) if items.iter().all(Value::is_object) => {
            let spots = places.items(part.spot);
            let parts = items.into_iter().zip(spots);
            Some(parts.map(|(value, spot)| Part { value, size: Size::default(), spot }).collect())
        }
        _ => None,
    }
}

fn unmergeable(place: Place) -> Fault {
    Fault::new(ProblemCode::Syntax, place, "`<<` takes a mapping or a list of mappings")
}
