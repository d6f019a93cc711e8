//! Answers that are ready before their requests have come.

use std::io::Write;
use std::process::Command;

use crate::gateway::Gateway;
use crate::manifests::{TO_APP, app, http_gateway};
use crate::running::run;

/// Posts to the same place, one after another, in as few connections as curl gets along with.
fn post(gateway: &Gateway, protocol: &str, bytes: usize, times: usize) -> String {
    let mut body = tempfile::NamedTempFile::new().unwrap();
    body.write_all(&vec![b'x'; bytes]).unwrap();
    let mut curl = Command::new("curl");
    curl.args(["-sS", protocol, "-H", "Expect:", "-w", " %{http_code} \n"]);
    curl.arg("--data-binary").arg(format!("@{}", body.path().display()));
    curl.args(std::iter::repeat_n(format!("http://{}/nowhere", gateway.address(80)), times));
    run(&mut curl)
}

/// The route is for another path only.
fn gateway() -> Gateway {
    let rule = format!("matches: [{{ path: {{ value: /somewhere }} }}]\n    {TO_APP}");
    Gateway::start(&http_gateway(&app(&rule)), &[])
}

#[test]
fn none_is_lost_over_http2() {
    let gateway = gateway();
    for bytes in [100, 10_000, 100_000, 1_000_000] {
        // Each in a connection of its own: with prior knowledge this curl cannot use one again, whoever serves it.
        let said: String = (0..40).map(|_| post(&gateway, "--http2-prior-knowledge", bytes, 1)).collect();
        let (answers, codes) = (said.matches("no_route: ").count(), said.matches(" 404 ").count());
        assert_eq!((answers, codes), (40, 40), "bodies of {bytes} bytes: {said}");
    }
}

#[test]
fn none_is_lost_over_http1() {
    let gateway = gateway();
    for bytes in [100, 10_000, 100_000, 1_000_000] {
        let said = post(&gateway, "--http1.1", bytes, 20);
        let (answers, codes) = (said.matches("no_route: ").count(), said.matches(" 404 ").count());
        assert_eq!((answers, codes), (20, 20), "bodies of {bytes} bytes: {said}");
    }
}
