//! The parser's messages in plain words.

use saphyr_parser::ScanError;

use crate::manifest::{
    fault::{Budget, Fault},
    position::Place,
    problem::ProblemCode,
    split::Chunk,
};

/// What is said of a tab.
const TAB: &str = "a tab stands where only spaces may indent";

/// What the parser says (a part of it), in plain words, and what to do.
///
/// A message that is not here is passed on as it is: still true, only less helpful.
const PLAIN_WORDS: &[(&str, &str, Option<&str>)] = &[
    // Before those with a part of it: "unprintable" has a "tab".
    (
        "unprintable",
        "a control character stands in the text",
        Some("remove it, or escape it in double quotes; a file that is full of them is no text"),
    ),
    ("tab", TAB, Some("indent with spaces: YAML allows no tabs there")),
    (
        "mapping values are not allowed",
        "a `key: value` pair cannot stand here",
        Some("check the indentation of this line and the one above it; quote a text that holds `: `"),
    ),
    (
        "simple key expect",
        "this line is no `key: value` pair",
        Some("put a colon and a space after the key, and check the indentation"),
    ),
    (
        "block mapping, did not find expected key",
        "this line does not line up with the keys above it",
        Some("check the indentation, and that quotes and brackets above are closed"),
    ),
    (
        "did not find expected '-' indicator",
        "this line does not line up with the list above it",
        Some("start the item with `- ` in the same column as the others, or check the indentation"),
    ),
    (
        "block sequence entries are not allowed",
        "a list item cannot start here",
        Some("put the first `- ` on a line of its own"),
    ),
    (
        "did not find expected ',' or '}'",
        "a `{` is not closed, or a comma is missing",
        Some("separate entries with `,` and close them with `}`"),
    ),
    (
        "expected ',' or ']'",
        "a `[` is not closed, or a comma is missing",
        Some("separate items with `,` and close them with `]`"),
    ),
    (
        "did not find expected node content",
        "a value is missing here, or a bracket is not closed",
        Some("check that brackets and quotes are closed, and that every comma has a value on both sides"),
    ),
    ("misplaced bracket", "a bracket is closed that was never opened", None),
    ("quoted scalar, found unexpected end of stream", "a quote is not closed", Some("add the closing quote")),
    ("quoted scalar, found unexpected document", "a quote is not closed", Some("add the closing quote")),
    ("indentation in quoted scalar", "a quote is not closed, or its text is not indented", None),
    (
        "trailing content after",
        "text follows a closing quote",
        Some("quote the whole value, or double the quotes within it"),
    ),
    (
        "unknown escape character",
        "an unknown escape stands in double quotes",
        Some("write `\\\\` for a backslash, or use single quotes"),
    ),
    (
        "unknown anchor",
        "an alias (`*name`) names no anchor of this document",
        Some("quote a text that starts with `*`"),
    ),
    ("wrongly indented line in block scalar", "a line is indented less than the text it belongs to", None),
    (
        "unexpected character",
        "a text cannot start with this character",
        Some("quote the text: `@`, `` ` `` and `%` are reserved"),
    ),
    (
        "byte order mark",
        "a byte order mark stands within the text",
        Some("remove it: it is an invisible character"),
    ),
    ("handle wasn't declared", "a tag's prefix is not declared", Some("remove the tag")),
];

/// The parser's error as a fault. It was noticed at `place` of the chunk; the innermost container that is open then
/// starts at `open`.
pub(super) fn fault(error: &ScanError, chunk: Chunk<'_>, place: Place, open: Option<Place>) -> Fault {
    let said = error.info();
    if said.contains("recursion limit") {
        // The parser looks ahead, and has a limit of its own.
        return Budget::too_deep(place);
    }
    let (message, help) = match PLAIN_WORDS.iter().find(|(part, ..)| said.contains(part)) {
        Some((_, message, help)) => ((*message).to_owned(), help.map(str::to_owned)),
        None => (format!("this is not valid YAML: {said}"), None),
    };
    let place = match open {
        _ if message == TAB => first_tab(chunk, place),
        // What is open to the end of the document is noticed only behind it.
        Some(open) if is_past_end(chunk, place) && message.contains("is not closed") => open,
        _ if is_past_end(chunk, place) => Place::end_of(chunk.text.trim_end()).below(chunk.lines_above),
        _ => place,
    };
    Fault { help, ..Fault::new(ProblemCode::Syntax, place, message) }
}

/// The first tab that indents a line, from the place on; the parser may notice it a line too early.
fn first_tab(chunk: Chunk<'_>, place: Place) -> Place {
    let above = place.line.saturating_sub(chunk.lines_above).saturating_sub(1);
    let lines = (above..).zip(chunk.text.lines().skip(above as usize));
    let mut indents =
        lines.map(|(line, text)| (line, &text[..text.len() - text.trim_start_matches([' ', '\t']).len()]));
    let tab = indents.find_map(|(line, indent)| indent.find('\t').map(|column| (line as usize, column)));
    tab.map_or(place, |(line, column)| Place::from_zero_based(line, column).below(chunk.lines_above))
}

fn is_past_end(chunk: Chunk<'_>, place: Place) -> bool {
    let lines = chunk.text.trim_end().lines().count();
    place.line.saturating_sub(chunk.lines_above) as usize > lines
}
