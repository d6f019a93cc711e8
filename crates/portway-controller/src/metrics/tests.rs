//! What stands in the answer to a scrape.

use std::collections::BTreeMap;

use http::{Method, StatusCode};
use jiff::Timestamp;
use portway_api::{Gateway, Object};
use portway_config::{NamespacedName, Revision, RouteKey, RouteKind};
use portway_documented::{documented_families, families, page, section};
use portway_xds::publisher::{GatewayAcknowledgements, ProxyAcknowledgement, RefusedResource};
use portway_xds::{Acknowledgements, Publisher, ResourceKey};
use tokio::sync::watch;

use super::scrape::look_at_proxies;
use super::*;
use crate::watch::Store;

fn sources() -> Sources {
    let store = Store::default();
    for name in ["edge", "inner"] {
        let gateway = serde_json::json!({
            "apiVersion": "gateway.networking.k8s.io/v1", "kind": "Gateway",
            "metadata": {"name": name, "namespace": "infra"},
            "spec": {"gatewayClassName": "portway", "listeners": []},
        });
        let gateway: Gateway = serde_json::from_value(gateway).unwrap();
        store.learn(Object::Gateway(Arc::new(gateway)));
    }
    Sources {
        store: Arc::new(store),
        leads: watch::channel(true).1,
        publisher: Publisher::new(Revision(1), || Timestamp::UNIX_EPOCH),
    }
}

/// Counts everything once or more.
fn counted() -> Metrics {
    let metrics = Metrics::default();
    metrics.translating(3);
    metrics.translated(Duration::from_millis(4));
    metrics.endpoints_updated();
    use StatusOutcome::{Overtaken, Refused, Unavailable, Written};
    for outcome in [Written, Overtaken, Refused, Unavailable] {
        metrics.status_written("Gateway", outcome);
    }
    metrics.status_written("HTTPRoute", Written);
    metrics.status_written("HTTPRoute", Written);
    metrics.event("published");
    metrics.requested(&Method::GET, true, Some(StatusCode::OK));
    metrics.requested(&Method::PATCH, false, Some(StatusCode::FORBIDDEN));
    metrics.requested(&Method::PATCH, false, None);
    metrics.watch_restarted("Secret", "forbidden");
    metrics.provisioned("Deployment", "written");
    look_at_proxies(&acknowledgements(3), &metrics.0.gauges);
    metrics
}

/// What proxies of so many Gateways have taken: of each, one that is current and refuses a route, and one that is behind.
fn acknowledgements(gateways: usize) -> Acknowledgements {
    let proxy = |revision: u64, refused: BTreeMap<ResourceKey, RefusedResource>| ProxyAcknowledgement {
        connected: Timestamp::UNIX_EPOCH,
        sent: None,
        acknowledged: Some((Revision(revision), Timestamp::UNIX_EPOCH)),
        refused,
    };
    let route = RouteKey { kind: RouteKind::Http, name: NamespacedName::new("apps", "web") };
    let why = RefusedResource { message: "no".to_owned(), since: Timestamp::UNIX_EPOCH };
    let of_gateway = GatewayAcknowledgements {
        revision: Some(Revision(7)),
        proxies: [
            ("a".into(), proxy(7, [(ResourceKey::Route(route), why)].into())),
            ("b".into(), proxy(6, BTreeMap::new())),
        ]
        .into(),
    };
    let name = |number: usize| NamespacedName::new("infra", format!("edge-{number:03}"));
    let all = (0..gateways).map(|number| (name(number), Arc::new(of_gateway.clone())));
    Acknowledgements { gateways: all.collect() }
}

/// The value of a sample.
fn value(text: &str, sample: &str) -> Option<f64> {
    let line = text.lines().find(|it| it.strip_prefix(sample).is_some_and(|it| it.starts_with(' ')))?;
    line.rsplit(' ').next()?.parse().ok()
}

#[test]
fn what_is_counted_is_told() {
    let text = counted().encode(&sources());
    for (sample, expected) in [
        ("leader", 1.0),
        ("translation_changes_sum", 3.0),
        ("translation_changes_bucket{le=\"2.0\"}", 0.0),
        ("translation_changes_bucket{le=\"5.0\"}", 1.0),
        ("translation_duration_seconds_sum", 0.004),
        ("translation_duration_seconds_count", 1.0),
        ("endpoint_updates_total", 1.0),
        ("status_writes_total{kind=\"HTTPRoute\",outcome=\"written\"}", 2.0),
        ("status_writes_total{kind=\"Gateway\",outcome=\"overtaken\"}", 1.0),
        ("status_writes_total{kind=\"Gateway\",outcome=\"refused\"}", 1.0),
        ("status_writes_total{kind=\"Gateway\",outcome=\"unavailable\"}", 1.0),
        ("events_total{outcome=\"published\"}", 1.0),
        ("api_requests_total{verb=\"watch\",code=\"2xx\"}", 1.0),
        ("api_requests_total{verb=\"patch\",code=\"403\"}", 1.0),
        ("api_requests_total{verb=\"patch\",code=\"none\"}", 1.0),
        ("watch_restarts_total{kind=\"Secret\",reason=\"forbidden\"}", 1.0),
        ("provisioned_objects_total{kind=\"Deployment\",outcome=\"written\"}", 1.0),
        ("objects{kind=\"Gateway\"}", 2.0),
        ("objects{kind=\"HTTPRoute\"}", 0.0),
        ("streams_total{outcome=\"admitted\"}", 0.0),
        ("stream_resources_sent_total{resource=\"Route\"}", 0.0),
    ] {
        assert_eq!(
            value(&text, &format!("portway_controller_{sample}")),
            Some(expected),
            "{sample}:\n{text}"
        );
    }
    assert!(text.ends_with("# EOF\n"), "{text}");
}

#[test]
fn proxies_are_told_by_gateway_and_those_beyond_the_limit_together() {
    let metrics = Metrics::default();
    let told = |gateway: &str, state: &'static str| {
        let label = GatewayState { gateway: gateway.to_owned(), state };
        metrics.0.gauges.proxies.get(&label).map(|it| it.get())
    };
    look_at_proxies(&acknowledgements(MAX_GATEWAY_SERIES + 20), &metrics.0.gauges);
    assert_eq!((told("infra/edge-000", "current"), told("infra/edge-000", "behind")), (Some(1), Some(1)));
    assert_eq!((told("_other", "current"), told("_other", "behind")), (Some(20), Some(20)));
    let series = || {
        let mut text = String::new();
        text::encode(&mut text, &metrics.0.registry).unwrap();
        text.lines().filter(|it| it.starts_with("portway_controller_proxies{")).count()
    };
    assert_eq!(series(), 2 * (MAX_GATEWAY_SERIES + 1));
    let routes = Type { resource: "Route".to_owned() };
    let refused = || metrics.0.gauges.refused_resources.get(&routes).map(|it| it.get());
    assert_eq!(refused(), Some(i64::try_from(MAX_GATEWAY_SERIES).unwrap() + 20));

    look_at_proxies(&Acknowledgements::default(), &metrics.0.gauges);
    assert_eq!((series(), refused()), (0, Some(0)));
}

/// The page says name, type and labels of every metric, and there is none beside.
#[test]
fn metrics_are_documented() {
    let metrics = counted();
    let text = metrics.encode(&sources());
    // A scrape without proxies has no series of them; the gauge is there all the same once there are.
    look_at_proxies(&acknowledgements(1), &metrics.0.gauges);
    let mut with_proxies = String::new();
    text::encode(&mut with_proxies, &metrics.0.registry).unwrap();
    let page = page("metrics.md");
    assert_eq!(documented_families(&section(&page, "The controller")), families(&(text + &with_proxies)));
    assert!(page.contains(&format!("the first {MAX_GATEWAY_SERIES} Gateways")), "MAX_GATEWAY_SERIES");
}
