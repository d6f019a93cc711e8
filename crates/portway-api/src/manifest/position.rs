//! Where something is written: a source, a line, a column.

use std::{fmt, sync::Arc};

use serde::{Serialize, Serializer};

/// The name of a text that manifests are read from: a file's path, or `<stdin>`.
///
/// Cheap to clone: every position of a file shares one allocation.
#[derive(Clone, Debug, PartialEq, Eq, PartialOrd, Ord, Hash)]
pub struct Source(Arc<str>);

impl Source {
    /// A source with this name, as it is to be printed.
    pub fn new(name: impl AsRef<str>) -> Self {
        Self(Arc::from(name.as_ref()))
    }

    /// Standard input, printed as `<stdin>`.
    pub fn stdin() -> Self {
        Self::new("<stdin>")
    }

    /// The name.
    pub fn as_str(&self) -> &str {
        &self.0
    }
}

impl fmt::Display for Source {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        f.write_str(&self.0)
    }
}

impl Serialize for Source {
    fn serialize<S: Serializer>(&self, serializer: S) -> Result<S::Ok, S::Error> {
        serializer.serialize_str(&self.0)
    }
}

/// A place in a source; printed as `file:line:column`, which editors and terminals turn into a link.
#[derive(Clone, Debug, PartialEq, Eq, PartialOrd, Ord, Hash, Serialize)]
pub struct Position {
    /// The text.
    pub source: Source,
    /// The line, counted from 1.
    pub line: u32,
    /// The column in Unicode scalar values, counted from 1.
    pub column: u32,
}

impl fmt::Display for Position {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        write!(f, "{}:{}:{}", self.source, self.line, self.column)
    }
}

/// A place within a source that the context knows.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub(super) struct Place {
    /// From 1.
    pub(super) line: u32,
    /// From 1.
    pub(super) column: u32,
}

impl Place {
    /// The start of a text.
    pub(super) const START: Self = Self { line: 1, column: 1 };

    /// From counts that start at 0. A source is far shorter than `u32::MAX`
    /// ([`MAX_SOURCE_BYTES`](super::limits::MAX_SOURCE_BYTES)), so the saturation never shows.
    pub(super) fn from_zero_based(line: usize, column: usize) -> Self {
        let one_based = |n: usize| u32::try_from(n).unwrap_or(u32::MAX).saturating_add(1);
        Self { line: one_based(line), column: one_based(column) }
    }

    /// The place just behind a text.
    pub(super) fn end_of(text: &str) -> Self {
        let lines = text.bytes().filter(|&byte| byte == b'\n').count();
        let last_line = text.rsplit('\n').next().unwrap_or_default();
        Self::from_zero_based(lines, last_line.chars().count())
    }

    /// The same place, when the text that it was found in starts `lines` lines down in the source.
    pub(super) fn below(self, lines: u32) -> Self {
        Self { line: self.line.saturating_add(lines), ..self }
    }

    /// The place as others see it.
    pub(super) fn within(self, source: &Source) -> Position {
        Position { source: source.clone(), line: self.line, column: self.column }
    }
}
