//! The CRDs of the Gateway API, read from where the build keeps them.

use std::{env, fs, path::PathBuf};

use serde_json::{Map, Value, json};

use crate::manifest::{Source, parse};

/// A version of a kind with the schema of its spec.
pub(super) struct Crd {
    pub(super) api_version: String,
    pub(super) kind: String,
    pub(super) spec: Value,
}

/// A step down a schema.
#[derive(Clone, Debug, PartialEq, Eq)]
pub(super) enum Step {
    Field(String),
    Item,
    Entry,
}

/// Every version that the experimental CRDs serve, of the kinds that are modelled.
pub(super) fn all() -> Vec<Crd> {
    let mut crds = Vec::new();
    for name in [
        "backendtlspolicies",
        "gatewayclasses",
        "gateways",
        "grpcroutes",
        "httproutes",
        "listenersets",
        "referencegrants",
        "tcproutes",
        "tlsroutes",
        "udproutes",
    ] {
        let path = directory().join(format!("experimental/gateway.networking.k8s.io_{name}.yaml"));
        let text = fs::read_to_string(&path).unwrap();
        let parsed = parse(&Source::new(path.to_string_lossy()), &text);
        assert_eq!((parsed.documents.len(), parsed.problems), (1, vec![]), "{}", path.display());
        let definition = &parsed.documents[0].value["spec"];
        for version in definition["versions"].as_array().unwrap() {
            assert_eq!(version["served"], true);
            let version_name = version["name"].as_str().unwrap();
            crds.push(Crd {
                api_version: format!("{}/{version_name}", definition["group"].as_str().unwrap()),
                kind: definition["names"]["kind"].as_str().unwrap().to_owned(),
                spec: version["schema"]["openAPIV3Schema"]["properties"]["spec"].clone(),
            });
        }
    }
    crds
}

/// Where the CRDs are: `tools/env.sh` says it, or Go's own module cache.
fn directory() -> PathBuf {
    let named = env::var_os("PORTWAY_CRDS").map(PathBuf::from);
    let cached =
        env::home_dir().map(|home| home.join("go/pkg/mod/sigs.k8s.io/gateway-api@v1.7.0/config/crd"));
    let found = named.into_iter().chain(cached).find(|directory| directory.join("experimental").is_dir());
    found.expect("the CRDs are missing: run `make setup`, and `. tools/env.sh` before cargo")
}

impl Crd {
    /// An object that holds `leaf` at the place that the steps lead to, and beside it only what is required.
    pub(super) fn object(&self, steps: &[Step], leaf: Value) -> Value {
        json!({
            "apiVersion": self.api_version,
            "kind": self.kind,
            "metadata": {"name": "a"},
            "spec": embed(&self.spec, steps, leaf),
        })
    }

    /// Calls back for each schema below the spec, with the steps to it.
    pub(super) fn walk(&self, visit: &mut dyn FnMut(&[Step], &Value)) {
        walk(&self.spec, &mut Vec::new(), visit);
    }
}

fn walk(schema: &Value, steps: &mut Vec<Step>, visit: &mut dyn FnMut(&[Step], &Value)) {
    visit(steps, schema);
    let properties = schema["properties"].as_object().into_iter().flatten();
    let children = properties
        .map(|(name, schema)| (Step::Field(name.clone()), schema))
        .chain(schema.get("items").map(|schema| (Step::Item, schema)))
        .chain(schema.get("additionalProperties").map(|schema| (Step::Entry, schema)));
    for (step, schema) in children {
        steps.push(step);
        walk(schema, steps, visit);
        steps.pop();
    }
}

fn embed(schema: &Value, steps: &[Step], leaf: Value) -> Value {
    match steps.split_first() {
        None => leaf,
        Some((Step::Field(name), rest)) => {
            let mut object = minimal(schema);
            // In a union, the field that is looked at is the one that the type names.
            let types = schema["properties"]["type"]["enum"].as_array().into_iter().flatten();
            for union_type in types.filter(|it| it.as_str().is_some_and(|it| it.eq_ignore_ascii_case(name))) {
                object["type"] = union_type.clone();
            }
            object[name] = embed(&schema["properties"][name], rest, leaf);
            object
        }
        Some((Step::Item, rest)) => json!([embed(&schema["items"], rest, leaf)]),
        Some((Step::Entry, rest)) => json!({"a": embed(&schema["additionalProperties"], rest, leaf)}),
    }
}

/// A value of the right type with only what is required.
pub(super) fn minimal(schema: &Value) -> Value {
    if let Some(values) = schema["enum"].as_array() {
        return values[0].clone();
    }
    match schema["type"].as_str() {
        Some("object") => {
            let required = schema["required"].as_array().into_iter().flatten().filter_map(Value::as_str);
            let fields = required.map(|name| (name.to_owned(), minimal(&schema["properties"][name])));
            Value::Object(fields.collect::<Map<_, _>>())
        }
        Some("array") if schema["minItems"].as_u64().unwrap_or_default() > 0 => {
            json!([minimal(&schema["items"])])
        }
        Some("array") => json!([]),
        Some("integer") => schema.get("minimum").cloned().unwrap_or(json!(1)),
        Some("boolean") => json!(true),
        _ => json!("a"),
    }
}

/// The path that the steps lead to, as problems name it.
pub(super) fn path(steps: &[Step]) -> String {
    steps.iter().fold("spec".to_owned(), |path, step| match step {
        Step::Field(name) => format!("{path}.{name}"),
        Step::Item => format!("{path}[0]"),
        Step::Entry => format!("{path}.a"),
    })
}
