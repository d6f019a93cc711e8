//! `docs/limits.md` lists the limits of the controller as they are.

use std::collections::BTreeMap;

use portway_controller::limits;
use portway_documented::{page, section, table};

#[test]
fn limits_are_documented_with_their_defaults() {
    let defaults: BTreeMap<_, _> =
        limits::all().into_iter().map(|(name, value)| (name.to_owned(), value)).collect();
    assert_eq!(table(&section(&page("limits.md"), "The controller")), defaults);
}
