//! `--endpoint NAMESPACE/SERVICE[:PORT]=HOST:PORT,...`: where a Service is really served.

use std::fmt;
use std::net::{IpAddr, SocketAddr};
use std::str::FromStr;

use portway_api::ObjectKey;
use thiserror::Error;

/// Where a Service, or one port of it, is really served.
#[derive(Clone, Debug, PartialEq, Eq)]
pub(crate) struct EndpointOption {
    /// The Service.
    pub(crate) service: ObjectKey,
    /// The port as the Service numbers it; absent is all of them.
    pub(crate) port: Option<u16>,
    /// Never empty.
    pub(crate) endpoints: Vec<HostPort>,
}

/// A host and a port.
#[derive(Clone, Debug, PartialEq, Eq)]
pub(crate) struct HostPort {
    pub(crate) host: Host,
    pub(crate) port: u16,
}

/// A host.
#[derive(Clone, Debug, PartialEq, Eq)]
pub(crate) enum Host {
    Address(IpAddr),
    /// A DNS name in lower case; the proxy resolves it, again and again.
    Name(String),
}

/// What is wrong with the option.
#[derive(Clone, Debug, PartialEq, Eq, Error)]
pub(crate) enum EndpointOptionError {
    #[error("it has the form NAMESPACE/SERVICE[:PORT]=HOST:PORT, such as my-app/web:80=127.0.0.1:3000")]
    Form,
    #[error("`{0}` is not a port: from 1 to 65535")]
    Port(String),
    #[error("`{0}` is neither an address with a port nor a DNS name with a port")]
    Endpoint(String),
}

impl FromStr for EndpointOption {
    type Err = EndpointOptionError;

    fn from_str(text: &str) -> Result<Self, EndpointOptionError> {
        let (service, endpoints) = text.split_once('=').ok_or(EndpointOptionError::Form)?;
        let (namespace, name) = service.split_once('/').ok_or(EndpointOptionError::Form)?;
        let (name, port) = match name.split_once(':') {
            Some((name, port)) => (name, Some(parse_port(port)?)),
            None => (name, None),
        };
        if !is_name(namespace) || !is_name(name) {
            return Err(EndpointOptionError::Form);
        }
        Ok(Self {
            service: ObjectKey::new(namespace, name),
            port,
            endpoints: endpoints.split(',').map(str::parse).collect::<Result<_, _>>()?,
        })
    }
}

impl FromStr for HostPort {
    type Err = EndpointOptionError;

    fn from_str(text: &str) -> Result<Self, EndpointOptionError> {
        if let Ok(address) = text.parse::<SocketAddr>() {
            // Nobody listens on port 0.
            parse_port(&address.port().to_string())?;
            return Ok(Self { host: Host::Address(address.ip()), port: address.port() });
        }
        let wrong = || EndpointOptionError::Endpoint(text.to_owned());
        let (host, port) = text.rsplit_once(':').ok_or_else(wrong)?;
        let host = host.trim_end_matches('.').to_ascii_lowercase();
        // What looks like an address but is none would only fail later, and in words of DNS.
        let looks_like_address = host.bytes().all(|byte| byte.is_ascii_digit() || byte == b'.');
        if looks_like_address || !host.split('.').all(is_name) {
            return Err(wrong());
        }
        Ok(Self { host: Host::Name(host), port: parse_port(port)? })
    }
}

impl fmt::Display for EndpointOption {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        write!(f, "{}", self.service)?;
        self.port.map_or(Ok(()), |port| write!(f, ":{port}"))
    }
}

fn parse_port(text: &str) -> Result<u16, EndpointOptionError> {
    match text.parse() {
        Ok(port) if port > 0 => Ok(port),
        _ => Err(EndpointOptionError::Port(text.to_owned())),
    }
}

/// Whether it is a label of a DNS name, which namespaces and Services are named by.
fn is_name(text: &str) -> bool {
    (1..=63).contains(&text.len())
        && !text.starts_with('-')
        && !text.ends_with('-')
        && text.bytes().all(|byte| byte.is_ascii_alphanumeric() || byte == b'-' || byte == b'_')
}

#[cfg(test)]
mod tests {
    use super::*;

    fn address(text: &str) -> HostPort {
        let address: SocketAddr = text.parse().unwrap();
        HostPort { host: Host::Address(address.ip()), port: address.port() }
    }

    #[test]
    fn one_port_of_a_service_goes_to_several_endpoints() {
        let option: EndpointOption =
            "my-app/web:80=127.0.0.1:3000,[::1]:3001,Db.Example.com.:5432".parse().unwrap();
        assert_eq!(option.service, ObjectKey::new("my-app", "web"));
        assert_eq!(option.port, Some(80));
        let name = HostPort { host: Host::Name("db.example.com".to_owned()), port: 5432 };
        assert_eq!(option.endpoints, [address("127.0.0.1:3000"), address("[::1]:3001"), name]);
        assert_eq!(option.to_string(), "my-app/web:80");
    }

    #[test]
    fn without_a_port_all_ports_are_meant() {
        let option: EndpointOption = "a/b=localhost:1".parse().unwrap();
        assert_eq!((option.port, option.to_string().as_str()), (None, "a/b"));
    }

    #[test]
    fn what_is_wrong_is_told() {
        use EndpointOptionError::{Endpoint, Form, Port};
        let cases = [
            ("", Form),
            ("web=127.0.0.1:1", Form),
            ("a/=127.0.0.1:1", Form),
            ("a/b/c=127.0.0.1:1", Form),
            ("a/b:http=127.0.0.1:1", Port("http".into())),
            ("a/b:0=127.0.0.1:1", Port("0".into())),
            ("a/b=", Endpoint("".into())),
            ("a/b=127.0.0.1", Endpoint("127.0.0.1".into())),
            ("a/b=127.0.0.1:0", Port("0".into())),
            ("a/b=300.0.0.1:80", Endpoint("300.0.0.1:80".into())),
            ("a/b=::1:80", Endpoint("::1:80".into())),
            ("a/b=host:99999", Port("99999".into())),
            ("a/b=127.0.0.1:1,,", Endpoint("".into())),
        ];
        for (text, error) in cases {
            assert_eq!(text.parse::<EndpointOption>(), Err(error), "{text}");
        }
    }
}
