//! `portway check`.

use crate::manifest;
use crate::portway::output;

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
    assert!(text.contains("does/not/exist:1:1: error[unreadable]"), "{text}");
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
    let start = std::time::Instant::now();
    let (code, text, _) = output(["check", path.to_str().unwrap()]);
    assert_eq!(code, 2);
    assert!(text.lines().count() < 60, "{text}");
    assert!(text.contains("more of [unknown-field]"), "{text}");
    // Seconds at most, without optimisation and beside other tests.
    assert!(start.elapsed() < std::time::Duration::from_secs(60), "{:?}", start.elapsed());
}

#[test]
fn colours_are_for_terminals() {
    let (_, text, _) = output(["check", &manifest("my-app-same.yaml")]);
    assert!(!text.contains('\u{1b}'), "{text:?}");
}
