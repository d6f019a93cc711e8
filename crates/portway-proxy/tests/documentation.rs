//! The pages under `docs/` that list what stands in the code.

use std::collections::BTreeMap;

use portway_config::route::FaultReason;
use portway_documented::{beginning, fields, page, table};
use portway_proxy::limits::{self, Limits};
use portway_proxy::reason::Reason;

#[test]
fn limits_are_documented_with_their_defaults() {
    let mut fields = fields(&Limits::default());
    assert!(fields.len() > 20, "{fields:?}");
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
    // The sections after the first are about limits of other crates, which have tests of their own.
    assert_eq!(table(&beginning(&page("limits.md"))), fields);
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
