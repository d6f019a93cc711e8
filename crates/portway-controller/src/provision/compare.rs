//! Whether an object in the cluster still is what was applied.

use serde_json::{Map, Value};

/// Fields by which entries of a list are told apart, the first that all of them have. Lists without are compared by position.
const KEYS: &[&str] = &["mountPath", "name", "uid"];

/// What stands in `live` where `wanted` says something. It equals `wanted` where nothing of ours was changed; defaults
/// that the API server adds, and what others have put in, are left out.
pub(super) fn project(wanted: &Value, live: &Value) -> Value {
    match (wanted, live) {
        (Value::Object(wanted), Value::Object(live)) => {
            let fields = wanted
                .iter()
                .filter_map(|(name, value)| Some((name.clone(), project(value, live.get(name)?))));
            Value::Object(fields.collect::<Map<_, _>>())
        }
        (Value::Array(wanted), Value::Array(live)) => Value::Array(match key(wanted) {
            Some(key) => wanted
                .iter()
                .filter_map(|it| Some(project(it, live.iter().find(|other| other.get(key) == it.get(key))?)))
                .collect(),
            // The list is one value: an entry that somebody has added is a change of it.
            None => {
                (0..live.len()).map(|i| project(wanted.get(i).unwrap_or(&Value::Null), &live[i])).collect()
            }
        }),
        (_, live) => live.clone(),
    }
}

fn key(entries: &[Value]) -> Option<&'static str> {
    let has_all = |key: &&&str| !entries.is_empty() && entries.iter().all(|it| it.get(**key).is_some());
    KEYS.iter().find(has_all).copied()
}

#[cfg(test)]
mod tests {
    use serde_json::json;

    use super::*;

    #[test]
    fn what_others_add_is_no_difference() {
        let wanted =
            json!({"metadata": {"labels": {"a": "1"}}, "spec": {"ports": [{"name": "tcp-80", "port": 80}]}});
        let live = json!({
            "metadata": {"labels": {"a": "1", "theirs": "x"}, "uid": "1"},
            "spec": {"ports": [{"name": "more", "port": 1}, {"name": "tcp-80", "port": 80, "nodePort": 31000}], "type": "ClusterIP"},
        });
        assert_eq!(project(&wanted, &live), wanted);
    }

    #[test]
    fn what_is_ours_is_compared() {
        for (wanted, live) in [
            (json!({"a": {"b": 1}}), json!({"a": {"b": 2}})),
            (json!({"a": {"b": 1}}), json!({"a": {}})),
            (json!({"args": ["x", "y"]}), json!({"args": ["x", "y", "z"]})),
            (json!({"args": ["x", "y"]}), json!({"args": ["x"]})),
            (json!({"env": [{"name": "A", "value": "1"}]}), json!({"env": [{"name": "B", "value": "1"}]})),
            (
                json!({"volumeMounts": [{"name": "v", "mountPath": "/a"}, {"name": "v", "mountPath": "/b"}]}),
                json!({"volumeMounts": [{"name": "v", "mountPath": "/a"}]}),
            ),
        ] {
            assert_ne!(project(&wanted, &live), wanted, "{live}");
        }
    }
}
