//! Why an attempt at a backend failed.

use std::net::SocketAddr;

use hyper::Request;

use crate::reason::Reason;

use super::body::RequestBody;

/// Why an attempt failed.
#[derive(Debug, thiserror::Error)]
#[error("{}: {detail}", reason.as_str())]
pub struct UpstreamError {
    /// Reason code.
    pub reason: Reason,
    /// The endpoint, when one was chosen.
    pub endpoint: Option<SocketAddr>,
    /// The request, when not one byte of it was sent: it is always safe to try again.
    pub unsent: Option<Box<Request<RequestBody>>>,
    /// What happened, for the log.
    pub detail: String,
}

impl UpstreamError {
    pub(super) fn new(reason: Reason, detail: impl ToString) -> Self {
        Self { reason, endpoint: None, unsent: None, detail: detail.to_string() }
    }

    pub(super) fn at(mut self, endpoint: SocketAddr) -> Self {
        self.endpoint = Some(endpoint);
        self
    }

    pub(super) fn with_unsent(mut self, request: Request<RequestBody>) -> Self {
        self.unsent = Some(Box::new(request));
        self
    }

    /// Reads hyper's error of an exchange that had begun.
    pub(super) fn of_exchange(error: &hyper::Error, endpoint: SocketAddr) -> Self {
        let reason = if error.is_parse() || error.is_parse_status() {
            Reason::UpstreamProtocol
        } else if error.is_user() || error.is_body_write_aborted() {
            // The only user of the connection is us, and what fails there is the body from the client.
            Reason::ClientGone
        } else {
            Reason::UpstreamReset
        };
        Self::new(reason, in_full(error)).at(endpoint)
    }
}

/// hyper's messages leave out their cause.
pub(crate) fn in_full(error: &hyper::Error) -> String {
    match std::error::Error::source(error) {
        Some(source) => format!("{error}: {source}"),
        None => error.to_string(),
    }
}
