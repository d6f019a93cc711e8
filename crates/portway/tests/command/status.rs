//! `portway status`.

use crate::manifest;
use crate::portway::{Portway, output};

#[test]
fn the_conditions_of_every_object_are_in_a_table() {
    let portway = Portway::run([manifest("my-app-same.yaml").as_str(), "--demo-backends"]);
    let (code, text, _) = output(["status", "--admin", &portway.admin()]);
    assert_eq!(code, 1);
    let mut settings = insta::Settings::clone_current();
    settings.add_filter(r"\d{4}-\d\d-\d\dT\d\d:\d\d:\d\dZ", "[TIME]");
    settings.add_filter(&regex_of(&manifest("")), "");
    settings.add_filter(&regex_of(&portway.address.to_string()), "[ADDRESS]");
    settings.bind(|| insta::assert_snapshot!(text));
}

/// The default address is a loopback one, where there is no interface for the kernel to do anything at.
#[test]
fn who_serves_a_stream_is_told() {
    let portway = Portway::run(["examples/tcp", "--demo-backends"]);
    let status = portway.status();
    let path = &status["paths"][0];
    assert_eq!(
        (path["path"].as_str(), path["reason"].as_str()),
        (Some("proxy"), Some("loopback")),
        "{status}"
    );
    let (_, text, _) = output(["status", "--admin", &portway.admin()]);
    assert!(text.contains("by the proxy (loopback): what is sent to a loopback address"), "{text}");
    assert!(portway.stderr().contains("by the proxy: what is sent to a loopback address"));
}

fn regex_of(text: &str) -> String {
    text.replace('.', r"\.")
}

#[test]
fn all_is_well_where_all_is_well() {
    let portway = Portway::run(["examples/canary", "--demo-backends"]);
    let (code, text, error) = output(["status", "--admin", &portway.admin(), "--output", "json"]);
    assert_eq!((code, error.as_str()), (0, ""), "{text}");
    let document: serde_json::Value = serde_json::from_str(&text).unwrap();
    assert_eq!(document, portway.status());
}

#[test]
fn without_an_answer_it_says_where_it_asked() {
    let nobody = std::net::TcpListener::bind("127.0.0.1:0").unwrap().local_addr().unwrap().to_string();
    let (code, _, error) = output(["status", "--admin", &nobody]);
    assert_eq!(code, 2);
    assert!(error.contains(&nobody) && error.contains("--admin"), "{error}");
}

#[test]
fn lines_fit_the_terminal() {
    let portway = Portway::run([manifest("my-app-same.yaml").as_str()]);
    let mut command = crate::portway::command(["status", "--admin", &portway.admin()]);
    let output = command.env("COLUMNS", "90").output().unwrap();
    let text = String::from_utf8(output.stdout).unwrap();
    let table: Vec<_> = text.lines().take_while(|line| !line.contains("error")).collect();
    assert!(table.iter().all(|line| line.chars().count() <= 90), "{text}");
}
