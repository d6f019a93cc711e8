use std::process::Command;

use crate::gateway::Gateway;
use crate::http::answering_server;
use crate::manifests::{TO_APP, app, http_gateway};
use crate::running::run;
use crate::tls::{objects_with_tls, self_signed};

/// Runs every case, strict ones included. Its last line counts them.
fn h2spec(gateway: &Gateway, port: u16, more: &[&str]) -> String {
    let program = std::env::var_os("PORTWAY_H2SPEC")
        .expect("PORTWAY_H2SPEC does not say where h2spec is; `. tools/env.sh` and `make setup` do");
    let address = gateway.address(port);
    let (host, port) = (address.ip().to_string(), address.port().to_string());
    let said = run(Command::new(program).args(["-h", &host, "-p", &port, "-S", "-o", "5"]).args(more));
    let counts = said.lines().rfind(|line| line.contains("tests,")).unwrap_or_default();
    assert!(counts.starts_with("146 tests") && counts.ends_with(" 0 failed"), "{said}");
    said
}

#[test]
fn http2_in_clear_text_keeps_every_rule() {
    let server = answering_server("hello");
    let gateway = Gateway::start(&http_gateway(&app(TO_APP)), &[("web/app:80", server)]);
    h2spec(&gateway, 80, &[]);
}

#[test]
fn http2_over_tls_keeps_every_rule() {
    let server = answering_server("hello");
    let objects = objects_with_tls(&self_signed(&["127.0.0.1"]));
    let gateway = Gateway::start(&objects, &[("web/app:80", server)]);
    h2spec(&gateway, 443, &["-t", "-k"]);
}
