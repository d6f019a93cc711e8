use std::io::{Read, Write};
use std::net::{SocketAddr, TcpListener};
use std::process::Command;

use crate::gateway::Gateway;
use crate::manifests::{TO_APP, app, http_gateway};
use crate::running::{eventually, run};

/// A server that answers every request with `body`, for as long as the test's process lives.
pub(crate) fn answering_server(body: &'static str) -> SocketAddr {
    let listener = TcpListener::bind("127.0.0.1:0").unwrap();
    let address = listener.local_addr().unwrap();
    std::thread::spawn(move || {
        for stream in listener.incoming().map_while(Result::ok) {
            std::thread::spawn(move || {
                // A client that goes away is none of the server's business.
                let _ = answer(stream, body);
            });
        }
    });
    address
}

/// Serves a connection: heads are told from bodies by `content-length` and `chunked` alone.
fn answer(mut stream: std::net::TcpStream, body: &str) -> std::io::Result<()> {
    stream.set_nodelay(true)?;
    let mut buffer = Vec::new();
    let mut chunk = [0; 16 * 1024];
    loop {
        while let Some(length) = complete_request(&buffer) {
            let response = format!("HTTP/1.1 200 OK\r\ncontent-length: {}\r\n\r\n", body.len());
            let with_body = !buffer.starts_with(b"HEAD ");
            buffer.drain(..length);
            stream.write_all(response.as_bytes())?;
            if with_body {
                stream.write_all(body.as_bytes())?;
            }
        }
        match stream.read(&mut chunk)? {
            0 => return Ok(()),
            read => buffer.extend_from_slice(&chunk[..read]),
        }
    }
}

/// Length of the first request in the buffer, once all of it is there.
fn complete_request(buffer: &[u8]) -> Option<usize> {
    let head = buffer.windows(4).position(|it| it == b"\r\n\r\n")? + 4;
    let text = String::from_utf8_lossy(&buffer[..head]).to_ascii_lowercase();
    let body = &buffer[head..];
    if text.contains("transfer-encoding: chunked") {
        // The last chunk, and after it perhaps trailers.
        let last =
            if body.starts_with(b"0\r\n") { 0 } else { body.windows(5).position(|it| it == b"\r\n0\r\n")? };
        let end = body[last + 1..].windows(4).position(|it| it == b"\r\n\r\n")?;
        return Some(head + last + 1 + end + 4);
    }
    let length = text.lines().find_map(|line| line.strip_prefix("content-length: ")?.trim().parse().ok());
    let length = length.unwrap_or(0);
    (body.len() >= length).then_some(head + length)
}

#[test]
fn curl_speaks_every_version() {
    let server = answering_server("hello");
    let gateway = Gateway::start(&http_gateway(&app(TO_APP)), &[("web/app:80", server)]);
    let url = format!("http://{}/", gateway.address(80));
    for version in ["--http1.0", "--http1.1", "--http2-prior-knowledge"] {
        assert_eq!(run(Command::new("curl").args(["-sS", "--fail", version, &url])), "hello", "{version}");
    }
    let upload =
        run(Command::new("curl").args(["-sS", "--fail", "--data-binary", &"x".repeat(100_000), &url]));
    assert_eq!(upload, "hello");
}

#[test]
fn h2load_counts_no_failure() {
    let server = answering_server("hello");
    let gateway = Gateway::start(&http_gateway(&app(TO_APP)), &[("web/app:80", server)]);
    let url = format!("http://{}/", gateway.address(80));
    for protocol in [&["-m", "20"][..], &["--h1"][..]] {
        let said = run(Command::new("h2load").args(["-n", "4000", "-c", "8"]).args(protocol).arg(&url));
        assert!(said.contains("4000 succeeded, 0 failed, 0 errored, 0 timeout"), "{said}");
    }
}

#[test]
fn every_request_stands_in_the_log_with_its_route() {
    let server = answering_server("hello");
    let gateway = Gateway::start(&http_gateway(&app(TO_APP)), &[("web/app:80", server)]);
    run(Command::new("curl").args(["-sS", "--fail", &format!("http://{}/cart?x=1", gateway.address(80))]));
    let line = eventually("a line in the log", || {
        gateway.log().lines().find(|line| line.contains("/cart?x=1")).map(str::to_owned)
    });
    let line: serde_json::Value = serde_json::from_str(&line).unwrap();
    assert_eq!(line["gateway"], "web/edge");
    assert_eq!(line["listener"], "http");
    assert_eq!(line["route"], "HTTPRoute web/app");
    assert_eq!(line["backend"], "web/app:80");
    assert_eq!(line["endpoint"], server.to_string());
    assert_eq!(line["client"], "127.0.0.1");
    assert_eq!(line["status"], 200);
    assert_eq!(line["revision"], 1);
    assert_eq!(line["response_bytes"], 5);
}
