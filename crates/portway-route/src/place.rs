//! Where a route is attached.

use portway_config::{HostnamePattern, Listener, ListenerProtocol, Route, RouteKind};

/// A hostname that a route serves at a listener.
#[derive(Clone, Copy, Debug)]
pub(crate) struct HostnamePlace<'c> {
    /// What route and listener have in common.
    pub(crate) hostname: &'c HostnamePattern,
    /// The route's own hostname that it comes from.
    pub(crate) route_hostname: &'c HostnamePattern,
}

/// The hostnames that `route` serves at `listener`.
pub(crate) fn hostnames<'c>(route: &'c Route, listener: &Listener) -> Vec<HostnamePlace<'c>> {
    let here = route.attachments.iter().filter(|it| it.listener == listener.key);
    here.flat_map(|it| &it.hostnames)
        .map(|hostname| {
            let route_hostname = own_hostname(route, &listener.hostname, hostname).unwrap_or(hostname);
            HostnamePlace { hostname, route_hostname }
        })
        .collect()
}

/// Whether a listener of this protocol carries routes of this kind.
pub(crate) fn carries(protocol: &ListenerProtocol, kind: RouteKind) -> bool {
    match kind {
        RouteKind::Http | RouteKind::Grpc => protocol.is_http(),
        RouteKind::Tls => {
            matches!(protocol, ListenerProtocol::TlsTerminate(_) | ListenerProtocol::TlsPassthrough)
        }
        RouteKind::Tcp => matches!(protocol, ListenerProtocol::Tcp),
        RouteKind::Udp => matches!(protocol, ListenerProtocol::Udp),
    }
}

/// Of the hostnames that the route names itself, the most specific that meets the listener's in `common`.
fn own_hostname<'c>(
    route: &'c Route,
    listener: &HostnamePattern,
    common: &HostnamePattern,
) -> Option<&'c HostnamePattern> {
    const ALL: &[HostnamePattern] = &[HostnamePattern::Any];
    let own = if route.hostnames.is_empty() { ALL } else { &route.hostnames };
    own.iter().filter(|it| it.intersection(listener).as_ref() == Some(common)).min()
}

#[cfg(test)]
mod tests {
    use super::*;
    use crate::fixture::{Gateway, http_route};

    #[test]
    fn each_common_hostname_comes_from_the_most_specific_own_one() {
        let places = |listener: &str, own: &[&str]| {
            let gateway = Gateway::new().http("http", 80, listener).route(http_route("r").hosts(own));
            let route = gateway.configuration.routes.values().next().unwrap();
            let listener = gateway.configuration.listeners.values().next().unwrap();
            let places = hostnames(route, listener);
            places.iter().map(|it| format!("{} from {}", it.hostname, it.route_hostname)).collect::<Vec<_>>()
        };
        assert_eq!(places("", &["a.com", "*.com"]), ["a.com from a.com", "*.com from *.com"]);
        assert_eq!(places("*.a.com", &["*.com"]), ["*.a.com from *.com"]);
        assert_eq!(places("b.a.com", &["*.com", "*.a.com"]), ["b.a.com from *.a.com"]);
        assert_eq!(places("a.com", &[]), ["a.com from *"]);
    }
}
