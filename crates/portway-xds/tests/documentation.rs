//! The pages under `docs/` that list what stands in the code.

#![allow(clippy::panic, reason = "a test that cannot go on has failed")]

use std::collections::BTreeMap;
use std::path::Path;

use portway_xds::{Limits, ResourceType};

fn page(name: &str) -> String {
    let path = Path::new(env!("CARGO_MANIFEST_DIR")).join("../../docs").join(name);
    std::fs::read_to_string(&path).unwrap_or_else(|error| panic!("{}: {error}", path.display()))
}

#[test]
fn limits_are_documented_with_their_defaults() {
    let shown = format!("{:#?}", Limits::default());
    let fields = shown.lines().filter_map(|line| line.trim().trim_end_matches(',').split_once(": "));
    let fields: BTreeMap<_, _> = fields.map(|(name, value)| (name.to_owned(), value.to_owned())).collect();
    assert!(fields.len() > 10, "{shown}");
    let page = page("limits.md");
    let section = page.split("\n## ").find(|it| it.starts_with("The configuration stream\n"));
    let rows = section.unwrap_or_default().lines().filter(|line| line.starts_with("| `"));
    let cells = rows.map(|line| line.split('|').map(|it| it.trim().trim_matches('`')).collect::<Vec<_>>());
    let documented: BTreeMap<_, _> = cells.map(|row| (row[1].to_owned(), row[2].to_owned())).collect();
    assert_eq!(documented, fields);
}

#[test]
fn resource_types_are_documented() {
    let page = page("configuration-stream.md");
    for kind in ResourceType::ALL {
        let url = kind.url().trim_start_matches("type.googleapis.com/");
        assert!(page.contains(&format!("| `{url}` |")), "{url}");
    }
}
