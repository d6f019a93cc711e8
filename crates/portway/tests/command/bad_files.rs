//! Files whose own text is wrong, as translation finds: they are refused, and their last good version serves on.

use std::fs;
use std::path::Path;

use crate::eventually;
use crate::portway::Portway;

/// Two listeners, of which one has its certificate in another file.
const GATEWAY: &str = "---
apiVersion: gateway.networking.k8s.io/v1
kind: Gateway
metadata: {name: edge, namespace: infra}
spec:
  gatewayClassName: portway
  listeners:
  - {name: http, port: 80, protocol: HTTP}
  - {name: https, port: 443, protocol: HTTPS, tls: {certificateRefs: [{name: tls}]}}
";

/// A route that needs no backend.
const ROUTE: &str = "---
apiVersion: gateway.networking.k8s.io/v1
kind: HTTPRoute
metadata: {name: axb, namespace: infra}
spec:
  parentRefs: [{name: edge}]
  rules:
  - matches: [{path: {type: RegularExpression, value: /a.b}}]
    filters: [{type: RequestRedirect, requestRedirect: {hostname: first.example.com, statusCode: 302}}]
";

const CLASS: &str = "---
apiVersion: gateway.networking.k8s.io/v1
kind: GatewayClass
metadata: {name: portway}
spec: {controllerName: portway.dev/gateway-controller}
";

/// What stands in a Secret: a certificate, and the key of another one if `is_mixed_up`.
fn secret(is_mixed_up: bool) -> String {
    let pair = || rcgen::generate_simple_self_signed(["edge.example.com".to_owned()]).unwrap();
    let (one, other) = (pair(), pair());
    let key = if is_mixed_up { &other } else { &one }.signing_key.serialize_pem();
    let lines = |pem: String| pem.lines().map(|line| format!("    {line}\n")).collect::<String>();
    format!(
        "apiVersion: v1\nkind: Secret\nmetadata: {{name: tls, namespace: infra}}\ntype: kubernetes.io/tls\n\
         stringData:\n  tls.crt: |\n{}  tls.key: |\n{}",
        lines(one.cert.pem()),
        lines(key)
    )
}

fn replace(path: &Path, text: &str) {
    let new = path.with_extension("new");
    fs::write(&new, text).unwrap();
    fs::rename(&new, path).unwrap();
}

/// Edits one of two good files, and returns what is said of the file if it is refused. What was served before is served then,
/// by HTTP and by HTTPS.
fn edited(file: &str, edit: impl Fn(&str) -> String) -> Result<serde_json::Value, serde_json::Value> {
    let directory = tempfile::tempdir().unwrap();
    let root = directory.path();
    fs::write(root.join("class.yaml"), CLASS).unwrap();
    fs::write(root.join("edge.yaml"), GATEWAY.to_owned() + ROUTE).unwrap();
    fs::write(root.join("tls.yaml"), secret(false)).unwrap();
    let portway = Portway::run([root.to_str().unwrap()]);
    assert_eq!(portway.status()["refusedFiles"], serde_json::json!([]), "{}", portway.stderr());
    let serves = |url| {
        let answer = crate::curl::curl([portway.connect_to(), vec!["-k".to_owned(), url]].concat());
        (answer.status, answer.header("location").is_some_and(|it| it.contains("first.example.com")))
    };
    let both = || ["http", "https"].map(|scheme| serves(format!("{scheme}://edge.example.com/axb")));
    assert_eq!(both(), [(302, true), (302, true)]);

    let text = fs::read_to_string(root.join(file)).unwrap();
    let new = edit(&text);
    assert_ne!(new, text);
    replace(&root.join(file), &new);
    portway.signal("HUP");
    let status = eventually("the edit is told of", || {
        let status = portway.status();
        // Of one reading, so that it is of one moment.
        let is_served = status["revision"].as_u64() > Some(1);
        let is_told = is_served || !status["refusedFiles"].as_array().unwrap().is_empty();
        is_told.then_some(status)
    });
    let refused = status["refusedFiles"].clone();
    if refused.as_array().unwrap().is_empty() {
        return Err(status);
    }
    assert_eq!(both(), [(302, true), (302, true)], "the last good version serves on");
    assert_eq!(portway.revision(), 1);
    assert!(refused[0]["source"].as_str().unwrap().ends_with(file), "{refused}");
    assert!(refused[0]["servingSince"].is_string(), "{refused}");
    let place = refused[0]["problems"][0]["position"]["source"].as_str().unwrap();
    assert!(place.ends_with(file), "{refused}");
    eventually("it is logged", || {
        portway.stderr().contains(&format!("{file} is refused, and its last good version")).then_some(())
    });
    // It stays so when others change, and ends with a good version.
    fs::write(root.join("other.yaml"), ROUTE.replace("axb", "other").replace("/a.b", "/other")).unwrap();
    portway.signal("HUP");
    eventually("another file's change", || (portway.revision() == 2).then_some(()));
    assert_eq!(portway.status()["refusedFiles"], refused);
    replace(&root.join(file), &text.replace("first.example.com", "second.example.com"));
    portway.signal("HUP");
    eventually("the file is mended", || {
        (portway.status()["refusedFiles"] == serde_json::json!([])).then_some(())
    });
    Ok(refused[0]["problems"][0].clone())
}

#[track_caller]
fn assert_refused(file: &str, code: &str, object: &str, edit: impl Fn(&str) -> String) {
    let problem = edited(file, edit).unwrap();
    assert_eq!((&problem["code"], &problem["object"]), (&code.into(), &object.into()), "{problem}");
}

#[test]
fn an_invalid_expression_refuses_its_file() {
    assert_refused("edge.yaml", "unsupported-value", "HTTPRoute infra/axb", |it| it.replace("/a.b", "/a(b"));
}

#[test]
fn a_value_that_cannot_be_served_refuses_its_file() {
    assert_refused("edge.yaml", "unsupported-value", "HTTPRoute infra/axb", |it| {
        let host = "{type: RequestHeaderModifier, requestHeaderModifier: {set: [{name: Host, value: a}]}}";
        it.replace("filters: [", &format!("filters: [{host}, "))
    });
}

#[test]
fn a_reference_of_a_kind_that_cannot_be_refuses_its_file() {
    assert_refused("edge.yaml", "invalid-kind", "Gateway infra/edge", |it| {
        it.replace("{name: tls}", "{name: tls}, {name: tls, kind: ConfigMap}")
    });
}

#[test]
fn a_conflict_of_listeners_within_a_gateway_refuses_its_file() {
    assert_refused("edge.yaml", "listener-conflict", "Gateway infra/edge", |it| {
        it.replace("  listeners:", "  listeners:\n  - {name: another, port: 80, protocol: TCP}")
    });
}

#[test]
fn a_certificate_that_cannot_be_read_refuses_its_file() {
    assert_refused("tls.yaml", "invalid-certificate", "Secret infra/tls", |it| {
        let (head, _) = it.split_once("stringData:").unwrap();
        format!("{head}data: {{tls.crt: Z2FyYmFnZQ==, tls.key: Z2FyYmFnZQ==}}\n")
    });
}

#[test]
fn a_certificate_with_the_key_of_another_refuses_its_file() {
    assert_refused("tls.yaml", "invalid-certificate", "Secret infra/tls", |_| secret(true));
}

/// What another file may mend refuses none.
#[test]
fn what_depends_on_other_objects_is_applied() {
    let cases: [(&str, &str, &str); 3] = [
        ("reference-not-found", "{name: tls}", "{name: absent}"),
        ("reference-not-permitted", "{name: tls}", "{name: tls, namespace: elsewhere}"),
        (
            "reference-not-found",
            "    filters: [{type: RequestRedirect, requestRedirect: {hostname: first.example.com, statusCode: 302}}]",
            "    backendRefs: [{name: absent, port: 80}]",
        ),
    ];
    for (code, from, to) in cases {
        let status = edited("edge.yaml", |it| it.replace(from, to)).unwrap_err();
        let problems = status["problems"].as_array().unwrap();
        assert!(problems.iter().any(|it| it["code"] == code), "{code}: {status}");
    }
}

#[test]
fn at_the_first_start_what_can_be_served_is_served() {
    let directory = tempfile::tempdir().unwrap();
    let root = directory.path();
    let bad = GATEWAY.to_owned() + &ROUTE.replace("/a.b", "/a(b");
    let good = ROUTE.replace("axb", "good").replace("/a.b", "/good");
    fs::write(root.join("class.yaml"), CLASS).unwrap();
    fs::write(root.join("edge.yaml"), bad.clone() + &good).unwrap();
    let portway = Portway::run([root.to_str().unwrap()]);
    assert_eq!(portway.get("http://edge.example.com/good").status, 302);
    assert_eq!(portway.get("http://edge.example.com/axb").status, 404);
    let refused = &portway.status()["refusedFiles"][0];
    assert!(refused["source"].as_str().unwrap().ends_with("edge.yaml"), "{refused}");
    assert_eq!(refused["problems"][0]["code"], "unsupported-value", "{refused}");
    assert!(refused.get("servingSince").is_none(), "{refused}");
    // It is no reason to hold back a better version.
    replace(&root.join("edge.yaml"), &(bad + &good.replace("/good", "/better")));
    portway.signal("HUP");
    eventually("the better version", || {
        (portway.get("http://edge.example.com/better").status == 302).then_some(())
    });
}
