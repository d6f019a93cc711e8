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
spec: { ports: [{ port: 80, appProtocol: kubernetes.io/ws }] }
---
apiVersion: gateway.networking.k8s.io/v1
kind: HTTPRoute
metadata: { name: echo, namespace: peers }
spec:
  parentRefs: [{ name: edge }]
  hostnames: [ws.example.com]
  rules:
  - backendRefs: [{ name: echo, port: 80 }]
"#;

#[test]
fn messages_pass_both_ways_until_one_side_ends() {
    let server = Peer::start("websocket_peer.py");
    let gateway = Gateway::start(OBJECTS, &[80], &[("peers/echo:80", server.address)]);
    let said = run_client("websocket_peer.py", gateway.address(80), "ws.example.com");
    assert_eq!(said.trim(), "all messages as expected");
}
