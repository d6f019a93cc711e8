//! The pages under `docs/`, for tests that hold them to the code: a dependency of tests alone.
//!
//! A row of a table counts if its first cell is code, so that headings and rows of prose are left out.

#![allow(clippy::panic, clippy::missing_panics_doc, reason = "whoever asks is a test, which has failed then")]

mod metric;

pub use metric::{Family, documented_families, families};

use std::collections::BTreeMap;
use std::fmt::Debug;
use std::path::Path;

/// The text of a page, by its name under `docs/`.
pub fn page(name: &str) -> String {
    let path = Path::new(env!("CARGO_MANIFEST_DIR")).join("../../docs").join(name);
    std::fs::read_to_string(&path).unwrap_or_else(|error| panic!("{}: {error}", path.display()))
}

/// The part of a page under a heading of the second level.
pub fn section(page: &str, heading: &str) -> String {
    let found = page.split("\n## ").find(|it| it.starts_with(&format!("{heading}\n")));
    found.unwrap_or_else(|| panic!("there is no section `{heading}`")).to_owned()
}

/// What stands before the first heading of the second level.
pub fn beginning(page: &str) -> String {
    page.split("\n## ").next().unwrap_or_default().to_owned()
}

/// The cells of all rows of a text, without the marks of code around them.
pub fn rows(text: &str) -> Vec<Vec<String>> {
    let cells = |row: &str| {
        let row = row.trim().trim_matches('|');
        row.split('|').map(|cell| cell.trim().trim_matches('`').to_owned()).collect()
    };
    text.lines().filter(|line| line.starts_with("| `")).map(cells).collect()
}

/// The first two cells of all rows.
pub fn table(text: &str) -> BTreeMap<String, String> {
    let pair = |row: Vec<String>| {
        let mut cells = row.into_iter();
        (cells.next().unwrap_or_default(), cells.next().unwrap_or_default())
    };
    rows(text).into_iter().map(pair).collect()
}

/// The fields of a structure of plain values, by name, as its `Debug` shows them.
pub fn fields(structure: &impl Debug) -> BTreeMap<String, String> {
    let shown = format!("{structure:#?}");
    let lines = shown.lines().filter_map(|line| line.trim().trim_end_matches(',').split_once(": "));
    lines.map(|(name, value)| (name.to_owned(), value.to_owned())).collect()
}

#[cfg(test)]
mod tests {
    use super::*;

    const PAGE: &str =
        "# Page\n| name | is |\n| --- | --- |\n| `first` | 1 | one |\n\n## More\nText.\n| `second` | `2` |\n";

    #[test]
    fn rows_are_those_that_begin_with_code() {
        assert_eq!(rows(PAGE), [vec!["first", "1", "one"], vec!["second", "2"]]);
        assert_eq!(table(&beginning(PAGE)), BTreeMap::from([("first".into(), "1".into())]));
        assert_eq!(table(&section(PAGE, "More")), BTreeMap::from([("second".into(), "2".into())]));
    }

    #[test]
    #[should_panic(expected = "no section `Mor`")]
    fn a_section_that_is_missing_is_told() {
        section(PAGE, "Mor");
    }

    #[test]
    fn fields_are_shown_as_they_are() {
        #[derive(Debug)]
        #[expect(dead_code, reason = "only its Debug is asked for")]
        struct Limits {
            bytes: usize,
            time: std::time::Duration,
        }
        let limits = Limits { bytes: 7, time: std::time::Duration::from_millis(20) };
        let expected = [("bytes", "7"), ("time", "20ms")].map(|(a, b)| (a.to_owned(), b.to_owned()));
        assert_eq!(fields(&limits), BTreeMap::from(expected));
    }
}
