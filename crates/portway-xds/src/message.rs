//! The messages of incremental xDS, as far as they are used, and Portway's own.
//!
//! Field numbers are those of `envoy/service/discovery/v3/discovery.proto`, `envoy/config/core/v3/base.proto`
//! and `google/rpc/status.proto`. Portway's additions to the two messages of the stream have numbers above 1000;
//! a receiver that does not know them passes over them.

use std::collections::HashMap;

use bytes::Bytes;
use prost::Message;

/// Path of the one method.
pub const METHOD: &str = "/envoy.service.discovery.v3.AggregatedDiscoveryService/DeltaAggregatedResources";

/// What the client says.
#[derive(Clone, PartialEq, Message)]
pub struct DeltaDiscoveryRequest {
    /// Who the client is; in the first request of a stream alone.
    #[prost(message, optional, tag = "1")]
    pub node: Option<Node>,
    /// The type that this request is about.
    #[prost(string, tag = "2")]
    pub type_url: String,
    /// Resources that are wanted; `*` is all.
    #[prost(string, repeated, tag = "3")]
    pub resource_names_subscribe: Vec<String>,
    /// Versions that the client has, by name; in the first request for a type alone.
    #[prost(map = "string, string", tag = "5")]
    pub initial_resource_versions: HashMap<String, String>,
    /// Nonce of the response that this answers; empty in the first request for a type, and where the
    /// client reports something that it was not sent just now.
    #[prost(string, tag = "6")]
    pub response_nonce: String,
    /// Every resource of the type that the client refuses now; absent where there is none.
    #[prost(message, optional, tag = "7")]
    pub error_detail: Option<RpcStatus>,
    /// Portway's: more first requests follow, so it is too early for an answer.
    #[prost(bool, tag = "1001")]
    pub more: bool,
    /// Portway's: the revision that the client is at; in the first request of a stream alone.
    #[prost(uint64, tag = "1002")]
    pub revision: u64,
}

/// What the server says.
#[derive(Clone, PartialEq, Message)]
pub struct DeltaDiscoveryResponse {
    /// The revision.
    #[prost(string, tag = "1")]
    pub system_version_info: String,
    /// Resources that are new or changed.
    #[prost(message, repeated, tag = "2")]
    pub resources: Vec<XdsResource>,
    /// The type that this response is about.
    #[prost(string, tag = "4")]
    pub type_url: String,
    /// Number of the response within the stream.
    #[prost(string, tag = "5")]
    pub nonce: String,
    /// Names of resources that are gone.
    #[prost(string, repeated, tag = "6")]
    pub removed_resources: Vec<String>,
    /// Portway's: more responses of this revision follow; only together do they make sense.
    #[prost(bool, tag = "1001")]
    pub more: bool,
}

/// A resource.
#[derive(Clone, PartialEq, Message)]
pub struct XdsResource {
    /// Hash of its content.
    #[prost(string, tag = "1")]
    pub version: String,
    /// Its content.
    #[prost(message, optional, tag = "2")]
    pub resource: Option<Any>,
    /// Its name.
    #[prost(string, tag = "3")]
    pub name: String,
}

/// `google.protobuf.Any`.
#[derive(Clone, PartialEq, Message)]
pub struct Any {
    /// What `value` is.
    #[prost(string, tag = "1")]
    pub type_url: String,
    /// An encoded message.
    #[prost(bytes = "bytes", tag = "2")]
    pub value: Bytes,
}

/// Who a client is.
#[derive(Clone, PartialEq, Message)]
pub struct Node {
    /// Name of the pod. Of no consequence: the server believes the token.
    #[prost(string, tag = "1")]
    pub id: String,
    /// The Gateway that the client serves: JSON of its namespace and name.
    #[prost(string, tag = "2")]
    pub cluster: String,
    /// The program.
    #[prost(string, tag = "6")]
    pub user_agent_name: String,
    /// Its version.
    #[prost(string, tag = "7")]
    pub user_agent_version: String,
}

/// `google.rpc.Status`.
#[derive(Clone, PartialEq, Message)]
pub struct RpcStatus {
    /// A gRPC status code.
    #[prost(int32, tag = "1")]
    pub code: i32,
    /// For people.
    #[prost(string, tag = "2")]
    pub message: String,
    /// [`RefusedResource`] each.
    #[prost(message, repeated, tag = "3")]
    pub details: Vec<Any>,
}

/// Portway's: the content of every resource type, under the type's own URL.
#[derive(Clone, PartialEq, Message)]
pub struct Payload {
    /// JSON of the value.
    #[prost(bytes = "bytes", tag = "1")]
    pub json: Bytes,
}

/// Portway's: a resource that is refused.
#[derive(Clone, PartialEq, Message)]
pub struct RefusedResource {
    /// Its type.
    #[prost(string, tag = "1")]
    pub type_url: String,
    /// Its name.
    #[prost(string, tag = "2")]
    pub name: String,
    /// Why.
    #[prost(string, tag = "3")]
    pub message: String,
}
