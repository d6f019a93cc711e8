//! Requests from end to end: bytes in, bytes out, with real backends on loopback sockets.

mod auth;
mod auth_grpc;
mod backend;
mod connections;
mod edge;
mod filters;
mod http2;
mod mirrors;
mod refusals;
mod requests;
mod retries;
mod routing;
mod sessions;
mod timeouts;
mod unread;
mod upgrades;

use std::future::Future;
use std::time::Duration;

use backend::Backend;
use edge::{Edge, Plan, rule, to};

/// Runs a test as a worker runs its connections.
fn on_a_worker<F: Future<Output = ()>>(test: F) {
    let runtime = tokio::runtime::Builder::new_current_thread().enable_all().build().unwrap();
    let limit = Duration::from_secs(30);
    tokio::task::LocalSet::new()
        .block_on(&runtime, async { tokio::time::timeout(limit, test).await })
        .expect("the test hangs");
}

/// A GET with these header lines, after which the connection closes.
fn get(target: &str, lines: &[&str]) -> String {
    request("GET", target, lines, "")
}

fn request(method: &str, target: &str, lines: &[&str], body: &str) -> String {
    let host = if lines.iter().any(|line| line.to_ascii_lowercase().starts_with("host:")) {
        ""
    } else {
        "host: web.example\r\n"
    };
    let length = if body.is_empty() { String::new() } else { format!("content-length: {}\r\n", body.len()) };
    let lines: String = lines.iter().map(|line| format!("{line}\r\n")).collect();
    format!("{method} {target} HTTP/1.1\r\n{host}connection: close\r\n{length}{lines}\r\n{body}")
}

/// The status of a response.
fn status(response: &str) -> u16 {
    let status = response.strip_prefix("HTTP/1.1 ").and_then(|rest| rest.get(..3));
    status.and_then(|status| status.parse().ok()).unwrap_or_else(|| panic!("no response: {response:?}"))
}

/// The value of a header of a response.
fn header<'a>(response: &'a str, name: &str) -> Option<&'a str> {
    let head = response.split("\r\n\r\n").next()?;
    head.lines().skip(1).find_map(|line| {
        let (it, value) = line.split_once(':')?;
        it.eq_ignore_ascii_case(name).then(|| value.trim())
    })
}

fn body(response: &str) -> &str {
    response.split_once("\r\n\r\n").map_or("", |(_, body)| body)
}
