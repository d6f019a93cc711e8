//! When an attempt is followed by another, and after what time (GEP-1731).
//!
//! Retried are, where a rule asks for retries:
//! - attempts that found no connection: the backend has seen nothing of the request;
//! - responses with one of the rule's status codes, whatever the method: the rule asks for it;
//! - attempts that ran out of the rule's `backendRequest` time;
//! - connections that broke before an answer, for idempotent methods (RFC 9110, section 9.2.2).
//!
//! Never once a byte of the response was passed on, nor when the body was too large to be kept, nor
//! beyond the backend's retry budget.

use std::time::Duration;

use http::{Method, StatusCode};
use portway_config::route::Retry;

use crate::limits::Limits;
use crate::reason::Reason;

/// When an attempt is followed by another.
#[derive(Debug)]
pub(super) struct RetryPolicy {
    codes: Vec<StatusCode>,
    /// Attempts after the first.
    pub(super) attempts: u32,
    backoff: Option<Duration>,
}

impl RetryPolicy {
    /// Absent when it allows none.
    pub(super) fn compile(retry: &Retry) -> Option<Self> {
        let codes = retry.codes.iter().filter_map(|&code| StatusCode::from_u16(code).ok()).collect();
        (retry.attempts > 0).then_some(Self { codes, attempts: retry.attempts, backoff: retry.backoff })
    }

    pub(super) fn covers_status(&self, status: StatusCode) -> bool {
        self.codes.contains(&status)
    }

    /// Whether a failed attempt may be followed by another; `unsent` if nothing of the request was sent.
    pub(super) fn covers_failure(&self, reason: Reason, unsent: bool, method: &Method) -> bool {
        match reason {
            Reason::ConnectFailed | Reason::ConnectTimeout | Reason::UpstreamTls => true,
            Reason::BackendTimeout => true,
            Reason::UpstreamReset => unsent || method.is_idempotent(),
            _ => false,
        }
    }

    /// How long to wait before retry `nth`, counted from 0. The interval doubles with each retry.
    /// `chance` is from 0 to 1: the wait is drawn from the interval, above the rule's own base if it has
    /// one.
    pub(super) fn wait(&self, nth: u32, limits: &Limits, chance: f64) -> Duration {
        let base = self.backoff.unwrap_or(limits.retry_backoff);
        let longest = limits.retry_backoff_max.max(base);
        let interval = base.saturating_mul(1_u32.checked_shl(nth).unwrap_or(u32::MAX)).min(longest);
        self.backoff.map_or(Duration::ZERO, |_| interval) + interval.mul_f64(chance.clamp(0.0, 1.0))
    }
}

#[cfg(test)]
mod tests {
    use super::*;

    fn policy(codes: &[u16], attempts: u32, backoff: Option<Duration>) -> Option<RetryPolicy> {
        RetryPolicy::compile(&Retry { codes: codes.to_vec(), attempts, backoff })
    }

    #[test]
    fn zero_attempts_are_no_policy() {
        assert!(policy(&[500], 0, None).is_none());
    }

    #[test]
    fn what_may_have_been_processed_is_retried_only_if_asked_for_or_idempotent() {
        let policy = policy(&[503], 1, None).unwrap();
        assert!(policy.covers_status(StatusCode::SERVICE_UNAVAILABLE));
        assert!(!policy.covers_status(StatusCode::INTERNAL_SERVER_ERROR));
        assert!(policy.covers_failure(Reason::ConnectFailed, true, &Method::POST));
        assert!(policy.covers_failure(Reason::BackendTimeout, false, &Method::POST));
        assert!(policy.covers_failure(Reason::UpstreamReset, false, &Method::GET));
        assert!(policy.covers_failure(Reason::UpstreamReset, true, &Method::POST));
        assert!(!policy.covers_failure(Reason::UpstreamReset, false, &Method::POST));
        assert!(!policy.covers_failure(Reason::NoEndpoint, true, &Method::GET));
        assert!(!policy.covers_failure(Reason::Overload, true, &Method::GET));
        assert!(!policy.covers_failure(Reason::ClientGone, false, &Method::GET));
    }

    #[test]
    fn waits_double_up_to_a_limit() {
        let limits = Limits::default();
        let ms = Duration::from_millis;
        let own = policy(&[], 9, Some(ms(100))).unwrap();
        assert_eq!(own.wait(0, &limits, 0.0), ms(100));
        assert_eq!(own.wait(0, &limits, 0.5), ms(150));
        assert_eq!(own.wait(2, &limits, 0.0), ms(400));
        assert_eq!(own.wait(60, &limits, 0.0), limits.retry_backoff_max);
        let default = policy(&[], 9, None).unwrap();
        assert_eq!(default.wait(0, &limits, 0.0), Duration::ZERO);
        assert_eq!(default.wait(1, &limits, 1.0), limits.retry_backoff * 2);
        let long = policy(&[], 9, Some(limits.retry_backoff_max * 3)).unwrap();
        assert_eq!(long.wait(5, &limits, 0.0), limits.retry_backoff_max * 3);
    }
}
