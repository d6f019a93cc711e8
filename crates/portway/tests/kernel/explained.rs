//! `portway explain --admin`: what is served, as the one tells who serves it.

use serde_json::Value;

use crate::agent::{Cluster, TCP as OF_GATEWAY};
use crate::controller::ADMIN;
use crate::network::{Network, ROUTED_BACK, TCP, UDP};
use crate::running::portway::command;
use crate::wiring::pod;

/// Exit status and answer of `portway explain` on the node.
fn explain(it: &Network, manifests: &str, arguments: &[&str]) -> (i32, String) {
    let mut command = command([&["explain", manifests, "--"], arguments].concat());
    let output = it.node.run(move || command.output().unwrap());
    let text = String::from_utf8_lossy(&[output.stdout, output.stderr].concat()).into_owned();
    (output.status.code().unwrap(), text)
}

#[test]
fn who_runs_tells_of_tcp_and_udp() {
    let it = Network::new();
    let _portway = it.run(&[], &ROUTED_BACK);
    it.await_path("kernel", "client_address_kept");
    let manifests = it.manifests();
    for (scheme, address) in [("tcp", TCP[0]), ("udp", UDP[0]), ("udp", UDP[1])] {
        let url = format!("{scheme}://{address}");
        let (code, text) = explain(&it, &manifests, &[&url, "--admin", "127.0.0.1:9900"]);
        assert_eq!(code, 0, "{text}");
        let transport = scheme.to_uppercase();
        let told = format!(
            "through  the kernel, at {transport} {address} (client_address_kept): endpoints see the client's address\n"
        );
        assert!(text.contains(&told) && text.matches("through").count() == 1, "{told}{text}");
        let (_, text) = explain(&it, &manifests, &[&url]);
        assert!(text.contains("through  the kernel: where `portway run --ebpf` or the agent"), "{text}");
    }
    let (code, text) = explain(&it, &manifests, &["udp://198.51.100.254:7000"]);
    assert!(code == 1 && text.contains("ports that are served: 7001"), "{text}");
    let (code, text) = explain(&it, &manifests, &["udp://a:7001", "--admin", "127.0.0.1:9"]);
    assert!(code == 2 && text.starts_with("error: cannot ask the Portway at 127.0.0.1:9: "), "{text}");
}

#[test]
fn an_agent_tells_of_its_node() {
    let cluster = Cluster::new();
    let _agent = cluster.agent();
    cluster.lead_to(&[pod(0)[0]]);
    let manifests = tempfile::tempdir().unwrap();
    let objects = std::fs::read_to_string(format!("{}/objects.yaml", cluster.it.manifests())).unwrap();
    let objects = objects.replace(
        "name: stream, port: 7000, protocol: TCP }\n  - {",
        "name: \"7000\", port: 7000, protocol: TCP }\n  - {",
    );
    let objects = objects.replace("sectionName: stream", "sectionName: \"7000\"");
    std::fs::write(manifests.path().join("objects.yaml"), objects).unwrap();
    let directory = manifests.path().to_str().unwrap();
    let (_, text) =
        explain(&cluster.it, directory, &["tcp://gateway.example:7000", "--admin", ADMIN, "-o", "json"]);
    let report: Value = serde_json::from_str(&text).unwrap_or_else(|error| panic!("{error}: {text}"));
    let paths = &report["gateways"][0]["paths"];
    assert_eq!((&paths[0]["path"], &paths[0]["address"]), (&"kernel".into(), &OF_GATEWAY.into()), "{text}");
    assert_eq!(paths[0]["reason"], "client_address_kept", "{text}");
    let (_, text) = explain(&cluster.it, directory, &["udp://gateway.example:7001", "--admin", ADMIN]);
    assert!(
        text.contains("through  unknown: who was asked by --admin tells nothing of this listener"),
        "{text}"
    );
}
