//! Limits and defaults of the controller. `docs/limits.md` lists them, which a test holds.

use std::time::Duration;

macro_rules! limits {
    ($($(#[$doc:meta])* $name:ident $key:ident: $type:ty = $value:expr;)+) => {
        $($(#[$doc])* pub const $name: $type = $value;)+

        /// Name and value of each, as the documentation has them.
        pub fn all() -> Vec<(&'static str, String)> {
            vec![$((stringify!($key), format!("{:?}", $name))),+]
        }
    };
}

limits! {
    /// How long the Lease of the controller that leads holds without renewal.
    LEASE_DURATION lease_duration: Duration = Duration::from_secs(5);
    /// How long the Lease of another controller is respected, whatever stands in it.
    LEASE_DURATION_MAX lease_duration_max: Duration = Duration::from_secs(60);
    /// How often it is renewed.
    LEASE_RENEWAL lease_renewal: Duration = Duration::from_millis(1500);
    /// How long one request about the Lease may take.
    LEASE_REQUEST lease_request: Duration = Duration::from_secs(3);
    /// How long others leave the Lease to the one that led, when the API server has come back.
    LEASE_YIELD lease_yield: Duration = Duration::from_secs(2);
    /// For how long the Lease of an address that a node announces is written. Nobody decides anything by it.
    HOLDER_LEASE_DURATION holder_lease_duration: Duration = Duration::from_secs(900);
    /// How often it is renewed.
    HOLDER_LEASE_RENEWAL holder_lease_renewal: Duration = Duration::from_secs(300);
    /// How long after a change of hands it is written, since another may follow.
    HOLDER_LEASE_SETTLES holder_lease_settles: Duration = Duration::from_secs(1);
    /// Pause before it is written again that the API server did not take.
    HOLDER_LEASE_PAUSE holder_lease_pause: Duration = Duration::from_secs(10);
    /// How long it may take to connect to the API server.
    API_CONNECT api_connect: Duration = Duration::from_secs(5);
    /// How long the API server may take until its answer to a request begins.
    API_ANSWER api_answer: Duration = Duration::from_secs(15);
    /// How long a silent watch is believed in, in seconds, before it is begun again.
    WATCH_TIMEOUT_SECONDS watch_timeout_seconds: u32 = 120;
    /// Pause before a watch that has ended is begun again; it doubles.
    WATCH_PAUSE watch_pause: Duration = Duration::from_millis(250);
    /// The same, at most: also how much later than the API server itself a change may come after an absence.
    WATCH_PAUSE_MAX watch_pause_max: Duration = Duration::from_secs(2);
    /// How often the log tells that the API server does not answer.
    OUTAGE_TOLD outage_told: Duration = Duration::from_secs(30);
    /// How often the API server is asked whether it has a kind that not every cluster has.
    DISCOVERY_AGAIN discovery_again: Duration = Duration::from_secs(60);
    /// How long a burst of changes grows before it is translated. Endpoints do not wait.
    BURST burst: Duration = Duration::from_millis(10);
    /// How long statuses wait for the acknowledgement of proxies before the Gateway says that it waits.
    PATIENCE patience: Duration = Duration::from_secs(3);
    /// Writes of statuses under way at once.
    STATUS_WRITES status_writes: usize = 16;
    /// How often the status of one object is written at most.
    STATUS_INTERVAL status_interval: Duration = Duration::from_millis(250);
    /// Pause before a status is written again that the API server could not take; it doubles, up to `refused_pause`.
    UNAVAILABLE_PAUSE unavailable_pause: Duration = Duration::from_secs(1);
    /// How long a status that the API server refused is left alone, unless there is something else to write.
    REFUSED_PAUSE refused_pause: Duration = Duration::from_secs(30);
    /// Gateways that are provisioned at once, each by a dozen requests one after the other.
    GATEWAYS_AT_ONCE gateways_at_once: usize = 8;
    /// Pause before what could not be provisioned is tried again.
    PROVISION_RETRY provision_retry: Duration = Duration::from_secs(10);
    /// Statuses that the API server refuses of which the log tells at once; what is beyond them is counted.
    REFUSALS_AT_ONCE refusals_at_once: usize = 20;
    /// Events, each with a line in the log, within `events_window`; what is beyond them is counted in the log.
    EVENTS_AT_ONCE events_at_once: usize = 20;
    /// See `events_at_once`.
    EVENTS_WINDOW events_window: Duration = Duration::from_secs(10);
    /// How long changes of pods and policies grow before policies are looked through for mistakes.
    POLICY_CHECK policy_check: Duration = Duration::from_secs(5);
    /// Mistakes in policies of which the log tells at once; what is beyond them is counted.
    POLICY_WARNINGS_AT_ONCE policy_warnings_at_once: usize = 20;
    /// How often the EndpointSlice that leads proxies to the controller is written again, in case somebody has changed it.
    ANNOUNCE_AGAIN announce_again: Duration = Duration::from_secs(30);
    /// How long the authority of the stream's certificates is valid.
    AUTHORITY_VALIDITY authority_validity: Duration = Duration::from_secs(10 * 365 * 24 * 3600);
    /// How long a certificate of the stream's server is valid.
    CERTIFICATE_VALIDITY certificate_validity: Duration = Duration::from_secs(30 * 24 * 3600);
    /// After which time it is replaced.
    CERTIFICATE_RENEWAL certificate_renewal: Duration = Duration::from_secs(10 * 24 * 3600);
    /// How far back the validity of certificates begins: clocks of nodes differ.
    CLOCK_SKEW clock_skew: Duration = Duration::from_secs(3600);
}
