//! The types against the schema of the CRDs of Gateway API v1.7.0, both channels, and of Portway's own.
//!
//! For each kind and each version that is served, objects are made out of the schema with every field
//! set, one for each value of every enumeration. Reading one must ignore no field, and writing it again
//! must yield it as it was. A field that the types do not have fails here, unless it is listed below
//! with the reason. And for each default of the schema, an object without the field must mean what one with
//! the default in it means: nobody fills it in where there is no API server.
//!
//! The CRDs come from `PORTWAY_CRDS` (`make` sets it), else from Go's module cache. Without them the
//! test fails.

#![allow(
    clippy::unwrap_used,
    clippy::expect_used,
    clippy::panic,
    reason = "a test that cannot go on has failed"
)]

use std::collections::BTreeSet;
use std::path::{Path, PathBuf};
use std::sync::LazyLock;

use portway_api::address_pool::AddressPoolSpec;
use portway_api::gateway::GatewaySpecAddress;
use portway_api::listener::RouteGroupKind;
use portway_api::listener_set::ParentGatewayReference;
use portway_api::manifest::{self, Source};
use portway_api::portway_parameters::PortwayParametersSpec;
use portway_api::reference::{BackendObjectReference, BackendRef, ParentReference, SecretObjectReference};
use portway_api::resource::{Resource, Spec};
use portway_api::{
    BackendTlsPolicy, Gateway, GatewayClass, GrpcRoute, HttpRoute, ListenerSet, ReferenceGrant, TcpRoute,
    TlsRoute, UdpRoute,
};
use serde::Serialize;
use serde::de::DeserializeOwned;
use serde_json::{Value, json};

/// Fields that the types leave out, with the reason. There is none so far.
const IGNORED_FIELDS: &[(&str, &str)] = &[];

/// Kinds that are not modelled, with the reason.
const IGNORED_KINDS: &[(&str, &str)] = &[
    ("XBackend", "experimental group; not served yet"),
    ("XBackendTrafficPolicy", "experimental group; not served yet"),
    ("XMesh", "about meshes, which Portway is not"),
    ("XTelemetryPolicy", "experimental group; not served yet"),
];

/// Defaults that reading does not fill in, by the end of the field's path, with the value that is applied where the
/// field is used, and the place.
fn applied_later() -> Vec<(&'static str, Value, &'static str)> {
    let named = || json!({ "name": "sample" });
    let parent: ParentReference = serde_json::from_value(named()).unwrap();
    let gateway: ParentGatewayReference = serde_json::from_value(named()).unwrap();
    let secret: SecretObjectReference = serde_json::from_value(named()).unwrap();
    let backend: BackendObjectReference = serde_json::from_value(named()).unwrap();
    let backend_ref: BackendRef = serde_json::from_value(named()).unwrap();
    let kind: RouteGroupKind = serde_json::from_value(json!({ "kind": "sample" })).unwrap();
    let address: GatewaySpecAddress = serde_json::from_value(json!({})).unwrap();
    let waits = |kind| {
        json!({
            "type": kind, "status": "Unknown", "reason": "Pending", "message": "Waiting for controller",
            "lastTransitionTime": "1970-01-01T00:00:00Z",
        })
    };
    let accepted = json!([waits("Accepted")]);
    let programmed = json!([waits("Accepted"), waits("Programmed")]);
    let nobody_yet = "what stands there before any controller came; translation reads only what it wrote";
    vec![
        ("/parentRefs/0/group", json!(parent.group()), "ParentReference::group"),
        ("/parentRefs/0/kind", json!(parent.kind()), "ParentReference::kind"),
        ("/spec/parentRef/group", json!(gateway.group()), "ParentGatewayReference::group"),
        ("/spec/parentRef/kind", json!(gateway.kind()), "ParentGatewayReference::kind"),
        ("/certificateRefs/0/group", json!(secret.group()), "SecretObjectReference::group"),
        ("/certificateRefs/0/kind", json!(secret.kind()), "SecretObjectReference::kind"),
        ("/clientCertificateRef/group", json!(secret.group()), "SecretObjectReference::group"),
        ("/clientCertificateRef/kind", json!(secret.kind()), "SecretObjectReference::kind"),
        ("/backendRef/group", json!(backend.group()), "BackendObjectReference::group"),
        ("/backendRef/kind", json!(backend.kind()), "BackendObjectReference::kind"),
        ("/backendRefs/0/group", json!(backend_ref.object().group()), "BackendObjectReference::group"),
        ("/backendRefs/0/kind", json!(backend_ref.object().kind()), "BackendObjectReference::kind"),
        ("/allowedRoutes/kinds/0/group", json!(kind.group()), "RouteGroupKind::group"),
        ("/supportedKinds/0/group", json!(kind.group()), "RouteGroupKind::group"),
        ("/spec/addresses/0/type", json!(address.kind()), "GatewaySpecAddress::kind"),
        ("/status/addresses/0/type", json!(address.kind()), "the type is written always"),
        ("/status/parents/0/parentRef/group", json!(parent.group()), "ParentReference::group"),
        ("/status/parents/0/parentRef/kind", json!(parent.kind()), "ParentReference::kind"),
        ("/ancestorRef/group", json!(parent.group()), "ParentReference::group"),
        ("/ancestorRef/kind", json!(parent.kind()), "ParentReference::kind"),
        ("/allowedRoutes", json!({"namespaces": {"from": "Same"}}), "translate: listener/read.rs"),
        ("/allowedRoutes/namespaces", json!({"from": "Same"}), "translate: listener/read.rs"),
        ("/allowedRoutes/namespaces/from", json!("Same"), "translate: listener/read.rs"),
        ("/allowedListeners/namespaces", json!({"from": "None"}), "translate: listener_set.rs"),
        ("/allowedListeners/namespaces/from", json!("None"), "translate: listener_set.rs"),
        ("/retry/attempts", json!(1), "translate: route/policy.rs"),
        ("/sessionPersistence/cookie/path", json!("/"), "translate: route/policy.rs"),
        ("GatewayClass/status", json!({"conditions": accepted}), nobody_yet),
        ("GatewayClass/status/conditions", accepted, nobody_yet),
        ("Gateway/status", json!({"conditions": programmed}), nobody_yet),
        ("Gateway/status/conditions", programmed.clone(), nobody_yet),
        ("ListenerSet/status", json!({"conditions": programmed}), nobody_yet),
        ("ListenerSet/status/conditions", programmed, nobody_yet),
    ]
}

fn crd_directory() -> PathBuf {
    if let Some(directory) = std::env::var_os("PORTWAY_CRDS") {
        return directory.into();
    }
    let output = std::process::Command::new("go").args(["env", "GOMODCACHE"]).output();
    let cache =
        output.expect("PORTWAY_CRDS is not set, and there is no Go to ask for its module cache").stdout;
    let cache = String::from_utf8(cache).unwrap();
    Path::new(cache.trim()).join("sigs.k8s.io/gateway-api@v1.7.0/config/crd")
}

/// The CRDs of a channel; read once.
fn crds(channel: &str) -> &'static [Value] {
    static STANDARD: LazyLock<Vec<Value>> = LazyLock::new(|| read_crds("standard"));
    static EXPERIMENTAL: LazyLock<Vec<Value>> = LazyLock::new(|| read_crds("experimental"));
    static OWN: LazyLock<Vec<Value>> = LazyLock::new(|| read_directory(&own_directory()));
    match channel {
        "standard" => &STANDARD,
        "own" => &OWN,
        _ => &EXPERIMENTAL,
    }
}

fn read_crds(channel: &str) -> Vec<Value> {
    let crds = read_directory(&crd_directory().join(channel));
    assert!(crds.len() >= 10, "only {} CRDs of channel {channel}", crds.len());
    crds
}

/// The CRDs of Portway's own kinds, as the Helm chart installs them.
fn own_directory() -> PathBuf {
    Path::new(env!("CARGO_MANIFEST_DIR")).join("../../deploy/helm/portway/crds")
}

fn read_directory(directory: &Path) -> Vec<Value> {
    let entries = std::fs::read_dir(directory).unwrap_or_else(|error| {
        panic!(
            "{}: {error}: `make setup` brings the CRDs; PORTWAY_CRDS says where they are",
            directory.display()
        )
    });
    let mut crds = Vec::new();
    for entry in entries {
        let path = entry.unwrap().path();
        if path.extension().is_none_or(|extension| extension != "yaml") {
            continue;
        }
        let text = std::fs::read_to_string(&path).unwrap();
        let parsed = manifest::parse(&Source::new(path.display().to_string()), &text);
        assert!(parsed.problems.is_empty(), "{:?}", parsed.problems);
        let documents = parsed.documents.into_iter().map(|document| document.value);
        crds.extend(documents.filter(|value| value["kind"] == "CustomResourceDefinition"));
    }
    crds
}

/// An object with every field of the schema set; `choice` picks among the values of an enumeration.
fn sample(schema: &Value, choice: usize) -> Value {
    if let Some(values) = schema["enum"].as_array() {
        return values[choice.min(values.len() - 1)].clone();
    }
    match schema["type"].as_str() {
        Some("object") => match (schema["properties"].as_object(), schema.get("additionalProperties")) {
            (Some(properties), _) => {
                let fields = properties.iter().map(|(name, schema)| (name.clone(), sample(schema, choice)));
                Value::Object(fields.collect())
            }
            (None, Some(values)) => json!({ "key": sample(values, choice) }),
            // Anything may stand there, so nothing can be told of it.
            (None, None) if schema["x-kubernetes-preserve-unknown-fields"] == true => json!({}),
            (None, None) => json!({ "name": "sample" }),
        },
        Some("array") => json!([sample(&schema["items"], choice)]),
        None if schema["x-kubernetes-int-or-string"] == true => json!("1"),
        Some("integer") => schema.get("minimum").cloned().unwrap_or(json!(1)),
        Some("boolean") => json!(true),
        Some("string") if schema["format"] == "date-time" => json!("2026-01-01T00:00:00Z"),
        Some("string") => json!("sample"),
        other => panic!("a schema of type {other:?}: {schema}"),
    }
}

/// The greatest number of values that an enumeration of the schema has.
fn choices(schema: &Value) -> usize {
    let own = schema["enum"].as_array().map_or(1, Vec::len);
    let nested = match schema {
        Value::Object(fields) => fields.values().map(choices).max(),
        Value::Array(items) => items.iter().map(choices).max(),
        _ => None,
    };
    own.max(nested.unwrap_or(1))
}

fn check<T: DeserializeOwned + Serialize>(context: &str, object: &Value) {
    let mut ignored = Vec::new();
    let read: T = serde_ignored::deserialize(object, |path| ignored.push(path.to_string()))
        .unwrap_or_else(|error| panic!("{context}: {error}\n{object:#}"));
    ignored.retain(|path| !IGNORED_FIELDS.iter().any(|(field, _)| field == path));
    assert!(ignored.is_empty(), "{context}: fields that the types do not have: {ignored:#?}");
    let written = serde_json::to_value(&read).unwrap();
    assert_eq!(&written, object, "{context}: what was read is not what is written");
}

fn check_kind<S: Spec>(channel: &str) {
    let crds = crds(channel);
    let crd = crds.iter().find(|crd| crd["spec"]["names"]["kind"] == S::KIND);
    let crd = crd.unwrap_or_else(|| panic!("{channel} has no {}", S::KIND));
    if channel != "standard" {
        assert_eq!(
            served(crd),
            S::VERSIONS.iter().copied().collect(),
            "versions of {} that are served",
            S::KIND
        );
    }
    check_crd::<S>(channel, crd);
}

fn served(crd: &Value) -> BTreeSet<&str> {
    let versions = crd["spec"]["versions"].as_array().unwrap().iter();
    versions.filter(|version| version["served"] == true).map(|it| it["name"].as_str().unwrap()).collect()
}

fn check_crd<S: Spec>(context: &str, crd: &Value) {
    assert_eq!(crd["spec"]["group"], S::GROUP);
    for version in crd["spec"]["versions"].as_array().unwrap() {
        let name = version["name"].as_str().unwrap();
        let schema = &version["schema"]["openAPIV3Schema"];
        for choice in 0..choices(schema) {
            let mut object = sample(schema, choice);
            object["apiVersion"] = json!(format!("{}/{name}", S::GROUP));
            object["kind"] = json!(S::KIND);
            check::<Resource<S>>(&format!("{context} {} {name}", S::KIND), &object);
        }
    }
}

/// The defaults in a schema, by the JSON pointer (RFC 6901) of their field in a [`sample`].
fn defaults(schema: &Value, pointer: &str, found: &mut Vec<(String, Value)>) {
    if let Some(default) = schema.get("default") {
        found.push((pointer.to_owned(), default.clone()));
    }
    for (name, schema) in schema["properties"].as_object().into_iter().flatten() {
        defaults(schema, &format!("{pointer}/{name}"), found);
    }
    if let Some(items) = schema.get("items") {
        defaults(items, &format!("{pointer}/0"), found);
    }
    if let Some(values) = schema.get("additionalProperties").filter(|it| it.is_object()) {
        defaults(values, &format!("{pointer}/key"), found);
    }
}

/// Holds each default of a kind against what the types make of a field that is not there. Returns which of
/// [`applied_later`] were met, and how many defaults reading fills in.
fn check_defaults<S: Spec>(channel: &str) -> (BTreeSet<&'static str>, usize) {
    let crds = crds(channel);
    let crd = crds.iter().find(|crd| crd["spec"]["names"]["kind"] == S::KIND).unwrap();
    let (mut met, mut filled_in) = (BTreeSet::new(), 0);
    for version in crd["spec"]["versions"].as_array().unwrap() {
        let schema = &version["schema"]["openAPIV3Schema"];
        let mut found = Vec::new();
        defaults(schema, "", &mut found);
        for (pointer, default) in found {
            let path = format!("{}{pointer}", S::KIND);
            let later = applied_later().into_iter().find(|(end, ..)| path.ends_with(end));
            if let Some((end, applied, place)) = later {
                assert_eq!(applied, default, "{channel} {path}, applied by {place}");
                met.insert(end);
            } else {
                let (absent, explicit) =
                    (with::<S>(schema, &pointer, None), with::<S>(schema, &pointer, Some(default)));
                assert_eq!(absent, explicit, "{channel} {path}: the default is not filled in");
                filled_in += 1;
            }
        }
    }
    (met, filled_in)
}

/// What is read of a sample with another value in one place, or none.
fn with<S: Spec>(schema: &Value, pointer: &str, value: Option<Value>) -> Value {
    let mut object = sample(schema, 0);
    let (parent, name) = pointer.rsplit_once('/').unwrap();
    let parent = object.pointer_mut(parent).unwrap().as_object_mut().unwrap();
    match value {
        Some(value) => parent.insert(name.to_owned(), value),
        None => parent.remove(name),
    };
    let read: Resource<S> =
        serde_json::from_value(object).unwrap_or_else(|error| panic!("{pointer}: {error}"));
    serde_json::to_value(read).unwrap()
}

macro_rules! kinds {
    ($($name:ident: $kind:ty,)*) => {
        $(#[test]
        fn $name() {
            check_kind::<<$kind as SpecOf>::Spec>("experimental");
            check_kind::<<$kind as SpecOf>::Spec>("standard");
        })*

        #[test]
        fn what_is_absent_is_read_as_its_default() {
            let (mut met, mut filled_in) = (BTreeSet::new(), 0);
            for channel in ["experimental", "standard"] {
                $(let (met_here, filled_in_here) = check_defaults::<<$kind as SpecOf>::Spec>(channel);
                met.extend(met_here);
                filled_in += filled_in_here;)*
            }
            assert!(filled_in > 0);
            let listed: BTreeSet<_> = applied_later().into_iter().map(|(end, ..)| end).collect();
            assert_eq!(met, listed, "what is listed to be applied later, and is no default of the schema");
        }

        #[test]
        fn every_kind_is_modelled_or_left_out_for_a_reason() {
            let modelled = [$(<<$kind as SpecOf>::Spec as Spec>::KIND),*];
            for crd in crds("experimental") {
                let kind = crd["spec"]["names"]["kind"].as_str().unwrap().to_owned();
                let ignored = IGNORED_KINDS.iter().any(|(name, _)| *name == kind);
                assert!(ignored || modelled.contains(&kind.as_str()), "{kind} is not modelled");
            }
        }
    };
}

trait SpecOf {
    type Spec: Spec;
}

impl<S: Spec> SpecOf for Resource<S> {
    type Spec = S;
}

kinds! {
    gateway_class: GatewayClass,
    gateway: Gateway,
    listener_set: ListenerSet,
    http_route: HttpRoute,
    grpc_route: GrpcRoute,
    tls_route: TlsRoute,
    tcp_route: TcpRoute,
    udp_route: UdpRoute,
    reference_grant: ReferenceGrant,
    backend_tls_policy: BackendTlsPolicy,
}

#[test]
fn portway_parameters() {
    check_defaults::<PortwayParametersSpec>("own");
    check_kind::<PortwayParametersSpec>("own");
}

#[test]
fn address_pool() {
    check_defaults::<AddressPoolSpec>("own");
    check_kind::<AddressPoolSpec>("own");
}

/// The other way round: what the types can hold, the schema lets through.
#[test]
fn the_schema_has_each_field_of_portways_own_kinds() {
    assert_eq!(crds("own").len(), 2);
    let fields = |kind: &str| {
        let crd = crds("own").iter().find(|crd| crd["spec"]["names"]["kind"] == kind).unwrap();
        let schema = &crd["spec"]["versions"][0]["schema"]["openAPIV3Schema"];
        schema["properties"]["spec"]["properties"]
            .as_object()
            .unwrap()
            .keys()
            .cloned()
            .collect::<BTreeSet<_>>()
    };
    let full: PortwayParametersSpec = serde_json::from_value(json!({
        "replicas": 1, "autoscaling": {"maxReplicas": 1}, "resources": {}, "service": {}, "placement": {}, "hostNetwork": true,
        "accessLog": "Off", "telemetry": {}, "trustedHops": 1, "podTemplate": {},
    }))
    .unwrap();
    // Without `..`, so that a new field does not pass by here.
    let PortwayParametersSpec {
        replicas: _,
        autoscaling: _,
        resources: _,
        service: _,
        placement: _,
        host_network: _,
        access_log: _,
        telemetry: _,
        trusted_hops: _,
        pod_template: _,
    } = &full;
    let written = serde_json::to_value(&full).unwrap();
    assert_eq!(fields("PortwayParameters"), written.as_object().unwrap().keys().cloned().collect());
    assert_eq!(
        fields("AddressPool"),
        ["addresses", "autoAssign", "gatewaySelector"].map(str::to_owned).into()
    );
}

#[test]
#[should_panic(expected = "fields that the types do not have")]
fn a_field_that_the_types_do_not_have_is_found() {
    let object = json!({
        "apiVersion": "v1",
        "kind": "TCPRoute",
        "metadata": {},
        "spec": { "rules": [{ "brandNew": 1 }] },
    });
    check::<TcpRoute>("TCPRoute", &object);
}
