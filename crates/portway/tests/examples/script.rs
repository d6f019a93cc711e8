//! Reads `requests.txt`. The format is described in `examples/README.md`.

use std::time::Duration;

use crate::words::split_words;

/// What an example's `requests.txt` says.
#[derive(Debug, Default)]
pub(crate) struct Script {
    pub(crate) backends: Vec<BackendLine>,
    pub(crate) requests: Vec<Request>,
}

/// A server to start, as the one endpoint of a Service's port.
#[derive(Debug, PartialEq)]
pub(crate) struct BackendLine {
    /// `NAMESPACE/SERVICE:PORT`.
    pub(crate) service: String,
    pub(crate) kind: BackendKind,
}

#[derive(Debug, PartialEq)]
pub(crate) enum BackendKind {
    Echo,
    TlsEcho { certificate: String, key: String },
    Flaky,
    Silent,
}

/// A request with what must come of it.
#[derive(Debug)]
pub(crate) struct Request {
    /// In `requests.txt`, from 1.
    pub(crate) line: usize,
    pub(crate) times: usize,
    /// Arguments of curl.
    pub(crate) arguments: Vec<String>,
    pub(crate) expectations: Vec<Expectation>,
}

#[derive(Debug, PartialEq)]
pub(crate) enum Expectation {
    Status(u16),
    Header { name: String, value: Option<String> },
    NoHeader { name: String },
    Body(String),
    NoBody(String),
    Fails,
    Took { least: Duration, most: Duration },
    Share { percent: usize, text: String },
    Received { service: String, text: String },
    NotReceived { service: String, text: String },
}

impl Script {
    /// Parses the text of a `requests.txt`. The error names the line.
    pub(crate) fn parse(text: &str) -> Result<Self, String> {
        let mut script = Self::default();
        for (index, line) in text.lines().enumerate() {
            script.parse_line(index + 1, line).map_err(|error| format!("line {}: {error}", index + 1))?;
        }
        match script.requests.iter().find(|request| request.expectations.is_empty()) {
            Some(request) => Err(format!("line {}: nothing is expected of this request", request.line)),
            None if script.requests.is_empty() => Err("there is no request".to_owned()),
            None => Ok(script),
        }
    }

    fn parse_line(&mut self, number: usize, line: &str) -> Result<(), String> {
        let text = line.trim();
        if text.is_empty() || text.starts_with('#') {
            return Ok(());
        }
        if line.starts_with([' ', '\t']) {
            let request = self.requests.last_mut().ok_or("an expectation before the first request")?;
            request.expectations.push(Expectation::parse(text)?);
            return Ok(());
        }
        match split_words(text)?.as_slice() {
            [first, arguments @ ..] if first == "curl" => self.push_request(number, 1, arguments),
            [first, times, second, arguments @ ..] if first == "repeat" && second == "curl" => {
                self.push_request(number, parse_number(times)?, arguments);
            }
            [first, service, kind @ ..] if first == "backend" => {
                self.backends.push(BackendLine { service: service.clone(), kind: BackendKind::parse(kind)? });
            }
            _ => return Err(format!("neither `curl`, `repeat N curl` nor `backend`: {text}")),
        }
        Ok(())
    }

    fn push_request(&mut self, line: usize, times: usize, arguments: &[String]) {
        self.requests.push(Request { line, times, arguments: arguments.to_vec(), expectations: Vec::new() });
    }
}

impl BackendKind {
    fn parse(words: &[String]) -> Result<Self, String> {
        match words.iter().map(String::as_str).collect::<Vec<_>>().as_slice() {
            ["echo"] => Ok(Self::Echo),
            ["echo", certificate, key] => {
                Ok(Self::TlsEcho { certificate: (*certificate).to_owned(), key: (*key).to_owned() })
            }
            ["flaky"] => Ok(Self::Flaky),
            ["silent"] => Ok(Self::Silent),
            _ => Err(format!("unknown kind of backend: {}", words.join(" "))),
        }
    }
}

impl Expectation {
    fn parse(text: &str) -> Result<Self, String> {
        let (keyword, rest) = text.split_once(' ').unwrap_or((text, ""));
        match keyword {
            "status" => Ok(Self::Status(parse_number(rest)?)),
            "header" => match rest.split_once(':') {
                Some((name, value)) => {
                    Ok(Self::Header { name: name.to_owned(), value: Some(value.trim().to_owned()) })
                }
                None => Ok(Self::Header { name: required(rest)?, value: None }),
            },
            "body" => Ok(Self::Body(required(rest)?)),
            "fails" if rest.is_empty() => Ok(Self::Fails),
            "seconds" => {
                let (least, most) = rest.split_once(" to ").ok_or("`seconds MIN to MAX` is meant")?;
                Ok(Self::Took { least: parse_seconds(least)?, most: parse_seconds(most)? })
            }
            "share" => {
                let (percent, text) =
                    rest.split_once(" body ").ok_or("`share PERCENT body TEXT` is meant")?;
                Ok(Self::Share { percent: parse_number(percent)?, text: required(text)? })
            }
            "received" => {
                let (service, text) = parse_received(rest)?;
                Ok(Self::Received { service, text })
            }
            "not" if rest.starts_with("received ") => {
                let (service, text) = parse_received(rest.trim_start_matches("received "))?;
                Ok(Self::NotReceived { service, text })
            }
            "no" if rest.starts_with("header ") => {
                Ok(Self::NoHeader { name: required(rest.trim_start_matches("header "))? })
            }
            "no" if rest.starts_with("body ") => {
                Ok(Self::NoBody(required(rest.trim_start_matches("body "))?))
            }
            _ => Err(format!("unknown expectation: {text}")),
        }
    }
}

fn parse_received(rest: &str) -> Result<(String, String), String> {
    let (service, text) = rest.split_once(' ').ok_or("`received NAMESPACE/SERVICE:PORT TEXT` is meant")?;
    Ok((service.to_owned(), required(text)?))
}

fn required(text: &str) -> Result<String, String> {
    if text.is_empty() { Err("a value is missing".to_owned()) } else { Ok(text.to_owned()) }
}

fn parse_number<N: std::str::FromStr>(text: &str) -> Result<N, String> {
    text.parse().map_err(|_| format!("not a number that may stand here: {text:?}"))
}

fn parse_seconds(text: &str) -> Result<Duration, String> {
    Duration::try_from_secs_f64(parse_number(text)?).map_err(|error| error.to_string())
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn reads_requests_backends_and_expectations() {
        let script = Script::parse(
            "# comment\nbackend shop/a:80 echo a.crt a.key\n\nrepeat 3 curl -H 'a: b' http://x/\n    status 200\n    \
             header location: https://x/\n    no header server\n    seconds 0.5 to 2\n    share 10 body v2\n    \
             not received shop/a:80 GET /x\n",
        )
        .unwrap();
        let tls = BackendKind::TlsEcho { certificate: "a.crt".to_owned(), key: "a.key".to_owned() };
        assert_eq!(script.backends, [BackendLine { service: "shop/a:80".to_owned(), kind: tls }]);
        let request = &script.requests[0];
        assert_eq!((request.line, request.times), (4, 3));
        assert_eq!(request.arguments, ["-H", "a: b", "http://x/"]);
        assert_eq!(
            request.expectations,
            [
                Expectation::Status(200),
                Expectation::Header { name: "location".to_owned(), value: Some("https://x/".to_owned()) },
                Expectation::NoHeader { name: "server".to_owned() },
                Expectation::Took { least: Duration::from_millis(500), most: Duration::from_secs(2) },
                Expectation::Share { percent: 10, text: "v2".to_owned() },
                Expectation::NotReceived { service: "shop/a:80".to_owned(), text: "GET /x".to_owned() },
            ]
        );
    }

    #[test]
    fn refuses_what_would_test_nothing() {
        for (text, complaint) in [
            ("", "there is no request"),
            ("curl http://x/\n", "line 1: nothing is expected of this request"),
            ("    status 200\n", "line 1: an expectation before the first request"),
            ("curl http://x/\n    statsu 200\n", "line 2: unknown expectation: statsu 200"),
            ("curl http://x/\n    body\n", "line 2: a value is missing"),
            ("wget http://x/\n", "line 1: neither `curl`, `repeat N curl` nor `backend`: wget http://x/"),
            ("backend shop/a:80 teapot\n", "line 1: unknown kind of backend: teapot"),
        ] {
            assert_eq!(Script::parse(text).unwrap_err(), complaint);
        }
    }
}
