//! ClusterNetworkPolicies against the CRD of the network policy API, both channels: every field of the schema is one of the types that
//! agents are sent, and what the documentation shows is what the schema takes.
//!
//! The CRDs come from `PORTWAY_POLICY_CRDS` (`make` sets it). Without them the test fails.

#![allow(
    clippy::unwrap_used,
    clippy::expect_used,
    clippy::panic,
    reason = "a test that cannot go on has failed"
)]

use std::path::{Path, PathBuf};
use std::sync::Arc;

use portway_api::manifest::{Source, parse};
use portway_config::cluster_policy::{ClusterNetworkPolicy, ClusterNetworkPolicySpec};
use portway_config::network_policy::PolicyFacts;
use serde_json::{Value, json};

const CHANNELS: [&str; 2] = ["standard", "experimental"];

fn documents(path: &Path, text: &str) -> Vec<Value> {
    let parsed = parse(&Source::new(path.display().to_string()), text);
    assert!(parsed.problems.is_empty(), "{}: {:?}", path.display(), parsed.problems);
    parsed.documents.into_iter().map(|it| it.value).collect()
}

/// The schema of the spec, in the version that we read.
fn schema(channel: &str) -> Value {
    let directory =
        std::env::var_os("PORTWAY_POLICY_CRDS").expect("PORTWAY_POLICY_CRDS: `. tools/env.sh` sets it");
    let file = "policy.networking.k8s.io_clusternetworkpolicies.yaml";
    let path = PathBuf::from(directory).join(channel).join(file);
    let text = std::fs::read_to_string(&path)
        .unwrap_or_else(|error| panic!("{}: {error}; `tools/install-crds` brings it", path.display()));
    let crd = documents(&path, &text).remove(0);
    let versions = crd["spec"]["versions"].as_array().unwrap();
    let version = versions.iter().find(|it| it["name"] == "v1alpha2" && it["served"] == true);
    let version = version.unwrap_or_else(|| panic!("{channel} does not serve v1alpha2"));
    version["schema"]["openAPIV3Schema"]["properties"]["spec"].clone()
}

/// A value with every field of the schema set.
fn sample(schema: &Value) -> Value {
    if let Some(values) = schema["enum"].as_array() {
        return values[0].clone();
    }
    match schema["type"].as_str() {
        Some("object") => match schema["properties"].as_object() {
            Some(fields) => fields.iter().map(|(name, schema)| (name.clone(), sample(schema))).collect(),
            None => json!({"key": sample(&schema["additionalProperties"])}),
        },
        Some("array") => json!([sample(&schema["items"])]),
        Some("integer") => json!(1),
        Some("string") => json!("sample"),
        other => panic!("a schema of type {other:?}: {schema}"),
    }
}

/// What of a value the schema does not take: fields, and how many there are of them.
fn faults(schema: &Value, value: &Value, at: &str, found: &mut Vec<String>) {
    if schema["enum"].as_array().is_some_and(|it| !it.contains(value)) {
        found.push(format!("{at}: {value} is none of {}", schema["enum"]));
    }
    match (schema["type"].as_str(), value) {
        (Some("object"), Value::Object(fields)) => {
            let count = fields.len() as u64;
            let is_below = schema["minProperties"].as_u64().is_some_and(|it| count < it);
            if is_below || schema["maxProperties"].as_u64().is_some_and(|it| count > it) {
                found.push(format!("{at} has {count} fields"));
            }
            let required = schema["required"].as_array().into_iter().flatten().filter_map(Value::as_str);
            found
                .extend(required.filter(|it| !fields.contains_key(*it)).map(|it| format!("{at} lacks {it}")));
            for (name, value) in fields {
                let at = format!("{at}.{name}");
                match schema["properties"].get(name).or(schema.get("additionalProperties")) {
                    Some(schema) => faults(schema, value, &at, found),
                    None => found.push(format!("{at} is not known")),
                }
            }
        }
        (Some("array"), Value::Array(items)) => {
            for (index, item) in items.iter().enumerate() {
                faults(&schema["items"], item, &format!("{at}[{index}]"), found);
            }
        }
        (Some("integer"), Value::Number(_)) | (Some("string"), Value::String(_)) => {}
        _ => found.push(format!("{at}: {value} is no {}", schema["type"])),
    }
}

#[test]
fn every_field_of_the_crd_is_read() {
    for channel in CHANNELS {
        let object = sample(&schema(channel));
        let spec: ClusterNetworkPolicySpec = serde_json::from_value(object.clone()).unwrap();
        assert_eq!(
            serde_json::to_value(spec).unwrap(),
            object,
            "{channel}: what was read is not what is written"
        );
    }
}

#[test]
fn the_examples_of_the_documentation_are_valid_and_mean_what_they_say() {
    let path = Path::new(env!("CARGO_MANIFEST_DIR")).join("../../docs/network-policy.md");
    let page = std::fs::read_to_string(&path).unwrap();
    let blocks = page.split("```yaml\n").skip(1).filter_map(|it| it.split("```").next());
    let examples = blocks.flat_map(|it| documents(&path, it));
    let examples: Vec<_> = examples.filter(|it| it["kind"] == "ClusterNetworkPolicy").collect();
    assert_eq!(examples.len(), 2);
    let mut facts = PolicyFacts::default();
    for example in examples {
        assert_eq!(example["apiVersion"], "policy.networking.k8s.io/v1alpha2");
        for channel in CHANNELS {
            let mut found = Vec::new();
            faults(&schema(channel), &example["spec"], "spec", &mut found);
            assert!(found.is_empty(), "{channel}: {found:#?}");
        }
        let name: Arc<str> = example["metadata"]["name"].as_str().unwrap().into();
        let spec = serde_json::from_value(example["spec"].clone()).unwrap();
        let policy = ClusterNetworkPolicy { name: name.clone(), rehearse: None, spec };
        facts.cluster_policies.insert(name, Arc::new(policy));
    }
    let warnings = portway_policy::warnings(&facts);
    assert!(warnings.is_empty(), "{warnings:?}");
}

/// The check above would find a mistake.
#[test]
fn what_the_schema_does_not_take_is_found() {
    let mut found = Vec::new();
    let spec =
        json!({"tier": "Middle", "priority": 1, "subject": {}, "ingress": [{"from": [{"nodes": {}}]}]});
    faults(&schema("standard"), &spec, "spec", &mut found);
    found.sort();
    assert_eq!(
        found,
        [
            "spec.ingress[0] lacks action",
            "spec.ingress[0].from[0].nodes is not known",
            "spec.subject has 0 fields",
            "spec.tier: \"Middle\" is none of [\"Admin\",\"Baseline\"]",
        ]
    );
}
