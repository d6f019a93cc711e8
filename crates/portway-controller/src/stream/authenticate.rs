//! Tokens of proxies, verified by the API server.

use std::sync::Arc;

use k8s_openapi::api::authentication::v1::{TokenReview, TokenReviewSpec, UserInfo};
use kube::api::{Api, PostParams};
use kube::{Client, Error};
use portway_xds::{Authenticate, AuthenticationError, Identity};

use crate::provision::TOKEN_AUDIENCE;

/// What a ServiceAccount's user name begins with.
const SERVICE_ACCOUNT: &str = "system:serviceaccount:";
/// Where the API server tells which pod a token is bound to.
const POD_NAME: &str = "authentication.kubernetes.io/pod-name";

/// Asks the API server whose a token is.
#[derive(Clone)]
pub(super) struct TokenReviewer {
    reviews: Api<TokenReview>,
}

impl TokenReviewer {
    /// Asks by this client.
    pub(super) fn new(client: Client) -> Self {
        Self { reviews: Api::all(client) }
    }
}

impl Authenticate for TokenReviewer {
    async fn authenticate(&self, token: &str) -> Result<Identity, AuthenticationError> {
        let spec =
            TokenReviewSpec { token: token.to_owned(), audiences: Some(vec![TOKEN_AUDIENCE.to_owned()]) };
        let review = TokenReview { spec, ..TokenReview::default() };
        let review = self.reviews.create(&PostParams::default(), &review).await.map_err(|error| {
            if matches!(&error, Error::Api(status) if status.code == 403) {
                tracing::error!(
                    "no proxy can be let in: the controller's ServiceAccount lacks the permission `create` on tokenreviews in \
                     API group authentication.k8s.io"
                );
            }
            AuthenticationError::Unavailable(error.to_string())
        })?;
        let status = review.status.unwrap_or_default();
        let audiences = status.audiences.unwrap_or_default();
        if status.authenticated != Some(true) || !audiences.iter().any(|it| it == TOKEN_AUDIENCE) {
            return Err(AuthenticationError::Invalid(
                status.error.unwrap_or_else(|| "it is not known".to_owned()),
            ));
        }
        identity(&status.user.unwrap_or_default())
            .ok_or_else(|| AuthenticationError::Invalid("it is not that of a pod".to_owned()))
    }
}

fn identity(user: &UserInfo) -> Option<Identity> {
    let (namespace, service_account) =
        user.username.as_deref()?.strip_prefix(SERVICE_ACCOUNT)?.split_once(':')?;
    let pod = user.extra.as_ref()?.get(POD_NAME)?.first()?;
    Some(Identity {
        namespace: Arc::from(namespace),
        service_account: Arc::from(service_account),
        pod: Arc::from(pod.as_str()),
    })
}

#[cfg(test)]
mod tests {
    use super::*;

    fn user(name: &str, pod: Option<&str>) -> UserInfo {
        UserInfo {
            username: Some(name.to_owned()),
            extra: pod.map(|pod| [(POD_NAME.to_owned(), vec![pod.to_owned()])].into()),
            ..UserInfo::default()
        }
    }

    #[test]
    fn a_pod_is_known_by_its_account_and_name() {
        let identity = identity(&user("system:serviceaccount:n:gw", Some("gw-1"))).unwrap();
        assert_eq!((&*identity.namespace, &*identity.service_account, &*identity.pod), ("n", "gw", "gw-1"));
    }

    #[test]
    fn nobody_else_is_let_in() {
        assert_eq!(identity(&user("system:serviceaccount:n:gw", None)), None);
        assert_eq!(identity(&user("admin", Some("gw-1"))), None);
        assert_eq!(identity(&UserInfo::default()), None);
    }
}
