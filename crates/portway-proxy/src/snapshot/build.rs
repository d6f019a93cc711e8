//! Building the snapshot of a Gateway.

use std::sync::Arc;

use portway_config::Configuration;
use portway_route::Router;

use super::{Binding, GatewaySnapshot, Ports};
use crate::http;
use crate::tls::ListenerTls;
use crate::upstream::Backends;

/// A resource that cannot be served. All others are.
#[derive(Clone, Debug, PartialEq, Eq, thiserror::Error)]
pub enum Refused {
    /// A listener, route or rule that cannot be matched with.
    #[error("{0}")]
    Routing(String),
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
        let refused = refused.into_iter().map(|it| Refused::Routing(it.to_string())).collect();
        let backends = Backends::compile(&configuration, previous.map(|previous| &previous.backends));
        let rules = http::compile_rules(&configuration, &router, &backends);
        let ports = Ports::of(router.listeners());
        let tls = router.listeners().iter().map(|_| None::<ListenerTls>).collect();
        (Self { configuration, router, rules, tls, backends, bindings, ports }, refused)
    }
}
