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

use super::translation::Published;
use crate::limits::EVENTS_AT_ONCE;
use crate::watch::Kind;

/// The longest note that the API server takes, in bytes (events.k8s.io/v1).
const NOTE_BYTES: usize = 1024;

/// Tells of each finding once.
pub(crate) struct EventTeller {
    recorder: Recorder,
    told: BTreeSet<Finding>,
}

impl EventTeller {
    pub(crate) fn new(client: Client, pod: String) -> Self {
        let reporter = Reporter { controller: CONTROLLER_NAME.to_owned(), instance: Some(pod) };
        Self { recorder: Recorder::new(client, reporter), told: BTreeSet::new() }
    }

    /// Follows what is published, for ever.
    pub(crate) async fn run(
        mut self,
        mut published: watch::Receiver<Option<Arc<Published>>>,
        mut leads: watch::Receiver<bool>,
    ) {
        while leads.wait_for(|leads| *leads).await.is_ok() && published.changed().await.is_ok() {
            let Some(published) = published.borrow_and_update().clone() else { continue };
            self.tell(&published).await;
        }
    }

    /// A port that another Gateway has at the same address.
    async fn tell_conflict(&self, published: &Published, gateway: &ObjectKey, conflict: &str) {
        let object = ObjectRef::namespaced("Gateway", gateway);
        let Some(reference) = reference(&published.snapshot, &object) else { return };
        let event = Event {
            type_: EventType::Warning,
            reason: "AddressConflict".to_owned(),
            note: Some(format!("{conflict}.")),
            action: "AssignAddresses".to_owned(),
            secondary: None,
        };
        if let Err(error) = self.recorder.publish(&event, &reference).await {
            tracing::debug!("an Event is not taken: {error}");
        }
    }

    async fn tell(&mut self, published: &Published) {
        let noticed = published.translation.findings.iter().filter(|it| is_noticed(it));
        let noticed: BTreeSet<_> = noticed.cloned().collect();
        let new: Vec<_> = noticed.difference(&self.told).cloned().collect();
        for finding in new.iter().take(EVENTS_AT_ONCE) {
            tracing::info!("{finding}");
            let Some(reference) = reference(&published.snapshot, &finding.object) else { continue };
            if let Err(error) = self.recorder.publish(&event(finding), &reference).await {
                tracing::debug!("an Event is not taken: {error}");
            }
        }
        if let Some(more) = new.len().checked_sub(EVENTS_AT_ONCE).filter(|more| *more > 0) {
            tracing::warn!("{more} more problems; the conditions of the objects tell them");
        }
        self.told = noticed;
        for (gateway, decision) in &published.decisions {
            for conflict in decision.taken_ports.values() {
                self.tell_conflict(published, gateway, conflict).await;
            }
        }
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
