//! Session persistence.

use portway_config::HttpRule;
use portway_config::route::{SessionCarrier, SessionPersistence, WeightedBackend};

use super::*;

fn persistent(carrier: SessionCarrier, backends: Vec<WeightedBackend>) -> HttpRule {
    let session_persistence = Some(SessionPersistence { carrier, absolute_timeout: None });
    HttpRule { session_persistence, ..rule("/", backends) }
}

fn by_cookie() -> SessionCarrier {
    SessionCarrier::Cookie { name: "sid".into(), path: "/".into(), permanent: false }
}

async fn named(names: &[&'static str]) -> Vec<Backend> {
    let mut backends = Vec::new();
    for name in names {
        backends.push(Backend::named(name).await);
    }
    backends
}

fn to_web(backends: &[Backend]) -> Plan {
    let backends: Vec<_> = backends.iter().collect();
    Plan::new(vec![persistent(by_cookie(), vec![to("web")])]).backend("web", &backends)
}

/// The cookie of a response, as a client sends it back.
fn cookie(response: &str) -> Option<String> {
    let value = header(response, "set-cookie")?;
    assert!(value.ends_with("; Path=/; HttpOnly; SameSite=Strict"), "{value}");
    value.split(';').next().map(|pair| format!("cookie: theme=dark; {pair}"))
}

#[test]
fn a_client_comes_back_to_its_endpoint_by_whichever_proxy() {
    on_a_worker(async {
        let backends = named(&["a", "b", "c"]).await;
        let (one, other) = (to_web(&backends).start(), to_web(&backends).start());
        let mut seen = std::collections::BTreeSet::new();
        for _ in 0..6 {
            let first = one.send(&get("/", &[])).await;
            let cookie = cookie(&first).expect("a cookie");
            for backend in &backends {
                assert!(!cookie.contains(&backend.address.to_string()), "{cookie}");
            }
            for _ in 0..5 {
                for edge in [&one, &other] {
                    let again = edge.send(&get("/", &[&cookie])).await;
                    assert_eq!(body(&again), body(&first));
                    assert_eq!(header(&again, "set-cookie"), None, "the client knows it already");
                }
            }
            seen.insert(body(&first).to_owned());
        }
        assert_eq!(seen.len(), 3, "new clients are spread");
    });
}

#[test]
fn an_endpoint_that_is_gone_or_fails_is_replaced() {
    on_a_worker(async {
        let backends = named(&["a", "b"]).await;
        let edge = to_web(&backends).start();
        let first = edge.send(&get("/", &[])).await;
        let before = cookie(&first).unwrap();
        let (left, gone) = match body(&first) {
            "a" => (&backends[1..], &backends[0]),
            _ => (&backends[..1], &backends[1]),
        };
        edge.reload(to_web(left));
        let moved = edge.send(&get("/", &[&before])).await;
        assert_eq!(status(&moved), 200);
        assert_ne!(body(&moved), body(&first));
        let after = cookie(&moved).expect("a new cookie");
        // It comes back to where it is now, also when the former endpoint is there again.
        edge.reload(to_web(&[left[0].clone(), gone.clone()]));
        for _ in 0..4 {
            assert_eq!(body(&edge.send(&get("/", &[&after])).await), body(&moved));
        }
        for nonsense in ["cookie: sid=", "cookie: sid=zz.1", "cookie: sid=1.0000000000000000"] {
            let response = edge.send(&get("/", &[nonsense])).await;
            assert!(status(&response) == 200 && cookie(&response).is_some(), "{nonsense}");
        }
    });
}

#[test]
fn weights_choose_the_backend_and_the_session_its_endpoint() {
    on_a_worker(async {
        let (old, new) = (named(&["old-1", "old-2"]).await, named(&["new-1", "new-2"]).await);
        let split = vec![
            WeightedBackend { weight: 3, ..to("old") },
            WeightedBackend { weight: 1, index: 1, ..to("new") },
        ];
        let edge = Plan::new(vec![persistent(by_cookie(), split)])
            .backend("old", &old.iter().collect::<Vec<_>>())
            .backend("new", &new.iter().collect::<Vec<_>>())
            .start();
        let mut jar = None;
        let mut bodies = Vec::new();
        for _ in 0..40 {
            let lines: Vec<&str> = jar.iter().map(String::as_str).collect();
            let response = edge.send(&get("/", &lines)).await;
            jar = cookie(&response).or(jar);
            bodies.push(body(&response).to_owned());
        }
        let count = |prefix: &str| bodies.iter().filter(|it| it.starts_with(prefix)).count();
        assert_eq!((count("old"), count("new")), (30, 10));
        bodies.sort();
        bodies.dedup();
        assert_eq!(bodies.len(), 2, "one endpoint of each backend: {bodies:?}");
    });
}

#[test]
fn a_header_carries_a_session_too() {
    on_a_worker(async {
        let backends = named(&["a", "b", "c"]).await;
        let rule = persistent(SessionCarrier::Header("x-session".into()), vec![to("web")]);
        let edge = Plan::new(vec![rule]).backend("web", &backends.iter().collect::<Vec<_>>()).start();
        let first = edge.send(&get("/", &[])).await;
        assert_eq!(header(&first, "set-cookie"), None);
        let line = format!("x-session: {}", header(&first, "x-session").unwrap());
        for _ in 0..6 {
            assert_eq!(body(&edge.send(&get("/", &[&line])).await), body(&first));
        }
    });
}

#[test]
fn an_answer_of_the_proxy_begins_no_session() {
    on_a_worker(async {
        let edge = Plan::new(vec![persistent(by_cookie(), vec![to("web")])]).backend("web", &[]).start();
        let response = edge.send(&get("/", &[])).await;
        assert_eq!((status(&response), header(&response, "set-cookie")), (503, None));
    });
}
