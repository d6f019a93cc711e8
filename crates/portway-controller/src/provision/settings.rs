//! What provisioning must be told beside the objects.

use std::time::Duration;

/// What provisioning must be told beside the objects.
#[derive(Clone, Debug, PartialEq, Eq)]
pub struct ProvisionSettings {
    /// The image of the proxies.
    pub image: String,
    /// When it is pulled (`imagePullPolicy`); empty leaves that to Kubernetes.
    pub image_pull_policy: String,
    /// Where proxies find the controller: `HOST:PORT`.
    pub controller: String,
    /// The authority that has signed the controller's certificate, in PEM.
    pub controller_ca: String,
}

/// Proxies of a Gateway, unless its parameters say otherwise.
pub(super) const DEFAULT_REPLICAS: i32 = 2;
/// Use of the requested CPU that autoscaling aims at, in percent, unless parameters say otherwise.
pub(super) const DEFAULT_CPU_UTILIZATION: i32 = 70;
/// CPU that a proxy requests, unless parameters say otherwise.
pub(super) const DEFAULT_CPU_REQUEST: &str = "50m";
/// Memory that a proxy requests, unless parameters say otherwise.
pub(super) const DEFAULT_MEMORY_REQUEST: &str = "32Mi";
/// How long a proxy that ends lets requests and streams under way end.
pub(super) const DRAIN_TIMEOUT: Duration = Duration::from_secs(30);
/// How long Kubernetes waits for a proxy to end: the drain, what goes before it, and some more.
pub(super) const TERMINATION_GRACE: Duration = Duration::from_secs(60);
/// The port of a proxy's health and metrics.
pub(super) const ADMIN_PORT: u16 = 19901;
/// The audience of the token that a proxy shows to the controller.
pub const TOKEN_AUDIENCE: &str = "portway";
/// How long such a token is valid; kubelet renews it before that.
pub(super) const TOKEN_LIFETIME: Duration = Duration::from_secs(3600);
/// The user and group that a proxy runs as.
pub(super) const USER: u32 = 65_532;
