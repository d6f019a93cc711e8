//! Session persistence, with the cookies that curl keeps.

use std::fmt::Write;
use std::process::Command;

use crate::gateway::Gateway;
use crate::http::answering_server;
use crate::manifests::{TO_APP, app, http_gateway};
use crate::running::run;

/// A slice with one endpoint: all endpoints of a slice have the same port.
const SLICE: &str = "
apiVersion: discovery.k8s.io/v1
kind: EndpointSlice
metadata: { name: app-NAME, namespace: web, labels: { kubernetes.io/service-name: app } }
addressType: IPv4
ports: [{ port: PORT }]
endpoints: [{ addresses: [127.0.0.1] }]
---
";

#[test]
fn curl_comes_back_to_the_server_that_it_has_met() {
    let servers = ["one", "two", "three"].map(|name| (name, answering_server(name)));
    let rule = format!(
        "{TO_APP}
    sessionPersistence: {{ absoluteTimeout: 1h, cookie: {{ name: app, lifetimeType: Permanent }} }}"
    );
    let mut objects = http_gateway(&app(&rule));
    for (name, address) in servers {
        objects += &SLICE.replace("NAME", name).replace("PORT", &address.port().to_string());
    }
    // Two processes know nothing of each other but the objects.
    let gateways = [Gateway::start(&objects, &[]), Gateway::start(&objects, &[])];
    let jars = tempfile::tempdir().unwrap();
    let get = |gateway: &Gateway, jar: &str| {
        let jar = jars.path().join(jar);
        let place = format!(":80:{}", gateway.address(80));
        let mut curl = Command::new("curl");
        curl.args(["-sS", "--fail", "--connect-to", &place, "-b"]).arg(&jar).arg("-c").arg(&jar);
        run(curl.arg("http://app.example.com/"))
    };
    let mut met = String::new();
    for client in 0..6 {
        let jar = format!("{client}.txt");
        let first = get(&gateways[0], &jar);
        let kept = std::fs::read_to_string(jars.path().join(&jar)).unwrap();
        assert!(kept.contains("\tapp\t") && kept.contains("#HttpOnly_app.example.com\tFALSE\t/\t"), "{kept}");
        for (_, address) in servers {
            assert!(!kept.contains(&address.port().to_string()), "{kept}");
        }
        for turn in 0..10 {
            assert_eq!(get(&gateways[turn % 2], &jar), first);
        }
        writeln!(met, "{first}").unwrap();
    }
    assert!(servers.iter().all(|(name, _)| met.contains(name)), "new clients are spread: {met}");
}
