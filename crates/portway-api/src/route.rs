//! What all kinds of routes have in common: parents, session persistence, status.

use k8s_openapi::apimachinery::pkg::apis::meta::v1::Condition;
use serde::{Deserialize, Serialize};

use crate::reference::ParentReference;
use crate::resource::Spec;

/// The spec of a kind of route.
pub trait RouteSpec: Spec<Status = RouteStatus> {
    /// The parents that the route wants to attach to.
    fn parent_refs(&self) -> &[ParentReference];

    /// Hostnames; empty for kinds that have none, and where all are meant.
    fn hostnames(&self) -> &[String];

    /// Which default Gateways the route wants to attach to (GEP-3793).
    fn use_default_gateways(&self) -> Option<DefaultScope>;
}

/// Scope of default Gateways (GEP-3793, experimental).
#[derive(Clone, Copy, Debug, PartialEq, Eq, Serialize, Deserialize)]
pub enum DefaultScope {
    /// All routes that ask for it.
    All,
    /// No routes.
    None,
}

/// Status of a route.
#[derive(Clone, Debug, Default, PartialEq, Serialize, Deserialize)]
pub struct RouteStatus {
    /// One for each parent and controller.
    #[serde(default)]
    pub parents: Vec<RouteParentStatus>,
}

/// What one controller says of a route towards one parent.
#[derive(Clone, Debug, PartialEq, Serialize, Deserialize)]
#[serde(rename_all = "camelCase")]
pub struct RouteParentStatus {
    /// The parent, exactly as the route's spec names it.
    pub parent_ref: ParentReference,
    /// The controller that wrote this.
    pub controller_name: String,
    /// Accepted, ResolvedRefs, PartiallyInvalid.
    #[serde(default, skip_serializing_if = "Vec::is_empty")]
    pub conditions: Vec<Condition>,
}

/// Session persistence (GEP-1619, experimental).
#[derive(Clone, Debug, Default, PartialEq, Eq, Serialize, Deserialize)]
#[serde(rename_all = "camelCase")]
pub struct SessionPersistence {
    /// The session ends after this time whatever happens; a Gateway API duration.
    #[serde(default, skip_serializing_if = "Option::is_none")]
    pub absolute_timeout: Option<String>,
    /// Cookie or header.
    #[serde(rename = "type", default)]
    pub kind: SessionPersistenceType,
    /// Settings for `Cookie`.
    #[serde(default, skip_serializing_if = "Option::is_none")]
    pub cookie: Option<CookieConfig>,
    /// Settings for `Header`.
    #[serde(default, skip_serializing_if = "Option::is_none")]
    pub header: Option<HeaderConfig>,
}

/// What carries the session.
#[derive(Clone, Copy, Debug, Default, PartialEq, Eq, Serialize, Deserialize)]
pub enum SessionPersistenceType {
    /// A cookie.
    #[default]
    Cookie,
    /// A header.
    Header,
}

/// The cookie that carries a session.
#[derive(Clone, Debug, Default, PartialEq, Eq, Serialize, Deserialize)]
#[serde(rename_all = "camelCase")]
pub struct CookieConfig {
    /// Name.
    #[serde(default, skip_serializing_if = "Option::is_none")]
    pub name: Option<String>,
    /// Path attribute.
    #[serde(default, skip_serializing_if = "Option::is_none")]
    pub path: Option<String>,
    /// Whether the cookie outlives the browser's session.
    #[serde(default)]
    pub lifetime_type: CookieLifetimeType,
}

/// How long a cookie lives.
#[derive(Clone, Copy, Debug, Default, PartialEq, Eq, Serialize, Deserialize)]
pub enum CookieLifetimeType {
    /// As long as the browser's session.
    #[default]
    Session,
    /// Until `absoluteTimeout`.
    Permanent,
}

/// The header that carries a session.
#[derive(Clone, Debug, PartialEq, Eq, Serialize, Deserialize)]
pub struct HeaderConfig {
    /// Name.
    pub name: String,
}
