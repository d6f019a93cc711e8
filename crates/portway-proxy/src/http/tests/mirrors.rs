//! Copies of requests.

use portway_config::filter::{Filter, Header, HeaderModifier, Mirror};
use portway_config::key::BackendProtocol;
use portway_config::route::BackendTarget;

use super::edge::{RuleExt, key};
use super::*;

fn mirror(name: &str, numerator: u32, denominator: u32) -> Filter {
    let target = BackendTarget::Backend(key(name, BackendProtocol::Http1));
    Filter::Mirror(Mirror { target, numerator, denominator })
}

#[test]
fn copies_are_as_the_request_that_is_sent() {
    on_a_worker(async {
        let [web, one, two] = [Backend::echo().await, Backend::echo().await, Backend::echo().await];
        let header = HeaderModifier {
            set: vec![Header { name: "x-set".into(), value: "1".into() }],
            ..Default::default()
        };
        let rule = rule("/", vec![to("web")])
            .filter(mirror("one", 1, 1))
            .filter(Filter::RequestHeaders(header))
            .filter(mirror("two", 1, 1));
        let edge = Plan::new(vec![rule])
            .backend("web", &[&web])
            .backend("one", &[&one])
            .backend("two", &[&two])
            .start();
        let response = edge.send(&request("POST", "/x?y", &[], "hello")).await;
        let sent = body(&response);
        assert!(sent.contains("x-set: 1\n") && sent.ends_with("\n\nhello"), "{sent}");
        assert_eq!(one.wait_for(1).await, [sent]);
        assert_eq!(two.wait_for(1).await, [sent]);
    });
}

#[test]
fn a_share_is_exact_and_a_bad_mirror_disturbs_nobody() {
    on_a_worker(async {
        let (web, copy) = (Backend::named("web").await, Backend::named("copy").await);
        let rule = rule("/", vec![to("web")])
            .filter(mirror("copy", 1, 4))
            .filter(mirror("copy", 0, 100))
            .filter(mirror("nowhere", 1, 1))
            .filter(mirror("empty", 1, 1));
        let edge = Plan::new(vec![rule])
            .backend("web", &[&web])
            .backend("copy", &[&copy])
            .backend("empty", &[])
            .start();
        for _ in 0..20 {
            assert_eq!(body(&edge.send(&get("/", &[])).await), "web");
        }
        copy.wait_for(5).await;
        tokio::time::sleep(Duration::from_millis(20)).await;
        assert_eq!(copy.requests().len(), 5);
    });
}

#[test]
fn a_mirror_that_does_not_read_holds_nobody_up() {
    on_a_worker(async {
        let web = Backend::new(|text| hyper::Response::new(text.len().to_string())).await;
        let copy = Backend::raw(|backend, mut stream, _| async move {
            backend.note(backend::read_head(&mut stream).await.unwrap());
            std::future::pending::<()>().await;
        })
        .await;
        let edge = Plan::new(vec![rule("/", vec![to("web")]).filter(mirror("copy", 1, 1))])
            .backend("web", &[&web])
            .backend("copy", &[&copy])
            .limits(|limits| limits.mirror_timeout = Duration::from_millis(200))
            .start();
        let response = edge.send(&request("POST", "/", &[], &"x".repeat(8 * 1024 * 1024))).await;
        assert_eq!(status(&response), 200);
        assert!(body(&response).parse::<usize>().unwrap() > 8 * 1024 * 1024);
    });
}
