//! Labels, and their values where they are not the caller's.

use http::{Method, StatusCode};
use prometheus_client::encoding::EncodeLabelSet;

#[derive(Clone, Debug, PartialEq, Eq, Hash, EncodeLabelSet)]
pub(super) struct Kind {
    pub(super) kind: &'static str,
}

#[derive(Clone, Debug, PartialEq, Eq, Hash, EncodeLabelSet)]
pub(super) struct KindOutcome {
    pub(super) kind: String,
    pub(super) outcome: &'static str,
}

#[derive(Clone, Debug, PartialEq, Eq, Hash, EncodeLabelSet)]
pub(super) struct KindReason {
    pub(super) kind: String,
    pub(super) reason: &'static str,
}

#[derive(Clone, Debug, PartialEq, Eq, Hash, EncodeLabelSet)]
pub(super) struct Outcome {
    pub(super) outcome: &'static str,
}

#[derive(Clone, Debug, PartialEq, Eq, Hash, EncodeLabelSet)]
pub(super) struct VerbCode {
    pub(super) verb: &'static str,
    pub(super) code: &'static str,
}

#[derive(Clone, Debug, PartialEq, Eq, Hash, EncodeLabelSet)]
pub(super) struct GatewayState {
    pub(super) gateway: String,
    pub(super) state: &'static str,
}

/// A type of resource on the stream.
#[derive(Clone, Debug, PartialEq, Eq, Hash, EncodeLabelSet)]
pub(super) struct Type {
    pub(super) resource: String,
}

/// What a request does, in the words of RBAC as far as the method tells.
pub(super) fn verb(method: &Method, is_watch: bool) -> &'static str {
    match *method {
        Method::GET if is_watch => "watch",
        Method::GET => "get",
        Method::POST => "create",
        Method::PUT => "update",
        Method::PATCH => "patch",
        Method::DELETE => "delete",
        _ => "other",
    }
}

/// The status of an answer: those that tell something by themselves, else their class.
pub(super) fn code(status: Option<StatusCode>) -> &'static str {
    match status.map(|it| it.as_u16()) {
        None => "none",
        Some(401) => "401",
        Some(403) => "403",
        Some(404) => "404",
        Some(409) => "409",
        Some(410) => "410",
        Some(422) => "422",
        Some(429) => "429",
        Some(500) => "500",
        Some(503) => "503",
        Some(200..=299) => "2xx",
        Some(300..=399) => "3xx",
        Some(400..=499) => "4xx",
        Some(500..=599) => "5xx",
        Some(_) => "other",
    }
}
