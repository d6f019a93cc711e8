//! The pages under `docs/` that list what stands in the code.

#![allow(clippy::panic, reason = "a test that cannot go on has failed")]

use std::collections::{BTreeMap, BTreeSet};
use std::path::Path;

use portway_ebpf::policy::{PolicyDrop, PolicyLimits};
use portway_ebpf::{DropReason, Limits};

fn page(name: &str) -> String {
    let path = Path::new(env!("CARGO_MANIFEST_DIR")).join("../../docs").join(name);
    std::fs::read_to_string(&path).unwrap_or_else(|error| panic!("{}: {error}", path.display()))
}

/// The cells of the rows of a section's tables that begin with code, without its marks.
fn rows(page: &str, section: &str) -> Vec<Vec<String>> {
    let section = page.split("\n## ").find(|it| it.starts_with(&format!("{section}\n"))).unwrap_or_default();
    let rows = section.lines().filter(|line| line.starts_with("| `"));
    let cells = |row: &str| row.split('|').map(|it| it.trim().trim_matches('`').to_owned()).collect();
    rows.map(cells).collect()
}

#[test]
fn limits_are_documented_with_their_defaults() {
    are_documented(&format!("{:#?}", Limits::default()), "The kernel data plane");
    are_documented(&format!("{:#?}", PolicyLimits::default()), "Network policy in the kernel");
}

fn are_documented(shown: &str, section: &str) {
    let fields = shown.lines().filter_map(|line| line.trim().trim_end_matches(',').split_once(": "));
    let fields: BTreeMap<_, _> = fields.map(|(name, value)| (name.to_owned(), value.to_owned())).collect();
    assert!(fields.len() > 10, "{shown}");
    let rows = rows(&page("limits.md"), section);
    let documented: BTreeMap<_, _> = rows.into_iter().map(|row| (row[1].clone(), row[2].clone())).collect();
    assert_eq!(documented, fields);
}

#[test]
fn drop_reasons_are_documented() {
    let documented: BTreeSet<_> =
        rows(&page("ebpf.md"), "Drops").into_iter().map(|row| row[1].clone()).collect();
    let of_balancing = DropReason::ALL.iter().map(|it| it.as_str());
    let of_policy = PolicyDrop::ALL.iter().map(|it| it.as_str());
    let reasons: BTreeSet<_> = of_balancing.chain(of_policy).map(str::to_owned).collect();
    assert_eq!(documented, reasons);
}
