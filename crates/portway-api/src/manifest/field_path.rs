//! The path to a field, as Kubernetes prints it: `spec.rules[0].matches[1].path.value`.

use std::{borrow::Cow, fmt, str::FromStr};

use serde::{Serialize, Serializer};
use thiserror::Error;

/// One step of a [`FieldPath`].
#[derive(Clone, Debug, PartialEq, Eq, PartialOrd, Ord, Hash)]
pub enum Segment {
    /// Into a mapping.
    Key(Cow<'static, str>),
    /// Into a list, counted from 0.
    Index(usize),
}

impl From<&'static str> for Segment {
    fn from(key: &'static str) -> Self {
        Self::Key(Cow::Borrowed(key))
    }
}

impl From<String> for Segment {
    fn from(key: String) -> Self {
        Self::Key(Cow::Owned(key))
    }
}

impl From<usize> for Segment {
    fn from(index: usize) -> Self {
        Self::Index(index)
    }
}

/// The path from an object's root to one of its fields.
///
/// Printed and parsed in the form of Kubernetes' own messages: `.` before a key, `[0]` around an index, and `[key]`
/// around a key that holds a dot, as in `metadata.annotations[example.com/owner]`.
#[derive(Clone, Debug, Default, PartialEq, Eq, PartialOrd, Ord, Hash)]
pub struct FieldPath(Vec<Segment>);

impl FieldPath {
    /// The path to the object itself.
    pub const fn root() -> Self {
        Self(Vec::new())
    }

    /// The segments, from the root on.
    pub fn segments(&self) -> &[Segment] {
        &self.0
    }

    /// Whether this is the path to the object itself.
    pub fn is_root(&self) -> bool {
        self.0.is_empty()
    }

    /// Whether this is the other path, or leads on from it.
    pub fn starts_with(&self, other: &Self) -> bool {
        self.0.starts_with(&other.0)
    }

    /// This path with one more segment.
    #[must_use]
    pub fn child(&self, segment: impl Into<Segment>) -> Self {
        let mut path = self.clone();
        path.push(segment);
        path
    }

    /// Appends a segment.
    pub fn push(&mut self, segment: impl Into<Segment>) {
        self.0.push(segment.into());
    }

    /// Removes the last segment and returns it.
    pub fn pop(&mut self) -> Option<Segment> {
        self.0.pop()
    }
}

impl FromIterator<Segment> for FieldPath {
    fn from_iter<I: IntoIterator<Item = Segment>>(segments: I) -> Self {
        Self(segments.into_iter().collect())
    }
}

impl fmt::Display for FieldPath {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        for (at, segment) in self.0.iter().enumerate() {
            match segment {
                Segment::Index(index) => write!(f, "[{index}]")?,
                Segment::Key(key) if is_plain(key) && at == 0 => f.write_str(key)?,
                Segment::Key(key) if is_plain(key) => write!(f, ".{key}")?,
                Segment::Key(key) if is_bracketable(key) => write!(f, "[{key}]")?,
                Segment::Key(key) => write!(f, "[{}]", serde_json::Value::from(key.as_ref()))?,
            }
        }
        Ok(())
    }
}

/// A key that stands after a dot.
fn is_plain(key: &str) -> bool {
    !key.is_empty() && key.chars().all(|c| c.is_alphanumeric() || c == '-' || c == '_')
}

/// A key that stands between brackets as it is, and is not taken for an index or a quoted key there.
fn is_bracketable(key: &str) -> bool {
    !key.is_empty() && !key.starts_with('"') && !key.contains(']') && key.parse::<usize>().is_err()
}

impl Serialize for FieldPath {
    fn serialize<S: Serializer>(&self, serializer: S) -> Result<S::Ok, S::Error> {
        serializer.collect_str(self)
    }
}

/// A text that is no [`FieldPath`].
#[derive(Clone, Debug, PartialEq, Eq, Error)]
#[error("`{text}` is not a field path: {reason}")]
pub struct FieldPathError {
    text: String,
    reason: &'static str,
}

impl FromStr for FieldPath {
    type Err = FieldPathError;

    fn from_str(text: &str) -> Result<Self, FieldPathError> {
        let error = |reason| FieldPathError { text: text.to_owned(), reason };
        let mut segments = Vec::new();
        let mut rest = text;
        while !rest.is_empty() {
            let (segment, after) = match rest.strip_prefix('[') {
                Some(inside) => bracketed(inside).map_err(error)?,
                None => {
                    let key = match rest.strip_prefix('.') {
                        Some(key) if !segments.is_empty() => key,
                        None if segments.is_empty() => rest,
                        _ => return Err(error("a dot stands between two keys")),
                    };
                    let (key, after) = key.split_at(key.find(['.', '[']).unwrap_or(key.len()));
                    if key.is_empty() || key.contains([']', '"']) {
                        return Err(error("a key is missing or holds a stray bracket or quote"));
                    }
                    (Segment::from(key.to_owned()), after)
                }
            };
            segments.push(segment);
            rest = after;
        }
        Ok(Self(segments))
    }
}

/// Reads what follows an opening bracket: the segment and the rest after the closing bracket.
fn bracketed(inside: &str) -> Result<(Segment, &str), &'static str> {
    const UNCLOSED: &str = "a bracket is not closed";
    if inside.starts_with('"') {
        let mut quoted = serde_json::Deserializer::from_str(inside).into_iter::<String>();
        let key = quoted.next().and_then(Result::ok).ok_or("a quoted key is not closed")?;
        let rest = inside.get(quoted.byte_offset()..).and_then(|rest| rest.strip_prefix(']'));
        return Ok((Segment::from(key), rest.ok_or(UNCLOSED)?));
    }
    let (segment, rest) = inside.split_once(']').ok_or(UNCLOSED)?;
    let segment = match segment.parse::<usize>() {
        Ok(index) => Segment::Index(index),
        Err(_) if is_bracketable(segment) => Segment::from(segment.to_owned()),
        Err(_) => return Err("brackets are empty"),
    };
    Ok((segment, rest))
}

#[cfg(test)]
mod tests {
    use proptest::prelude::*;

    use super::*;

    fn path(segments: &[Segment]) -> FieldPath {
        segments.iter().cloned().collect()
    }

    #[test]
    fn prints_and_parses_as_kubernetes_does() {
        let written = [
            ("", path(&[])),
            ("spec", path(&["spec".into()])),
            (
                "spec.rules[0].matches[1].path.value",
                path(&[
                    "spec".into(),
                    "rules".into(),
                    0.into(),
                    "matches".into(),
                    1.into(),
                    "path".into(),
                    "value".into(),
                ]),
            ),
            (
                "metadata.annotations[example.com/owner]",
                path(&["metadata".into(), "annotations".into(), "example.com/owner".into()]),
            ),
            ("data.1", path(&["data".into(), "1".into()])),
            ("data[\"\"]", path(&["data".into(), "".into()])),
            ("data[\"a]b\"][2]", path(&["data".into(), "a]b".into(), 2.into()])),
        ];
        for (text, path) in written {
            assert_eq!(path.to_string(), text);
            assert_eq!(text.parse::<FieldPath>().as_ref(), Ok(&path), "{text}");
        }
    }

    #[test]
    fn refuses_what_is_no_path() {
        for text in [".spec", "spec.", "spec..x", "spec[", "spec[]", "spec[\"a]", "spec]", "[0]x"] {
            assert!(text.parse::<FieldPath>().is_err(), "{text}");
        }
    }

    proptest! {
        #[test]
        fn every_path_survives_printing(
            segments in proptest::collection::vec(
                prop_oneof![any::<usize>().prop_map(Segment::Index), ".{0,6}".prop_map(Segment::from)], 0..6),
        ) {
            let path = path(&segments);
            prop_assert_eq!(path.to_string().parse::<FieldPath>(), Ok(path));
        }
    }
}
