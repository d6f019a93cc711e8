//! JSON as values with the place of each part.
//!
//! YAML's parser would take most JSON, but not all of it (surrogate pairs in strings), and its messages would speak of
//! YAML. So `serde_json` reads it, one level at a time: each part is first taken as the slice of text that it is, which
//! tells its place, and then taken apart in turn.

use std::{collections::HashMap, fmt, sync::Arc};

use serde::{
    Deserializer,
    de::{MapAccess, Visitor},
};
use serde_json::{Map, Value, value::RawValue};

use super::{
    fault::{Budget, Fault},
    origin::Node,
    places::{Name, Places, Spot},
    position::Place,
    problem::ProblemCode,
    split::Chunk,
};

/// Whether the chunk is rather JSON than YAML: an object in braces with quoted keys.
pub(super) fn looks_like_json(chunk: Chunk<'_>) -> bool {
    body(chunk)
        .trim_start()
        .strip_prefix('{')
        .is_some_and(|inside| inside.trim_start().starts_with(['"', '}']))
}

/// Reads the documents of a chunk: one JSON value after the other, up to the first fault.
pub(super) fn read(chunk: Chunk<'_>, budget: &mut Budget) -> (Vec<Node>, Vec<Fault>) {
    let mut reader = Reader { text: chunk.text, cursor: Cursor::at_start_of(chunk), budget };
    let body = body(chunk);
    let mut documents = Vec::new();
    for raw in serde_json::Deserializer::from_str(body).into_iter::<&RawValue>() {
        let document = match raw {
            Ok(raw) => reader.document(raw),
            Err(error) => Err(reader.syntax_error(body, &error)),
        };
        match document {
            Ok(document) => documents.push(document),
            Err(fault) => return (documents, vec![fault]),
        }
    }
    (documents, Vec::new())
}

/// The chunk without a document marker, where that stands alone.
fn body(chunk: Chunk<'_>) -> &str {
    let text = chunk.text;
    text.strip_prefix("---").filter(|rest| rest.starts_with(['\n', '\r', ' ', '\t'])).unwrap_or(text)
}

struct Reader<'t, 'b> {
    text: &'t str,
    cursor: Cursor<'t>,
    budget: &'b mut Budget,
}

impl<'t> Reader<'t, '_> {
    fn document(&mut self, raw: &'t RawValue) -> Result<Node, Fault> {
        let mut places = Places::default();
        let (value, spot) = self.value(raw, Name::ITEM, None, 1, &mut places)?;
        Ok(Node { value, places: Arc::new(places.complete()), spot })
    }

    /// Reads a value that stands in containers to this depth, itself included if it is one.
    fn value(
        &mut self,
        raw: &'t RawValue,
        name: Name,
        key: Option<Place>,
        depth: usize,
        places: &mut Places,
    ) -> Result<(Value, Spot), Fault> {
        let place = self.place_of(raw);
        self.budget.take_nodes(1, place)?;
        let spot = places.enter(name, key, place);
        let value = match raw.get().as_bytes().first() {
            Some(b'{') => {
                Budget::check_depth(depth, place)?;
                self.mapping(raw, depth, places)?
            }
            Some(b'[') => {
                Budget::check_depth(depth, place)?;
                self.list(raw, depth, places)?
            }
            _ => self.parse(raw)?,
        };
        places.leave(spot);
        Ok((value, spot))
    }

    fn mapping(&mut self, raw: &'t RawValue, depth: usize, places: &mut Places) -> Result<Value, Fault> {
        let entries = serde_json::Deserializer::from_str(raw.get())
            .deserialize_map(RawEntries)
            .map_err(|error| self.syntax_error(raw.get(), &error))?;
        let (mut values, mut keys) = (Map::new(), HashMap::new());
        for (raw_key, raw_value) in entries {
            let at = self.place_of(raw_key);
            let key = self.parse::<String>(raw_key)?;
            if let Some(first) = keys.insert(key.clone(), at) {
                return Err(Fault::duplicate_key(&key, at, first));
            }
            let (value, _) = self.value(raw_value, Name::of_key(&key), Some(at), depth + 1, places)?;
            values.insert(key, value);
        }
        Ok(values.into())
    }

    fn list(&mut self, raw: &'t RawValue, depth: usize, places: &mut Places) -> Result<Value, Fault> {
        let mut values = Vec::new();
        for item in self.parse::<Vec<&'t RawValue>>(raw)? {
            values.push(self.value(item, Name::ITEM, None, depth + 1, places)?.0);
        }
        Ok(values.into())
    }

    fn parse<T: serde::Deserialize<'t>>(&mut self, raw: &'t RawValue) -> Result<T, Fault> {
        serde_json::from_str(raw.get()).map_err(|error| self.syntax_error(raw.get(), &error))
    }

    /// The fault that `error` is, when `part` was read.
    fn syntax_error(&mut self, part: &'t str, error: &serde_json::Error) -> Fault {
        // `serde_json` counts lines from 1, and columns in bytes up to and including the one that it stumbled over.
        let line_start =
            part.split_inclusive('\n').take(error.line().saturating_sub(1)).map(str::len).sum::<usize>();
        let offset = self.offset_of(part) + line_start + error.column().saturating_sub(1);
        let place = self.cursor.place(floor_char_boundary(self.text, offset));
        let said = error.to_string();
        // The place is told apart from the message.
        let said = said.rsplit_once(" at line ").map_or(said.as_str(), |(said, _)| said);
        Fault::new(ProblemCode::Syntax, place, format!("this is not valid JSON: {said}"))
    }

    fn place_of(&mut self, raw: &'t RawValue) -> Place {
        let offset = self.offset_of(raw.get());
        self.cursor.place(offset)
    }

    /// Where in the text a part of it starts.
    fn offset_of(&self, part: &'t str) -> usize {
        part.as_ptr().addr().wrapping_sub(self.text.as_ptr().addr()).min(self.text.len())
    }
}

fn floor_char_boundary(text: &str, offset: usize) -> usize {
    (0..=offset.min(text.len())).rev().find(|&at| text.is_char_boundary(at)).unwrap_or(0)
}

/// Turns offsets into places. It only moves forward, as the reader does, so that the whole text is counted once: a
/// large file may stand on one line.
struct Cursor<'t> {
    text: &'t str,
    offset: usize,
    place: Place,
}

impl<'t> Cursor<'t> {
    fn at_start_of(chunk: Chunk<'t>) -> Self {
        Self { text: chunk.text, offset: 0, place: Place::START.below(chunk.lines_above) }
    }

    fn place(&mut self, offset: usize) -> Place {
        for c in self.text.get(self.offset..offset).unwrap_or_default().chars() {
            if c == '\n' {
                self.place = Place { line: self.place.line.saturating_add(1), column: 1 };
            } else {
                self.place.column = self.place.column.saturating_add(1);
            }
        }
        self.offset = self.offset.max(offset);
        self.place
    }
}

/// The entries of an object as slices of the text, in their order and with duplicates.
struct RawEntries;

impl<'t> Visitor<'t> for RawEntries {
    type Value = Vec<(&'t RawValue, &'t RawValue)>;

    fn expecting(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        f.write_str("an object")
    }

    fn visit_map<A: MapAccess<'t>>(self, mut map: A) -> Result<Self::Value, A::Error> {
        let mut entries = Vec::new();
        while let Some(entry) = map.next_entry()? {
            entries.push(entry);
        }
        Ok(entries)
    }
}

#[cfg(test)]
mod tests {
    use serde_json::json;

    use super::*;

    fn read_text(text: &str) -> (Vec<Node>, Vec<Fault>) {
        read(Chunk { text, lines_above: 0 }, &mut Budget::of_a_source())
    }

    #[test]
    fn reads_a_stream_with_every_kind_of_value() {
        let (documents, faults) = read_text(
            "{\"a\": [1, -2.5, null, true, \"\\ud83d\\ude00\\n\"], \"b\": {\"\": \"\"}}\n{\"c\":1}{}\n",
        );
        assert_eq!(faults, []);
        let values: Vec<_> = documents.into_iter().map(|node| node.value).collect();
        assert_eq!(
            values,
            [json!({"a": [1, -2.5, null, true, "\u{1f600}\n"], "b": {"": ""}}), json!({"c": 1}), json!({})]
        );
    }

    #[test]
    fn tells_where_the_text_goes_wrong_and_keeps_what_stands_before() {
        let cases = [
            ("{\"a\": 1}\n{\"ä\": x}", (2, 7), "this is not valid JSON: expected value", 1),
            ("{\"a\": \"\\ud800\"}", (1, 14), "this is not valid JSON: unexpected end of hex escape", 0),
            ("{\"a\": 1", (1, 7), "this is not valid JSON: EOF while parsing an object", 0),
            (
                "{\"a\": 1,\n \"a\": 2}",
                (2, 2),
                "the key `a` stands here for the second time, first on line 1",
                0,
            ),
        ];
        for (text, (line, column), message, documents) in cases {
            let (read, faults) = read_text(text);
            let told: Vec<_> =
                faults.iter().map(|f| (f.place.line, f.place.column, f.message.as_str())).collect();
            assert_eq!((told, read.len()), (vec![(line, column, message)], documents), "{text}");
        }
    }

    #[test]
    fn tells_json_from_yaml() {
        let looks = |text| looks_like_json(Chunk { text, lines_above: 0 });
        assert!(looks(" {\n \"a\": 1}") && looks("{}") && looks("---\n{\"a\": 1}"));
        assert!(!looks("{a: 1}") && !looks("a: {}") && !looks("") && !looks("{{ .Values }}"));
    }
}
