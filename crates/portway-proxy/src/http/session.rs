//! Session persistence (GEP-1619): a client comes back to the endpoint that has served it.
//!
//! The session is in what the client carries, a cookie or a header, and nowhere else: when it began, and a
//! [`Pin`] for each endpoint that it is to come back to. Weights choose the backend before any session is looked
//! at, as the GEP has it ("MUST NOT override which backend is selected during traffic splitting"), so that a
//! session has a pin for each backend that it has met. An endpoint that is gone is replaced.

use std::fmt::Write;
use std::time::{Duration, SystemTime, UNIX_EPOCH};

use http::{HeaderMap, HeaderName, HeaderValue, header};
use portway_config::EndpointAddress;
use portway_config::route::{SessionCarrier, SessionPersistence};

use super::filter::InvalidFilter;
use super::filter::header_change::{HeaderChange, Mode};
use crate::limits::{SESSION_CLOCK_SKEW, SESSION_PINS};
use crate::upstream::{Backend, Pin};

/// How a rule keeps its sessions.
#[derive(Debug)]
pub(super) struct Persistence {
    carrier: Carrier,
    absolute_timeout: Option<Duration>,
}

#[derive(Debug)]
enum Carrier {
    Cookie {
        name: Box<str>,
        path: Box<str>,
        /// Whether the cookie says how long it is to be kept.
        permanent: bool,
    },
    Header(HeaderName),
}

/// The session of a client.
#[derive(Debug)]
pub(super) struct Session {
    /// In seconds since 1970.
    since: u64,
    /// The newest last.
    pins: Vec<Pin>,
}

impl Persistence {
    pub(super) fn compile(persistence: &SessionPersistence) -> Result<Self, InvalidFilter> {
        let carrier = match &persistence.carrier {
            SessionCarrier::Cookie { name, path, permanent } => {
                // The attributes must be such that a header can be written.
                HeaderValue::try_from(format!("{name}={path}"))
                    .map_err(|_| InvalidFilter::new("name or path of a session cookie"))?;
                Carrier::Cookie { name: (&**name).into(), path: (&**path).into(), permanent: *permanent }
            }
            SessionCarrier::Header(name) => Carrier::Header(
                HeaderName::from_bytes(name.as_bytes())
                    .map_err(|_| InvalidFilter::new("the name of a session header"))?,
            ),
        };
        Ok(Self { carrier, absolute_timeout: persistence.absolute_timeout })
    }

    /// The session that a request belongs to; a new one where it shows none, or one whose time is over.
    pub(super) fn find(&self, headers: &HeaderMap, now: SystemTime) -> Session {
        let now = since_1970(now);
        let found = match &self.carrier {
            Carrier::Cookie { name, .. } => cookies(headers, name).find_map(Session::parse),
            Carrier::Header(name) => {
                headers.get_all(name).iter().find_map(|value| Session::parse(value.to_str().ok()?))
            }
        };
        let is_alive = |session: &Session| {
            let age = Duration::from_secs(now.saturating_sub(session.since));
            session.since <= now.saturating_add(SESSION_CLOCK_SKEW.as_secs())
                && self.absolute_timeout.is_none_or(|timeout| age < timeout)
        };
        found.filter(is_alive).unwrap_or(Session { since: now, pins: Vec::new() })
    }

    /// Notes who has served a request. Returns what the client has to be told, if that is news.
    pub(super) fn renew(
        &self,
        mut session: Session,
        served_by: Pin,
        now: SystemTime,
        is_secure: bool,
    ) -> Option<HeaderChange> {
        if session.pins.contains(&served_by) {
            return None;
        }
        if session.pins.len() >= SESSION_PINS {
            session.pins.remove(0);
        }
        session.pins.push(served_by);
        let (name, value) = match &self.carrier {
            Carrier::Header(name) => (name.clone(), session.text()),
            Carrier::Cookie { name, path, permanent } => {
                let max_age = self.absolute_timeout.filter(|_| *permanent).map(|timeout| {
                    let age = since_1970(now).saturating_sub(session.since);
                    timeout.as_secs().saturating_sub(age)
                });
                (header::SET_COOKIE, set_cookie(name, &session.text(), path, max_age, is_secure))
            }
        };
        let mode = if name == header::SET_COOKIE { Mode::Append } else { Mode::Set };
        Some(HeaderChange { name, value: HeaderValue::try_from(value).ok()?, mode })
    }
}

impl Session {
    /// The endpoint to come back to.
    pub(super) fn endpoint<'b>(&self, backend: &'b Backend) -> Option<&'b EndpointAddress> {
        backend.pinned(&self.pins)
    }

    /// `SINCE.PIN.PIN`, in hexadecimal digits.
    fn text(&self) -> String {
        let mut text = format!("{:x}", self.since);
        for pin in &self.pins {
            // A string takes whatever is written.
            let _ = write!(text, ".{pin}");
        }
        text
    }

    /// None for what was not written by [`Self::text`].
    fn parse(text: &str) -> Option<Self> {
        let mut parts = text.split('.');
        let since = u64::from_str_radix(parts.next()?, 16).ok()?;
        let pins: Vec<_> = parts.take(SESSION_PINS + 1).map(str::parse).collect::<Result<_, _>>().ok()?;
        (pins.len() <= SESSION_PINS).then_some(Self { since, pins })
    }
}

/// The security attributes are those that GEP-1619 asks for; over clear text a `Secure` cookie would be lost.
fn set_cookie(name: &str, value: &str, path: &str, max_age: Option<u64>, is_secure: bool) -> String {
    let max_age = max_age.map(|seconds| format!("; Max-Age={seconds}")).unwrap_or_default();
    let secure = if is_secure { "; Secure" } else { "" };
    format!("{name}={value}; Path={path}{max_age}; HttpOnly; SameSite=Strict{secure}")
}

/// The values of the cookies of a name. HTTP/2 may spread cookies over several headers.
fn cookies<'h>(headers: &'h HeaderMap, name: &str) -> impl Iterator<Item = &'h str> {
    let pairs = headers.get_all(header::COOKIE).into_iter().filter_map(|value| value.to_str().ok());
    pairs.flat_map(|pairs| pairs.split(';')).filter_map(move |pair| {
        let (it, value) = pair.trim_matches([' ', '\t']).split_once('=')?;
        (it == name).then_some(value)
    })
}

fn since_1970(time: SystemTime) -> u64 {
    time.duration_since(UNIX_EPOCH).unwrap_or_default().as_secs()
}

#[cfg(test)]
mod tests {
    use proptest::prelude::*;

    use super::*;

    const PIN: &str = "0123456789abcdef";

    fn at(seconds: u64) -> SystemTime {
        UNIX_EPOCH + Duration::from_secs(seconds)
    }

    fn cookie(permanent: bool, timeout: Option<u64>) -> Persistence {
        let carrier = SessionCarrier::Cookie { name: "sid".into(), path: "/shop".into(), permanent };
        let absolute_timeout = timeout.map(Duration::from_secs);
        Persistence::compile(&SessionPersistence { carrier, absolute_timeout }).unwrap()
    }

    fn with(name: HeaderName, values: &[&str]) -> HeaderMap {
        values.iter().map(|value| (name.clone(), value.parse().unwrap())).collect()
    }

    fn pins(session: &Session) -> Vec<String> {
        session.pins.iter().map(ToString::to_string).collect()
    }

    #[test]
    fn a_cookie_is_found_among_others() {
        let it = cookie(false, None);
        let sid = format!("a=b; sid=64.{PIN}; c");
        for values in [&[sid.as_str()][..], &["x=y", &sid], &["sid=other; sidx=64.1", "sid=nonsense", &sid]] {
            let session = it.find(&with(header::COOKIE, values), at(200));
            assert_eq!((session.since, pins(&session)), (100, vec![PIN.to_owned()]), "{values:?}");
        }
        assert!(it.find(&HeaderMap::new(), at(200)).pins.is_empty());
    }

    #[test]
    fn a_session_ends_in_time_and_does_not_begin_in_the_future() {
        let headers = with(header::COOKIE, &[&format!("sid=64.{PIN}")]);
        assert_eq!(cookie(false, Some(50)).find(&headers, at(149)).pins.len(), 1);
        let renewed = cookie(false, Some(50)).find(&headers, at(150));
        assert_eq!((renewed.since, renewed.pins.len()), (150, 0));
        assert_eq!(cookie(false, None).find(&headers, at(1_000_000)).pins.len(), 1);
        let future = with(header::COOKIE, &[&format!("sid=ffffffffffffffff.{PIN}")]);
        assert!(cookie(false, Some(50)).find(&future, at(150)).pins.is_empty());
    }

    #[test]
    fn the_client_is_told_once() {
        let it = cookie(true, Some(3600));
        let pin: Pin = PIN.parse().unwrap();
        let session = it.find(&HeaderMap::new(), at(100));
        let told = it.renew(session, pin, at(100), true).unwrap();
        assert_eq!((told.name, told.mode), (header::SET_COOKIE, Mode::Append));
        let expected = format!("sid=64.{PIN}; Path=/shop; Max-Age=3600; HttpOnly; SameSite=Strict; Secure");
        assert_eq!(told.value, expected);
        let headers = with(header::COOKIE, &[&format!("sid=64.{PIN}")]);
        assert!(it.renew(it.find(&headers, at(200)), pin, at(200), true).is_none());
        // Another endpoint has served it; the session's end stays where it was.
        let told = it.renew(it.find(&headers, at(200)), "00000000000000ff".parse().unwrap(), at(200), false);
        let expected =
            format!("sid=64.{PIN}.00000000000000ff; Path=/shop; Max-Age=3500; HttpOnly; SameSite=Strict");
        assert_eq!(told.unwrap().value, expected);
    }

    #[test]
    fn a_session_cookie_says_no_age_and_a_header_is_the_session_alone() {
        let session = || Session { since: 100, pins: Vec::new() };
        let pin: Pin = PIN.parse().unwrap();
        let told = cookie(false, Some(3600)).renew(session(), pin, at(100), false).unwrap();
        assert_eq!(told.value, format!("sid=64.{PIN}; Path=/shop; HttpOnly; SameSite=Strict"));
        let carrier = SessionCarrier::Header("x-session".into());
        let it = Persistence::compile(&SessionPersistence { carrier, absolute_timeout: None }).unwrap();
        let told = it.renew(session(), pin, at(100), false).unwrap();
        assert_eq!(told.name, "x-session");
        assert_eq!(told.value, format!("64.{PIN}"));
        let found = it.find(&with(HeaderName::from_static("x-session"), &[&format!("64.{PIN}")]), at(100));
        assert_eq!(pins(&found), [PIN]);
    }

    #[test]
    fn the_oldest_pin_is_forgotten() {
        let it = cookie(false, None);
        let pin = |number: usize| format!("{number:016x}").parse::<Pin>().unwrap();
        let session = Session { since: 1, pins: (0..SESSION_PINS).map(pin).collect() };
        let told = it.renew(session, pin(99), at(1), false).unwrap();
        let value = told.value.to_str().unwrap();
        assert!(!value.contains(&pin(0).to_string()) && value.contains(&pin(99).to_string()), "{value}");
        let text = value.strip_prefix("sid=").unwrap().split(';').next().unwrap();
        assert_eq!(Session::parse(text).unwrap().pins.len(), SESSION_PINS);
    }

    proptest! {
        #[test]
        fn nothing_that_a_client_sends_breaks_it(text in "[0-9a-f.=; x]{0,200}") {
            if let Some(session) = Session::parse(&text) {
                prop_assert!(session.pins.len() <= SESSION_PINS);
                prop_assert_eq!(Session::parse(&session.text()).map(|it| it.since), Some(session.since));
            }
        }
    }
}
