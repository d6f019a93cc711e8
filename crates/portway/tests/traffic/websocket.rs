use crate::gateway::Gateway;
use crate::manifests::{http_gateway, route, service};
use crate::peer::{Peer, run_client};

#[test]
fn messages_pass_both_ways_until_one_side_ends() {
    let rule = "backendRefs: [{ name: echo, port: 80 }]";
    let objects = service("echo", "{ port: 80, appProtocol: kubernetes.io/ws }")
        + &route("HTTPRoute", "ws.example.com", rule);
    let server = Peer::start("websocket_peer.py");
    let gateway = Gateway::start(&http_gateway(&objects), &[("web/echo:80", server.address)]);
    let said = run_client("websocket_peer.py", gateway.address(80), "ws.example.com");
    assert_eq!(said.trim(), "all messages as expected");
}
