//! Sockets that cannot be opened, and Gateways that want the same.

use std::net::TcpListener;

use crate::portway::{self, Portway};
use crate::{eventually, manifest};

/// A program of another owner that has the port. It must not answer as a gateway would.
fn occupy(portway_port: std::net::SocketAddr) -> TcpListener {
    TcpListener::bind(portway_port).unwrap()
}

#[test]
fn a_port_that_another_process_has_is_told_in_the_status_and_taken_when_it_is_free() {
    // Two ports, one of which is taken, on an address that is known beforehand.
    let address = portway::own_address();
    let taken = occupy((address, 8443 + portway::PORT_OFFSET).into());
    let portway = Portway::run_at(address, [&manifest("two-gateways.yaml"), "--demo-backends"]);
    assert_eq!(portway.get("http://a.example.com/").status, 200);
    let told = portway.stderr();
    let place = format!("cannot listen on TCP {address}:18443: the address is in use by another process");
    assert!(told.contains(&place), "{told}");
    assert!(told.contains("pass another --port-offset or --bind"), "{told}");

    let conditions = listener(&portway.status(), "Gateway infra/second", "plain");
    assert_eq!(conditions["Accepted"], ("False".to_owned(), "PortUnavailable".to_owned()));
    assert_eq!(conditions["Programmed"].0, "False");
    drop(taken);
    eventually("the port is taken once it is free", || {
        (listener(&portway.status(), "Gateway infra/second", "plain")["Programmed"].0 == "True").then_some(())
    });
    assert_eq!(portway.get("http://b.example.com:8443/").status, 200);
}

#[test]
fn of_two_gateways_that_want_one_port_the_older_has_it() {
    let portway = Portway::run([&manifest("same-port.yaml"), "--demo-backends"]);
    assert_eq!(portway.get("http://old.example.com/").status, 200);
    assert_eq!(portway.get("http://young.example.com/").status, 404, "the older Gateway has no such route");
    let status = portway.status();
    assert_eq!(listener(&status, "Gateway infra/z-old", "http")["Programmed"].0, "True");
    let young = listener(&status, "Gateway infra/a-young", "http");
    assert_eq!(young["Accepted"], ("False".to_owned(), "PortUnavailable".to_owned()));
    let told = portway.stderr();
    assert!(told.contains("is served for Gateway infra/z-old, which has precedence"), "{told}");
}

/// In a network namespace of its own, where port 80 is privileged whatever this machine says, and a user namespace without
/// the privilege.
#[test]
fn privileged_ports_name_the_option_that_helps() {
    let arguments = ["run", "examples/my-app", "--bind", "127.0.0.1", "--admin", "127.0.0.1:0"];
    let program = portway::command([""; 0]).get_program().to_owned();
    let script = "ip link set lo up && echo 1024 >/proc/sys/net/ipv4/ip_unprivileged_port_start && \
                  exec setpriv --bounding-set=-all --inh-caps=-all --no-new-privs -- \"$@\"";
    let mut command = std::process::Command::new("unshare");
    command.args(["--net", "--user", "--map-root-user", "sh", "-c", script, "sh"]);
    command.arg(program).args(arguments).current_dir(crate::repository());
    let output = command.output().unwrap();
    let told = String::from_utf8_lossy(&output.stderr);
    assert_eq!(output.status.code(), Some(1), "{told}");
    assert!(told.contains("cannot listen on TCP 127.0.0.1:80: permission denied"), "{told}");
    assert!(told.contains("pass --port-offset, such as 8000 to serve port 80 as 8080"), "{told}");
}

#[test]
fn where_no_socket_can_be_opened_it_does_not_start() {
    let address = portway::own_address();
    let _taken = occupy((address, 80 + portway::PORT_OFFSET).into());
    let portway = Portway::start_at(address, ["examples/my-app"]);
    let (code, _, told) = portway.wait();
    assert_eq!(code, Some(1), "{told}");
    assert!(told.contains("error: cannot start: no socket could be opened"), "{told}");
    assert!(told.contains("in use by another process"), "{told}");
}

#[test]
fn a_taken_admin_address_names_the_option() {
    let taken = TcpListener::bind("127.0.0.1:0").unwrap();
    let admin = taken.local_addr().unwrap().to_string();
    let (code, _, told) = portway::output(["run", "examples/my-app", "--admin", &admin]);
    assert_eq!(code, 1);
    assert!(told.contains(&admin) && told.contains("--admin"), "{told}");
}

/// What has no hostname is not said to have one.
#[test]
fn listeners_are_told_as_they_are() {
    let directory = tempfile::tempdir().unwrap();
    let path = directory.path().join("gateway.yaml");
    let text = "apiVersion: gateway.networking.k8s.io/v1
kind: GatewayClass
metadata: {name: portway}
spec: {controllerName: portway.dev/gateway-controller}
---
apiVersion: gateway.networking.k8s.io/v1
kind: Gateway
metadata: {name: edge, namespace: infra}
spec:
  gatewayClassName: portway
  listeners:
  - {name: web, port: 80, protocol: HTTP}
  - {name: names, port: 53, protocol: UDP}
";
    std::fs::write(&path, text).unwrap();
    let portway = Portway::run([path.to_str().unwrap()]);
    let told = eventually("the summary", || Some(portway.stderr()).filter(|it| it.contains("Watch it")));
    let line = |name: &str| told.lines().find(|line| line.contains(&format!("listener {name}: "))).unwrap();
    assert!(line("web").contains("HTTP port 80 at") && line("web").ends_with(", hostname *"), "{told}");
    assert!(line("names").contains("UDP port 53 at") && !line("names").contains("hostname"), "{told}");
}

/// Status and reason of each condition of a listener.
fn listener(
    document: &serde_json::Value,
    object: &str,
    listener: &str,
) -> std::collections::BTreeMap<String, (String, String)> {
    let text = |value: &serde_json::Value| value.as_str().unwrap().to_owned();
    let name = |it: &serde_json::Value| {
        format!("{} {}/{}", text(&it["kind"]), text(&it["namespace"]), text(&it["name"]))
    };
    let objects = document["objects"].as_array().unwrap();
    let objects = objects.iter().filter(|it| it["object"]["namespace"].is_string());
    let object = objects.into_iter().find(|it| name(&it["object"]) == object).unwrap();
    let parts = object["parts"].as_array().unwrap();
    let part = parts.iter().find(|it| it["role"] == "listener" && it["name"] == listener).unwrap();
    let conditions = part["conditions"].as_array().unwrap();
    conditions.iter().map(|it| (text(&it["type"]), (text(&it["status"]), text(&it["reason"])))).collect()
}
