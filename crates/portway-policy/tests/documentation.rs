//! `docs/limits.md` lists the limits of network policy as they are.

use std::collections::BTreeMap;

use portway_documented::{page, section, table};
use portway_policy::limits;

#[test]
fn limits_are_documented_with_their_defaults() {
    let defaults: BTreeMap<_, _> =
        limits::all().into_iter().map(|(name, value)| (name.to_owned(), value)).collect();
    assert_eq!(table(&section(&page("limits.md"), "Network policy")), defaults);
}
