//! Cutting a text into its documents before it is parsed, so that a mistake in one does not hide the others.

/// A part of a text that starts at a document marker (or the text's start) and goes to the next one.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub(super) struct Chunk<'t> {
    pub(super) text: &'t str,
    /// How many lines stand above it.
    pub(super) lines_above: u32,
}

/// Cuts at each line that starts with `---`.
///
/// Such a line always starts a document: YAML 1.2.2, section 9.1.2 (rule `c-forbidden`) lets it stand in no scalar, and
/// JSON has no line breaks within strings. `%` directives stay with the document that follows them.
pub(super) fn chunks(text: &str) -> Vec<Chunk<'_>> {
    let mut chunks = Vec::new();
    let (mut start, mut start_line) = (0, 0);
    let mut preamble = Preamble::Open;
    let mut offset = 0;
    for (line_number, line) in (0u32..).zip(text.split_inclusive('\n')) {
        if is_marker(line, "---") {
            if preamble != Preamble::Directives && offset > start {
                chunks.push(Chunk { text: &text[start..offset], lines_above: start_line });
                (start, start_line) = (offset, line_number);
            }
            preamble = Preamble::Closed;
        } else {
            preamble = preamble.after(line);
        }
        offset += line.len();
    }
    if offset > start {
        chunks.push(Chunk { text: &text[start..], lines_above: start_line });
    }
    chunks
}

/// Whether the lines so far may still be followed by the directives of a document.
#[derive(Clone, Copy, PartialEq, Eq)]
enum Preamble {
    /// Only blank lines and comments so far.
    Open,
    /// Directives, of a document that is yet to start.
    Directives,
    /// A document has started.
    Closed,
}

impl Preamble {
    fn after(self, line: &str) -> Self {
        let is_blank = line.trim().is_empty() || line.starts_with('#');
        match self {
            _ if is_marker(line, "...") => Self::Open,
            Self::Open if line.starts_with('%') => Self::Directives,
            _ if is_blank => self,
            Self::Directives if line.starts_with('%') => self,
            _ => Self::Closed,
        }
    }
}

fn is_marker(line: &str, marker: &str) -> bool {
    line.strip_prefix(marker).is_some_and(|rest| rest.is_empty() || rest.starts_with([' ', '\t', '\r', '\n']))
}

#[cfg(test)]
mod tests {
    use super::*;

    fn cut(text: &str) -> Vec<(u32, &str)> {
        chunks(text).iter().map(|chunk| (chunk.lines_above, chunk.text)).collect()
    }

    #[test]
    fn cuts_at_markers_only() {
        assert_eq!(cut(""), []);
        assert_eq!(cut("a: 1"), [(0, "a: 1")]);
        assert_eq!(cut("---\na: 1\n---\r\nb: 2\n"), [(0, "---\na: 1\n"), (2, "---\r\nb: 2\n")]);
        assert_eq!(cut("a: |\n  ---\n----\n"), [(0, "a: |\n  ---\n----\n")]);
        assert_eq!(cut("--- # one\n---"), [(0, "--- # one\n"), (1, "---")]);
    }

    #[test]
    fn keeps_directives_with_their_document() {
        assert_eq!(cut("# c\n%YAML 1.2\n---\na: 1"), [(0, "# c\n%YAML 1.2\n---\na: 1")]);
        let second = "a: 1\n...\n%YAML 1.2\n---\nb: 2\n";
        assert_eq!(cut(second), [(0, second)]);
    }
}
