//! The explanation of a request. Its form as JSON is stable; `docs/command-line.md` describes it.

use std::sync::Arc;

use portway_api::Snapshot;
use portway_api::manifest::{FieldPath, Position};
use portway_config::route::{BackendTarget, WeightedBackend};
use portway_config::{
    Configuration, HttpRule, Listener, ListenerKey, ListenerParent, ListenerProtocol, Rules,
};
use portway_route::{Candidate, Explanation, Outcome, Router};
use serde::Serialize;

use super::request::ExplainedRequest;
use super::{unserved, words};
use crate::issue::{Counts, Issue, Origins};
use crate::kernel_path::{ListenerPath, Path, plan};
use crate::object_name;
use crate::offline::Offline;

/// Who would serve a request, and why nobody else.
#[derive(Debug, Serialize)]
#[serde(rename_all = "camelCase")]
pub(super) struct Report {
    pub(super) request: ExplainedRequest,
    /// The Gateways that listen on the port.
    pub(super) gateways: Vec<GatewayReport>,
    /// The ports that Gateways listen on with TCP; with the request's protocol, where that is tcp or udp.
    pub(super) ports: Vec<u16>,
    /// Routes that are attached to no listener of some parent.
    pub(super) not_attached: Vec<Issue>,
    /// Listeners of the port, and routes, that are not served or not wholly.
    pub(super) not_served: Vec<Reason>,
    /// Of the manifests.
    pub(super) counts: Counts,
}

/// What one Gateway would do with the request.
#[derive(Debug, Serialize)]
#[serde(rename_all = "camelCase")]
pub(super) struct GatewayReport {
    pub(super) gateway: Place,
    #[serde(skip_serializing_if = "Option::is_none")]
    pub(super) listener: Option<Place>,
    /// What becomes of the request, in a sentence.
    pub(super) answer: String,
    /// Who would take a TCP or UDP listener's connections to an endpoint, as far as the manifests decide it.
    #[serde(skip_serializing_if = "Option::is_none")]
    pub(super) path: Option<PathReport>,
    /// Who does, at each address, as the one tells who serves it. Absent: nobody was asked.
    #[serde(skip_serializing_if = "Option::is_none")]
    pub(super) paths: Option<Vec<ListenerPath>>,
    /// The status that the client gets where no backend answers.
    #[serde(skip_serializing_if = "Option::is_none")]
    pub(super) status: Option<u16>,
    #[serde(skip_serializing_if = "Option::is_none")]
    pub(super) winner: Option<WinnerReport>,
    pub(super) losers: Vec<Reason>,
    pub(super) other_listeners: Vec<Reason>,
}

/// Who would take connections to an endpoint, and why.
#[derive(Debug, Serialize)]
pub(super) struct PathReport {
    pub(super) path: Path,
    /// A code of `docs/ebpf.md`. Absent where only the machine that serves can tell.
    #[serde(skip_serializing_if = "Option::is_none")]
    pub(super) reason: Option<&'static str>,
    /// The reason in words, without a full stop.
    pub(super) message: String,
}

impl PathReport {
    fn of(configuration: &Configuration, router: &Router, listener: Option<&ListenerKey>) -> Option<Self> {
        let listener = configuration.listeners.get(listener?)?;
        if !matches!(listener.protocol, ListenerProtocol::Tcp | ListenerProtocol::Udp) {
            return None;
        }
        Some(match plan(configuration, router, listener) {
            Ok(_) => Self {
                path: Path::Kernel,
                reason: None,
                message: "where `portway run --ebpf` or the agent of a node finds that the machine can; --admin asks it"
                    .to_owned(),
            },
            Err(reason) => Self { path: Path::Proxy, reason: Some(reason.code()), message: reason.message() },
        })
    }
}

/// Something with a name that is written somewhere.
#[derive(Clone, Debug, PartialEq, Eq, Serialize)]
pub(super) struct Place {
    pub(super) name: String,
    #[serde(skip_serializing_if = "Option::is_none")]
    pub(super) position: Option<Position>,
}

/// Why something does not serve the request.
#[derive(Clone, Debug, Serialize)]
pub(super) struct Reason {
    #[serde(flatten)]
    pub(super) place: Place,
    pub(super) reason: String,
}

/// The rule that serves the request.
#[derive(Debug, Serialize)]
pub(super) struct WinnerReport {
    /// Route, rule and match.
    #[serde(flatten)]
    pub(super) place: Place,
    /// The conditions of the match.
    pub(super) conditions: String,
    /// In the order in which they are run: those of the listener, then those of the rule.
    pub(super) filters: Vec<String>,
    pub(super) settings: Vec<String>,
    /// Why every request of the rule is refused, if so.
    #[serde(skip_serializing_if = "Option::is_none")]
    pub(super) fault: Option<String>,
    pub(super) backends: Vec<BackendReport>,
}

/// Where a share of the requests goes.
#[derive(Debug, Serialize)]
pub(super) struct BackendReport {
    pub(super) backend: String,
    pub(super) weight: u32,
    /// Of all requests of the rule.
    pub(super) percent: f64,
    pub(super) filters: Vec<String>,
    pub(super) endpoints: Vec<String>,
}

impl Report {
    /// `paths`: what the one tells who serves the manifests, if anybody was asked.
    pub(super) fn of(offline: &Offline, request: &ExplainedRequest, paths: Option<&[ListenerPath]>) -> Self {
        let configurations = offline.translation.configurations.values();
        let mut ports: Vec<_> =
            configurations.clone().flat_map(|it| listeners(it, request)).map(|it| it.port).collect();
        ports.sort_unstable();
        ports.dedup();
        let on_port = configurations.filter(|it| listeners(it, request).any(|it| it.port == request.port));
        let not_attached = offline.issues.iter().filter(|issue| issue.code == "route-not-attached");
        Self {
            request: request.clone(),
            gateways: on_port.map(|it| GatewayReport::of(it, offline, request, paths)).collect(),
            ports,
            not_attached: not_attached.cloned().collect(),
            not_served: [unserved::listeners(offline, request), unserved::routes(offline)].concat(),
            counts: Counts::of(&offline.issues),
        }
    }

    /// Whether a rule serves the request.
    pub(super) fn is_served(&self) -> bool {
        self.gateways.iter().any(|it| it.winner.is_some())
    }
}

/// Those that such a request may come to: of its own protocol where nothing is read of it, else all of TCP.
fn listeners<'c>(
    configuration: &'c Configuration,
    request: &ExplainedRequest,
) -> impl Iterator<Item = &'c Arc<Listener>> {
    let stream = request.stream();
    configuration.listeners.values().filter(move |it| match &stream {
        Some(protocol) => it.protocol == *protocol,
        None => it.protocol != ListenerProtocol::Udp,
    })
}

impl GatewayReport {
    fn of(
        configuration: &Configuration,
        offline: &Offline,
        request: &ExplainedRequest,
        paths: Option<&[ListenerPath]>,
    ) -> Self {
        let origins = &offline.origins;
        let (router, _) = Router::compile(configuration);
        let mut explanation = router.explain(request.port, request.connection(), request);
        take_as_bytes(&router, request, &mut explanation);
        let gateway = object_name::gateway(&configuration.gateway);
        let listener = explanation.listener.as_ref();
        let losers = explanation.losers.iter().map(|loser| Reason {
            place: candidate_place(&loser.candidate, origins),
            reason: loser.loss.to_string(),
        });
        let others = explanation.other_listeners.iter().map(|other| Reason {
            place: listener_place(&other.listener, offline),
            reason: other.loss.to_string(),
        });
        Self {
            gateway: Place { position: origins.start(&gateway), name: gateway.to_string() },
            listener: listener.map(|key| listener_place(key, offline)),
            status: status(&explanation.outcome, request),
            winner: winner(configuration, &explanation, origins),
            losers: losers.collect(),
            other_listeners: others.collect(),
            path: PathReport::of(configuration, &router, listener),
            paths: paths.map(|all| of_listener(all, listener, request)),
            answer: explanation.outcome.to_string(),
        }
    }
}

/// Those of a listener; if the request names one of its addresses, of that address.
fn of_listener(
    paths: &[ListenerPath],
    listener: Option<&ListenerKey>,
    request: &ExplainedRequest,
) -> Vec<ListenerPath> {
    let name = listener.map(ToString::to_string);
    let mut found: Vec<_> = paths.iter().filter(|it| Some(&it.listener) == name.as_ref()).cloned().collect();
    let host = request.host.trim_start_matches('[').trim_end_matches(']').parse().ok();
    if found.iter().any(|it| Some(it.address.ip()) == host) {
        found.retain(|it| Some(it.address.ip()) == host);
    }
    found
}

/// A TCP or UDP listener takes all that comes to its port, whatever is said there.
fn take_as_bytes(router: &Router, request: &ExplainedRequest, explanation: &mut Explanation) {
    let stream = request.stream();
    if stream.is_some() {
        (explanation.losers, explanation.other_listeners) = (Vec::new(), Vec::new());
    }
    let protocol = stream.unwrap_or(ListenerProtocol::Tcp);
    let takes = |it: &&Arc<Listener>| it.port == request.port && it.protocol == protocol;
    let Some(listener) = router.listeners().iter().find(takes) else { return };
    let rule = router.listener_id(&listener.key).and_then(|id| router.l4_rule(id));
    let entry = rule.and_then(|rule| router.l4_rules().get(rule.0 as usize));
    let rule = entry.map(|entry| Candidate {
        route: entry.route.key.clone(),
        rule: entry.rule().index,
        rule_name: entry.rule().name.clone(),
        match_index: None,
    });
    explanation.losers.retain(|loser| Some(&loser.candidate) != rule.as_ref());
    explanation.other_listeners.retain(|other| other.listener != listener.key);
    explanation.listener = Some(listener.key.clone());
    explanation.outcome = Outcome::Stream { rule };
}

/// The status where no backend answers; a connection that is refused or closed has none.
fn status(outcome: &Outcome, request: &ExplainedRequest) -> Option<u16> {
    match outcome {
        Outcome::NoRoute | Outcome::HostNotFound => Some(404),
        // Over TLS the handshake is refused.
        Outcome::NoListener => (request.scheme == "http").then_some(404),
        Outcome::Misdirected { .. } => Some(421),
        Outcome::Routed(_) | Outcome::Stream { .. } => None,
    }
}

fn winner(
    configuration: &Configuration,
    explanation: &Explanation,
    origins: &Origins,
) -> Option<WinnerReport> {
    let candidate = match &explanation.outcome {
        Outcome::Routed(winner) => &winner.candidate,
        Outcome::Stream { rule } => rule.as_ref()?,
        _ => return None,
    };
    let route = configuration.routes.get(&candidate.route)?;
    let mut report = match &route.rules {
        Rules::Http(rules) => {
            let rule = rules.iter().find(|rule| rule.index == candidate.rule)?;
            http_winner(configuration, rule, candidate)
        }
        Rules::L4(rules) => {
            let rule = rules.iter().find(|rule| rule.index == candidate.rule)?;
            WinnerReport {
                place: Place { name: String::new(), position: None },
                conditions: "every connection".to_owned(),
                filters: Vec::new(),
                settings: Vec::new(),
                fault: None,
                backends: backends(configuration, &rule.backends),
            }
        }
    };
    report.place = candidate_place(candidate, origins);
    let listener = explanation.listener.as_ref().and_then(|key| configuration.listeners.get(key));
    let of_listener = listener.into_iter().flat_map(|it| &it.filters).map(words::filter);
    report.filters.splice(0..0, of_listener);
    Some(report)
}

fn http_winner(configuration: &Configuration, rule: &HttpRule, candidate: &Candidate) -> WinnerReport {
    let matched = candidate.match_index.and_then(|index| rule.matches.get(index));
    WinnerReport {
        place: Place { name: String::new(), position: None },
        conditions: matched.map(words::conditions).unwrap_or_default(),
        filters: rule.filters.iter().map(words::filter).collect(),
        settings: words::settings(rule),
        fault: rule.fault.as_ref().map(|fault| fault.message.to_string()),
        backends: backends(configuration, &rule.backends),
    }
}

fn backends(configuration: &Configuration, backends: &[WeightedBackend]) -> Vec<BackendReport> {
    let total: u64 = backends.iter().map(|it| u64::from(it.weight)).sum();
    let report = |it: &WeightedBackend| BackendReport {
        backend: words::target(&it.target),
        weight: it.weight,
        // Weights are at most a million each, so nothing is lost.
        percent: if total == 0 { 0.0 } else { f64::from(it.weight) * 100.0 / total as f64 },
        filters: it.filters.iter().map(words::filter).collect(),
        endpoints: endpoints(configuration, &it.target),
    };
    backends.iter().map(report).collect()
}

fn endpoints(configuration: &Configuration, target: &BackendTarget) -> Vec<String> {
    let BackendTarget::Backend(key) = target else { return Vec::new() };
    let endpoints = configuration.endpoints.get(&key.endpoints);
    endpoints.into_iter().flat_map(|it| &it.endpoints).map(|it| it.address.to_string()).collect()
}

/// Where a match, or a rule, is written.
fn candidate_place(candidate: &Candidate, origins: &Origins) -> Place {
    let mut field = FieldPath::root().child("spec").child("rules").child(candidate.rule);
    if let Some(index) = candidate.match_index {
        field = field.child("matches").child(index);
    }
    let position = origins.position(&object_name::route(&candidate.route), &field);
    Place { name: candidate.to_string(), position }
}

fn listener_place(key: &ListenerKey, offline: &Offline) -> Place {
    let name = match &key.parent {
        ListenerParent::Gateway(_) => format!("listener {}", key.name),
        ListenerParent::ListenerSet(set) => format!("listener {} of ListenerSet {set}", key.name),
    };
    let position = listener_index(key, &offline.snapshot).and_then(|index| {
        let field = FieldPath::root().child("spec").child("listeners").child(index);
        offline.origins.position(&object_name::listener_parent(&key.parent), &field)
    });
    Place { name, position }
}

/// Which listener of its owner it is.
fn listener_index(key: &ListenerKey, snapshot: &Snapshot) -> Option<usize> {
    let listeners = match &key.parent {
        ListenerParent::Gateway(name) => &snapshot.gateways.get(&object_name::key(name))?.spec.listeners,
        ListenerParent::ListenerSet(name) => {
            &snapshot.listener_sets.get(&object_name::key(name))?.spec.listeners
        }
    };
    listeners.iter().position(|listener| *listener.name == *key.name)
}
