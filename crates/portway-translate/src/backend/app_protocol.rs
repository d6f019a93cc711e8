//! What the `appProtocol` of a Service's port means for a route (GEP-1911, KEP-3726).

use portway_config::key::BackendProtocol;

/// What a route, or one of its filters, sends.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub(crate) enum Traffic {
    /// HTTP requests.
    Http,
    /// gRPC calls, which need HTTP/2.
    Grpc,
    /// A byte stream.
    Stream,
    /// Datagrams.
    Datagrams,
}

/// The application protocols that are known.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
enum AppProtocol {
    Http,
    Http2,
    WebSocket,
    Tls,
    WebSocketTls,
}

/// Names of `kubernetes.io/…` (KEP-3726) and of the IANA registry, which know no case.
fn known(name: &str) -> Option<AppProtocol> {
    let name = name.to_ascii_lowercase();
    match name.strip_prefix("kubernetes.io/").unwrap_or(&name) {
        "http" => Some(AppProtocol::Http),
        // `grpc` and `http2` are no standard names, but in wide use, and can mean nothing else.
        "h2c" | "http2" | "grpc" => Some(AppProtocol::Http2),
        "ws" => Some(AppProtocol::WebSocket),
        "https" => Some(AppProtocol::Tls),
        "wss" => Some(AppProtocol::WebSocketTls),
        _ => None,
    }
}

/// How a backend is spoken to. `has_tls_policy`: whether a BackendTLSPolicy is for it.
///
/// # Errors
///
/// Why the route cannot send this to a port with this application protocol, as a sentence.
pub(crate) fn backend_protocol(
    traffic: Traffic,
    app_protocol: Option<&str>,
    has_tls_policy: bool,
) -> Result<BackendProtocol, String> {
    let plain = match traffic {
        Traffic::Http => BackendProtocol::Http1,
        Traffic::Grpc => BackendProtocol::Http2,
        // Bytes are forwarded as they come, whatever they mean.
        Traffic::Stream => return Ok(BackendProtocol::Tcp),
        Traffic::Datagrams => return Ok(BackendProtocol::Udp),
    };
    let Some(name) = app_protocol.filter(|name| !name.is_empty()) else { return Ok(plain) };
    match (known(name), traffic) {
        (None, _) => Err(format!("its appProtocol `{name}` is not one that can be spoken to a backend")),
        (Some(AppProtocol::WebSocket | AppProtocol::WebSocketTls), Traffic::Grpc) => {
            Err(format!("its appProtocol `{name}` cannot carry gRPC"))
        }
        // To speak clear text to what expects TLS would be wrong, and without a policy there is
        // nothing to verify the certificate by.
        (Some(AppProtocol::Tls | AppProtocol::WebSocketTls), _) if !has_tls_policy => {
            Err(format!("its appProtocol `{name}` asks for TLS, but no BackendTLSPolicy is for this port"))
        }
        (Some(AppProtocol::Http2), _) => Ok(BackendProtocol::Http2),
        (Some(_), _) => Ok(plain),
    }
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn the_table_of_gep_1911_holds() {
        use BackendProtocol::{Http1, Http2, Tcp, Udp};
        let cases = [
            (Traffic::Http, None, false, Some(Http1)),
            (Traffic::Http, Some("kubernetes.io/h2c"), false, Some(Http2)),
            (Traffic::Http, Some("kubernetes.io/ws"), false, Some(Http1)),
            (Traffic::Http, Some("kubernetes.io/wss"), false, None),
            (Traffic::Http, Some("kubernetes.io/wss"), true, Some(Http1)),
            (Traffic::Http, Some("HTTPS"), false, None),
            (Traffic::Http, Some("HTTPS"), true, Some(Http1)),
            (Traffic::Http, Some("mysql"), true, None),
            (Traffic::Grpc, None, false, Some(Http2)),
            (Traffic::Grpc, Some("kubernetes.io/h2c"), false, Some(Http2)),
            (Traffic::Grpc, Some("kubernetes.io/ws"), false, None),
            (Traffic::Stream, Some("kubernetes.io/wss"), false, Some(Tcp)),
            (Traffic::Stream, Some("mysql"), false, Some(Tcp)),
            (Traffic::Datagrams, None, false, Some(Udp)),
        ];
        for (traffic, name, has_tls_policy, expected) in cases {
            let found = backend_protocol(traffic, name, has_tls_policy);
            assert_eq!(found.as_ref().ok(), expected.as_ref(), "{traffic:?} {name:?}: {found:?}");
        }
    }
}
