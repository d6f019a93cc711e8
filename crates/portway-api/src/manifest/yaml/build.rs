//! From the parser's events to values.

use std::collections::{BTreeMap, HashMap};

use saphyr_parser::{Event, ScalarStyle};
use serde_json::{Map, Value};

use super::scalar;
use crate::manifest::{
    fault::{Budget, Fault, Size},
    origin::{Node, Parts, Spot},
    position::Place,
    problem::ProblemCode,
};

/// Builds one document after another.
pub(super) struct Builder<'b> {
    budget: &'b mut Budget,
    /// The containers that are open, outermost first.
    open: Vec<Frame>,
    /// The values of the document's anchors, by the parser's numbers.
    anchors: HashMap<usize, (Node, Size)>,
    root: Option<Node>,
    /// What makes the document unusable, though its syntax can be followed.
    faults: Vec<Fault>,
}

/// A mapping or list that is not complete yet.
struct Frame {
    place: Place,
    anchor: usize,
    size: Size,
    container: Container,
}

enum Container {
    Mapping {
        entries: Map<String, Value>,
        spots: BTreeMap<String, Spot>,
        key: Option<Key>,
        merged: Vec<Node>,
    },
    List {
        items: Vec<Value>,
        spots: Vec<Spot>,
    },
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
        Self { budget, open: Vec::new(), anchors: HashMap::new(), root: None, faults: Vec::new() }
    }

    /// Ends the document: its value, if it is whole and without fault. Adds its faults to those given.
    pub(super) fn finish_document(&mut self, faults: &mut Vec<Fault>) -> Option<Node> {
        self.open.clear();
        self.anchors.clear();
        let root = self.root.take();
        let usable = self.faults.is_empty();
        faults.append(&mut self.faults);
        root.filter(|_| usable)
    }

    /// Where the innermost container starts that is open.
    pub(super) fn innermost(&self) -> Option<Place> {
        self.open.last().map(|frame| frame.place)
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
                self.complete(leaf(value, place), size, anchor, is_merge)
            }
            Event::MappingStart(anchor, tag) => {
                self.check_tag(scalar::check_container_tag(tag.as_deref(), "map"), place);
                let container = Container::Mapping {
                    entries: Map::new(),
                    spots: BTreeMap::new(),
                    key: None,
                    merged: Vec::new(),
                };
                self.open(container, anchor, place)
            }
            Event::SequenceStart(anchor, tag) => {
                self.check_tag(scalar::check_container_tag(tag.as_deref(), "seq"), place);
                self.open(Container::List { items: Vec::new(), spots: Vec::new() }, anchor, place)
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

    fn open(&mut self, container: Container, anchor: usize, place: Place) -> Result<(), Fault> {
        self.open.push(Frame { place, anchor, size: Size { nodes: 1, bytes: 0 }, container });
        Budget::check_depth(self.open.len(), place)?;
        self.budget.take_nodes(1, place)
    }

    fn close(&mut self) -> Result<(), Fault> {
        // The parser ends only what it started.
        let Some(Frame { place, anchor, size, container }) = self.open.pop() else { return Ok(()) };
        let node = match container {
            Container::List { items, spots } => Node {
                value: items.into(),
                spot: Spot { key: None, value: place, parts: Parts::Items(spots) },
            },
            Container::Mapping { mut entries, mut spots, merged, .. } => {
                for node in merged {
                    merge(node, &mut entries, &mut spots);
                }
                Node {
                    value: entries.into(),
                    spot: Spot { key: None, value: place, parts: Parts::Entries(spots) },
                }
            }
        };
        self.complete(node, size, anchor, false)
    }

    fn alias(&mut self, anchor: usize, place: Place) -> Result<(), Fault> {
        let Some((node, size)) = self.anchors.get(&anchor) else {
            // The parser itself refuses an anchor that it never saw, so this one is still open.
            self.faults.push(Fault::new(ProblemCode::Syntax, place, "an alias stands within its own anchor"));
            return self.complete(leaf(Value::Null, place), Size::default(), 0, false);
        };
        self.budget.take_copy(*size, place)?;
        self.budget.take_nodes(size.nodes, place)?;
        let (mut node, size) = (node.clone(), *size);
        // The alias is where the value is used; what lies within it is written at the anchor.
        node.spot.value = place;
        self.complete(node, size, 0, false)
    }

    /// Puts a complete value where it belongs.
    fn complete(&mut self, node: Node, size: Size, anchor: usize, is_merge: bool) -> Result<(), Fault> {
        if anchor != 0 {
            self.budget.take_copy(size, node.spot.value)?;
            self.anchors.insert(anchor, (node.clone(), size));
        }
        let Some(frame) = self.open.last_mut() else {
            self.root = Some(node);
            return Ok(());
        };
        frame.size.nodes = frame.size.nodes.saturating_add(size.nodes);
        frame.size.bytes = frame.size.bytes.saturating_add(size.bytes);
        match &mut frame.container {
            Container::List { items, spots } => {
                items.push(node.value);
                spots.push(node.spot);
            }
            Container::Mapping { key: key @ None, .. } => {
                *key = Some(as_key(node, is_merge, &mut self.faults));
            }
            Container::Mapping { entries, spots, key, merged } => match key.take() {
                Some(Key::Field(name, at)) => insert(name, at, node, entries, spots, &mut self.faults),
                Some(Key::Merge) => collect_merged(node, merged, &mut self.faults),
                Some(Key::Unusable) | None => {}
            },
        }
        Ok(())
    }
}

fn leaf(value: Value, place: Place) -> Node {
    Node { value, spot: Spot { key: None, value: place, parts: Parts::None } }
}

/// A value in the place of a key. Kubernetes' objects have text for keys; numbers and booleans are taken as text.
fn as_key(node: Node, is_merge: bool, faults: &mut Vec<Fault>) -> Key {
    let place = node.spot.value;
    let fault = match node.value {
        _ if is_merge => return Key::Merge,
        Value::String(name) => return Key::Field(name, place),
        Value::Bool(_) | Value::Number(_) => return Key::Field(node.value.to_string(), place),
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

fn insert(
    name: String,
    at: Place,
    node: Node,
    entries: &mut Map<String, Value>,
    spots: &mut BTreeMap<String, Spot>,
    faults: &mut Vec<Fault>,
) {
    if let Some(first) = spots.get(&name) {
        faults.push(Fault::duplicate_key(&name, at, first.key.unwrap_or(first.value)));
        return;
    }
    spots.insert(name.clone(), Spot { key: Some(at), ..node.spot });
    entries.insert(name, node.value);
}

/// Takes the value of a `<<`: a mapping or a list of them, the first of which wins.
fn collect_merged(node: Node, merged: &mut Vec<Node>, faults: &mut Vec<Fault>) {
    let place = node.spot.value;
    match (node.value, node.spot.parts) {
        (value @ Value::Object(_), parts @ Parts::Entries(_)) => {
            merged.push(Node { value, spot: Spot { key: None, value: place, parts } });
        }
        (Value::Array(items), Parts::Items(spots)) if items.iter().all(Value::is_object) => {
            merged.extend(items.into_iter().zip(spots).map(|(value, spot)| Node { value, spot }));
        }
        _ => {
            faults.push(Fault::new(ProblemCode::Syntax, place, "`<<` takes a mapping or a list of mappings"));
        }
    }
}

/// Adds the entries that the mapping does not have itself.
fn merge(node: Node, entries: &mut Map<String, Value>, spots: &mut BTreeMap<String, Spot>) {
    let (Value::Object(values), Parts::Entries(mut places)) = (node.value, node.spot.parts) else { return };
    for (name, value) in values {
        if let (false, Some(spot)) = (entries.contains_key(&name), places.remove(&name)) {
            spots.insert(name.clone(), spot);
            entries.insert(name, value);
        }
    }
}
