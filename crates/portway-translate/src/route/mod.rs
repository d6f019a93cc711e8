//! Routes: which listeners they attach to, and what their rules become.
//!
//! The order of the work, module by module:
//!
//! 1. `view`: routes of all kinds, seen as one.
//! 2. `parent`, `attachment`, `refusal`: which listeners take a route, and why others do not.
//! 3. `http`, `l4`, `rule`: what its rules become.
//! 4. `overlap`: HTTPRoutes and GRPCRoutes that meet on a hostname.
//! 5. `shadow`: rules that never serve.
//! 6. `status`, `findings`: what is told of it.

mod attachment;
mod backends;
mod duration;
mod findings;
mod hostname_set;
mod http;
mod l4;
mod overlap;
mod parent;
mod policy;
mod reference;
mod refusal;
mod request_match;
mod rule;
mod shadow;
mod status;
mod view;
mod work;

use std::collections::{BTreeMap, BTreeSet};
use std::sync::Arc;

use portway_api::ObjectKey;
use portway_config::{Attachment, Route};

use self::parent::Parents;
pub(crate) use self::parent::reference_to_gateway;
use self::work::Work;
use crate::backend::Assembly;
use crate::context::{Context, Output};
use crate::listener::GatewayView;
use crate::status::SharedStatuses;

/// Attaches all routes: counts them at the listeners, writes routes, backends and endpoints into
/// the configurations, and the statuses of routes and BackendTLSPolicies.
pub(crate) fn translate_routes<'a>(
    context: &Context<'a>,
    gateways: &mut BTreeMap<ObjectKey, GatewayView<'a>>,
    out: &mut Output,
) {
    let parents = Parents::new(context.snapshot, gateways);
    let mut works = Vec::new();
    for view in view::all(context.snapshot) {
        reference::findings(context, &view, &mut out.findings);
        works.extend(Work::new(context, &parents, gateways, view));
    }
    overlap::displace(&mut works);
    for work in &mut works {
        add_to_configurations(gateways, work, out);
    }
    let shadows = shadow::find(gateways, &out.configurations);
    let mut shared = SharedStatuses::default();
    for work in &works {
        let key = (work.view.kind, work.view.key());
        let status = shared.share(status::status(context, gateways, &shadows, work));
        out.statuses.routes.insert(key, status);
        findings::add(gateways, work, &mut out.findings);
        shadows.findings(work, &mut out.findings);
    }
    count(&works, gateways);
    let mut assembly = Assembly::new(context);
    for (key, configuration) in &mut out.configurations {
        if let Some(gateway) = gateways.get(key) {
            assembly.add(gateway, configuration);
        }
    }
    assembly.finish(out);
}

/// Writes a route into the configuration of each Gateway that serves a listener which it is attached to. Its rules go
/// there for good: of thousands of routes, one copy is enough.
fn add_to_configurations(
    gateways: &BTreeMap<ObjectKey, GatewayView<'_>>,
    work: &mut Work<'_, '_>,
    out: &mut Output,
) {
    let mut by_gateway: BTreeMap<&ObjectKey, BTreeMap<_, Attachment>> = BTreeMap::new();
    for it in work.parents.iter().filter(|it| status::is_accepted(work, it)) {
        let Some(gateway) = gateways.get(&it.parent.gateway) else { continue };
        for attached in it.attached() {
            let listener = gateway.listeners.get(attached.listener).filter(|it| it.config.is_some());
            let Some(key) = listener.map(|listener| listener.key.clone()) else { continue };
            let attachment = Attachment { listener: key.clone(), hostnames: attached.hostnames.clone() };
            by_gateway.entry(&it.parent.gateway).or_default().insert(key, attachment);
        }
    }
    // Clones for all Gateways but the last.
    let rules = std::iter::repeat_n(work.translated.take_rules(), by_gateway.len());
    for ((gateway, attachments), rules) in by_gateway.into_iter().zip(rules) {
        let Some(configuration) = out.configurations.get_mut(gateway) else { continue };
        let route = Route {
            key: work.view.config_key(),
            created: work.view.created(),
            hostnames: work.hostnames.clone(),
            attachments: attachments.into_values().collect(),
            rules,
        };
        configuration.routes.insert(route.key.clone(), Arc::new(route));
    }
}

/// Counts the accepted routes of each listener; a route counts once, however many references lead there.
fn count(works: &[Work<'_, '_>], gateways: &mut BTreeMap<ObjectKey, GatewayView<'_>>) {
    for work in works {
        let accepted = work.parents.iter().filter(|it| status::is_accepted(work, it));
        let listeners: BTreeSet<_> = accepted
            .flat_map(|it| it.attached().iter().map(|attached| (&it.parent.gateway, attached.listener)))
            .collect();
        for (gateway, index) in listeners {
            let listener = gateways.get_mut(gateway).and_then(|view| view.listeners.get_mut(index));
            if let Some(listener) = listener {
                listener.attached_routes += 1;
            }
        }
    }
}
