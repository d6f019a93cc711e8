use crate::gateway::Gateway;
use crate::peer::{Peer, run_client};

const OBJECTS: &str = r#"
apiVersion: gateway.networking.k8s.io/v1
kind: GatewayClass
metadata: { name: portway }
spec: { controllerName: portway.dev/gateway-controller }
---
apiVersion: gateway.networking.k8s.io/v1
kind: Gateway
metadata: { name: edge, namespace: peers }
spec:
  gatewayClassName: portway
  listeners:
  - { name: http, port: 80, protocol: HTTP }
---
apiVersion: v1
kind: Service
metadata: { name: echo, namespace: peers }
spec: { ports: [{ port: 50051 }] }
---
apiVersion: gateway.networking.k8s.io/v1
kind: GRPCRoute
metadata: { name: echo, namespace: peers }
spec:
  parentRefs: [{ name: edge }]
  hostnames: [grpc.example.com]
  rules:
  - matches: [{ method: { service: peer.v1.Echo } }]
    backendRefs: [{ name: echo, port: 50051 }]
"#;

#[test]
fn calls_of_every_kind_pass_with_trailers_and_failures() {
    let server = Peer::start("grpc_peer.py");
    let gateway = Gateway::start(OBJECTS, &[80], &[("peers/echo:50051", server.address)]);
    let said = run_client("grpc_peer.py", gateway.address(80), "grpc.example.com");
    assert_eq!(said.trim(), "all calls as expected");
}
