//! Building the snapshot of a Gateway.

use std::collections::HashMap;
use std::sync::Arc;

use portway_config::{Configuration, RouteKey};
use portway_route::Router;

use super::{Binding, GatewaySnapshot, Ports};
use crate::connection::Split;
use crate::http;
use crate::tls::{CertifiedKeys, ListenerTls, TlsRefused};
use crate::upstream::Backends;

/// A resource, or a part of one, that cannot be served. All others are.
#[derive(Clone, Debug, PartialEq, thiserror::Error)]
pub enum Refused {
    /// A listener, route or rule that cannot be matched with.
    #[error(transparent)]
    Routing(portway_route::Refused),
    /// TLS settings of a listener.
    #[error(transparent)]
    Tls(TlsRefused),
}

impl GatewaySnapshot {
    /// Compiles a configuration. What stays the same as in `previous`, the Gateway's snapshot that is served
    /// now, is shared with it: TLS sessions and upstream connections live on.
    ///
    /// A resource that cannot be compiled is left out and reported; all others are served.
    pub fn build(
        configuration: Arc<Configuration>,
        bindings: Vec<Binding>,
        previous: Option<&Self>,
    ) -> (Self, Vec<Refused>) {
        let (router, refused) = Router::compile(&configuration);
        let mut refused: Vec<_> = refused.into_iter().map(Refused::Routing).collect();
        let backends = Backends::compile(&configuration, previous.map(|previous| &previous.backends));
        let rules = http::compile_rules(&configuration, &router, &backends);
        let listener_filters = http::compile_listener_filters(&router, &backends);
        let l4_rules = l4_rules(&router, &backends, previous);
        let mut keys = CertifiedKeys::default();
        let tls = tls(&router, &configuration, &mut keys, previous, &mut refused);
        let ports = Ports::of(router.listeners());
        let snapshot = Self {
            configuration,
            router,
            rules,
            listener_filters,
            tls,
            backends,
            bindings,
            ports,
            l4_rules,
            keys,
        };
        (snapshot, refused)
    }
}

fn l4_rules(router: &Router, backends: &Backends, previous: Option<&GatewaySnapshot>) -> Vec<Split> {
    let mut before = HashMap::<(&RouteKey, usize), &Split>::new();
    if let Some(previous) = previous {
        let rules = previous.router.l4_rules().iter().zip(&previous.l4_rules);
        before.extend(rules.map(|(entry, split)| ((&entry.route.key, entry.rule().index), split)));
    }
    let compile = |entry: &portway_route::L4RuleEntry| {
        let rule = entry.rule();
        Split::new(&rule.backends, backends, before.get(&(&entry.route.key, rule.index)).copied())
    };
    router.l4_rules().iter().map(compile).collect()
}

fn tls(
    router: &Router,
    configuration: &Configuration,
    keys: &mut CertifiedKeys,
    previous: Option<&GatewaySnapshot>,
    refused: &mut Vec<Refused>,
) -> Vec<Option<ListenerTls>> {
    let mut compiled = Vec::with_capacity(router.listeners().len());
    for listener in router.listeners() {
        let before = previous.and_then(|previous| {
            let id = previous.router.listener_id(&listener.key)?;
            previous.tls.get(id.0 as usize)?.as_ref()
        });
        let (tls, errors) =
            ListenerTls::compile(listener, configuration, keys, previous.map(|it| &it.keys), before);
        refused.extend(errors.into_iter().map(Refused::Tls));
        compiled.push(tls);
    }
    compiled
}
