//! The core Kubernetes objects that matter here, from `k8s-openapi`, gathered under one name.

pub use k8s_openapi::api::apps::v1::Deployment;
pub use k8s_openapi::api::certificates::v1::ClusterTrustBundle;
pub use k8s_openapi::api::core::v1::{
    ConfigMap, EndpointSubset, Endpoints, Namespace, Secret, Service, ServicePort,
};
pub use k8s_openapi::api::discovery::v1::{Endpoint, EndpointConditions, EndpointPort, EndpointSlice};
pub use k8s_openapi::apimachinery::pkg::apis::meta::v1::{
    Condition, LabelSelector, LabelSelectorRequirement, ObjectMeta, Time,
};
pub use k8s_openapi::apimachinery::pkg::util::intstr::IntOrString;
