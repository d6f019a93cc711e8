//! Building the snapshot of a Gateway.

use std::sync::Arc;

use portway_config::Configuration;
use portway_route::Router;

use super::rules::{CompiledRules, compile_rules};
use super::{Binding, GatewaySnapshot, Ports};
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
    /// now, is shared with it: TLS sessions and upstream connections live on, and the work is that of what is different.
    ///
    /// A resource that cannot be compiled is left out and reported; all others are served.
    pub fn build(
        configuration: Arc<Configuration>,
        bindings: Vec<Binding>,
        previous: Option<&Self>,
    ) -> (Self, Vec<Refused>) {
        let router = match previous {
            Some(previous) => previous.router.recompile(&configuration),
            None => Router::compile(&configuration).0,
        };
        Self::with_router(router, configuration, bindings, previous)
    }

    /// As [`Self::build`], with a router that somebody has compiled from the same configuration already.
    pub fn with_router(
        router: Router,
        configuration: Arc<Configuration>,
        bindings: Vec<Binding>,
        previous: Option<&Self>,
    ) -> (Self, Vec<Refused>) {
        let mut refused: Vec<_> = router.refused().iter().cloned().map(Refused::Routing).collect();
        let backends = match previous {
            Some(previous) => previous.backends.recompile(&previous.configuration, &configuration),
            None => Backends::compile(&configuration, None),
        };
        let CompiledRules { http: rules, l4: l4_rules, uses } = compile_rules(&router, &backends, previous);
        let listener_filters = http::compile_listener_filters(&router, &backends);
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
            uses,
            keys,
        };
        (snapshot, refused)
    }
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
