//! What the schemas say, tried one constraint at a time.

use std::collections::BTreeSet;

use regex_automata::meta::Regex;
use serde_json::{Value, json};

use super::{
    crd::{self, Crd, Step},
    errors,
};

/// Fields for which this refuses what the schema alone allows.
const STRICTER: &[(&str, &str)] = &[
    // Rules in CEL.
    ("Gateway", "spec.addresses[0].routability"),
    ("HTTPRoute", "spec.rules[0].matches[0].path.value"),
    // By `oneOf`: the type of the address says what its value is.
    ("Gateway", "spec.addresses[0].value"),
    // Their patterns lack anchors around the alternatives, so that `://a.b/c` passes.
    ("Gateway", "spec.addresses[0].type"),
    ("Gateway", "spec.listeners[0].protocol"),
];

/// A field for which this only warns of what the schema refuses, as the validation itself explains.
const MORE_LENIENT: (&str, &str) = ("GatewayClass", "spec.controllerName");

/// Everything that a schema can refuse about one value.
#[test]
fn whatever_the_schema_refuses_is_refused_at_that_field() {
    let mut failures = Vec::new();
    let mut tried = 0;
    for crd in crd::all() {
        crd.walk(&mut |steps, schema| {
            for (what, leaf, field) in violations(schema, &crd::path(steps)) {
                tried += 1;
                let object = crd.object(steps, leaf);
                let errors = errors(&object);
                if !errors.iter().any(|(at, _)| *at == field) {
                    failures.push(format!("{} {}: {what} at {field}: {errors:?}", crd.api_version, crd.kind));
                }
            }
        });
    }
    assert!(failures.is_empty(), "{} of {tried}:\n{}", failures.len(), failures.join("\n"));
    assert!(tried > 3_000, "{tried}");
}

/// What the schema lets stand for one value, this does too, apart from what CEL refuses.
#[test]
fn whatever_the_schema_allows_is_allowed() {
    let mut failures = Vec::new();
    let mut tried = 0;
    for crd in crd::all() {
        crd.walk(&mut |steps, schema| {
            let field = crd::path(steps);
            for leaf in edges(schema) {
                tried += 1;
                let errors = errors(&crd.object(steps, leaf.clone()));
                let error = errors.into_iter().find(|(at, _)| *at == field);
                if let Some((_, error)) = error.filter(|_| !STRICTER.contains(&(&crd.kind, &field))) {
                    failures.push(format!("{}: {} {error}", crd.kind, short(&leaf)));
                }
            }
        });
    }
    assert!(failures.is_empty(), "{} of {tried}:\n{}", failures.len(), failures.join("\n"));
    assert!(tried > 600, "{tried}");
}

/// The forms of texts agree with the patterns on many texts, once for each kind of field.
#[test]
fn forms_are_those_of_the_patterns() {
    let mut seen = BTreeSet::new();
    let mut failures = Vec::new();
    for crd in crd::all() {
        crd.walk(&mut |steps, schema| {
            let (Some(pattern), Some(Step::Field(name))) =
                (schema["pattern"].as_str(), steps.iter().rfind(|step| matches!(step, Step::Field(_))))
            else {
                return;
            };
            if seen.insert((pattern.to_owned(), name.clone())) {
                failures.extend(disagreements(&crd, steps, schema, pattern));
            }
        });
    }
    assert!(failures.is_empty(), "{}:\n{}", failures.len(), failures.join("\n"));
    assert!(seen.len() > 20, "{}", seen.len());
}

fn disagreements(crd: &Crd, steps: &[Step], schema: &Value, pattern: &str) -> Vec<String> {
    let regex = Regex::new(pattern).unwrap();
    let field = crd::path(steps);
    let least = schema["minLength"].as_u64().unwrap_or_default() as usize;
    let mut failures = Vec::new();
    for text in TEXTS {
        let allowed = regex.is_match(text) && text.chars().count() >= least;
        let error = errors(&crd.object(steps, json!(text))).into_iter().find(|(at, _)| *at == field);
        let is_exempt = STRICTER.contains(&(&crd.kind, &field)) || MORE_LENIENT == (&crd.kind, &field);
        if allowed == error.is_some() && !is_exempt {
            failures.push(format!("{} {field} {text:?}: allowed {allowed}, told {error:?}", crd.kind));
        }
    }
    failures
}

/// Values that break one constraint each: what it is, the value, and the field that is to be named.
fn violations(schema: &Value, field: &str) -> Vec<(String, Value, String)> {
    let mut violations = Vec::new();
    let mut add = |what: &str, leaf: Value, field: String| violations.push((what.to_owned(), leaf, field));
    let here = || field.to_owned();
    let number = |name: &str| schema[name].as_i64();
    let wrong_type = if schema["type"] == "string" { json!([]) } else { json!("x") };
    add("type", wrong_type, here());
    if let Some(most) = number("maxLength") {
        add("maxLength", json!("a".repeat(most as usize + 1)), here());
    }
    if number("minLength").is_some_and(|least| least > 0) {
        add("minLength", json!(""), here());
    }
    if let Some(least) = number("minimum") {
        add("minimum", json!(least - 1), here());
    }
    if let Some(most) = number("maximum") {
        add("maximum", json!(most + 1), here());
    }
    if schema.get("pattern").is_some() {
        add("pattern", json!("ä !"), here());
    }
    if schema.get("enum").is_some() {
        add("enum", if schema["type"] == "integer" { json!(999) } else { json!("NoSuchValue") }, here());
    }
    if let Some(most) = number("maxItems") {
        add("maxItems", json!(vec![crd::minimal(&schema["items"]); most as usize + 1]), here());
    }
    if number("minItems").is_some_and(|least| least > 0) {
        add("minItems", json!([]), here());
    }
    if let Some(most) = number("maxProperties") {
        let entries = (0..=most).map(|n| (format!("a{n}"), json!("a"))).collect();
        add("maxProperties", Value::Object(entries), here());
    }
    if matches!(schema["x-kubernetes-list-type"].as_str(), Some("set" | "map")) {
        add("list-type", json!(vec![crd::minimal(&schema["items"]); 2]), format!("{field}[1]"));
    }
    for name in schema["required"].as_array().into_iter().flatten().filter_map(Value::as_str) {
        let mut object = crd::minimal(schema);
        object.as_object_mut().unwrap().shift_remove(name);
        add("required", object, format!("{field}.{name}"));
    }
    if schema.get("properties").is_some() {
        let mut object = crd::minimal(schema);
        object["noSuchField"] = json!(1);
        add("unknown field", object, format!("{field}.noSuchField"));
    }
    violations
}

/// Values at the very edge of what a constraint allows.
fn edges(schema: &Value) -> Vec<Value> {
    let mut edges = Vec::new();
    let number = |name: &str| schema[name].as_i64();
    edges.extend(number("minimum").map(|least| json!(least)));
    edges.extend(number("maximum").map(|most| json!(most)));
    if schema.get("pattern").is_none() && schema.get("enum").is_none() {
        edges.extend(number("maxLength").map(|most| json!("a".repeat(most as usize))));
    }
    edges.extend(schema["enum"].as_array().into_iter().flatten().cloned());
    if let Some(most) = number("maxItems") {
        edges.push(json!(vec![crd::minimal(&schema["items"]); most as usize]));
    }
    edges
}

fn short(value: &Value) -> String {
    value.to_string().chars().take(80).collect()
}

/// Texts of all sorts, some fit for each pattern and some that nearly are.
const TEXTS: &[&str] = &[
    "",
    "a",
    "A",
    "0",
    "-",
    ".",
    "_",
    "*",
    "/",
    "a-b",
    "-a",
    "a-",
    "a.b",
    "a..b",
    ".a",
    "a.",
    "a_b",
    "A.b",
    "ä",
    "a b",
    "a\n",
    " a",
    "a ",
    "a\tb",
    "a  b",
    "*.a",
    "*.a.b",
    "*a",
    "*.",
    "a.*",
    "*.*.a",
    "1.2.3.4",
    "a/b",
    "a/",
    "/a",
    "a.b/c",
    "a.b/c/d",
    "A.b/c",
    "a.b/c d",
    "a.b/-",
    "a.b/c-",
    "a.b/_",
    "System",
    "system",
    "HTTP",
    "HTTPS",
    "Hostname",
    "IPAddress",
    "NamedAddress",
    "Cluster",
    "10s",
    "10",
    "1h30m",
    "1h1m1s1ms",
    "1h1m1s1ms1h",
    "100000s",
    "99999ms",
    "1.5s",
    "-1s",
    "s",
    "0s",
    "1d",
    "http://a",
    "https://a:80",
    "https://*",
    "https://*.a.b",
    "http://a/",
    "ftp://a",
    "https://",
    "https://a:",
    "https://a:123456",
    "https://A-",
    "spiffe://a/b",
    "a:b",
    "://a",
    "a://",
    "X-A",
    "a:",
    "a!#$%&'*+-.^_`|~",
    "\"q\"",
    "a=b",
    "/a%2F",
    "/a%2",
    "/a?b",
    "/a#b",
    "/a@:b",
    "/%zz",
    "a;b",
    "kubernetes.io/a",
    "a.B",
    ".a.b",
    "a1",
    "1a",
];
