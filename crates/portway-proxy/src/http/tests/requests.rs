//! What passes, and in what form.

use tokio::io::{AsyncReadExt, AsyncWriteExt};

use super::*;

async fn echoing() -> (Backend, Edge) {
    let backend = Backend::echo().await;
    let edge = Plan::new(vec![rule("/", vec![to("web")])]).backend("web", &[&backend]).start();
    (backend, edge)
}

#[test]
fn a_request_passes_with_what_the_edge_says_of_it() {
    on_a_worker(async {
        let (_backend, edge) = echoing().await;
        let lines =
            ["user-agent: curl/8", "x-forwarded-for: 10.0.0.1", "x-request-id: mine", "keep-alive: 5"];
        let response = edge.send(&get("/a/../b?q=%7e", &lines)).await;
        assert_eq!(status(&response), 200);
        let id = body(&response).lines().find_map(|line| line.strip_prefix("x-request-id: ")).unwrap();
        assert_eq!(id.len(), 36);
        let expected = format!(
            "GET /b?q=%7e\n\
             forwarded: for=192.0.2.1;host=web.example;proto=http\n\
             host: web.example\n\
             user-agent: curl/8\n\
             via: 1.1 portway\n\
             x-forwarded-for: 192.0.2.1\n\
             x-forwarded-host: web.example\n\
             x-forwarded-port: 80\n\
             x-forwarded-proto: http\n\
             x-request-id: {id}\n\n"
        );
        assert_eq!(body(&response), expected);
        let id = id.to_owned();
        let log = edge.finish().await;
        assert_eq!(log.len(), 1);
        let line = &log[0];
        assert_eq!(line["request_id"], id);
        assert_eq!(line["revision"], 7);
        assert_eq!(line["listener"], "http");
        assert_eq!(line["route"], "HTTPRoute apps/all");
        assert_eq!(line["backend"], "apps/web:80");
        assert_eq!(line["status"], 200);
        assert_eq!(line["reason"], serde_json::Value::Null);
        assert_eq!(line["path"], "/a/../b?q=%7e");
        assert_eq!(line["authority"], "web.example");
        assert_eq!(line["user_agent"], "curl/8");
        assert_eq!(line["attempts"], 1);
        assert_eq!(line["client"], "192.0.2.1");
        assert_eq!(line["response_bytes"].as_u64(), Some(expected.len() as u64));
    });
}

#[test]
fn bodies_pass_both_ways_with_and_without_a_length() {
    on_a_worker(async {
        let (_backend, edge) = echoing().await;
        let response = edge.send(&request("POST", "/", &[], "hello")).await;
        assert!(body(&response).ends_with("\n\nhello"), "{response}");
        assert!(body(&response).contains("content-length: 5\n"));
        let chunked = "POST / HTTP/1.1\r\nhost: a\r\nconnection: close\r\ntransfer-encoding: chunked\r\n\r\n\
                       5\r\nhello\r\n6\r\n world\r\n0\r\n\r\n";
        let response = edge.send(chunked).await;
        assert!(body(&response).ends_with("\n\nhello world"), "{response}");
        assert_eq!(
            edge.finish().await.iter().map(|line| line["request_bytes"].as_u64()).sum::<Option<u64>>(),
            Some(16)
        );
    });
}

#[test]
fn requests_of_one_connection_may_be_pipelined() {
    on_a_worker(async {
        let (backend, edge) = echoing().await;
        let pipelined =
            format!("GET /1 HTTP/1.1\r\nhost: a\r\n\r\nGET /2 HTTP/1.1\r\nhost: a\r\n\r\n{}", get("/3", &[]));
        let response = edge.send(&pipelined).await;
        assert_eq!(response.matches("HTTP/1.1 200 OK").count(), 3);
        let firsts: Vec<_> =
            backend.requests().iter().map(|it| it.lines().next().unwrap().to_owned()).collect();
        assert_eq!(firsts, ["GET /1", "GET /2", "GET /3"]);
        assert_eq!(backend.connections(), 1, "one after the other, over one connection");
        assert_eq!(edge.finish().await.len(), 3);
    });
}

#[test]
fn expect_continue_is_answered_when_the_backend_wants_the_body() {
    on_a_worker(async {
        let (backend, edge) = echoing().await;
        let mut client = edge.connect();
        let head = "POST / HTTP/1.1\r\nhost: a\r\nconnection: close\r\ncontent-length: 2\r\nexpect: 100-continue\r\n\r\n";
        client.write_all(head.as_bytes()).await.unwrap();
        let mut interim = [0; 25];
        client.read_exact(&mut interim).await.unwrap();
        assert_eq!(&interim, b"HTTP/1.1 100 Continue\r\n\r\n");
        client.write_all(b"ok").await.unwrap();
        let mut response = String::new();
        client.read_to_string(&mut response).await.unwrap();
        assert_eq!(status(&response), 200);
        assert!(backend.requests()[0].ends_with("\n\nok"));
    });
}

#[test]
fn a_refused_request_with_expect_gets_no_continue() {
    on_a_worker(async {
        let edge = Plan::new(vec![rule("/only", vec![])]).start();
        let response = edge.send(&request("POST", "/", &["expect: 100-continue"], "")).await;
        assert_eq!(status(&response), 404);
    });
}

#[test]
fn a_response_to_head_keeps_its_length() {
    on_a_worker(async {
        let backend =
            Backend::answering(b"HTTP/1.1 200 OK\r\ncontent-length: 1000\r\nx-it: head\r\n\r\n").await;
        let edge = Plan::new(vec![rule("/", vec![to("web")])]).backend("web", &[&backend]).start();
        let response = edge.send(&request("HEAD", "/", &[], "")).await;
        assert_eq!(header(&response, "content-length"), Some("1000"));
        assert_eq!(body(&response), "");
        let log = edge.finish().await;
        assert_eq!(log[0]["reason"], serde_json::Value::Null, "{log:?}");
    });
}

#[test]
fn fields_of_the_backends_connection_stay_there() {
    on_a_worker(async {
        let backend = Backend::answering(
            b"HTTP/1.1 200 OK\r\nconnection: x-hop\r\nx-hop: 1\r\nkeep-alive: 5\r\nupgrade: h2c\r\n\
              server: mine\r\ntransfer-encoding: chunked\r\n\r\n2\r\nok\r\n0\r\n\r\n",
        )
        .await;
        let edge = Plan::new(vec![rule("/", vec![to("web")])]).backend("web", &[&backend]).start();
        let response = edge.send(&get("/", &[])).await;
        for gone in ["x-hop", "keep-alive", "upgrade"] {
            assert_eq!(header(&response, gone), None, "{response}");
        }
        assert_eq!(header(&response, "server"), Some("mine"));
        assert!(body(&response).contains("ok"));
    });
}

#[test]
fn a_client_of_http_1_0_is_served() {
    on_a_worker(async {
        let (_backend, edge) = echoing().await;
        let response = edge.send("GET /old HTTP/1.0\r\n\r\n").await;
        assert!(response.starts_with("HTTP/1.0 200 OK\r\n"), "{response}");
        assert!(response.contains("GET /old"));
    });
}

#[test]
fn trailers_pass_but_not_those_that_route_or_frame() {
    on_a_worker(async {
        let backend = Backend::raw(|backend, mut stream, _| async move {
            let mut request = vec![0; 4096];
            let mut read = 0;
            while !request[..read].ends_with(b"\r\n\r\n") || !request[..read].windows(3).any(|it| it == b"\n0\r") {
                read += stream.read(&mut request[read..]).await.unwrap();
            }
            backend.note(String::from_utf8(request[..read].to_vec()).unwrap());
            let answer = "HTTP/1.1 200 OK\r\ntrailer: x-sum\r\ntransfer-encoding: chunked\r\n\r\n0\r\nx-sum: 2\r\n\r\n";
            stream.write_all(answer.as_bytes()).await.unwrap();
        })
        .await;
        let edge = Plan::new(vec![rule("/", vec![to("web")])]).backend("web", &[&backend]).start();
        let response = edge
            .send(
                "POST / HTTP/1.1\r\nhost: a\r\nconnection: close\r\nte: trailers\r\ntrailer: x-sum, host\r\n\
                 transfer-encoding: chunked\r\n\r\n0\r\nx-sum: 1\r\nhost: b\r\n\r\n",
            )
            .await;
        let request = &backend.requests()[0];
        assert!(request.ends_with("0\r\nx-sum: 1\r\n\r\n"), "{request}");
        assert!(response.ends_with("0\r\nx-sum: 2\r\n\r\n"), "{response}");
    });
}
