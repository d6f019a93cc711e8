//! `portway check`.

use std::process::Command;

use crate::manifest;
use crate::portway::{command, output};

/// The directory of this crate's tests, as it stands in what is printed.
fn shown(text: &str) -> String {
    text.replace(&manifest(""), "")
}

#[test]
fn a_typo_of_every_kind_is_told_with_its_place() {
    let (code, text, _) = output(["check", &manifest("mistakes.yaml"), &manifest("expired.yaml")]);
    assert_eq!(code, 2);
    insta::assert_snapshot!(shown(&text));
}

#[test]
fn the_status_tells_how_bad_it_is() {
    assert_eq!(
        output(["check", &manifest("two-gateways.yaml")]),
        (0, "no problems in 1 file with 8 objects\n".into(), String::new())
    );
    // The controller's name has no path.
    assert_eq!(output(["check", "examples/my-app"]).0, 1);
    assert_eq!(output(["check", &manifest("my-app-same.yaml")]).0, 2);
    let (code, text, _) = output(["check", "does/not/exist"]);
    assert_eq!(code, 2);
    assert!(text.contains("does/not/exist: error[unreadable]"), "{text}");
    assert!(!text.contains(":1:1"), "{text}");
    // Where nothing is, there is a warning, wherever that is.
    let directory = tempfile::tempdir().unwrap();
    assert_eq!(output(["check", directory.path().to_str().unwrap()]).0, 1);
    let (code, text, _) = output(["check", "-"]);
    assert_eq!(code, 1, "standard input is empty");
    assert!(text.starts_with("<stdin>: warning[unreadable]: there is no manifest in it"), "{text}");
    std::fs::write(directory.path().join("empty.yaml"), "# nothing yet\n").unwrap();
    assert_eq!(output(["check", directory.path().join("empty.yaml").to_str().unwrap()]).0, 1);
    // A wrong command line is an error too.
    assert_eq!(output(["check"]).0, 2);
}

#[test]
fn json_has_all_that_text_has() {
    let (code, text, _) =
        output(["check", "--output", "json", &manifest("mistakes.yaml"), &manifest("expired.yaml")]);
    assert_eq!(code, 2);
    let report: serde_json::Value = serde_json::from_str(&text).unwrap();
    insta::assert_json_snapshot!(report, { ".problems[].position.source" => insta::dynamic_redaction(|value, _| {
        shown(value.as_str().unwrap())
    })});
}

#[test]
fn one_mistake_made_ten_thousand_times_is_quick_and_readable() {
    let directory = tempfile::tempdir().unwrap();
    let mut route = String::from(
        "apiVersion: gateway.networking.k8s.io/v1\nkind: HTTPRoute\nmetadata: {name: big}\nspec:\n  rules:\n",
    );
    for number in 0..10_000 {
        route.push_str(&format!(
            "  - matches: [{{path: {{type: PathPrefix, value: /{number}}}}}]\n    backendRef: [{{name: web, port: 80}}]\n"
        ));
    }
    let path = directory.path().join("big.yaml");
    std::fs::write(&path, route).unwrap();
    // The time of the processor, which other tests beside this one do not add to.
    let check = command(["check", path.to_str().unwrap()]);
    let timed = Command::new("bash")
        .args(["-c", "TIMEFORMAT='%U %S'; time \"$@\"", "bash"])
        .arg(check.get_program())
        .args(check.get_args())
        .output()
        .unwrap();
    let (text, times) = (String::from_utf8_lossy(&timed.stdout), String::from_utf8_lossy(&timed.stderr));
    assert_eq!(timed.status.code(), Some(2), "{times}");
    assert!(text.lines().count() < 60, "{text}");
    assert!(text.contains("more of [unknown-field]"), "{text}");
    // Few seconds, even without optimisation.
    let seconds: f64 = times.split_whitespace().map(|it| it.replace(',', ".").parse::<f64>().unwrap()).sum();
    assert!(seconds < 60.0, "{seconds} s");
}

/// What is wrong with an object does not hide what else is wrong with it.
#[test]
fn all_mistakes_of_an_object_are_told_at_once() {
    let text = "apiVersion: gateway.networking.k8s.io/v1
kind: GatewayClass
metadata: {name: portway}
spec: {controllerName: portway.dev/gateway-controller}
---
apiVersion: gateway.networking.k8s.io/v1
kind: Gateway
metadata: {name: edge}
spec:
  gatewayClassName: portway
  listeners:
  - {name: http, protocol: HTTP, port: 80}
---
apiVersion: gateway.networking.k8s.io/v1
kind: HTTPRoute
metadata: {name: app}
spec:
  parentRefs: [{name: edge}]
  rules:
  - backendRefs: [{name: absent-0, port: 80, weight: 2000000}]
  - matches: [{path: {type: RegularExpression, value: /(}}]
    backendRefs: [{name: absent-1, port: 80}]
";
    let directory = tempfile::tempdir().unwrap();
    let path = directory.path().join("route.yaml");
    std::fs::write(&path, text).unwrap();
    let (code, text, _) = output(["check", "--output", "json", path.to_str().unwrap()]);
    assert_eq!(code, 2);
    let report: serde_json::Value = serde_json::from_str(&text).unwrap();
    let told = |it: &serde_json::Value| format!("{} {}", it["code"], it["field"]).replace('"', "");
    let errors = report["problems"].as_array().unwrap().iter().filter(|it| it["severity"] == "error");
    assert_eq!(
        errors.map(told).collect::<Vec<_>>(),
        [
            "reference-not-found spec.rules[0].backendRefs[0].name",
            "invalid-value spec.rules[0].backendRefs[0].weight",
            "unsupported-value spec.rules[1].matches[0].path.value",
            "reference-not-found spec.rules[1].backendRefs[0].name",
        ]
    );
}

#[test]
fn colours_are_for_terminals() {
    let (_, text, _) = output(["check", &manifest("my-app-same.yaml")]);
    assert!(!text.contains('\u{1b}'), "{text:?}");
}
