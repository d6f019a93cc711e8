use crate::gateway::Gateway;
use crate::manifests::{http_gateway, route, service};
use crate::peer::{Peer, run_client};

#[test]
fn calls_of_every_kind_pass_with_trailers_and_failures() {
    let rule = "matches: [{ method: { service: peer.v1.Echo } }]
    backendRefs: [{ name: echo, port: 50051 }]";
    let objects = service("echo", "{ port: 50051 }") + &route("GRPCRoute", "grpc.example.com", rule);
    let server = Peer::start("grpc_peer.py");
    let gateway = Gateway::start(&http_gateway(&objects), &[("web/echo:50051", server.address)]);
    let said = run_client("grpc_peer.py", gateway.address(80), "grpc.example.com");
    assert_eq!(said.trim(), "all calls as expected");
}
