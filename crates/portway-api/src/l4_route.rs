//! TLSRoute, TCPRoute and UDPRoute: routes that look at no more than the connection.

use serde::{Deserialize, Serialize};

use crate::reference::{BackendRef, ParentReference};
use crate::resource::{Resource, Spec};
use crate::route::{DefaultScope, RouteSpec, RouteStatus};

/// A TLSRoute.
pub type TlsRoute = Resource<TlsRouteSpec>;
/// A TCPRoute.
pub type TcpRoute = Resource<TcpRouteSpec>;
/// A UDPRoute.
pub type UdpRoute = Resource<UdpRouteSpec>;

/// Where to send connections: the one rule that such a route has.
#[derive(Clone, Debug, Default, PartialEq, Eq, Serialize, Deserialize)]
#[serde(rename_all = "camelCase")]
pub struct L4RouteRule {
    /// Name, unique within the route.
    #[serde(default, skip_serializing_if = "Option::is_none")]
    pub name: Option<String>,
    /// Backends with weights.
    #[serde(default, skip_serializing_if = "Vec::is_empty")]
    pub backend_refs: Vec<BackendRef>,
}

/// Spec of a [`TlsRoute`].
#[derive(Clone, Debug, Default, PartialEq, Serialize, Deserialize)]
#[serde(rename_all = "camelCase")]
pub struct TlsRouteSpec {
    /// The parents to attach to.
    #[serde(default, skip_serializing_if = "Vec::is_empty")]
    pub parent_refs: Vec<ParentReference>,
    /// Which default Gateways to attach to (GEP-3793, experimental).
    #[serde(default, skip_serializing_if = "Option::is_none")]
    pub use_default_gateways: Option<DefaultScope>,
    /// Server names (SNI).
    #[serde(default, skip_serializing_if = "Vec::is_empty")]
    pub hostnames: Vec<String>,
    /// Rules.
    #[serde(default, skip_serializing_if = "Vec::is_empty")]
    pub rules: Vec<L4RouteRule>,
}

/// Spec of a [`TcpRoute`].
#[derive(Clone, Debug, Default, PartialEq, Serialize, Deserialize)]
#[serde(rename_all = "camelCase")]
pub struct TcpRouteSpec {
    /// The parents to attach to.
    #[serde(default, skip_serializing_if = "Vec::is_empty")]
    pub parent_refs: Vec<ParentReference>,
    /// Which default Gateways to attach to (GEP-3793, experimental).
    #[serde(default, skip_serializing_if = "Option::is_none")]
    pub use_default_gateways: Option<DefaultScope>,
    /// Rules.
    #[serde(default, skip_serializing_if = "Vec::is_empty")]
    pub rules: Vec<L4RouteRule>,
}

/// Spec of a [`UdpRoute`].
#[derive(Clone, Debug, Default, PartialEq, Serialize, Deserialize)]
#[serde(rename_all = "camelCase")]
pub struct UdpRouteSpec {
    /// The parents to attach to.
    #[serde(default, skip_serializing_if = "Vec::is_empty")]
    pub parent_refs: Vec<ParentReference>,
    /// Which default Gateways to attach to (GEP-3793, experimental).
    #[serde(default, skip_serializing_if = "Option::is_none")]
    pub use_default_gateways: Option<DefaultScope>,
    /// Rules.
    #[serde(default, skip_serializing_if = "Vec::is_empty")]
    pub rules: Vec<L4RouteRule>,
}

/// A route whose rules are [`L4RouteRule`]s.
pub trait L4RouteSpec: RouteSpec {
    /// The rules.
    fn rules(&self) -> &[L4RouteRule];
}

macro_rules! l4_route {
    ($spec:ty, $kind:literal, $versions:expr, $self:ident => $hostnames:expr) => {
        impl Spec for $spec {
            const KIND: &'static str = $kind;
            const VERSIONS: &'static [&'static str] = $versions;
            type Status = RouteStatus;
        }

        impl RouteSpec for $spec {
            fn parent_refs(&self) -> &[ParentReference] {
                &self.parent_refs
            }

            fn hostnames(&$self) -> &[String] {
                $hostnames
            }

            fn use_default_gateways(&self) -> Option<DefaultScope> {
                self.use_default_gateways
            }
        }

        impl L4RouteSpec for $spec {
            fn rules(&self) -> &[L4RouteRule] {
                &self.rules
            }
        }
    };
}

l4_route!(TlsRouteSpec, "TLSRoute", &["v1", "v1alpha3", "v1alpha2"], self => &self.hostnames);
l4_route!(TcpRouteSpec, "TCPRoute", &["v1", "v1alpha2"], self => &[]);
l4_route!(UdpRouteSpec, "UDPRoute", &["v1", "v1alpha2"], self => &[]);
