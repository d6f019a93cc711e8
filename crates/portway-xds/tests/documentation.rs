//! The pages under `docs/` that list what stands in the code.

use portway_documented::{fields, page, section, table};
use portway_xds::{Limits, ResourceType};

#[test]
fn limits_are_documented_with_their_defaults() {
    let fields = fields(&Limits::default());
    assert!(fields.len() > 10, "{fields:?}");
    assert_eq!(table(&section(&page("limits.md"), "The configuration stream")), fields);
}

#[test]
fn resource_types_are_documented() {
    let page = page("configuration-stream.md");
    for kind in ResourceType::ALL {
        let url = kind.url().trim_start_matches("type.googleapis.com/");
        assert!(page.contains(&format!("| `{url}` |")), "{url}");
    }
}
