//! TLSRoute, TCPRoute and UDPRoute.

use super::{
    check::{Check, Validate},
    reference, route, syntax,
};
use crate::l4_route::{L4RouteRule, L4RouteSpec, TcpRouteSpec, TlsRouteSpec, UdpRouteSpec};

/// How many hostnames a TLSRoute may have.
const MAX_HOSTNAMES: usize = 1024;

/// The version that allows several rules, and a TLSRoute without hostnames.
const LENIENT_VERSION: &str = "v1alpha2";

impl Validate for TcpRouteSpec {
    fn validate(&self, check: &mut Check<'_>) {
        parents_and_rules(self, check);
    }
}

impl Validate for UdpRouteSpec {
    fn validate(&self, check: &mut Check<'_>) {
        parents_and_rules(self, check);
    }
}

impl Validate for TlsRouteSpec {
    fn validate(&self, check: &mut Check<'_>) {
        parents_and_rules(self, check);
        if check.version() == LENIENT_VERSION {
            return check.texts("hostnames", &self.hostnames, 0..=MAX_HOSTNAMES, &syntax::HOSTNAME);
        }
        check.items("hostnames", &self.hostnames, 1..=MAX_HOSTNAMES, |check, hostname| {
            check.form(hostname, &syntax::HOSTNAME);
            if hostname.parse::<std::net::IpAddr>().is_ok() {
                check.refuse("a client sends no IP address as server name (RFC 6066, section 3)");
            }
        });
    }
}

fn parents_and_rules(route: &impl L4RouteSpec, check: &mut Check<'_>) {
    reference::parents(route.parent_refs(), check);
    let most = if check.version() == LENIENT_VERSION { route::MAX_RULES } else { 1 };
    check.list("rules", route.rules(), 1..=most);
    route::rule_names(route.rules(), |rule| rule.name.as_ref(), check);
}

impl Validate for L4RouteRule {
    fn validate(&self, check: &mut Check<'_>) {
        check.optional_text("name", self.name.as_ref(), &syntax::DNS_NAME);
        check.list("backendRefs", &self.backend_refs, 1..=route::MAX_BACKENDS);
    }
}
