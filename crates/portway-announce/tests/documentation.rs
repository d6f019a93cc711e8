//! `docs/limits.md` lists the times and sizes of announcing as they are.

#![allow(clippy::panic, reason = "a test that cannot go on has failed")]

use std::collections::BTreeMap;
use std::path::Path;

use portway_announce::limits;

#[test]
fn limits_are_documented_with_their_defaults() {
    let path = Path::new(env!("CARGO_MANIFEST_DIR")).join("../../docs/limits.md");
    let page = std::fs::read_to_string(&path).unwrap_or_else(|error| panic!("{}: {error}", path.display()));
    let section = page.split("\n## ").find(|it| it.starts_with("Announcing addresses\n"));
    let rows = section.unwrap_or_default().lines().filter(|line| line.starts_with("| `"));
    let cells = rows.map(|line| line.split('|').map(|it| it.trim().trim_matches('`')).collect::<Vec<_>>());
    let documented: BTreeMap<_, _> = cells.map(|row| (row[1].to_owned(), row[2].to_owned())).collect();
    let defaults: BTreeMap<_, _> =
        limits::all().into_iter().map(|(name, value)| (name.to_owned(), value)).collect();
    assert_eq!(documented, defaults);
}
