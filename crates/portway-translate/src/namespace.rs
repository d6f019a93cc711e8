//! Namespaces that no manifest declares.

use std::collections::BTreeSet;

use portway_api::object::ObjectRef;
use portway_api::resource::DEFAULT_NAMESPACE;

use crate::context::{Context, Output};
use crate::finding::{Finding, FindingCode, Severity};

/// Notes the namespaces that are only taken to exist (standalone mode): their labels are unknown, so
/// that a selector may pass them over.
pub(crate) fn note_implied(context: &Context<'_>, out: &mut Output) {
    if !context.options.implied_namespaces {
        return;
    }
    for namespace in used(context) {
        // Every cluster has the default one.
        if namespace != DEFAULT_NAMESPACE && !context.snapshot.namespaces.contains_key(namespace) {
            let finding = Finding::new(
                Severity::Note,
                FindingCode::ImpliedNamespace,
                ObjectRef::cluster("Namespace", namespace),
                "",
                "no manifest declares this namespace; it is taken to exist, without labels",
            );
            out.find(finding.with_help("add a Namespace object if its labels matter"));
        }
    }
}

/// The namespaces of Gateways, of ListenerSets and of what attaches to them.
fn used<'a>(context: &Context<'a>) -> BTreeSet<&'a str> {
    let snapshot = context.snapshot;
    let keys = (snapshot.gateways.keys())
        .chain(snapshot.listener_sets.keys())
        .chain(snapshot.http_routes.keys())
        .chain(snapshot.grpc_routes.keys())
        .chain(snapshot.tls_routes.keys())
        .chain(snapshot.tcp_routes.keys())
        .chain(snapshot.udp_routes.keys())
        .chain(snapshot.services.keys());
    keys.map(|key| key.namespace.as_str()).collect()
}
