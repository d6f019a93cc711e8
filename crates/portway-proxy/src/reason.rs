//! Reason codes: why Portway made a response by itself, or ended a connection. They stand in the
//! access log and label a metric. The codes are stable: alerts rely on them. `docs/reason-codes.md`
//! lists them, and a test holds the two together.

use portway_config::route::FaultReason;

/// Defines [`Reason`] from one table: what it means, its name, its code and its status.
macro_rules! reasons {
    ($($(#[doc = $doc:literal])+ $name:ident $code:literal $status:literal,)*) => {
        /// Why Portway made a response by itself, or ended a connection or request early.
        #[derive(Clone, Copy, Debug, PartialEq, Eq, Hash)]
        pub enum Reason {
            $($(#[doc = $doc])+ $name,)*
            /// The rule or the chosen backend cannot serve.
            Fault(FaultReason),
        }

        impl Reason {
            /// Every reason, but for those of [`FaultReason::ALL`].
            pub const ALL: &[Self] = &[$(Self::$name),*];

            /// The code, as logs and metrics write it.
            pub fn as_str(self) -> &'static str {
                match self {
                    $(Self::$name => $code,)*
                    Self::Fault(fault) => fault.as_str(),
                }
            }

            /// The status that the client gets, if it gets an answer.
            pub fn status(self) -> u16 {
                match self {
                    $(Self::$name => $status,)*
                    // As the Gateway API asks for.
                    Self::Fault(_) => 500,
                }
            }
        }
    };
}

reasons! {
    /// No listener has this host.
    NoListener "no_listener" 404,
    /// No rule of the listener matches.
    NoRoute "no_route" 404,
    /// The host belongs to another HTTPS listener than the connection (GEP-3567).
    Misdirected "misdirected" 421,
    /// The request is malformed.
    BadRequest "bad_request" 400,
    /// The path cannot be normalised safely.
    BadPath "bad_path" 400,
    /// The header section is too large.
    HeadersTooLarge "headers_too_large" 431,
    /// The request target is too long.
    TargetTooLong "target_too_long" 414,
    /// A redirect filter answered.
    Redirect "redirect" 302,
    // 204 would do by GEP-1767, but the conformance tests want 200.
    /// A CORS filter answered a preflight request.
    CorsPreflight "cors_preflight" 200,
    /// The rule has no backend with a weight above zero.
    NoBackend "no_backend" 500,
    /// The backend has no endpoint.
    NoEndpoint "no_endpoint" 503,
    /// No connection to an endpoint could be made.
    ConnectFailed "connect_failed" 502,
    /// The connection to an endpoint was not made in time.
    ConnectTimeout "connect_timeout" 504,
    /// TLS with an endpoint failed.
    UpstreamTls "upstream_tls" 502,
    /// The endpoint closed the connection before it answered.
    UpstreamReset "upstream_reset" 502,
    /// The endpoint answered what is not HTTP.
    UpstreamProtocol "upstream_protocol" 502,
    /// The request's timeout ran out.
    RequestTimeout "request_timeout" 504,
    /// The timeout for one attempt ran out.
    BackendTimeout "backend_timeout" 504,
    /// Too many connections or requests for this backend at once.
    Overload "overload" 503,
    /// The body did not move for too long.
    StreamIdle "stream_idle" 504,
    /// The client went away before the response was complete.
    ClientGone "client_gone" 499,
    /// The body is larger than allowed.
    BodyTooLarge "body_too_large" 413,
    /// The authorization server denied.
    AuthDenied "auth_denied" 403,
    /// The authorization server could not be asked.
    AuthError "auth_error" 403,
    /// The proxy is shutting down.
    Draining "draining" 503,
    /// The client does not speak TLS on a port that asks for it.
    NotTls "not_tls" 400,
    /// The client's first TLS message is malformed.
    BadClientHello "bad_client_hello" 400,
    /// The TLS handshake with the client was not complete in time.
    TlsTimeout "tls_timeout" 408,
    /// The TLS handshake with the client failed.
    TlsHandshake "tls_handshake" 400,
    /// The client has no certificate, or none that the listener takes (GEP-91).
    ClientCertificate "client_certificate" 403,
    /// The listener has no certificate that could be used.
    ListenerTls "listener_tls" 503,
}
