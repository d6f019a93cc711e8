//! Events: what a person should notice beside the conditions, where `kubectl describe` shows it.

use std::collections::BTreeSet;
use std::sync::Arc;

use k8s_openapi::api::core::v1::ObjectReference;
use kube::Client;
use kube::runtime::events::{Event, EventType, Recorder, Reporter};
use portway_api::core::ObjectMeta;
use portway_api::object::ObjectRef;
use portway_api::{ObjectKey, Snapshot};
use portway_translate::options::CONTROLLER_NAME;
use portway_translate::{Finding, Severity};
use tokio::sync::watch;
use tokio::time::{Instant, sleep_until};

use super::translation::Published;
use crate::limits::{EVENTS_AT_ONCE, EVENTS_WINDOW};
use crate::metrics::Metrics;
use crate::watch::Kind;

/// The longest note that the API server takes, in bytes (events.k8s.io/v1).
const NOTE_BYTES: usize = 1024;

/// Tells of each finding once.
pub(crate) struct EventTeller {
    recorder: Recorder,
    told: BTreeSet<Finding>,
    budget: Budget,
    metrics: Metrics,
}

impl EventTeller {
    pub(crate) fn new(client: Client, pod: String, metrics: Metrics) -> Self {
        let reporter = Reporter { controller: CONTROLLER_NAME.to_owned(), instance: Some(pod) };
        Self {
            recorder: Recorder::new(client, reporter),
            told: BTreeSet::new(),
            budget: Budget::default(),
            metrics,
        }
    }

    /// Follows what is published, for ever.
    pub(crate) async fn run(
        mut self,
        mut published: watch::Receiver<Option<Arc<Published>>>,
        mut leads: watch::Receiver<bool>,
    ) {
        while leads.wait_for(|leads| *leads).await.is_ok() {
            let end = self.budget.end();
            let is_over = async {
                match end {
                    Some(end) => sleep_until(end).await,
                    None => std::future::pending().await,
                }
            };
            let is_open = tokio::select! {
                it = published.changed() => it.is_ok(),
                () = is_over => { self.tell_how_many_more(); continue }
            };
            if !is_open {
                return;
            }
            let Some(published) = published.borrow_and_update().clone() else { continue };
            self.tell(&published).await;
        }
    }

    async fn tell(&mut self, published: &Published) {
        let noticed = published.translation.findings.iter().filter(|it| is_noticed(it));
        let noticed: BTreeSet<_> = noticed.cloned().collect();
        let new: Vec<_> = noticed.difference(&self.told).cloned().collect();
        for finding in &new {
            self.publish(published, &finding.object, event(finding), &finding.to_string()).await;
        }
        self.told = noticed;
    }

    /// Tells in an Event and in the log, unless that is too much at once.
    async fn publish(&mut self, published: &Published, object: &ObjectRef, event: Event, line: &str) {
        if !self.budget.take(Instant::now()) {
            self.metrics.event("left_out");
            return;
        }
        tracing::info!("{line}");
        let Some(reference) = reference(&published.snapshot, object) else { return };
        match self.recorder.publish(&event, &reference).await {
            Ok(()) => self.metrics.event("published"),
            Err(error) => {
                self.metrics.event("refused");
                tracing::debug!("an Event is not taken: {error}");
            }
        }
    }

    fn tell_how_many_more(&mut self) {
        let more = self.budget.begin_again();
        if more > 0 {
            tracing::warn!("{more} more problems; the conditions of the objects tell them");
        }
    }
}

/// How much is told: a few at once, so that many mistakes at the same time are no storm of writes and lines.
#[derive(Debug, Default)]
struct Budget {
    /// When the first of these was told.
    since: Option<Instant>,
    told: usize,
    left_out: usize,
}

impl Budget {
    /// Whether one more may be told.
    fn take(&mut self, now: Instant) -> bool {
        self.since.get_or_insert(now);
        let may = self.told < EVENTS_AT_ONCE;
        if may {
            self.told += 1;
        } else {
            self.left_out += 1;
        }
        may
    }

    /// When as many again may be told.
    fn end(&self) -> Option<Instant> {
        self.since.map(|since| since + EVENTS_WINDOW)
    }

    /// Begins anew; returns how many were left out.
    fn begin_again(&mut self) -> usize {
        std::mem::take(self).left_out
    }
}

/// Notes are for those who ask; and endpoints come and go while pods start.
fn is_noticed(finding: &Finding) -> bool {
    finding.severity != Severity::Note && finding.code != portway_translate::FindingCode::NoEndpoints
}

fn event(finding: &Finding) -> Event {
    let field = if finding.field.is_empty() { String::new() } else { format!("{}: ", finding.field) };
    let help = finding.help.as_ref().map(|help| format!("; {help}")).unwrap_or_default();
    let mut note = format!("{field}{}{help}.", finding.message);
    if note.len() > NOTE_BYTES {
        let end = (0..=NOTE_BYTES - '…'.len_utf8()).rev().find(|at| note.is_char_boundary(*at)).unwrap_or(0);
        note.truncate(end);
        note.push('…');
    }
    Event {
        type_: EventType::Warning,
        reason: format!("{:?}", finding.code),
        note: Some(note),
        action: "Translate".to_owned(),
        secondary: None,
    }
}

/// The object with its identity, without which nobody finds its Events.
fn reference(snapshot: &Snapshot, object: &ObjectRef) -> Option<ObjectReference> {
    let metadata = metadata(snapshot, object)?;
    let kind = Kind::named(&object.kind)?;
    Some(ObjectReference {
        api_version: Some(kind.resource(kind.versions.first()?).api_version),
        kind: Some(object.kind.clone()),
        namespace: object.namespace.clone(),
        name: Some(object.name.clone()),
        uid: metadata.uid.clone(),
        resource_version: metadata.resource_version.clone(),
        field_path: None,
    })
}

fn metadata<'a>(snapshot: &'a Snapshot, object: &ObjectRef) -> Option<&'a ObjectMeta> {
    let key = ObjectKey::new(object.namespace.as_deref().unwrap_or_default(), object.name.as_str());
    match object.kind.as_str() {
        "GatewayClass" => snapshot.gateway_classes.get(&key.name).map(|it| &it.metadata),
        "Gateway" => snapshot.gateways.get(&key).map(|it| &it.metadata),
        "ListenerSet" => snapshot.listener_sets.get(&key).map(|it| &it.metadata),
        "HTTPRoute" => snapshot.http_routes.get(&key).map(|it| &it.metadata),
        "GRPCRoute" => snapshot.grpc_routes.get(&key).map(|it| &it.metadata),
        "TLSRoute" => snapshot.tls_routes.get(&key).map(|it| &it.metadata),
        "TCPRoute" => snapshot.tcp_routes.get(&key).map(|it| &it.metadata),
        "UDPRoute" => snapshot.udp_routes.get(&key).map(|it| &it.metadata),
        "ReferenceGrant" => snapshot.reference_grants.get(&key).map(|it| &it.metadata),
        "BackendTLSPolicy" => snapshot.backend_tls_policies.get(&key).map(|it| &it.metadata),
        "Secret" => snapshot.secrets.get(&key).map(|it| &it.metadata),
        "ConfigMap" => snapshot.config_maps.get(&key).map(|it| &it.metadata),
        "Service" => snapshot.services.get(&key).map(|it| &it.metadata),
        _ => None,
    }
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn of_many_at_once_a_few_are_told_and_the_others_counted() {
        let mut budget = Budget::default();
        assert_eq!(budget.end(), None);
        let now = Instant::now();
        let told = (0..500).filter(|_| budget.take(now)).count();
        assert_eq!(told, EVENTS_AT_ONCE);
        assert_eq!(budget.end(), Some(now + EVENTS_WINDOW));
        assert_eq!(budget.begin_again(), 500 - EVENTS_AT_ONCE);
        assert!(budget.take(now + EVENTS_WINDOW));
    }
}
