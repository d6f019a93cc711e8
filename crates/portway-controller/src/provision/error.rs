//! Why something was not provisioned.

use kube::Error;
use portway_api::ObjectKey;

use super::kind::Kind;

/// Why something was not provisioned.
#[derive(Clone, Debug, PartialEq, Eq, thiserror::Error)]
pub enum ProvisionError {
    /// The controller may not.
    #[error(
        "{kind} {key} cannot be {verb}: the controller's ServiceAccount lacks the permission `{verb}` on {plural} in API \
         group `{group}`: {message}", kind = kind.as_str(), plural = resource, group = kind.group()
    )]
    Forbidden {
        /// Kind of the object.
        kind: Kind,
        /// The resource, with its subresource.
        resource: String,
        /// The object.
        key: ObjectKey,
        /// The permission.
        verb: &'static str,
        /// What the API server says.
        message: String,
    },
    /// An object of this name is there, and it is not Portway's.
    #[error(
        "{} {key} is there, but not made by Portway for this Gateway; delete or rename it, or rename the Gateway",
        kind.as_str()
    )]
    NotOurs {
        /// Kind of the object.
        kind: Kind,
        /// The object.
        key: ObjectKey,
    },
    /// The API server does not take the object: a value of the parameters, a webhook, a quota.
    #[error("the API server refuses {} {key}: {message}", kind.as_str())]
    Refused {
        /// Kind of the object.
        kind: Kind,
        /// The object.
        key: ObjectKey,
        /// What the API server says.
        message: String,
    },
    /// The API server was not reached, or is busy.
    #[error("{} {key} is not written yet: {error}", kind.as_str())]
    Unavailable {
        /// Kind of the object.
        kind: Kind,
        /// The object.
        key: ObjectKey,
        /// Why.
        error: String,
    },
}

impl ProvisionError {
    /// What an answer of the API server means.
    pub(super) fn new(
        kind: Kind,
        key: &ObjectKey,
        verb: &'static str,
        subresource: &str,
        error: Error,
    ) -> Self {
        let key = key.clone();
        match error {
            Error::Api(status) if status.code == 403 && !status.message.contains("quota") => {
                let resource = format!("{}{subresource}", kind.plural());
                Self::Forbidden { kind, resource, key, verb, message: status.message.clone() }
            }
            Error::Api(status)
                if matches!(status.code, 400..=499) && !matches!(status.code, 408 | 409 | 429) =>
            {
                Self::Refused { kind, key, message: status.message.clone() }
            }
            error => Self::Unavailable { kind, key, error: error.to_string() },
        }
    }

    /// Whether the same may well succeed soon though nobody does anything.
    pub fn is_transient(&self) -> bool {
        matches!(self, Self::Unavailable { .. })
    }
}
