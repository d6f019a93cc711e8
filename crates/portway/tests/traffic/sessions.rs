//! Session persistence, with the cookies that curl keeps.

use std::fmt::Write;
use std::process::Command;

use crate::gateway::{Gateway, run};
use crate::http::{OBJECTS, answering_server};

/// A slice with one endpoint: all endpoints of a slice have the same port.
const SLICE: &str = "
---
apiVersion: discovery.k8s.io/v1
kind: EndpointSlice
metadata: { name: app-NAME, namespace: web, labels: { kubernetes.io/service-name: app } }
addressType: IPv4
ports: [{ port: PORT }]
endpoints: [{ addresses: [127.0.0.1] }]
";

#[test]
fn curl_comes_back_to_the_server_that_it_has_met() {
    let servers = ["one", "two", "three"].map(|name| (name, answering_server(name)));
    let mut objects = OBJECTS.replace(
        "  - backendRefs: [{ name: app, port: 80 }]\n",
        "  - backendRefs: [{ name: app, port: 80 }]
    sessionPersistence: { absoluteTimeout: 1h, cookie: { name: app, lifetimeType: Permanent } }\n",
    );
    for (name, address) in servers {
        objects += &SLICE.replace("NAME", name).replace("PORT", &address.port().to_string());
    }
    // Two processes know nothing of each other but the objects.
    let gateways = [Gateway::start(&objects, &[80], &[]), Gateway::start(&objects, &[80], &[])];
    let jars = tempfile::tempdir().unwrap();
    let get = |gateway: &Gateway, jar: &str| {
        let jar = jars.path().join(jar);
        let url = format!("http://{}/", gateway.address(80));
        run(Command::new("curl").args(["-sS", "--fail", "-b"]).arg(&jar).arg("-c").arg(&jar).arg(url))
    };
    let mut met = String::new();
    for client in 0..6 {
        let jar = format!("{client}.txt");
        let first = get(&gateways[0], &jar);
        let kept = std::fs::read_to_string(jars.path().join(&jar)).unwrap();
        assert!(kept.contains("\tapp\t") && kept.contains("#HttpOnly_127.0.0.1\tFALSE\t/\t"), "{kept}");
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
