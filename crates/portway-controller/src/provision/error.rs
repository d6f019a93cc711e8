//! Why something was not provisioned.

use kube::Error;
use portway_api::ObjectKey;

use super::kind::Kind;
use crate::failure::{LACKS_PERMISSION, lacks_permission};

/// How the API server begins when a value is of the wrong type for its field. It answers with the status 500.
const MALFORMED: &str = "failed to create typed patch object";

/// Why something was not provisioned.
#[derive(Clone, Debug, PartialEq, Eq, thiserror::Error)]
pub enum ProvisionError {
    /// The controller may not.
    #[error(
        "{kind} {key} cannot be written: the controller's ServiceAccount lacks the permission `{verb}` on {plural} in API \
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
        verb: String,
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
        let Error::Api(status) = error else {
            return Self::Unavailable { kind, key, error: error.to_string() };
        };
        let lacks_permission = lacks_permission(&status);
        let (code, message) = (status.code, status.message);
        if lacks_permission {
            let resource = format!("{}{subresource}", kind.plural());
            // An apply that makes an object needs `create` too, and only the answer tells which of them is missing.
            let named = message.split_once(LACKS_PERMISSION).and_then(|(_, rest)| rest.split(' ').next());
            let verb = named.unwrap_or(verb).to_owned();
            Self::Forbidden { kind, resource, key, verb, message }
        } else if message.starts_with(MALFORMED)
            || (matches!(code, 400..=499) && !matches!(code, 408 | 409 | 429))
        {
            Self::Refused { kind, key, message }
        } else {
            Self::Unavailable { kind, key, error: message }
        }
    }

    /// What the API server says against the ClusterIP of a Service, if that is what it refuses.
    pub fn refused_cluster_ip(&self) -> Option<&str> {
        match self {
            Self::Refused { kind: Kind::Service, message, .. } => message
                .split_once("spec.clusterIP")
                .map(|(_, rest)| rest.rsplit("]: ").next().unwrap_or(rest)),
            _ => None,
        }
    }

    /// Whether the same may well succeed soon though nobody does anything.
    pub fn is_transient(&self) -> bool {
        matches!(self, Self::Unavailable { .. })
    }
}

#[cfg(test)]
mod tests {
    use kube::core::Status;

    use super::*;

    fn told(code: u16, message: &str) -> (bool, String) {
        let status = Status { code, message: message.to_owned(), ..Status::default() };
        let key = ObjectKey::new("infra", "edge-portway");
        let error =
            ProvisionError::new(Kind::Service, &key, "patch", "/status", Error::Api(Box::new(status)));
        (error.is_transient(), error.to_string())
    }

    #[test]
    fn tells_a_missing_permission_from_other_refusals() {
        let rbac = "services \"edge-portway\" is forbidden: User \"system:serviceaccount:portway-system:portway-controller\" \
                    cannot patch resource \"services/status\" in API group \"\" in the namespace \"infra\"";
        assert_eq!(
            told(403, rbac),
            (
                false,
                format!(
                    "Service infra/edge-portway cannot be written: the controller's ServiceAccount lacks the permission `patch` on \
                 services/status in API group ``: {rbac}"
                )
            )
        );
        assert!(told(403, &rbac.replace("patch", "create")).1.contains("lacks the permission `create`"));
        for (code, message) in [
            (403, "unable to create new content in namespace infra because it is being terminated"),
            (403, "exceeded quota: few"),
            (400, "admission webhook \"w\" denied the request"),
            (422, "spec.ports: Invalid value"),
            (
                500,
                "failed to create typed patch object (infra/edge-portway; v1, Kind=Service): expected string",
            ),
        ] {
            let refused = format!("the API server refuses Service infra/edge-portway: {message}");
            assert_eq!(told(code, message), (false, refused));
        }
        let message = "Service \"edge-portway\" is invalid: spec.clusterIPs: Invalid value: [\"198.51.100.7\"]: failed to \
                       allocate IP 198.51.100.7: the provided network does not match the current range";
        let key = ObjectKey::new("infra", "edge-portway");
        let refused = ProvisionError::Refused { kind: Kind::Service, key, message: message.to_owned() };
        let expected =
            "failed to allocate IP 198.51.100.7: the provided network does not match the current range";
        assert_eq!(refused.refused_cluster_ip(), Some(expected));
        for code in [409, 429, 500, 503] {
            let later = "Service infra/edge-portway is not written yet: try later".to_owned();
            assert_eq!(told(code, "try later"), (true, later));
        }
    }
}
