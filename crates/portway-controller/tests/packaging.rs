//! What is installed, against the code: versions, permissions, labels. That the plain manifest is what the chart renders
//! is for `tools/manifest --check`, which needs Helm.

#![allow(
    clippy::unwrap_used,
    clippy::expect_used,
    clippy::panic,
    reason = "a test that cannot go on has failed"
)]

use std::collections::BTreeSet;
use std::path::{Path, PathBuf};

use portway_api::manifest::{Source, parse};
use portway_controller::provision::{Kind, naming};
use serde_json::{Value, json};

fn deploy(path: &str) -> PathBuf {
    Path::new(env!("CARGO_MANIFEST_DIR")).join("../../deploy").join(path)
}

fn documents(path: &str) -> Vec<Value> {
    let text = std::fs::read_to_string(deploy(path)).unwrap();
    let parsed = parse(&Source::new(path), &text);
    assert!(parsed.problems.is_empty(), "{path}: {:?}", parsed.problems);
    parsed.documents.into_iter().map(|it| it.value).collect()
}

fn of_kind<'a>(documents: &'a [Value], kind: &str) -> &'a Value {
    documents.iter().find(|it| it["kind"] == kind).unwrap_or_else(|| panic!("there is no {kind}"))
}

#[test]
fn the_chart_has_the_version_of_the_program() {
    let chart = std::fs::read_to_string(deploy("helm/portway/Chart.yaml")).unwrap();
    for field in ["version", "appVersion"] {
        let line = format!("{field}: {}", env!("CARGO_PKG_VERSION"));
        assert!(chart.lines().any(|it| it == line), "Chart.yaml: {line}");
    }
    let manifest = documents("portway.yaml");
    let container = &of_kind(&manifest, "Deployment")["spec"]["template"]["spec"]["containers"][0];
    let image = format!("ghcr.io/portway/portway:{}", env!("CARGO_PKG_VERSION"));
    assert_eq!(container["image"], *image);
    let args = container["args"].as_array().unwrap();
    assert!(
        args.contains(&format!("--image={image}").into()),
        "proxies run the controller's image: {args:?}"
    );
}

#[test]
fn the_plain_manifest_has_the_crds_of_the_chart() {
    let manifest = documents("portway.yaml");
    for file in ["portwayparameters", "addresspools"] {
        let crd = documents(&format!("helm/portway/crds/{file}.yaml")).remove(0);
        assert!(manifest.contains(&crd), "{file}: make manifest");
    }
}

/// What the controller may do with a resource anywhere.
fn verbs(role: &Value, group: &str, resource: &str) -> BTreeSet<String> {
    let has = |rule: &Value, field: &str, text: &str| rule[field].as_array().unwrap().contains(&text.into());
    let rules = role["rules"].as_array().unwrap().iter();
    rules
        .filter(|rule| has(rule, "apiGroups", group) && has(rule, "resources", resource))
        .flat_map(|rule| rule["verbs"].as_array().unwrap())
        .map(|verb| verb.as_str().unwrap().to_owned())
        .collect()
}

#[test]
fn the_controller_may_keep_what_it_provisions_and_nothing_beyond() {
    let manifest = documents("portway.yaml");
    let role = of_kind(&manifest, "ClusterRole");
    let keeps: BTreeSet<_> = ["create", "delete", "get", "list", "patch", "watch"].map(str::to_owned).into();
    for kind in Kind::ALL {
        assert_eq!(verbs(role, kind.group(), kind.plural()), keeps, "{kind:?}");
    }
    assert_eq!(verbs(role, "", "services/status"), ["patch".to_owned()].into());
    let reads: BTreeSet<_> = ["get", "list", "watch"].map(str::to_owned).into();
    for (group, resource) in [
        ("", "secrets"),
        ("", "namespaces"),
        ("", "nodes"),
        ("discovery.k8s.io", "endpointslices"),
        ("gateway.networking.k8s.io", "gateways"),
        ("gateway.networking.k8s.io", "httproutes"),
        ("portway.dev", "portwayparameters"),
        ("portway.dev", "addresspools"),
    ] {
        assert_eq!(verbs(role, group, resource), reads, "{resource}");
    }
    let rules = role["rules"].to_string();
    assert!(!rules.contains('*'), "a permission for everything: {rules}");
}

/// The policy of the controller's pods goes by the labels of the proxies.
#[test]
fn the_network_policy_lets_proxies_in() {
    let gateway =
        json!({"metadata": {"name": "edge"}, "spec": {"gatewayClassName": "portway", "listeners": []}});
    let labels = naming::labels(&serde_json::from_value(gateway).unwrap());
    let manifest = documents("portway.yaml");
    let peer = &of_kind(&manifest, "NetworkPolicy")["spec"]["ingress"][0]["from"][0];
    for (label, value) in peer["podSelector"]["matchLabels"].as_object().unwrap() {
        assert_eq!(labels.get(label).map(String::as_str), value.as_str(), "{label}");
    }
}
