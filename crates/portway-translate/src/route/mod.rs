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
//!
//! Of all this, what has come of a route is kept (`memory`), and done again when the route, a Service that it names, or
//! what all routes depend on is another.

mod attachment;
mod backends;
mod duration;
mod findings;
mod hostname_set;
mod http;
mod l4;
mod memory;
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

use portway_api::ObjectKey;
use portway_config::{Attachment, Route, RouteKey};

pub(crate) use self::memory::RouteMemory;
use self::memory::{ListenerIndex, status_key};
use self::parent::Parents;
pub(crate) use self::parent::reference_to_gateway;
use self::shadow::Shadows;
use self::work::Work;
use crate::backend::Assembly;
use crate::context::{Context, Output};
use crate::finding::Finding;
use crate::listener::GatewayView;

/// Attaches all routes: counts them at the listeners, writes routes, backends and endpoints into
/// the configurations, and the statuses of routes and BackendTLSPolicies.
pub(crate) fn translate_routes<'a>(
    context: &Context<'a>,
    gateways: &mut BTreeMap<ObjectKey, GatewayView<'a>>,
    memory: &mut RouteMemory,
    out: &mut Output,
) {
    memory.backends.follow(context.snapshot, gateways);
    let parents = Parents::new(context.snapshot, gateways);
    let step = Step { context, parents: &parents, gateways };
    let is_done = step.take(memory);
    if !is_done {
        // What is decided among all routes of a listener is decided with all of them.
        memory.expect_anything();
        step.take(memory);
    }
    memory.finish();
    for (key, view) in gateways.iter_mut() {
        for (index, listener) in view.listeners.iter_mut().enumerate() {
            listener.attached_routes = memory.attached_to(&(key.clone(), index));
        }
    }
    out.statuses.routes = memory.statuses.clone();
    out.findings.extend(memory.findings.values().flatten().cloned());
    let mut assembly = Assembly::new(context, &mut memory.backends);
    for (key, configuration) in &mut out.configurations {
        configuration.routes = memory.routes.get(key).cloned().unwrap_or_default();
        if let Some(gateway) = gateways.get(key) {
            assembly.add(gateway, configuration);
        }
    }
    assembly.finish(out);
}

/// From what is remembered to the routes of this snapshot.
struct Step<'s, 'a> {
    context: &'s Context<'a>,
    parents: &'s Parents<'a>,
    gateways: &'s BTreeMap<ObjectKey, GatewayView<'a>>,
}

/// A route that is looked at.
struct Looked<'a, 'p> {
    key: RouteKey,
    /// What is told of its references.
    findings: Vec<Finding>,
    /// None where no parent of it is ours, or it is gone.
    work: Option<Work<'a, 'p>>,
}

impl<'s, 'a> Step<'s, 'a> {
    /// Returns false where what is remembered must not be gone on from. It is of no use then.
    fn take(&self, memory: &mut RouteMemory) -> bool {
        let changed = memory.follow(self.context.snapshot);
        let is_whole = memory.knows_nothing();
        let was_contested = memory.is_contested(changed.iter());
        changed.iter().for_each(|key| memory.forget(key));
        let mut looked: Vec<_> = changed.iter().map(|key| self.look(key, memory)).collect();
        if !is_whole && (was_contested || memory.is_contested(changed.iter())) {
            return false;
        }
        overlap::displace(&mut looked.iter_mut().filter_map(|it| it.work.as_mut()).collect::<Vec<_>>());
        looked.iter_mut().filter_map(|it| it.work.as_mut()).for_each(|work| self.serve(work, memory));

        let otherwise_served = shadow::compile(self.gateways, memory);
        let mut others = otherwise_served.difference(&changed).peekable();
        if !is_whole && others.peek().is_some() {
            let others: Vec<_> = others.collect();
            if memory.is_contested(others.iter().copied()) {
                return false;
            }
            looked.extend(others.into_iter().map(|key| self.look_again(key)));
        }
        for it in &looked {
            self.tell(it, memory);
        }
        true
    }

    /// Looks at a route, and remembers where it wants to be.
    fn look<'p>(&'p self, key: &RouteKey, memory: &mut RouteMemory) -> Looked<'a, 'p> {
        self.context.take_asked();
        let looked = self.look_again(key);
        if view::get(self.context.snapshot, key).is_some() {
            memory.want(key, self.context.take_asked(), looked.work.as_ref());
        }
        looked
    }

    fn look_again<'p>(&'p self, key: &RouteKey) -> Looked<'a, 'p> {
        let mut findings = Vec::new();
        let work = view::get(self.context.snapshot, key).and_then(|view| {
            reference::findings(self.context, &view, &mut findings);
            Work::new(self.context, self.parents, self.gateways, view)
        });
        Looked { key: key.clone(), findings, work }
    }

    /// Writes a route into the configuration of each Gateway that serves a listener which it is attached to. Its rules go
    /// there for good: of thousands of routes, one copy is enough.
    fn serve(&self, work: &mut Work<'_, '_>, memory: &mut RouteMemory) {
        let mut by_gateway: BTreeMap<&ObjectKey, BTreeMap<_, Attachment>> = BTreeMap::new();
        let mut listeners: BTreeSet<ListenerIndex> = BTreeSet::new();
        for it in work.parents.iter().filter(|it| status::is_accepted(work, it)) {
            let Some(gateway) = self.gateways.get(&it.parent.gateway) else { continue };
            for attached in it.attached() {
                listeners.insert((it.parent.gateway.clone(), attached.listener));
                let listener = gateway.listeners.get(attached.listener).filter(|it| it.config.is_some());
                let Some(key) = listener.map(|listener| listener.key.clone()) else { continue };
                let attachment = Attachment { listener: key.clone(), hostnames: attached.hostnames.clone() };
                by_gateway.entry(&it.parent.gateway).or_default().insert(key, attachment);
            }
        }
        let key = work.view.config_key();
        memory.attach(&key, listeners);
        memory.serve(&key, by_gateway.keys().copied());
        // Clones for all Gateways but the last.
        let rules = std::iter::repeat_n(work.translated.take_rules(), by_gateway.len());
        for ((gateway, attachments), rules) in by_gateway.into_iter().zip(rules) {
            let route = Route {
                key: key.clone(),
                created: work.view.created(),
                hostnames: work.hostnames.clone(),
                attachments: attachments.into_values().collect(),
                rules,
            };
            memory.put(gateway, route);
        }
    }

    /// Remembers what is to be said of a route.
    fn tell(&self, looked: &Looked<'_, '_>, memory: &mut RouteMemory) {
        memory.be_silent(&looked.key);
        let mut told = looked.findings.clone();
        if let Some(work) = &looked.work {
            let shadows = Shadows::of(&looked.key, memory);
            let status = status::status(self.context, self.gateways, &shadows, work);
            let status = memory.shared_statuses.share(status);
            memory.statuses.insert(status_key(&looked.key), status);
            findings::add(self.gateways, work, &mut told);
            shadows.findings(work, &mut told);
        }
        if !told.is_empty() {
            memory.findings.insert(looked.key.clone(), told);
        }
    }
}
