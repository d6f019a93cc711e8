//! Requests on a connection that was made for another HTTPS listener (GEP-3567).

use std::process::{Command, Stdio};

use portway_config::ListenerProtocol;
use portway_config::listener::TlsTermination;

use crate::edge::{Config, Edge, certificate_key};
use crate::peers::http;

#[tokio::test]
async fn a_host_of_another_listener_gets_421() {
    let names = ["a.example.com", "b.example.com"];
    let pair = rcgen::generate_simple_self_signed(names.map(str::to_owned)).unwrap();
    let termination = TlsTermination { certificates: vec![certificate_key("tls")], client_validation: None };
    let https = || ListenerProtocol::Https(termination.clone());
    let config = Config::new()
        .certificate("tls", &pair, &names)
        .listener("a", 443, "a.example.com", https())
        .listener("b", 443, "b.example.com", https())
        .http_route("a", http("of a").await)
        .http_route("b", http("of b").await);
    let edge = Edge::start(&config).await;
    let ask = |server_name: &str, host: &str, version: &str| {
        let mut command = Command::new("curl");
        command
            .args(["-skS", "--noproxy", "*", "--max-time", "20", version, "-w", "\n%{http_code}"])
            .args(["--connect-to", &format!("::{}", config.at(443)), "-H", &format!("host: {host}")])
            .arg(format!("https://{server_name}/"))
            .stdin(Stdio::null());
        async move {
            let output = tokio::task::spawn_blocking(move || command.output()).await.unwrap().unwrap();
            assert!(output.status.success(), "{}", String::from_utf8_lossy(&output.stderr));
            String::from_utf8(output.stdout).unwrap()
        }
    };
    for version in ["--http1.1", "--http2"] {
        assert_eq!(ask("a.example.com", "a.example.com", version).await, "of a\n200");
        assert_eq!(ask("b.example.com", "b.example.com", version).await, "of b\n200");
        let answer = ask("a.example.com", "b.example.com", version).await;
        assert!(answer.starts_with("misdirected: ") && answer.ends_with("\n421"), "{answer}");
        let line = edge.logged_reason("misdirected").await;
        assert_eq!((&line["status"], &line["authority"]), (&421.into(), &"b.example.com".into()));
        // A host that nobody has is no reason to come back on another connection.
        assert!(ask("a.example.com", "c.example.com", version).await.ends_with("\n404"));
    }
}
