//! Every limit and default of the configuration stream, in one place. `docs/limits.md` repeats them, and a test
//! holds the two together.

use std::time::Duration;

/// Limits and defaults of the configuration stream. `Limits::default()` is what is documented; tests may shorten
/// times.
#[derive(Clone, Debug, PartialEq, Eq)]
pub struct Limits {
    /// Bytes of a message on the stream at most. More breaks the stream.
    pub message_bytes: usize,
    /// Bytes of resources after which the server begins another response. One resource may be longer.
    pub response_bytes: usize,
    /// Responses that wait to be sent to a proxy. What changes meanwhile is joined into the next revision.
    pub queued_responses: usize,
    /// Refused resources that a proxy lists for each type; the number of the others is told.
    pub refusals: usize,
    /// Bytes of the reason why a resource is refused.
    pub refusal_bytes: usize,
    /// Connections of all proxies at once; others wait to be accepted.
    pub connections: usize,
    /// From accept to the end of the TLS handshake; also for a proxy to connect.
    pub handshake_timeout: Duration,
    /// How far the revision of a proxy may be beyond the controller's for the controller to go on from there. It begins
    /// with the milliseconds since 1970, so this is how far the clock of the controller before may have been ahead.
    pub revision_lead: u64,
    /// For the token to be verified, and for the first requests to arrive; a connection without a verified token is
    /// closed then. For a proxy, for its stream to be accepted.
    pub admission_timeout: Duration,
    /// How long a connection is silent before each side asks whether the other is there.
    pub keepalive_interval: Duration,
    /// For the answer to that.
    pub keepalive_timeout: Duration,
    /// Wait before a proxy connects again; it doubles, with full jitter.
    pub reconnect_backoff: Duration,
    /// Wait before a proxy connects again, at most.
    pub reconnect_backoff_max: Duration,
    /// Time between two writes of the last good configuration to the disk, at least.
    pub save_interval: Duration,
    /// Length of the saved configuration at most; a longer file is not read.
    pub saved_bytes: usize,
}

impl Default for Limits {
    fn default() -> Self {
        Self {
            message_bytes: 32 * 1024 * 1024,
            response_bytes: 512 * 1024,
            queued_responses: 2,
            refusals: 1000,
            refusal_bytes: 1024,
            connections: 4096,
            handshake_timeout: Duration::from_secs(10),
            revision_lead: 24 * 3600 * 1000,
            admission_timeout: Duration::from_secs(15),
            keepalive_interval: Duration::from_secs(15),
            keepalive_timeout: Duration::from_secs(10),
            reconnect_backoff: Duration::from_millis(200),
            reconnect_backoff_max: Duration::from_secs(10),
            save_interval: Duration::from_secs(5),
            saved_bytes: 512 * 1024 * 1024,
        }
    }
}
