//! Proxies and controllers of different versions: what one does not know or does not say concerns one resource, never
//! the stream.
//!
//! `v1.json` has resources of every type, with every field and every variant, as the first version of the encoding has
//! them. It does not change: what is added later has a place beside it.

#![allow(
    clippy::unwrap_used,
    clippy::expect_used,
    clippy::panic,
    reason = "a test that cannot go on has failed"
)]

mod later;
mod walk;

use std::collections::{BTreeMap, BTreeSet};

use portway_xds::message::Payload;
use portway_xds::resource::DecodeError;
use portway_xds::{Resource, ResourceType};
use prost::Message;
use serde_json::{Value, json};

use crate::walk::{Step, at, fields, parent, places, shape};

/// The fields that a sender may leave out, by what they are fields of; they are then none or empty. All others must be
/// there: a resource without one is refused.
const OPTIONAL: &[&str] = &[
    "Backend.tls.Tls.client_certificate",
    "Backend.tls.Tls.subject_alt_names",
    "Certificate.dns_names",
    "Listener.filters",
    "Listener.protocol.Https.client_validation",
    "Listener.protocol.TlsTerminate.client_validation",
    "Route.attachments",
    "Route.created",
    "Route.hostnames",
    "Route.rules.Http[].backend_timeout",
    "Route.rules.Http[].backends",
    "Route.rules.Http[].fault",
    "Route.rules.Http[].filters",
    "Route.rules.Http[].matches[].headers",
    "Route.rules.Http[].matches[].method",
    "Route.rules.Http[].matches[].path.Grpc.method",
    "Route.rules.Http[].matches[].path.Grpc.service",
    "Route.rules.Http[].matches[].query_params",
    "Route.rules.Http[].name",
    "Route.rules.Http[].request_timeout",
    "Route.rules.Http[].retry",
    "Route.rules.Http[].retry.backoff",
    "Route.rules.Http[].retry.codes",
    "Route.rules.Http[].session_persistence",
    "Route.rules.Http[].session_persistence.absolute_timeout",
    "Route.rules.L4[].backends",
    "Route.rules.L4[].name",
    "Settings.settings",
    "Settings.settings.trusted_hops",
    "filter.Cors.allow_headers",
    "filter.Cors.allow_methods",
    "filter.Cors.allow_origins",
    "filter.Cors.expose_headers",
    "filter.Redirect.hostname",
    "filter.Redirect.path",
    "filter.Redirect.port",
    "filter.Redirect.scheme",
    "filter.RequestHeaders.add",
    "filter.RequestHeaders.remove",
    "filter.RequestHeaders.set",
    "filter.ResponseHeaders.add",
    "filter.ResponseHeaders.remove",
    "filter.ResponseHeaders.set",
    "filter.Rewrite.hostname",
    "filter.Rewrite.path",
    "backend.filters",
];

/// The resources of the first version.
fn v1() -> Vec<(ResourceType, Value)> {
    let all: BTreeMap<String, Vec<Value>> = serde_json::from_str(include_str!("v1.json")).unwrap();
    let kind = |name: &str| ResourceType::ALL.into_iter().find(|it| format!("{it:?}") == name).unwrap();
    all.into_iter().flat_map(|(name, them)| them.into_iter().map(move |it| (kind(&name), it))).collect()
}

fn decode(kind: ResourceType, json: &Value) -> Result<Resource, DecodeError> {
    Resource::decode(kind, Payload { json: json.to_string().into() }.encode_to_vec().into())
}

fn encoded(resource: &Resource) -> Value {
    let payload = Payload::decode(resource.encode()).unwrap();
    serde_json::from_slice(&payload.json).unwrap()
}

/// Where a field stands, told by types: filters and backends with weights stand in several places.
fn name(kind: ResourceType, path: &[Step]) -> String {
    let name = format!("{kind:?}{}", shape(path));
    match (name.rfind("filters[]."), name.rfind(".backends[].")) {
        (Some(at), _) => name[at..].replacen("filters[].", "filter.", 1),
        (None, Some(at)) => name[at..].replacen(".backends[].", "backend.", 1),
        (None, None) => name,
    }
}

/// A field that is added to a type must be left out where it holds its default, and so does not show here.
#[test]
fn the_first_version_is_written_as_it_was() {
    for (kind, json) in v1() {
        let resource = decode(kind, &json).unwrap_or_else(|error| panic!("{kind:?}: {error}: {json}"));
        assert_eq!(encoded(&resource), json, "older proxies refuse what is written now");
    }
}

#[test]
fn every_field_is_filled_somewhere() {
    let mut filled = BTreeMap::<String, bool>::new();
    for (kind, json) in v1() {
        for path in fields(&json) {
            let value = at(&json, &path).unwrap();
            *filled.entry(name(kind, &path)).or_default() |= *value != Value::Null && *value != json!([]);
        }
    }
    let empty: Vec<_> = filled.iter().filter(|(_, is_filled)| !**is_filled).collect();
    assert!(empty.is_empty(), "{empty:?}");
}

#[test]
fn a_field_that_is_left_out_is_empty_or_refused_by_its_name() {
    let mut optional = BTreeSet::new();
    for (kind, json) in v1() {
        for path in fields(&json) {
            let Some(Step::Field(field)) = path.last() else { unreachable!("the path of a field") };
            let (before, mut without) = (at(&json, &path).unwrap().clone(), json.clone());
            parent(&mut without, &path).as_object_mut().unwrap().shift_remove(field);
            match decode(kind, &without) {
                Ok(resource) => {
                    optional.insert(name(kind, &path));
                    // What nobody has set is as if it stood there empty.
                    if before == Value::Null || before == json!([]) {
                        assert_eq!(encoded(&resource), json);
                    }
                }
                // An enum without its variant: a tag is no field.
                Err(DecodeError::Malformed { message, .. }) if message.starts_with("expected value") => {}
                Err(DecodeError::Malformed { path: told, message }) => {
                    assert!(message.contains(&format!("missing field `{field}`")), "{path:?}: {message}");
                    let of = shape(&path[..path.len() - 1]);
                    assert_eq!(shape_of_text(&told), of.trim_start_matches('.'), "{path:?}: {told}");
                }
                Err(error) => panic!("{kind:?} {path:?}: {error}"),
            }
        }
    }
    assert_eq!(optional, OPTIONAL.iter().map(|it| (*it).to_owned()).collect());
}

#[test]
fn a_field_that_is_not_known_is_refused_by_its_name_wherever_it_stands() {
    let mut count = 0;
    for (kind, json) in v1() {
        for path in places(&json, Value::is_object) {
            let mut with = json.clone();
            let object = at(&json, &path).unwrap().as_object().unwrap();
            parent(&mut with, &[path.as_slice(), &[Step::Field("novelty".to_owned())]].concat())
                .as_object_mut()
                .unwrap()
                .insert("novelty".to_owned(), json!({"x": 1}));
            let error = decode(kind, &with).unwrap_err();
            let is_named = match &error {
                DecodeError::UnknownField { path } => path.ends_with("novelty"),
                // An enum has one variant, and a duration is strict by itself.
                DecodeError::Malformed { message, .. } => {
                    object.len() == 1 || message.starts_with("unknown field `novelty`")
                }
                DecodeError::OtherKey(_) => false,
            };
            assert!(is_named, "{kind:?} {path:?}: {error}");
            count += 1;
        }
    }
    assert!(count > 100, "{count} places");
}

/// A variant that the receiver does not know is refused with the place where it stands, and `v1.json` has all that
/// there are.
#[test]
fn a_variant_that_is_not_known_is_refused_and_all_known_ones_are_tried() {
    let (mut seen, mut all) = (BTreeSet::new(), BTreeSet::new());
    let mut count = 0;
    for (kind, json) in v1() {
        for path in places(&json, |it| it.is_string() || it.as_object().is_some_and(|it| it.len() == 1)) {
            let mut other = json.clone();
            let place = walk::at_mut(&mut other, &path);
            let tag = match place {
                Value::String(tag) => std::mem::replace(tag, "Novelty".to_owned()),
                object => {
                    let object = object.as_object_mut().unwrap();
                    let (tag, content) = std::mem::take(object).into_iter().next().unwrap();
                    object.insert("Novelty".to_owned(), content);
                    tag
                }
            };
            // A plain string or a struct takes another value, or says something else.
            let Err(DecodeError::Malformed { message, .. }) = decode(kind, &other) else { continue };
            let Some((_, variants)) = message.split_once("unknown variant `Novelty`, expected ") else {
                continue;
            };
            let variants: BTreeSet<_> = variants.split('`').skip(1).step_by(2).map(str::to_owned).collect();
            seen.insert((variants.clone(), tag));
            all.extend(variants.iter().map(|it| (variants.clone(), it.clone())));
            count += 1;
        }
    }
    let missing: Vec<_> = all.difference(&seen).map(|(_, variant)| variant).collect();
    assert!(missing.is_empty(), "v1.json has no {missing:?}");
    assert!(count > 50, "{count} places");
}

/// `rules.Http[0].name` without its indices.
fn shape_of_text(path: &str) -> String {
    let mut parts = path.split('[').map(|it| it.split_once(']').map_or(it, |(_, rest)| rest));
    let first = parts.next().unwrap_or_default().trim_matches('.').to_owned();
    parts.fold(first, |path, part| format!("{path}[]{part}"))
}
