//! The pages under `docs/` that list what stands in the code.

use std::collections::BTreeSet;
use std::fmt::Debug;

use portway_documented::{fields, page, rows, section, table};
use portway_ebpf::policy::{PolicyDrop, PolicyLimits};
use portway_ebpf::{DropReason, Limits};

#[test]
fn limits_are_documented_with_their_defaults() {
    are_documented(&Limits::default(), "The kernel data plane");
    are_documented(&PolicyLimits::default(), "Network policy in the kernel");
}

fn are_documented(limits: &impl Debug, heading: &str) {
    let fields = fields(limits);
    assert!(fields.len() > 10, "{fields:?}");
    assert_eq!(table(&section(&page("limits.md"), heading)), fields);
}

#[test]
fn drop_reasons_are_documented() {
    let rows = rows(&section(&page("ebpf.md"), "Drops"));
    let documented: BTreeSet<_> = rows.into_iter().filter_map(|row| row.into_iter().next()).collect();
    let of_balancing = DropReason::ALL.iter().map(|it| it.as_str());
    let of_policy = PolicyDrop::ALL.iter().map(|it| it.as_str());
    let reasons: BTreeSet<_> = of_balancing.chain(of_policy).map(str::to_owned).collect();
    assert_eq!(documented, reasons);
}
