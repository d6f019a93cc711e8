//! Filters on rules and backends.

use portway_config::filter::{Cors, Filter, Header, HeaderModifier, PathModifier, Redirect, Rewrite};

use super::edge::RuleExt;
use super::*;

fn set(name: &str, value: &str) -> HeaderModifier {
    HeaderModifier { set: vec![Header { name: name.into(), value: value.into() }], ..Default::default() }
}

fn prefix(path: &str) -> Rewrite {
    Rewrite { hostname: None, path: Some(PathModifier::ReplacePrefixMatch(path.into())) }
}

#[test]
fn headers_host_and_path_change_on_the_way_and_back() {
    on_a_worker(async {
        let backend = Backend::echo().await;
        let mut target = to("web");
        target.filters = vec![
            Filter::RequestHeaders(set("x-backend", "1")),
            Filter::ResponseHeaders(set("x-from", "backend")),
        ];
        let rewrite = Rewrite { hostname: Some("inner.example".into()), ..prefix("/api") };
        let rule = rule("/v1", vec![target])
            .filter(Filter::RequestHeaders(set("x-rule", "1")))
            .filter(Filter::Rewrite(rewrite))
            .filter(Filter::ResponseHeaders(set("x-seen", "rule")));
        let edge = Plan::new(vec![rule]).backend("web", &[&backend]).start();
        let response = edge.send(&get("/v1/x/%2e%2e/y?z", &[])).await;
        let seen = body(&response);
        assert!(seen.starts_with("GET /api/y?z\n"), "{seen}");
        for line in ["host: inner.example", "x-rule: 1", "x-backend: 1", "x-forwarded-host: web.example"] {
            assert!(seen.contains(&format!("{line}\n")), "{line} in {seen}");
        }
        assert_eq!(header(&response, "x-seen"), Some("rule"));
        assert_eq!(header(&response, "x-from"), Some("backend"));
    });
}

#[test]
fn a_backends_own_rewrite_is_for_its_share_alone() {
    on_a_worker(async {
        let backend = Backend::echo().await;
        let mut rewritten = to("web");
        rewritten.filters = vec![Filter::Rewrite(prefix("/other"))];
        let edge =
            Plan::new(vec![rule("/v1", vec![rewritten, to("web")])]).backend("web", &[&backend]).start();
        for _ in 0..2 {
            edge.send(&get("/v1/x", &[])).await;
        }
        let mut firsts: Vec<_> =
            backend.requests().iter().map(|it| it.lines().next().unwrap().to_owned()).collect();
        firsts.sort();
        assert_eq!(firsts, ["GET /other/x", "GET /v1/x"]);
    });
}

#[test]
fn a_redirect_is_answered_here() {
    on_a_worker(async {
        let redirect = Redirect {
            scheme: Some("https".into()),
            hostname: None,
            path: Some(PathModifier::ReplacePrefixMatch("/new".into())),
            port: None,
            status: 301,
        };
        let edge = Plan::new(vec![rule("/old", vec![]).filter(Filter::Redirect(redirect))]).start();
        let response = edge.send(&get("/old/page?q=1", &["host: Web.example:8080"])).await;
        assert_eq!(status(&response), 301);
        assert_eq!(header(&response, "location"), Some("https://web.example/new/page?q=1"));
        assert_eq!(body(&response), "");
        let response = edge.send(&get("//evil.example/%0d%0ax", &[])).await;
        assert_eq!(status(&response), 400, "no header can be injected");
        assert_eq!(edge.finish().await[0]["reason"], "redirect");
    });
}

#[test]
fn a_redirect_has_the_status_that_it_names() {
    on_a_worker(async {
        for code in [301, 302, 303, 307, 308] {
            let redirect = Redirect {
                scheme: None,
                hostname: Some("new.example".into()),
                path: Some(PathModifier::ReplaceFullPath("/now".into())),
                port: Some(8443),
                status: code,
            };
            let edge = Plan::new(vec![rule("/", vec![]).filter(Filter::Redirect(redirect))]).start();
            // The body that came with it is nobody's.
            let response = edge.send(&request("POST", "/old?q=1", &[], "body")).await;
            assert_eq!(status(&response), code);
            assert_eq!(header(&response, "location"), Some("http://new.example:8443/now?q=1"));
            let log = edge.finish().await;
            assert_eq!((&log[0]["status"], &log[0]["reason"]), (&code.into(), &"redirect".into()));
        }
    });
}

#[test]
fn cors_answers_preflights_and_marks_responses() {
    on_a_worker(async {
        let backend = Backend::named("data").await;
        let cors = Cors {
            allow_origins: vec!["https://*.app.example".into()],
            allow_credentials: true,
            allow_methods: vec!["GET".into(), "PUT".into()],
            allow_headers: vec!["*".into()],
            expose_headers: vec![],
            max_age: 5,
        };
        let edge = Plan::new(vec![rule("/", vec![to("web")]).filter(Filter::Cors(cors))])
            .backend("web", &[&backend])
            .start();
        let origin = "origin: https://my.app.example";
        let lines = [origin, "access-control-request-method: PUT", "access-control-request-headers: x-a"];
        let preflight = edge.send(&request("OPTIONS", "/", &lines, "")).await;
        assert_eq!(status(&preflight), 200);
        assert_eq!(header(&preflight, "access-control-allow-origin"), Some("https://my.app.example"));
        assert_eq!(header(&preflight, "access-control-allow-methods"), Some("GET, PUT"));
        assert_eq!(header(&preflight, "access-control-allow-headers"), Some("x-a"));
        assert!(backend.requests().is_empty(), "no preflight reaches a backend");
        let allowed = edge.send(&get("/", &[origin])).await;
        assert_eq!(header(&allowed, "access-control-allow-credentials"), Some("true"));
        assert_eq!(body(&allowed), "data");
        let other = edge.send(&get("/", &["origin: https://evil.example"])).await;
        assert_eq!(header(&other, "access-control-allow-origin"), None);
        assert_eq!(header(&other, "vary"), Some("origin"));
        assert_eq!(edge.finish().await[0]["reason"], "cors_preflight");
    });
}

#[test]
fn a_rule_whose_filter_does_not_compile_refuses_and_the_others_serve() {
    on_a_worker(async {
        let backend = Backend::named("fine").await;
        let bad = rule("/bad", vec![to("web")]).filter(Filter::RequestHeaders(set("content-length", "0")));
        let edge = Plan::new(vec![bad, rule("/", vec![to("web")])]).backend("web", &[&backend]).start();
        assert_eq!(status(&edge.send(&get("/bad", &[])).await), 500);
        assert_eq!(body(&edge.send(&get("/good", &[])).await), "fine");
        assert_eq!(edge.finish().await[0]["reason"], "invalid_filter");
    });
}
