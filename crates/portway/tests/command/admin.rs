//! The admin server of a running Portway.

use crate::curl::curl;
use crate::portway::Portway;

#[test]
fn each_path_answers() {
    let portway = Portway::run(["examples/my-app", "--demo-backends"]);
    assert_eq!(portway.get("http://myapp.example.com/").status, 200);
    let get = |path: &str| curl([portway.admin_url(path)]);

    assert_eq!((get("/healthz").status, get("/healthz").body), (200, "ok\n".to_owned()));
    assert_eq!((get("/readyz").status, get("/readyz").body), (200, "ready\n".to_owned()));
    let metrics = get("/metrics");
    assert!(
        metrics.header("content-type").unwrap().starts_with("application/openmetrics-text"),
        "{metrics:?}"
    );
    assert!(metrics.body.contains("# TYPE portway_"), "{}", metrics.body);
    assert!(metrics.body.ends_with("# EOF\n"), "{}", metrics.body);

    let config = get("/config");
    assert_eq!(config.header("content-type"), Some("application/json"));
    let config: serde_json::Value = serde_json::from_str(&config.body).unwrap();
    assert_eq!(config["revision"], 1);
    assert_eq!(config["gateways"][0]["gateway"]["name"], "my-gateway");

    assert_eq!(portway.status()["version"], env!("CARGO_PKG_VERSION"));
    assert_eq!(get("/nothing").status, 404);
    let posted = curl(["-d", "x=1", &portway.admin_url("/config")]);
    assert_eq!((posted.status, posted.header("allow")), (405, Some("GET, HEAD")));
    // A page in a browser that has made its name lead here.
    assert_eq!(curl(["-H", "Host: evil.example.com", &portway.admin_url("/config")]).status, 403);
}

#[test]
fn private_keys_are_not_shown() {
    let portway = Portway::run(["examples/https-redirect", "--demo-backends"]);
    let config = curl([portway.admin_url("/config")]).body;
    assert!(config.contains(r#""private_key": "redacted""#), "{config}");
    let secret =
        std::fs::read_to_string(crate::repository().join("examples/https-redirect/certificate.yaml"))
            .unwrap();
    let key = secret.lines().find_map(|line| line.trim().strip_prefix("tls.key:")).unwrap().trim();
    let status = curl([portway.admin_url("/status")]).body;
    // A line of it, wherever it is encoded.
    let line = key.get(100..140).unwrap_or("PRIVATE KEY");
    assert!(!config.contains(line) && !status.contains(line));
}

#[test]
fn many_connections_and_oversized_heads_do_no_harm() {
    use std::io::{Read, Write};
    use std::net::TcpStream;

    let portway = Portway::run(["examples/my-app"]);
    let idle: Vec<_> = (0..60).map(|_| TcpStream::connect(portway.admin()).unwrap()).collect();
    let mut large = TcpStream::connect(portway.admin()).unwrap();
    let head = format!("GET /healthz HTTP/1.1\r\nhost: localhost\r\nx: {}\r\n\r\n", "a".repeat(100_000));
    // It may close before all is written.
    let _ = large.write_all(head.as_bytes());
    let mut answer = Vec::new();
    let _ = large.read_to_end(&mut answer);
    assert!(answer.is_empty() || answer.starts_with(b"HTTP/1.1 431"), "{}", String::from_utf8_lossy(&answer));
    assert_eq!(curl([portway.admin_url("/healthz")]).status, 200);
    drop(idle);
}
