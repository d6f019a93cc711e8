//! Errors for gRPC clients: status 200 with the error in the headers ("Trailers-Only").

use http::{HeaderMap, HeaderName, HeaderValue, header};

use crate::reason::Reason;

/// Codes of gRPC (grpc/doc/statuscodes.md) that a proxy may say.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
#[repr(u16)]
enum Code {
    DeadlineExceeded = 4,
    PermissionDenied = 7,
    ResourceExhausted = 8,
    Unimplemented = 12,
    Internal = 13,
    Unavailable = 14,
    Unauthenticated = 16,
}

/// As in the mapping of HTTP statuses (grpc/doc/http-grpc-status-mapping.md), but that a timeout is one.
fn code(reason: Reason) -> Code {
    match reason.status() {
        401 => Code::Unauthenticated,
        403 => Code::PermissionDenied,
        404 => Code::Unimplemented,
        413 | 431 => Code::ResourceExhausted,
        421 | 502 | 503 => Code::Unavailable,
        504 => Code::DeadlineExceeded,
        _ => Code::Internal,
    }
}

/// The headers of a response that is an error and nothing else.
pub(super) fn trailers_only(reason: Reason, detail: &'static str) -> HeaderMap {
    let mut headers = HeaderMap::with_capacity(8);
    headers.insert(header::CONTENT_TYPE, HeaderValue::from_static("application/grpc"));
    headers.insert(HeaderName::from_static("grpc-status"), HeaderValue::from(code(reason) as u16));
    // The details are plain ASCII without a percent sign, so that no escapes are needed.
    if let Ok(message) = HeaderValue::from_str(&format!("{}: {detail}", reason.as_str())) {
        headers.insert(HeaderName::from_static("grpc-message"), message);
    }
    headers
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn reasons_have_the_codes_that_clients_expect() {
        let cases = [
            (Reason::NoRoute, 12),
            (Reason::NoEndpoint, 14),
            (Reason::ConnectFailed, 14),
            (Reason::RequestTimeout, 4),
            (Reason::BadRequest, 13),
            (Reason::AuthDenied, 7),
            (Reason::NoBackend, 13),
        ];
        for (reason, code) in cases {
            let headers = trailers_only(reason, "why");
            assert_eq!(headers["grpc-status"], code.to_string(), "{reason:?}");
            assert_eq!(headers["grpc-message"], format!("{}: why", reason.as_str()));
        }
    }
}
