//! External authorization by gRPC: what is no permission. How it speaks with a server that knows gRPC is tested
//! with one, in `crates/portway/tests/traffic`.

use hyper::Response;
use portway_config::filter::{ExternalAuth, ExternalAuthProtocol, Filter};
use portway_config::key::BackendProtocol;
use portway_config::route::BackendTarget;

use super::edge::{RuleExt, key};
use super::*;

/// An edge that asks a server with this answer; its body is a message with its prefix.
async fn asking(web: &Backend, status: u16, grpc_status: Option<&'static str>, body: &'static str) -> Edge {
    let auth = Backend::http2(move |_| {
        let mut response = Response::builder().status(status).header("content-type", "application/grpc");
        if let Some(grpc_status) = grpc_status {
            response = response.header("grpc-status", grpc_status);
        }
        response.body(body.to_owned()).unwrap()
    })
    .await;
    let filter = Filter::ExternalAuth(ExternalAuth {
        target: BackendTarget::Backend(key("auth", BackendProtocol::Http2)),
        protocol: ExternalAuthProtocol::Grpc { allowed_headers: Vec::new() },
        max_body: 0,
    });
    Plan::new(vec![rule("/", vec![to("web")]).filter(filter)])
        .backend("web", &[web])
        .endpoints("auth", BackendProtocol::Http2, &[auth.address])
        .start()
}

#[test]
fn ok_lets_pass_as_status_or_as_response() {
    on_a_worker(async {
        let web = Backend::echo().await;
        // status { code: 0 }, which protobuf writes as an empty message; ok_response {}.
        for message in ["\0\0\0\0\x02\x0a\0", "\0\0\0\0\x02\x1a\0"] {
            let edge = asking(&web, 200, Some("0"), message).await;
            assert_eq!(status(&edge.send(&get("/", &[])).await), 200, "{message:?}");
        }
    });
}

#[test]
fn a_denial_without_more_is_403() {
    on_a_worker(async {
        let web = Backend::echo().await;
        // status { code: 7 }; denied_response {}; both an ok_response and a status that denies.
        for message in
            ["\0\0\0\0\x04\x0a\x02\x08\x07", "\0\0\0\0\x02\x12\0", "\0\0\0\0\x06\x0a\x02\x08\x07\x1a\0"]
        {
            let edge = asking(&web, 200, Some("0"), message).await;
            assert_eq!(status(&edge.send(&get("/", &[])).await), 403, "{message:?}");
            assert_eq!(edge.finish().await[0]["reason"], "auth_denied", "{message:?}");
        }
        assert!(web.requests().is_empty());
    });
}

#[test]
fn whatever_is_no_verdict_denies() {
    on_a_worker(async {
        let web = Backend::echo().await;
        let cases = [
            (200, Some("0"), "", "no message"),
            (200, Some("0"), "\0\0\0\0\0", "an empty message"),
            (200, Some("0"), "\0\0\0\0\x03\x0a\0", "less than announced"),
            (200, Some("0"), "\0\0\0\0\x02\x0a\0\0\0\0\0\x02\x0a\0", "two messages"),
            (200, Some("0"), "\x01\0\0\0\x02\x0a\0", "compressed"),
            (200, Some("0"), "\0\0\0\0\x02\x0a\x07", "not protobuf"),
            (200, Some("14"), "\0\0\0\0\x02\x0a\0", "the call failed"),
            (200, None, "\0\0\0\0\x02\x0a\0", "no status"),
            (503, Some("0"), "\0\0\0\0\x02\x0a\0", "not gRPC"),
        ];
        for (http_status, grpc_status, message, what) in cases {
            let edge = asking(&web, http_status, grpc_status, message).await;
            assert_eq!(status(&edge.send(&get("/", &[])).await), 403, "{what}");
            assert_eq!(edge.finish().await[0]["reason"], "auth_error", "{what}");
        }
        assert!(web.requests().is_empty());
    });
}
