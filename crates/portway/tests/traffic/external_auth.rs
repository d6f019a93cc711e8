//! External authorization by a gRPC server of Python's.

use std::io::{Read, Write};
use std::net::{SocketAddr, TcpListener};
use std::process::Command;

use crate::gateway::Gateway;
use crate::manifests::{app, http_gateway, service};
use crate::peer::Peer;
use crate::running::run;

fn objects() -> String {
    let rule = "filters:
    - type: ExternalAuth
      externalAuth:
        protocol: GRPC
        grpc: {}
        backendRef: { name: auth, port: 9000 }
        forwardBody: { maxSize: 100 }
    backendRefs: [{ name: app, port: 80 }]";
    http_gateway(&(service("auth", "{ port: 9000 }") + &app(rule)))
}

/// A server that answers with the request that it was sent.
fn echo() -> SocketAddr {
    let listener = TcpListener::bind("127.0.0.1:0").unwrap();
    let address = listener.local_addr().unwrap();
    std::thread::spawn(move || {
        for mut stream in listener.incoming().map_while(Result::ok) {
            let mut request = vec![0; 64 * 1024];
            // All of these requests are small, and come in one piece.
            let Ok(read) = stream.read(&mut request) else { continue };
            let head = format!("HTTP/1.1 200 OK\r\ncontent-length: {read}\r\nconnection: close\r\n\r\n");
            let _ = stream.write_all(&[head.as_bytes(), &request[..read]].concat());
        }
    });
    address
}

fn curl(gateway: &Gateway, target: &str, arguments: &[&str]) -> String {
    let url = format!("http://{}{target}", gateway.address(80));
    run(Command::new("curl").args(["-sS", "-i", "-H", "Host: web.example"]).args(arguments).arg(url))
}

#[test]
fn a_grpc_server_allows_denies_and_changes() {
    let (server, app) = (Peer::start("ext_authz_peer.py"), echo());
    let gateway = Gateway::start(&objects(), &[("web/auth:9000", server.address), ("web/app:80", app)]);

    let said = curl(&gateway, "/a", &["-H", "authorization: plain"]);
    assert!(said.starts_with("HTTP/1.1 200") && said.contains("authorization: plain\r\n"), "{said}");

    let asked =
        ["-H", "authorization: good", "-H", "x-user: mallory", "-H", "x-group: a", "-H", "x-kept: old"];
    let said = curl(&gateway, "/a?debug=1&page=2", &[&asked[..], &["-d", "data"]].concat());
    let (head, body) = said.split_once("\r\n\r\n").unwrap();
    assert!(head.contains("set-cookie: seen=1\r\n") && head.contains("set-cookie: a=b"), "{said}");
    assert!(body.starts_with("POST /a?page=2&user=a%26b HTTP/1.1\r\n"), "{said}");
    for line in
        ["x-user: alice", "x-group: a\r\nx-group: b", "x-kept: old", "host: web.example", "content-length: 4"]
    {
        assert!(body.contains(&format!("{line}\r\n")), "{line}: {said}");
    }
    for gone in ["mallory", "authorization", "x-none", "elsewhere"] {
        assert!(!body.contains(gone), "{gone}: {said}");
    }
    assert!(body.ends_with("\r\n\r\ndata"), "{said}");

    let said = curl(&gateway, "/", &["-H", "authorization: login"]);
    assert!(
        said.starts_with("HTTP/1.1 302") && said.contains("location: https://login.example/\r\n"),
        "{said}"
    );
    let said = curl(&gateway, "/", &["-H", "authorization: crash"]);
    assert!(said.starts_with("HTTP/1.1 403") && said.contains("auth_error"), "{said}");
}

#[test]
fn a_grpc_server_is_told_of_the_request() {
    let (server, app) = (Peer::start("ext_authz_peer.py"), echo());
    let gateway = Gateway::start(&objects(), &[("web/auth:9000", server.address), ("web/app:80", app)]);
    let seen = |arguments: &[&str]| -> serde_json::Value {
        let said = curl(&gateway, "/x/../a%7e?b=%20", arguments);
        assert!(said.starts_with("HTTP/1.1 401") && said.contains("www-authenticate: Bearer\r\n"), "{said}");
        serde_json::from_str(said.split_once("\r\n\r\n").unwrap().1).unwrap()
    };
    let told = seen(&["--path-as-is", "-H", "x-a: 1", "-H", "x-a: 2", "-d", "data"]);
    for (field, value) in [
        ("method", "POST"),
        ("path", "/a~?b=%20"),
        ("host", "web.example"),
        ("scheme", "http"),
        ("protocol", "HTTP/1.1"),
        ("body", "data"),
        ("source", "127.0.0.1"),
    ] {
        assert_eq!(told[field], value, "{told}");
    }
    assert_eq!(told["size"], 4);
    assert_eq!(told["destination"], gateway.address(80).port());
    assert_eq!(told["headers"]["x-a"], "1,2");
    assert_eq!(told["headers"]["x-request-id"], told["id"]);
    assert!(told["time"].as_i64().unwrap() > 1_700_000_000);
    assert!((1.0..=5.0).contains(&told["timeout"].as_f64().unwrap()), "{told}");

    let binary = tempfile::NamedTempFile::new().unwrap();
    std::fs::write(binary.path(), [0xFF, 0x00]).unwrap();
    let told = seen(&["--path-as-is", "--data-binary", &format!("@{}", binary.path().display())]);
    assert_eq!((&told["body"], &told["raw_body"]), (&"".into(), &"ff00".into()));
    let too_large = curl(&gateway, "/", &["-d", &"x".repeat(101)]);
    assert!(too_large.starts_with("HTTP/1.1 413"), "{too_large}");
}
