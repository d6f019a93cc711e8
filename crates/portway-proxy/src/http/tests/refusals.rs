//! What is answered without a backend, and how it says why.

use portway_config::route::{BackendTarget, Fault, FaultReason};
use portway_config::{HttpRule, RouteKind};

use super::*;

fn fault(reason: FaultReason) -> Fault {
    Fault { reason, message: "made up".into() }
}

/// The status and reason of the answer to a request that nobody serves.
async fn refused(plan: Plan, request: &str) -> (u16, String) {
    let edge = plan.start();
    let response = edge.send(request).await;
    let log = edge.finish().await;
    assert_eq!(log[0]["status"], status(&response));
    let reason = log[0]["reason"].as_str().unwrap().to_owned();
    assert!(body(&response).starts_with(&format!("{reason}: ")), "{response}");
    assert_eq!(header(&response, "server"), Some("portway"));
    assert_eq!(header(&response, "x-request-id"), log[0]["request_id"].as_str());
    (status(&response), reason)
}

fn plain() -> Plan {
    Plan::new(vec![rule("/only", vec![])])
}

#[test]
fn malformed_requests() {
    on_a_worker(async {
        let cases = [
            ("GET / HTTP/1.1\r\nconnection: close\r\n\r\n".to_owned(), 400, "bad_request"),
            (get("/", &["host: a", "host: b"]), 400, "bad_request"),
            (get("/x%2f..%2fadmin", &[]), 400, "bad_path"),
            (get("/..;/admin", &[]), 400, "bad_path"),
            (request("OPTIONS", "*", &[], ""), 400, "bad_path"),
            (request("CONNECT", "a.example:443", &[], ""), 400, "bad_request"),
            (get(&format!("/{}", "x".repeat(17 * 1024)), &[]), 414, "target_too_long"),
            (get("/", &[]), 404, "no_route"),
        ];
        for (request, status, reason) in cases {
            assert_eq!(refused(plain(), &request).await, (status, reason.to_owned()), "{request}");
        }
        let large = get("/", &[&format!("x: {}", "x".repeat(2000))]);
        let small = plain().limits(|limits| limits.request_header_bytes = 1000);
        assert_eq!(refused(small, &large).await, (431, "headers_too_large".to_owned()));
    });
}

#[test]
fn what_hyper_refuses_is_recorded_too() {
    on_a_worker(async {
        let edge = plain().start();
        let response = edge.send("GET / HTTP/1.1\r\nhost : a\r\n\r\n").await;
        assert_eq!(status(&response), 400);
        assert_eq!(body(&response), "", "hyper says no more");
        let log = edge.finish().await;
        assert_eq!((&log[0]["reason"], &log[0]["status"]), (&"bad_request".into(), &400.into()));

        let edge = plain().limits(|limits| limits.request_header_bytes = 8192).start();
        let response = edge.send(&get("/", &[&format!("x: {}", "x".repeat(20_000))])).await;
        assert_eq!(status(&response), 431);
        let log = edge.finish().await;
        assert_eq!((&log[0]["reason"], &log[0]["status"]), (&"headers_too_large".into(), &431.into()));

        // Another protocol gets no answer at all.
        let edge = plain().start();
        assert_eq!(edge.send("GET / HTTP/9.9\r\n\r\n").await, "");
        let log = edge.finish().await;
        assert_eq!(log[0]["reason"], "bad_request");
        assert!(log[0].get("status").is_none(), "{}", log[0]);
    });
}

#[test]
fn rules_and_backends_at_fault() {
    on_a_worker(async {
        let faulty =
            HttpRule { fault: Some(fault(FaultReason::InvalidFilter)), ..rule("/", vec![to("web")]) };
        let expected = (500, "invalid_filter".to_owned());
        assert_eq!(refused(Plan::new(vec![faulty]), &get("/", &[])).await, expected);
        let mut invalid = to("web");
        invalid.target = BackendTarget::Invalid(fault(FaultReason::RefNotPermitted));
        let expected = (500, "ref_not_permitted".to_owned());
        assert_eq!(refused(Plan::new(vec![rule("/", vec![invalid])]), &get("/", &[])).await, expected);
        let none = Plan::new(vec![rule("/", vec![])]);
        assert_eq!(refused(none, &get("/", &[])).await, (500, "no_backend".to_owned()));
        let empty = Plan::new(vec![rule("/", vec![to("web")])]).backend("web", &[]);
        assert_eq!(refused(empty, &get("/", &[])).await, (503, "no_endpoint".to_owned()));
    });
}

#[test]
fn backends_that_misbehave() {
    on_a_worker(async {
        let cases: [(&'static [u8], u16, &str, &str); 5] = [
            // Found before the head has gone out.
            (
                b"HTTP/1.1 200 OK\r\ntransfer-encoding: chunked\r\n\r\nZZ\r\n",
                502,
                "upstream_protocol",
                "the backend's answer is not HTTP as it should be",
            ),
            (b"", 502, "upstream_reset", "the backend closed the connection before it answered"),
            (
                b"SSH-2.0-OpenSSH_9.2\r\n\r\n",
                502,
                "upstream_protocol",
                "the backend's answer is not HTTP as it should be",
            ),
            (
                b"HTTP/1.1 101 Switching Protocols\r\nconnection: upgrade\r\nupgrade: x\r\n\r\n",
                502,
                "upstream_protocol",
                "",
            ),
            (
                b"HTTP/1.1 200 OK\r\ncontent-length: 5\r\ntransfer-encoding: chunked\r\n\r\n0\r\n\r\n",
                502,
                "upstream_protocol",
                "",
            ),
        ];
        for (answer, code, reason, told) in cases {
            let backend = Backend::answering(answer).await;
            let plan = Plan::new(vec![rule("/", vec![to("web")])]).backend("web", &[&backend]);
            let edge = plan.start();
            let response = edge.send(&get("/", &[])).await;
            assert_eq!(status(&response), code, "{}", String::from_utf8_lossy(answer));
            assert!(body(&response).starts_with(&format!("{reason}: {told}")), "{response}");
            let log = edge.finish().await;
            assert_eq!(log[0]["reason"], reason);
            // The 101 is what the client did not ask for; there is nothing more to be said of it.
            let is_explained = log[0]["cause"].as_str().is_some_and(|it| !it.is_empty());
            assert!(is_explained || told.is_empty(), "{}", log[0]);
        }
    });
}

#[test]
fn a_body_that_is_malformed_is_its_clients_fault() {
    on_a_worker(async {
        for (body_sent, is_retried) in
            [("ZZ\r\nabc\r\n0\r\n\r\n", false), ("3\r\nabc\r\nZZ\r\n", false), ("ZZ\r\n", true)]
        {
            let backend = Backend::echo().await;
            let mut all = rule("/", vec![to("web")]);
            all.request_timeout = is_retried.then_some(Duration::from_secs(20));
            let edge = Plan::new(vec![all]).backend("web", &[&backend]).start();
            let head = "POST / HTTP/1.1\r\nhost: web.example\r\ntransfer-encoding: chunked\r\n\r\n";
            let response = edge.send(&(head.to_owned() + body_sent)).await;
            assert_eq!(status(&response), 400, "{response}");
            assert!(body(&response).starts_with("bad_request: the body is malformed\n"), "{response}");
            assert_eq!(header(&response, "connection"), Some("close"));
            let log = edge.finish().await;
            assert_eq!((&log[0]["status"], &log[0]["reason"]), (&400.into(), &"bad_request".into()));
            assert!(log[0]["cause"].as_str().unwrap().contains("chunk"), "{}", log[0]);
        }
    });
}

/// The head has gone out by then, so that the log alone can tell.
#[test]
fn a_body_that_is_malformed_is_its_backends_fault() {
    on_a_worker(async {
        let answer = b"HTTP/1.1 200 OK\r\ntransfer-encoding: chunked\r\n\r\n4\r\ngood\r\nZZ\r\n";
        let backend = Backend::answering(answer).await;
        let edge = Plan::new(vec![rule("/", vec![to("web")])]).backend("web", &[&backend]).start();
        let response = edge.send(&get("/", &[])).await;
        assert!(!response.ends_with("0\r\n\r\n"), "it is not taken for a whole one: {response}");
        let log = edge.finish().await;
        assert_eq!((&log[0]["status"], &log[0]["reason"]), (&200.into(), &"upstream_protocol".into()));
        assert!(log[0]["cause"].as_str().unwrap().contains("chunk"), "{}", log[0]);
    });
}

#[test]
fn a_response_that_breaks_off_is_not_taken_for_a_whole_one() {
    on_a_worker(async {
        let backend = Backend::answering(b"HTTP/1.1 200 OK\r\ncontent-length: 10\r\n\r\nhalf").await;
        let edge = Plan::new(vec![rule("/", vec![to("web")])]).backend("web", &[&backend]).start();
        let response = edge.send(&get("/", &[])).await;
        assert_eq!(body(&response), "half", "the connection closed before the announced length");
        let log = edge.finish().await;
        assert_eq!(log[0]["reason"], "upstream_reset");
        assert_eq!(log[0]["response_bytes"], 4);
    });
}

#[test]
fn a_client_that_goes_away_is_recorded() {
    on_a_worker(async {
        let backend = Backend::raw(|backend, mut stream, _| async move {
            backend.note(backend::read_head(&mut stream).await.unwrap());
            std::future::pending::<()>().await;
        })
        .await;
        let edge = Plan::new(vec![rule("/", vec![to("web")])]).backend("web", &[&backend]).start();
        let mut client = edge.connect();
        tokio::io::AsyncWriteExt::write_all(&mut client, get("/", &[]).as_bytes()).await.unwrap();
        backend.wait_for(1).await;
        drop(client);
        let log = edge.finish().await;
        assert_eq!((&log[0]["status"], log[0]["reason"].as_str()), (&0.into(), Some("client_gone")));
    });
}

#[test]
fn a_grpc_client_gets_a_grpc_status() {
    on_a_worker(async {
        let edge = Plan::new(vec![]).route("grpc", RouteKind::Grpc, &["http"], vec![]).start();
        let response =
            edge.send(&request("POST", "/pkg.Svc/Do", &["content-type: application/grpc+proto"], "")).await;
        assert_eq!(status(&response), 200);
        assert_eq!(header(&response, "content-type"), Some("application/grpc"));
        assert_eq!(header(&response, "grpc-status"), Some("12"));
        assert_eq!(header(&response, "grpc-message"), Some("no_route: no route matches"));
    });
}
