//! Options of `run`, and what shells and `man` are told of them.

use std::process::{Command, Stdio};

use crate::curl::curl;
use crate::eventually;
use crate::portway::{Portway, output};

/// The client that the access log names for a request that has come through proxies, as its fields say.
fn logged_client(options: &[&str]) -> String {
    let arguments = [&["examples/my-app", "--demo-backends", "--access-log", "json"], options].concat();
    let portway = Portway::run(arguments);
    let field = "X-Forwarded-For: 198.51.100.1, 203.0.113.7".to_owned();
    let url = "http://myapp.example.com/hops".to_owned();
    let answer = curl([portway.connect_to(), vec!["-H".to_owned(), field, url]].concat());
    assert_eq!(answer.status, 200);
    let line = eventually("a line in the log", || {
        portway.stdout().lines().find(|line| line.contains("/hops")).map(str::to_owned)
    });
    let line: serde_json::Value = serde_json::from_str(&line).unwrap();
    line["client"].as_str().unwrap().to_owned()
}

#[test]
fn as_many_proxies_are_believed_as_are_trusted() {
    assert!(logged_client(&[]).starts_with("127."), "nobody is believed");
    assert_eq!(logged_client(&["--trusted-hops", "1"]), "203.0.113.7");
    assert_eq!(logged_client(&["--trusted-hops", "2"]), "198.51.100.1");
}

#[test]
fn routes_have_metrics_of_their_own_when_asked_for() {
    const LINE: &str = "portway_route_requests_total{kind=\"HTTPRoute\",route=\"my-app/my-web-app-route\",";
    for (options, is_wanted) in [(&[][..], false), (&["--route-metrics"], true)] {
        let portway = Portway::run([&["examples/my-app", "--demo-backends"], options].concat());
        assert_eq!(portway.get("http://myapp.example.com/").status, 200);
        let metrics = || curl([portway.admin_url("/metrics")]).body;
        // Counts are brought together now and then.
        eventually("the request is counted", || metrics().contains("portway_requests_total{").then_some(()));
        assert_eq!(metrics().contains(LINE), is_wanted, "{}", metrics());
    }
}

#[test]
fn shells_get_completions() {
    for (shell, word) in
        [("bash", "complete -F"), ("zsh", "#compdef portway"), ("fish", "complete -c portway")]
    {
        let (code, script, _) = output(["completions", shell]);
        assert_eq!(code, 0);
        for part in [word, "explain", "port-offset"] {
            assert!(script.contains(part), "{part:?} is not in the script for {shell}");
        }
    }
    // And bash can read its own.
    let (_, script, _) = output(["completions", "bash"]);
    let directory = tempfile::tempdir().unwrap();
    let path = directory.path().join("portway.bash");
    std::fs::write(&path, script).unwrap();
    let words = "source \"$1\"; COMP_WORDS=(portway sta); COMP_CWORD=1; \
                 _portway portway sta portway; echo \"${COMPREPLY[@]}\"";
    let said =
        Command::new("bash").args(["-euc", words, "bash"]).arg(path).stdin(Stdio::null()).output().unwrap();
    assert!(said.status.success(), "{said:?}");
    assert_eq!(String::from_utf8_lossy(&said.stdout).trim(), "status", "{said:?}");
}

#[test]
fn man_pages_are_written() {
    let (code, page, _) = output(["man"]);
    assert_eq!(code, 0);
    assert!(page.contains(".TH portway 1") && page.contains("explain"), "{page}");
    let directory = tempfile::tempdir().unwrap();
    let into = directory.path().join("man1");
    assert_eq!(output(["man", "--directory", into.to_str().unwrap()]).0, 0);
    for (name, word) in
        [("portway.1", "status"), ("portway-run.1", "port\\-offset"), ("portway-check.1", "output")]
    {
        let page = std::fs::read_to_string(into.join(name)).unwrap_or_else(|error| panic!("{name}: {error}"));
        assert!(page.starts_with(".ie \\n(.g .ds Aq") || page.contains(".TH"), "{name}: {page}");
        assert!(page.contains(word), "{name} says nothing of {word}");
    }
}
