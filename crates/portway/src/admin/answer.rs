//! What the admin server answers to each path.

use std::net::IpAddr;

use hyper::header::{ALLOW, CACHE_CONTROL, CONTENT_TYPE, HOST, HeaderValue};
use hyper::{HeaderMap, Method, Request, Response, StatusCode};
use portway_controller::metrics;
use serde_json::json;

use super::state::{AdminState, Readiness};
use crate::output;
use crate::status::StatusDocument;

const TEXT: &str = "text/plain; charset=utf-8";
const JSON: &str = "application/json";

const PATHS: &str = "\
/healthz  whether the process lives
/readyz   whether requests should be sent here
/metrics  metrics for Prometheus
/status   conditions of every object, problems, refused files
/config   the configuration that is served
";

/// Answers a request; its body is not looked at. `local_only`: the server listens on the loopback interface.
pub(super) fn answer<B>(request: &Request<B>, state: &AdminState, local_only: bool) -> Response<String> {
    if local_only && !names_this_machine(request.headers()) {
        return text(StatusCode::FORBIDDEN, "this host name is not of this machine; use its address\n");
    }
    if !matches!(*request.method(), Method::GET | Method::HEAD) {
        let mut response = text(StatusCode::METHOD_NOT_ALLOWED, "nothing can be changed here\n");
        response.headers_mut().insert(ALLOW, HeaderValue::from_static("GET, HEAD"));
        return response;
    }
    match request.uri().path() {
        "/" => text(StatusCode::OK, PATHS),
        "/healthz" => text(StatusCode::OK, "ok\n"),
        "/readyz" => match state.readiness() {
            Readiness::Ready => text(StatusCode::OK, "ready\n"),
            Readiness::Starting => {
                text(StatusCode::SERVICE_UNAVAILABLE, "not ready: no configuration is served yet\n")
            }
            Readiness::Draining => text(StatusCode::SERVICE_UNAVAILABLE, "not ready: draining\n"),
        },
        "/metrics" => respond(StatusCode::OK, metrics::CONTENT_TYPE, state.metrics()),
        "/status" => respond(
            StatusCode::OK,
            JSON,
            output::json(&StatusDocument::of(
                state.published().as_deref(),
                state.paths(),
                state.kernel(),
                state.announced(),
                state.policy(),
            )),
        ),
        "/config" => respond(StatusCode::OK, JSON, config(state)),
        _ => text(StatusCode::NOT_FOUND, &format!("there is nothing here; see\n{PATHS}")),
    }
}

/// Private keys show themselves as `redacted`.
fn config(state: &AdminState) -> String {
    let published = state.published();
    let gateways = published.iter().flat_map(|it| &it.gateways).map(|gateway| &*gateway.configuration);
    let mut told = json!({
        "revision": published.as_ref().map_or(0, |it| it.revision.0),
        "gateways": gateways.collect::<Vec<_>>(),
    });
    if let Some(policy) = state.policy_facts() {
        told["policy"] = json!(policy);
    }
    output::json(&told)
}

/// A page in a browser on this machine may send requests here under a host name of its own choice, which leads to the
/// loopback address (DNS rebinding), and then read the answers. Under an address or as `localhost` it may not.
fn names_this_machine(headers: &HeaderMap) -> bool {
    let Some(host) = headers.get(HOST).and_then(|host| host.to_str().ok()) else { return true };
    let name = match host.rsplit_once(':') {
        Some((name, port)) if port.bytes().all(|byte| byte.is_ascii_digit()) => name,
        _ => host,
    };
    let address = name.strip_prefix('[').and_then(|it| it.strip_suffix(']')).unwrap_or(name);
    name.eq_ignore_ascii_case("localhost") || address.parse::<IpAddr>().is_ok()
}

fn text(status: StatusCode, body: &str) -> Response<String> {
    respond(status, TEXT, body.to_owned())
}

fn respond(status: StatusCode, content_type: &'static str, body: String) -> Response<String> {
    let mut response = Response::new(body);
    *response.status_mut() = status;
    response.headers_mut().insert(CONTENT_TYPE, HeaderValue::from_static(content_type));
    response.headers_mut().insert(CACHE_CONTROL, HeaderValue::from_static("no-store"));
    response
}

#[cfg(test)]
mod tests {
    use std::sync::Arc;

    use portway_proxy::observe::{LogFormat, ObserveOptions, Observer};

    use super::*;

    fn state() -> AdminState {
        let options = ObserveOptions { log: LogFormat::Off, ..ObserveOptions::default() };
        AdminState::new(Arc::new(Observer::new(options, Box::new(std::io::sink()))))
    }

    fn ask(state: &AdminState, method: &str, path: &str, host: &str) -> (u16, String) {
        let request = Request::builder().method(method).uri(path).header(HOST, host).body(()).unwrap();
        let response = answer(&request, state, true);
        (response.status().as_u16(), response.into_body())
    }

    #[test]
    fn each_path_has_its_answer() {
        let state = state();
        let get = |path| ask(&state, "GET", path, "localhost:9900").0;
        assert_eq!(["/", "/healthz", "/metrics", "/status", "/config"].map(get), [200; 5]);
        assert_eq!(["/readyz", "/healthz/", "/nothing"].map(get), [503, 404, 404]);
        assert_eq!(ask(&state, "POST", "/healthz", "localhost").0, 405);
        state.drain();
        assert_eq!(ask(&state, "GET", "/readyz", "[::1]:9900").1, "not ready: draining\n");
    }

    #[test]
    fn foreign_host_names_are_refused_on_the_loopback_interface() {
        let state = state();
        for (host, status) in [
            ("127.0.0.1:9900", 200),
            ("[::1]", 200),
            ("LOCALHOST", 200),
            ("evil.example.com:9900", 403),
            ("", 403),
        ] {
            assert_eq!(ask(&state, "GET", "/config", host).0, status, "{host}");
        }
    }
}
