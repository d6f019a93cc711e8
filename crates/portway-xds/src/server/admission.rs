//! Who may have which Gateway's configuration.

use std::future::Future;
use std::sync::Arc;

use http::HeaderMap;
use http::header::AUTHORIZATION;
use portway_config::NamespacedName;
use tonic::Status;

/// Who a proxy is, as its token says.
#[derive(Clone, Debug, PartialEq, Eq)]
pub struct Identity {
    /// Namespace of the pod and of its ServiceAccount.
    pub namespace: Arc<str>,
    /// The ServiceAccount.
    pub service_account: Arc<str>,
    /// The pod that the token is bound to: `authentication.kubernetes.io/pod-name` in the answer to a TokenReview.
    pub pod: Arc<str>,
}

/// Verifies tokens.
pub trait Authenticate: Send + Sync + 'static {
    /// Says whose token it is.
    ///
    /// # Errors
    ///
    /// The token is not valid, or it cannot be verified now.
    fn authenticate(&self, token: &str)
    -> impl Future<Output = Result<Identity, AuthenticationError>> + Send;
}

/// Why a token is not taken. The message goes to the proxy, which logs it: no secret is in it.
#[derive(Clone, Debug, PartialEq, Eq, thiserror::Error)]
pub enum AuthenticationError {
    /// The token is at fault.
    #[error("the token is not valid: {0}")]
    Invalid(String),
    /// The token cannot be verified now; the proxy tries again.
    #[error("the token cannot be verified now: {0}")]
    Unavailable(String),
}

/// The Gateway whose proxies have an identity; None: it is not that of a proxy.
pub type GatewayOf = Arc<dyn Fn(&Identity) -> Option<NamespacedName> + Send + Sync>;

impl From<AuthenticationError> for Status {
    fn from(error: AuthenticationError) -> Self {
        match error {
            AuthenticationError::Invalid(_) => Self::unauthenticated(error.to_string()),
            AuthenticationError::Unavailable(_) => Self::unavailable(error.to_string()),
        }
    }
}

/// Finds out who is there, and which Gateway it may have.
pub(super) async fn admit<A: Authenticate>(
    headers: &HeaderMap,
    authenticator: &A,
    gateway_of: &GatewayOf,
) -> Result<(Identity, NamespacedName), Status> {
    let authorization = headers.get(AUTHORIZATION).and_then(|value| value.to_str().ok());
    let token = authorization.and_then(|value| value.strip_prefix("Bearer "));
    let token = token.ok_or_else(|| Status::unauthenticated("there is no bearer token"))?;
    let identity = authenticator.authenticate(token).await?;
    let gateway = gateway_of(&identity).ok_or_else(|| {
        let Identity { namespace, service_account, .. } = &identity;
        let message =
            format!("ServiceAccount {namespace}/{service_account} is not that of a Gateway's proxies");
        Status::permission_denied(message)
    })?;
    Ok((identity, gateway))
}
