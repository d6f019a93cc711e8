//! The pages under `docs/` that list what stands in the code.

#![allow(clippy::panic, reason = "a test that cannot go on has failed")]

use std::collections::BTreeMap;
use std::path::Path;

use portway_config::route::FaultReason;
use portway_proxy::limits::{self, Limits};
use portway_proxy::reason::Reason;

fn page(name: &str) -> String {
    let path = Path::new(env!("CARGO_MANIFEST_DIR")).join("../../docs").join(name);
    std::fs::read_to_string(&path).unwrap_or_else(|error| panic!("{}: {error}", path.display()))
}

/// The first two columns of a page's table whose first column is code.
fn table(page: &str) -> BTreeMap<String, String> {
    let cells = |line: &str| line.split('|').map(|cell| cell.trim().to_owned()).collect::<Vec<_>>();
    let rows = page.lines().filter(|line| line.starts_with("| `")).map(cells);
    rows.map(|row| (row[1].trim_matches('`').to_owned(), row[2].clone())).collect()
}

#[test]
fn limits_are_documented_with_their_defaults() {
    let shown = format!("{:#?}", Limits::default());
    let fields = shown.lines().filter_map(|line| line.trim().trim_end_matches(',').split_once(": "));
    let mut fields: BTreeMap<_, _> =
        fields.map(|(name, value)| (name.to_owned(), value.to_owned())).collect();
    assert!(fields.len() > 20, "{shown}");
    let fixed = [
        ("request_id_bytes", limits::REQUEST_ID_BYTES.to_string()),
        ("session_pins", limits::SESSION_PINS.to_string()),
        ("session_clock_skew", format!("{:?}", limits::SESSION_CLOCK_SKEW)),
        ("access_log_buffer_bytes", limits::ACCESS_LOG_BUFFER_BYTES.to_string()),
        ("access_log_flush_interval", format!("{:?}", limits::ACCESS_LOG_FLUSH_INTERVAL)),
        ("access_log_queue", limits::ACCESS_LOG_QUEUE.to_string()),
        ("metrics_listeners", limits::METRICS_LISTENERS.to_string()),
        ("metrics_routes", limits::METRICS_ROUTES.to_string()),
    ];
    fields.extend(fixed.map(|(name, value)| (name.to_owned(), value)));
    let page = page("limits.md");
    // The sections after the first are about limits of other crates, which have tests of their own.
    let ours = page.split("\n## ").next().unwrap_or_default();
    assert_eq!(table(ours), fields);
}

#[test]
fn reason_codes_are_documented_with_their_status() {
    let faults = FaultReason::ALL.map(Reason::Fault);
    let reasons: Vec<_> = Reason::ALL.iter().chain(&faults).collect();
    let codes: BTreeMap<_, _> =
        reasons.iter().map(|it| (it.as_str().to_owned(), it.status().to_string())).collect();
    assert_eq!(codes.len(), reasons.len(), "two reasons have the same code");
    assert_eq!(table(&page("reason-codes.md")), codes);
}
