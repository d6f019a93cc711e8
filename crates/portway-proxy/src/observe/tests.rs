use std::io;
use std::sync::mpsc::{Receiver, Sender, channel};
use std::time::{Duration, SystemTime, UNIX_EPOCH};

use hyper::{Method, Version};
use portway_config::{ListenerKey, ListenerParent, NamespacedName, Revision, RouteKey, RouteKind};
use portway_documented::{documented_families, families, page, section};
use prometheus_client::registry::Registry;

use super::record::Timing;
use super::*;
use crate::reason::Reason;

/// Keeps what is written.
struct Sink(Sender<Vec<u8>>);

impl Write for Sink {
    fn write(&mut self, data: &[u8]) -> io::Result<usize> {
        self.0.send(data.to_vec()).map(|()| data.len()).map_err(io::Error::other)
    }

    fn flush(&mut self) -> io::Result<()> {
        Ok(())
    }
}

fn sink() -> (Box<Sink>, Receiver<Vec<u8>>) {
    let (sender, receiver) = channel();
    (Box::new(Sink(sender)), receiver)
}

/// What a record borrows.
struct Request {
    gateway: NamespacedName,
    listener: ListenerKey,
    route: RouteKey,
}

impl Default for Request {
    fn default() -> Self {
        let gateway = NamespacedName::new("infra", "edge");
        let parent = ListenerParent::Gateway(gateway.clone());
        Self {
            gateway,
            listener: ListenerKey { parent, name: "http".into() },
            route: RouteKey { kind: RouteKind::Http, name: NamespacedName::new("my-app", "web") },
        }
    }
}

fn record(request: &Request) -> RequestRecord<'_> {
    RequestRecord {
        start: UNIX_EPOCH + Duration::from_millis(1_795_421_286_007),
        served_by: None,
        revision: Revision(7),
        gateway: &request.gateway,
        listener: Some(&request.listener),
        route: Some(&request.route),
        rule: Some((2, Some("cart"))),
        backend: None,
        endpoint: Some(([127, 0, 0, 1], 8080).into()),
        attempts: 2,
        peer: ([127, 0, 0, 1], 4000).into(),
        client: [192, 0, 2, 1].into(),
        version: Version::HTTP_2,
        method: &Method::GET,
        scheme: "https",
        authority: "shop.example.com",
        target: "/cart?x=\"1\"\u{1b}[2J",
        request_id: "abc",
        user_agent: None,
        status: 503,
        cause: None,
        reason: Some(Reason::NoEndpoint),
        request_bytes: 1,
        response_bytes: 20,
        timing: Timing { total: Duration::from_micros(1500), ..Timing::default() },
    }
}

/// What a scrape is answered with.
fn scraped(observer: &Observer) -> String {
    let mut registry = Registry::default();
    registry.register_collector(observer.counted());
    let mut answer = String::new();
    prometheus_client::encoding::text::encode(&mut answer, &registry).unwrap();
    answer
}

/// Runs `with` a recorder as a worker does, and returns what was logged and the metrics.
fn observed(options: ObserveOptions, with: impl FnOnce(&Recorder)) -> (String, String) {
    let (sink, lines) = sink();
    let observer = Observer::new(options, sink);
    let runtime = tokio::runtime::Builder::new_current_thread().enable_all().build().unwrap();
    let recorder = observer.recorder();
    tokio::task::LocalSet::new().block_on(&runtime, async { with(&recorder) });
    drop((runtime, recorder));
    let metrics = scraped(&observer);
    observer.finish();
    (String::from_utf8(lines.iter().flatten().collect()).unwrap(), metrics)
}

#[test]
fn a_json_line_says_all_of_a_request() {
    let (log, _) =
        observed(ObserveOptions::default(), |recorder| recorder.request(&record(&Request::default())));
    let line: serde_json::Value = serde_json::from_str(&log).unwrap();
    assert_eq!(line["time"], "2026-11-23T08:08:06.007Z");
    assert_eq!(line["revision"], 7);
    assert_eq!(line["gateway"], "infra/edge");
    assert_eq!(line["listener"], "http");
    assert_eq!(line["route"], "HTTPRoute my-app/web");
    assert_eq!(line["rule"], 2);
    assert_eq!(line["rule_name"], "cart");
    assert_eq!(line["client"], "192.0.2.1");
    assert_eq!(line["path"], "/cart?x=\"1\"\u{1b}[2J");
    assert_eq!(line["reason"], "no_endpoint");
    assert_eq!(line["duration_us"], 1500);
    assert_eq!(log.lines().count(), 1);
}

#[test]
fn a_text_line_is_one_line_without_control_characters() {
    let options = ObserveOptions { log: LogFormat::Text, ..ObserveOptions::default() };
    let request = Request::default();
    let mut hostile = record(&request);
    hostile.target = "/a\n2026 forged line\u{1b}[31m";
    let (log, _) = observed(options, |recorder| recorder.request(&hostile));
    assert_eq!(log.lines().count(), 1);
    assert!(!log.trim_end().contains(char::is_control), "{log:?}");
    assert!(log.contains("503 (no_endpoint)"), "{log}");
}

#[test]
fn metrics_count_by_listener_class_and_reason() {
    let (log, metrics) = observed(ObserveOptions { log: LogFormat::Off, ..Default::default() }, |recorder| {
        recorder.request(&record(&Request::default()));
        let request = Request::default();
        recorder.request(&RequestRecord { status: 200, reason: None, attempts: 1, ..record(&request) });
    });
    assert_eq!(log, "");
    let labels = r#"gateway="infra/edge",listener="http""#;
    for line in [
        format!("portway_requests_total{{{labels},code=\"2xx\"}} 1"),
        format!("portway_requests_total{{{labels},code=\"5xx\"}} 1"),
        format!("portway_retries_total{{{labels}}} 1"),
        format!("portway_request_duration_seconds_bucket{{le=\"0.001\",{labels}}} 0"),
        format!("portway_request_duration_seconds_bucket{{le=\"0.0025\",{labels}}} 2"),
        format!("portway_request_duration_seconds_count{{{labels}}} 2"),
        r#"portway_reasons_total{reason="no_endpoint"} 1"#.to_owned(),
    ] {
        assert!(metrics.lines().any(|it| it == line), "{line} is missing in\n{metrics}");
    }
    assert!(!metrics.contains("portway_route_"), "per-route figures only when asked for");
}

#[test]
fn five_thousand_routes_and_listeners_stay_under_a_thousand_series() {
    let (_, metrics) = observed(ObserveOptions::default(), |recorder| {
        for number in 0..5000 {
            let mut request = Request::default();
            request.route.name.name = format!("route-{number}").into();
            request.listener.name = format!("listener-{number}").into();
            recorder.request(&RequestRecord { status: 100 * (1 + number % 5), ..record(&request) });
        }
    });
    let series = metrics.lines().filter(|line| !line.starts_with('#')).count();
    assert!(series < 1000, "{series} series");
    let counted: u64 = metrics
        .lines()
        .filter(|line| line.starts_with("portway_requests_total"))
        .filter_map(|line| line.rsplit(' ').next()?.parse::<u64>().ok())
        .sum();
    assert_eq!(counted, 5000, "what has no series of its own is counted under _other");
}

#[test]
fn route_figures_come_when_asked_for() {
    let options = ObserveOptions { route_metrics: true, ..ObserveOptions::default() };
    let (_, metrics) = observed(options, |recorder| recorder.request(&record(&Request::default())));
    let line = r#"portway_route_requests_total{kind="HTTPRoute",route="my-app/web",code="5xx"} 1"#;
    assert!(metrics.lines().any(|it| it == line), "{metrics}");
}

/// The page says name, type and labels of every metric, and there is none beside.
#[test]
fn metrics_are_documented() {
    let options = ObserveOptions { route_metrics: true, log: LogFormat::Off };
    let request = Request::default();
    let connection = L4Record {
        start: UNIX_EPOCH,
        revision: Revision(7),
        gateway: request.gateway.clone(),
        protocol: "tcp",
        listener: Some(request.listener.clone()),
        route: None,
        backend: None,
        endpoint: None,
        peer: ([127, 0, 0, 1], 40_000).into(),
        server_name: None,
        reason: None,
        status: None,
        received_bytes: 1,
        sent_bytes: 2,
        total: Duration::from_secs(3),
    };
    let (_, metrics) = observed(options, |recorder| {
        recorder.request(&record(&request));
        recorder.connection(&connection);
    });
    assert_eq!(documented_families(&section(&page("metrics.md"), "The proxy")), families(&metrics));
}

#[test]
fn a_log_that_cannot_be_written_is_counted_and_holds_nobody_up() {
    struct Broken;
    impl Write for Broken {
        fn write(&mut self, _: &[u8]) -> io::Result<usize> {
            Err(io::ErrorKind::BrokenPipe.into())
        }
        fn flush(&mut self) -> io::Result<()> {
            Ok(())
        }
    }
    let observer = Observer::new(ObserveOptions::default(), Box::new(Broken));
    let runtime = tokio::runtime::Builder::new_current_thread().enable_all().build().unwrap();
    let recorder = observer.recorder();
    tokio::task::LocalSet::new().block_on(&runtime, async {
        for _ in 0..10 {
            recorder.request(&record(&Request::default()));
        }
    });
    drop((runtime, recorder));
    let deadline = SystemTime::now() + Duration::from_secs(10);
    while !scraped(&observer).contains("portway_access_log_dropped_lines_total 10") {
        assert!(SystemTime::now() < deadline, "{}", scraped(&observer));
        std::thread::sleep(Duration::from_millis(5));
    }
}
