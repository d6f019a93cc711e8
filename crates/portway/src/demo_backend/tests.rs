use std::io::{Read, Write};
use std::net::TcpStream;

use portway_api::manifest::{Source, read};
use portway_config::{EndpointsKey, NamespacedName, Transport};
use portway_translate::backend::endpoints;

use super::*;

fn manifests(replicas: usize) -> String {
    format!(
        "
apiVersion: v1
kind: Service
metadata: {{name: web, namespace: a}}
spec: {{selector: {{app: web}}, ports: [{{name: http, port: 80}}, {{name: dns, port: 53, protocol: UDP}}]}}
---
apiVersion: v1
kind: Service
metadata: {{name: other, namespace: b}}
spec: {{selector: {{app: web}}, ports: [{{port: 80}}]}}
---
apiVersion: apps/v1
kind: Deployment
metadata: {{name: web, namespace: a}}
spec:
  replicas: {replicas}
  selector: {{matchLabels: {{app: web}}}}
  template:
    metadata: {{labels: {{app: web, tier: front}}}}
    spec: {{containers: [{{name: web, image: web}}]}}
"
    )
}

fn snapshot(text: &str) -> Snapshot {
    let mut snapshot = Snapshot::default();
    let reading = read(&Source::new("web.yaml"), text);
    assert_eq!(reading.problems, []);
    for (object, _) in reading.objects {
        snapshot.insert(object);
    }
    snapshot
}

fn found(snapshot: &Snapshot, service: &str, port: u16) -> Vec<String> {
    let (namespace, name) = service.split_once('/').unwrap();
    let transport = if port == 53 { Transport::Udp } else { Transport::Tcp };
    let key = EndpointsKey { service: NamespacedName::new(namespace, name), port, transport };
    endpoints(snapshot, &key).endpoints.iter().map(|endpoint| endpoint.address.to_string()).collect()
}

fn get(address: &str) -> String {
    let mut stream = TcpStream::connect(address).unwrap();
    stream.write_all(b"GET /a?b HTTP/1.1\r\nHost: x\r\nConnection: close\r\n\r\n").unwrap();
    let mut answer = String::new();
    stream.read_to_string(&mut answer).unwrap();
    answer
}

#[test]
fn each_replica_answers_and_stays_over_changes() {
    let mut backends = DemoBackends::default();
    let mut two = snapshot(&manifests(2));
    assert_eq!(backends.serve(&mut two), [] as [&str; 0]);
    let addresses = found(&two, "a/web", 80);
    assert_eq!(addresses.len(), 2);
    assert_eq!(found(&two, "a/web", 53), [] as [&str; 0]);
    assert_eq!(found(&two, "b/other", 80), [] as [&str; 0], "a Deployment of another namespace");

    let answers: Vec<_> = addresses.iter().map(|address| get(address)).collect();
    for (answer, address) in answers.iter().zip(&addresses) {
        assert!(answer.starts_with("HTTP/1.1 200 OK\r\n"), "{answer}");
        assert!(answer.contains(&format!("Server address: {address}\nServer name: web-")), "{answer}");
        assert!(answer.contains("\nURI: /a?b\n"), "{answer}");
    }

    let mut three = snapshot(&manifests(3));
    backends.serve(&mut three);
    let more = found(&three, "a/web", 80);
    assert!(more.len() == 3 && addresses.iter().all(|address| more.contains(address)), "{more:?}");

    let mut none = snapshot(&manifests(0));
    backends.serve(&mut none);
    assert_eq!(found(&none, "a/web", 80), [] as [&str; 0]);
    assert_eq!(backends.addresses().count(), 0);
}

#[test]
fn replicas_are_limited_and_endpoints_of_manifests_are_kept() {
    let mut backends = DemoBackends::default();
    let mut many = snapshot(&manifests(5000));
    let told = backends.serve(&mut many);
    assert_eq!(told, ["Deployment a/web has 5000 replicas; 10 demo backends stand for them"]);
    assert_eq!(found(&many, "a/web", 80).len(), MAX_REPLICAS);

    let given = "
---
apiVersion: v1
kind: Endpoints
metadata: {name: web, namespace: a}
subsets: [{addresses: [{ip: 10.0.0.1}], ports: [{name: http, port: 8080}]}]
";
    let mut given = snapshot(&(manifests(1) + given));
    backends.serve(&mut given);
    assert_eq!(found(&given, "a/web", 80), ["10.0.0.1:8080"]);
}

#[test]
fn a_server_on_all_interfaces_tells_the_address_that_was_reached() {
    let thread = ServerThread::start().unwrap();
    let server = thread.serve_at("0.0.0.0:0".parse().unwrap(), "web-1".to_owned()).unwrap();
    let reached = format!("127.0.0.2:{}", server.port());
    let answer = get(&reached);
    assert!(answer.contains(&format!("Server address: {reached}\nServer name: web-1\n")), "{answer}");
}
