//! The kinds that are provisioned.

use kube::core::{ApiResource, GroupVersionKind};

/// A kind that is provisioned. The order is the order in which objects are applied: what a pod needs comes before it.
#[derive(Clone, Copy, Debug, PartialEq, Eq, PartialOrd, Ord, Hash)]
#[allow(missing_docs, reason = "each is named for the kind")]
pub enum Kind {
    ServiceAccount,
    ConfigMap,
    Service,
    Deployment,
    PodDisruptionBudget,
    HorizontalPodAutoscaler,
}

impl Kind {
    /// Each of them.
    pub const ALL: [Self; 6] = [
        Self::ServiceAccount,
        Self::ConfigMap,
        Self::Service,
        Self::Deployment,
        Self::PodDisruptionBudget,
        Self::HorizontalPodAutoscaler,
    ];

    /// API group (empty is core), version, kind, and its name in URLs.
    const fn identity(self) -> (&'static str, &'static str, &'static str, &'static str) {
        match self {
            Self::ServiceAccount => ("", "v1", "ServiceAccount", "serviceaccounts"),
            Self::ConfigMap => ("", "v1", "ConfigMap", "configmaps"),
            Self::Service => ("", "v1", "Service", "services"),
            Self::Deployment => ("apps", "v1", "Deployment", "deployments"),
            Self::PodDisruptionBudget => ("policy", "v1", "PodDisruptionBudget", "poddisruptionbudgets"),
            Self::HorizontalPodAutoscaler => {
                ("autoscaling", "v2", "HorizontalPodAutoscaler", "horizontalpodautoscalers")
            }
        }
    }

    /// The kind, in the API's spelling.
    pub fn as_str(self) -> &'static str {
        self.identity().2
    }

    /// API group; empty is core.
    pub fn group(self) -> &'static str {
        self.identity().0
    }

    /// Its name in URLs and in rules of RBAC.
    pub fn plural(self) -> &'static str {
        self.identity().3
    }

    /// How to reach it.
    pub fn resource(self) -> ApiResource {
        let (group, version, kind, plural) = self.identity();
        ApiResource::from_gvk_with_plural(&GroupVersionKind::gvk(group, version, kind), plural)
    }
}
