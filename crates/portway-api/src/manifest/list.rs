//! Taking the items out of a `kind: List`, as `kubectl get --output yaml` prints it.

use serde_json::Value;

use super::{field_path::Segment, origin::Node};

/// Adds the objects of a document: those of a list, and of lists within it, or the one that it is.
pub(super) fn flatten(node: Node, objects: &mut Vec<Node>) {
    let mut rest = vec![node];
    while let Some(node) = rest.pop() {
        match item_kind(&node.value).map(str::to_owned) {
            Some(item_kind) => rest.extend(items(node, &item_kind).into_iter().rev()),
            None => objects.push(node),
        }
    }
}

/// The kind of a list's items: empty for `List`, which holds objects of any kind, `HTTPRoute` for `HTTPRouteList`.
fn item_kind(value: &Value) -> Option<&str> {
    value.get("items")?.as_array()?;
    value.get("kind")?.as_str()?.strip_suffix("List")
}

fn items(node: Node, item_kind: &str) -> Vec<Node> {
    let Node { value: Value::Object(mut list), places, spot } = node else { return Vec::new() };
    let (Some(Value::Array(values)), Some(spot)) =
        (list.remove("items"), places.part(spot, &Segment::from("items")))
    else {
        return Vec::new();
    };
    let spots = places.items(spot);
    let mut items: Vec<_> = values
        .into_iter()
        .zip(spots)
        .map(|(value, spot)| Node { value, places: places.clone(), spot })
        .collect();
    if !item_kind.is_empty() {
        // The items of a typed list may leave out what the list says for all of them.
        let api_version = list.remove("apiVersion").unwrap_or_default();
        for item in items.iter_mut().filter_map(|item| item.value.as_object_mut()) {
            item.entry("apiVersion").or_insert_with(|| api_version.clone());
            item.entry("kind").or_insert_with(|| item_kind.into());
        }
    }
    items
}
