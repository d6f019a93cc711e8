//! Every limit and default of the data plane, in one place. `docs/limits.md` repeats them, and a test
//! holds the two together.
//!
//! Where Envoy's guide for edge proxies recommends a value, it is taken, or a stricter one.

use std::time::Duration;

/// Longest request id that is taken over from a trusted proxy, in bytes.
pub const REQUEST_ID_BYTES: usize = 128;

/// Endpoints that a session comes back to at most; the oldest is forgotten. A cookie may be shared by rules.
pub const SESSION_PINS: usize = 8;

/// How far the clocks of two proxies may be apart, for what a session says of its age.
pub const SESSION_CLOCK_SKEW: Duration = Duration::from_secs(300);

/// Size at which a worker's buffer of the access log is handed on, in bytes. Each time wakes the writing thread, which
/// costs more than the memory.
pub const ACCESS_LOG_BUFFER_BYTES: usize = 64 * 1024;

/// How long a line of the access log may wait in a worker's buffer.
pub const ACCESS_LOG_FLUSH_INTERVAL: Duration = Duration::from_millis(100);

/// Buffers of the access log that may wait for the writing thread; beyond it, lines are dropped and counted.
pub const ACCESS_LOG_QUEUE: usize = 64;

/// Listeners that have series of their own in the metrics. Those beyond share one, named `_other`.
pub const METRICS_LISTENERS: usize = 16;

/// Routes that have series of their own in the metrics, where these are asked for. Those beyond share one, named `_other`.
pub const METRICS_ROUTES: usize = 10_000;

/// Limits and defaults that a test may shorten. `Limits::default()` is what is documented; tests may shorten times.
#[derive(Clone, Debug, PartialEq, Eq)]
pub struct Limits {
    /// Header section of a request at most: sum of names, values and 32 bytes for each field.
    pub request_header_bytes: usize,
    /// Header fields of a request at most.
    pub request_headers: usize,
    /// Length of a request target at most, in bytes.
    pub request_target_bytes: usize,
    /// From the first byte of a connection (or of its next request) to the end of its header section.
    pub request_header_timeout: Duration,
    /// From accept to the end of the TLS handshake.
    pub tls_handshake_timeout: Duration,
    /// Bytes of a connection that are looked at to find its TLS ClientHello.
    pub client_hello_bytes: usize,
    /// How long a downstream connection may stay without a request.
    pub downstream_idle_timeout: Duration,
    /// How long a request or response body, or an upgraded connection, may stay without a byte.
    pub stream_idle_timeout: Duration,
    /// Whole request where a route sets no timeout; zero is none, so that streams live.
    pub request_timeout: Duration,
    /// Concurrent streams of an HTTP/2 connection.
    pub http2_max_concurrent_streams: u32,
    /// Initial flow-control window of an HTTP/2 stream, in bytes.
    pub http2_stream_window: u32,
    /// Initial flow-control window of an HTTP/2 connection, in bytes.
    pub http2_connection_window: u32,
    /// Resets of streams that a client may have caused and not yet been answered for (CVE-2023-44487); with more, the
    /// connection ends.
    pub http2_pending_resets: usize,
    /// Streams of one connection that a client may make us reset by breaking the protocol (CVE-2025-8671); the same.
    pub http2_local_resets: usize,
    /// Bytes that wait to be sent on an HTTP/2 stream at most.
    pub http2_send_buffer_bytes: usize,
    /// Downstream connections of one worker at most; more are closed as soon as they are accepted.
    pub downstream_connections: usize,
    /// Connections that wait in the kernel to be accepted, for each socket; `net.core.somaxconn` caps it.
    pub accept_backlog: i32,
    /// Connections that are accepted in a row before others get their turn.
    pub accept_batch: usize,
    /// Wait after accept failed because file descriptors or memory ran out; it doubles.
    pub accept_backoff: Duration,
    /// Wait after accept failed, at most.
    pub accept_backoff_max: Duration,
    /// How long a downstream connection is silent before TCP asks whether the other side is there.
    pub tcp_keepalive_time: Duration,
    /// Time between such probes.
    pub tcp_keepalive_interval: Duration,
    /// Unanswered probes after which the connection is dead.
    pub tcp_keepalive_probes: u32,
    /// Time to connect to an endpoint, its TLS handshake included.
    pub connect_timeout: Duration,
    /// How long an idle upstream connection is kept. Less than the keep-alive of common servers
    /// (Node.js closes after 5 s), so that we close first.
    pub upstream_idle_timeout: Duration,
    /// Idle upstream connections that a worker keeps for each endpoint.
    pub upstream_idle_connections: usize,
    /// Connections of a worker to one backend at most.
    pub upstream_connections: usize,
    /// Requests of a worker to one backend at most that wait for a connection.
    pub upstream_pending: usize,
    /// Silence on an HTTP/2 connection to an endpoint, while streams are open, after which it is asked whether it is
    /// there; and how long it may take for the answer.
    pub upstream_http2_keepalive: Duration,
    /// How long a worker passes an endpoint over, if there are others, after it could not connect to it; it doubles with
    /// each further failure.
    pub endpoint_ejection: Duration,
    /// The same, at most.
    pub endpoint_ejection_max: Duration,
    /// How long the addresses of a DNS name are used before it is asked for again. The system's resolver does not tell the
    /// record's own time to live.
    pub dns_ttl: Duration,
    /// How long a worker remembers a backend that it does not use: its connections and counts.
    pub backend_memory: Duration,
    /// Retries in percent of the requests to a backend within `retry_budget_interval` (GEP-3388's default).
    pub retry_budget_percent: u32,
    /// See `retry_budget_percent`.
    pub retry_budget_interval: Duration,
    /// Retries per second that the budget always allows.
    pub retry_budget_min_per_second: u32,
    /// Wait before the first retry where a route names none; it doubles, with full jitter.
    pub retry_backoff: Duration,
    /// Wait between retries at most.
    pub retry_backoff_max: Duration,
    /// Body bytes kept so that a request can be retried or mirrored. A longer body is sent once.
    pub replay_body_bytes: usize,
    /// Body bytes that are read of a request that was answered before its body had come, so that the client
    /// gets the answer and can go on with its connection; if more are left, the connection or stream ends.
    pub unread_body_bytes: usize,
    /// How long such a rest may take to come.
    pub unread_body_timeout: Duration,
    /// How long a client may take to close its side of a connection once ours is closed; what it still sends is
    /// thrown away. Closed at once, the connection would be reset, and the answer lost that the client has not read.
    pub linger_timeout: Duration,
    /// How long an idle connection that is told to go may take for its farewell.
    pub farewell_timeout: Duration,
    /// Body bytes that a mirror may lag behind before the copy is given up.
    pub mirror_body_bytes: usize,
    /// From the sending of a copy of a request to the end of its answer, which nobody reads.
    pub mirror_timeout: Duration,
    /// For an authorization server to answer, and for the body that it is sent to be read.
    pub external_auth_timeout: Duration,
    /// An authorization server's answer by gRPC at most, in bytes; a longer one is an error. gRPC's own limit is 4 MiB,
    /// which no verdict needs.
    pub external_auth_answer_bytes: usize,
    /// The body of an HTTP authorization server's denial that reaches the client at most, in bytes; a longer one is left out.
    pub external_auth_denial_bytes: usize,
    /// How long a draining worker lets requests end.
    pub drain_timeout: Duration,
    /// Bytes that are copied at once between the two sides of a TCP or TLS tunnel; also the most that is held
    /// for each direction while the other side does not read.
    pub tunnel_buffer_bytes: usize,
    /// How long a TCP or TLS tunnel may stay without a byte once one side has ended its direction.
    pub tunnel_half_closed_timeout: Duration,
    /// Endpoints that are tried for a TCP or TLS connection before it is given up.
    pub tunnel_connect_attempts: usize,
    /// Idle time of a UDP session.
    pub udp_session_timeout: Duration,
    /// UDP sessions of a worker at most; datagrams of further clients are dropped.
    pub udp_sessions: usize,
    /// Datagrams of a new UDP session that wait for its endpoint to be found; more are dropped.
    pub udp_pending_datagrams: usize,
    /// How long datagrams of a client are dropped after no endpoint could be found for it.
    pub udp_refusal: Duration,
    /// Whether header names with an underscore are refused: backends that map `-` to `_` confuse them.
    pub reject_underscore_headers: bool,
}

impl Default for Limits {
    fn default() -> Self {
        Self {
            request_header_bytes: 60 * 1024,
            request_headers: 100,
            request_target_bytes: 16 * 1024,
            request_header_timeout: Duration::from_secs(10),
            tls_handshake_timeout: Duration::from_secs(5),
            client_hello_bytes: 64 * 1024,
            downstream_idle_timeout: Duration::from_secs(60),
            stream_idle_timeout: Duration::from_secs(3600),
            request_timeout: Duration::ZERO,
            http2_max_concurrent_streams: 100,
            http2_stream_window: 64 * 1024,
            http2_connection_window: 1024 * 1024,
            http2_pending_resets: 20,
            http2_local_resets: 100,
            http2_send_buffer_bytes: 64 * 1024,
            downstream_connections: 50_000,
            accept_backlog: 4096,
            accept_batch: 64,
            accept_backoff: Duration::from_millis(10),
            accept_backoff_max: Duration::from_secs(1),
            tcp_keepalive_time: Duration::from_secs(60),
            tcp_keepalive_interval: Duration::from_secs(15),
            tcp_keepalive_probes: 4,
            connect_timeout: Duration::from_secs(5),
            upstream_idle_timeout: Duration::from_secs(4),
            upstream_idle_connections: 256,
            upstream_connections: 4096,
            upstream_pending: 1024,
            upstream_http2_keepalive: Duration::from_secs(10),
            endpoint_ejection: Duration::from_millis(500),
            endpoint_ejection_max: Duration::from_secs(10),
            dns_ttl: Duration::from_secs(5),
            backend_memory: Duration::from_secs(60),
            retry_budget_percent: 20,
            retry_budget_interval: Duration::from_secs(10),
            retry_budget_min_per_second: 10,
            retry_backoff: Duration::from_millis(25),
            retry_backoff_max: Duration::from_secs(1),
            replay_body_bytes: 64 * 1024,
            unread_body_bytes: 256 * 1024,
            unread_body_timeout: Duration::from_secs(5),
            linger_timeout: Duration::from_secs(5),
            farewell_timeout: Duration::from_secs(1),
            mirror_body_bytes: 256 * 1024,
            mirror_timeout: Duration::from_secs(15),
            external_auth_timeout: Duration::from_secs(5),
            external_auth_answer_bytes: 256 * 1024,
            external_auth_denial_bytes: 64 * 1024,
            drain_timeout: Duration::from_secs(30),
            tunnel_buffer_bytes: 32 * 1024,
            tunnel_half_closed_timeout: Duration::from_secs(300),
            tunnel_connect_attempts: 3,
            udp_session_timeout: Duration::from_secs(60),
            udp_sessions: 65_536,
            udp_pending_datagrams: 16,
            udp_refusal: Duration::from_secs(1),
            reject_underscore_headers: false,
        }
    }
}
