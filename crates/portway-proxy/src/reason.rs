//! Reason codes: why Portway made a response by itself, or ended a connection. They stand in the
//! access log and label a metric. The codes are stable: alerts rely on them.

use portway_config::route::FaultReason;

/// Why Portway made a response by itself, or ended a connection or request early.
#[derive(Clone, Copy, Debug, PartialEq, Eq, Hash)]
pub enum Reason {
    /// No listener has this host.
    NoListener,
    /// No rule of the listener matches.
    NoRoute,
    /// The host belongs to another HTTPS listener than the connection (GEP-3567).
    Misdirected,
    /// The request is malformed.
    BadRequest,
    /// The path cannot be normalised safely.
    BadPath,
    /// The header section is too large.
    HeadersTooLarge,
    /// The request target is too long.
    TargetTooLong,
    /// A redirect filter answered.
    Redirect,
    /// A CORS filter answered a preflight request.
    CorsPreflight,
    /// The rule has no backend with a weight above zero.
    NoBackend,
    /// The rule or the chosen backend cannot serve.
    Fault(FaultReason),
    /// The backend has no endpoint.
    NoEndpoint,
    /// No connection to an endpoint could be made.
    ConnectFailed,
    /// The connection to an endpoint was not made in time.
    ConnectTimeout,
    /// TLS with an endpoint failed.
    UpstreamTls,
    /// The endpoint closed the connection before it answered.
    UpstreamReset,
    /// The endpoint answered what is not HTTP.
    UpstreamProtocol,
    /// The request's timeout ran out.
    RequestTimeout,
    /// The timeout for one attempt ran out.
    BackendTimeout,
    /// Too many connections or requests for this backend at once.
    Overload,
    /// The body did not move for too long.
    StreamIdle,
    /// The client went away before the response was complete.
    ClientGone,
    /// The body is larger than allowed.
    BodyTooLarge,
    /// The authorization server denied.
    AuthDenied,
    /// The authorization server could not be asked.
    AuthError,
    /// The proxy is shutting down.
    Draining,
    /// The client does not speak TLS on a port that asks for it.
    NotTls,
    /// The client's first TLS message is malformed.
    BadClientHello,
    /// The TLS handshake with the client was not complete in time.
    TlsTimeout,
    /// The TLS handshake with the client failed.
    TlsHandshake,
    /// The client has no certificate, or none that the listener takes (GEP-91).
    ClientCertificate,
    /// The listener has no certificate that could be used.
    ListenerTls,
}

impl Reason {
    /// The code, as logs and metrics write it.
    pub fn as_str(self) -> &'static str {
        match self {
            Self::NoListener => "no_listener",
            Self::NoRoute => "no_route",
            Self::Misdirected => "misdirected",
            Self::BadRequest => "bad_request",
            Self::BadPath => "bad_path",
            Self::HeadersTooLarge => "headers_too_large",
            Self::TargetTooLong => "target_too_long",
            Self::Redirect => "redirect",
            Self::CorsPreflight => "cors_preflight",
            Self::NoBackend => "no_backend",
            Self::Fault(fault) => fault.as_str(),
            Self::NoEndpoint => "no_endpoint",
            Self::ConnectFailed => "connect_failed",
            Self::ConnectTimeout => "connect_timeout",
            Self::UpstreamTls => "upstream_tls",
            Self::UpstreamReset => "upstream_reset",
            Self::UpstreamProtocol => "upstream_protocol",
            Self::RequestTimeout => "request_timeout",
            Self::BackendTimeout => "backend_timeout",
            Self::Overload => "overload",
            Self::StreamIdle => "stream_idle",
            Self::ClientGone => "client_gone",
            Self::BodyTooLarge => "body_too_large",
            Self::AuthDenied => "auth_denied",
            Self::AuthError => "auth_error",
            Self::Draining => "draining",
            Self::NotTls => "not_tls",
            Self::BadClientHello => "bad_client_hello",
            Self::TlsTimeout => "tls_timeout",
            Self::TlsHandshake => "tls_handshake",
            Self::ClientCertificate => "client_certificate",
            Self::ListenerTls => "listener_tls",
        }
    }

    /// The status that the client gets; what stands for it in the log where there is no HTTP.
    pub fn status(self) -> u16 {
        match self {
            Self::NoListener | Self::NoRoute => 404,
            Self::Misdirected => 421,
            Self::BadRequest | Self::BadPath | Self::NotTls | Self::BadClientHello | Self::TlsHandshake => {
                400
            }
            Self::HeadersTooLarge => 431,
            Self::TargetTooLong => 414,
            Self::Redirect => 302,
            // 204 would do by GEP-1767, but the conformance tests want 200.
            Self::CorsPreflight => 200,
            Self::NoBackend | Self::Fault(_) => 500,
            Self::NoEndpoint | Self::Overload | Self::Draining => 503,
            Self::ConnectFailed | Self::UpstreamTls | Self::UpstreamReset | Self::UpstreamProtocol => 502,
            Self::ConnectTimeout | Self::RequestTimeout | Self::BackendTimeout | Self::StreamIdle => 504,
            Self::ClientGone => 499,
            Self::BodyTooLarge => 413,
            Self::AuthDenied | Self::AuthError | Self::ClientCertificate => 403,
            Self::TlsTimeout => 408,
            Self::ListenerTls => 503,
        }
    }
}
