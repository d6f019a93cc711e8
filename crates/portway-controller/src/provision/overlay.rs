//! Laying a part of a pod template over another, in the manner of Kubernetes' strategic merge.

use serde_json::{Map, Value};

/// Lists that are merged entry by entry, and the field that tells which entries are the same. Source: the
/// `patchMergeKey`s of `core/v1`, as far as a pod has them. Other lists are taken whole.
const MERGE_KEYS: &[(&str, &str)] = &[
    ("containers", "name"),
    ("env", "name"),
    ("hostAliases", "ip"),
    ("imagePullSecrets", "name"),
    ("initContainers", "name"),
    ("ports", "containerPort"),
    ("volumeMounts", "mountPath"),
    ("volumes", "name"),
];

/// Lays `overlay` over `base`: objects are merged, `null` removes, lists of [`MERGE_KEYS`] are merged by their key, and
/// everything else takes the place of what is there.
pub(super) fn lay_over(base: &mut Value, overlay: &Value) {
    match (base, overlay) {
        (Value::Object(base), Value::Object(overlay)) => {
            for (field, value) in overlay {
                lay_field(base, field, value);
            }
        }
        (base, overlay) => *base = without_nulls(overlay),
    }
}

fn lay_field(base: &mut Map<String, Value>, field: &str, value: &Value) {
    if value.is_null() {
        base.shift_remove(field);
        return;
    }
    let key = MERGE_KEYS.iter().find(|(list, _)| *list == field).map(|(_, key)| *key);
    match (base.get_mut(field), value, key) {
        (Some(Value::Array(entries)), Value::Array(overlay), Some(key)) => {
            for entry in overlay {
                match entries.iter_mut().find(|it| it.get(key).is_some() && it.get(key) == entry.get(key)) {
                    Some(present) => lay_over(present, entry),
                    None => entries.push(without_nulls(entry)),
                }
            }
        }
        (Some(present), _, _) => lay_over(present, value),
        (None, _, _) => {
            base.insert(field.to_owned(), without_nulls(value));
        }
    }
}

/// What removes something that is not there says nothing.
fn without_nulls(value: &Value) -> Value {
    match value {
        Value::Object(fields) => {
            let fields = fields.iter().filter(|(_, value)| !value.is_null());
            Value::Object(fields.map(|(name, value)| (name.clone(), without_nulls(value))).collect())
        }
        Value::Array(entries) => Value::Array(entries.iter().map(without_nulls).collect()),
        other => other.clone(),
    }
}

#[cfg(test)]
mod tests {
    use serde_json::json;

    use super::*;

    #[test]
    fn merges_by_name_and_removes_by_null() {
        let mut base = json!({
            "metadata": {"labels": {"a": "1"}},
            "spec": {
                "containers": [{"name": "proxy", "image": "x", "args": ["one", "two"], "env": [{"name": "A", "value": "1"}]}],
                "nodeSelector": {"kept": ""}, "priorityClassName": "high",
                "tolerations": [{"key": "a"}],
            },
        });
        let overlay = json!({
            "metadata": {"annotations": {"b": "2", "none": null}},
            "spec": {
                "containers": [
                    {"name": "proxy", "args": ["three"], "env": [{"name": "A", "value": "2"}, {"name": "B"}]},
                    {"name": "beside", "image": "y"},
                ],
                "priorityClassName": null, "tolerations": [{"key": "b"}], "nodeSelector": {"new": ""},
            },
        });
        lay_over(&mut base, &overlay);
        assert_eq!(
            base,
            json!({
                "metadata": {"labels": {"a": "1"}, "annotations": {"b": "2"}},
                "spec": {
                    "containers": [
                        {"name": "proxy", "image": "x", "args": ["three"],
                         "env": [{"name": "A", "value": "2"}, {"name": "B"}]},
                        {"name": "beside", "image": "y"},
                    ],
                    "nodeSelector": {"kept": "", "new": ""}, "tolerations": [{"key": "b"}],
                },
            })
        );
    }

    #[test]
    fn mounts_are_told_apart_by_their_path() {
        let mut base = json!({"volumeMounts": [{"name": "ca", "mountPath": "/ca"}]});
        lay_over(&mut base, &json!({"volumeMounts": [{"name": "ca", "mountPath": "/more"}]}));
        assert_eq!(base["volumeMounts"].as_array().map(Vec::len), Some(2));
    }
}
