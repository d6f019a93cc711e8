//! The request that is explained, in the form that the matcher sees.

use hyper::Uri;
use hyper::header::{HeaderName, HeaderValue};
use portway_config::ListenerProtocol;
use portway_proxy::http::canonical_path;
use portway_route::{Connection, Request};
use serde::Serialize;
use thiserror::Error;

use crate::cli::AskedRequest;

/// A request that nobody sends.
#[derive(Clone, Debug, Serialize)]
#[serde(rename_all = "camelCase")]
pub(crate) struct ExplainedRequest {
    pub(crate) method: String,
    pub(crate) scheme: String,
    /// In lower case; an IPv6 address in brackets.
    pub(crate) host: String,
    pub(crate) port: u16,
    /// In its canonical form.
    pub(crate) path: String,
    #[serde(skip_serializing_if = "Option::is_none")]
    pub(crate) query: Option<String>,
    /// Names in lower case.
    pub(crate) headers: Vec<(String, String)>,
    /// Of the TLS handshake, if there is one and it names any.
    #[serde(skip_serializing_if = "Option::is_none")]
    pub(crate) server_name: Option<String>,
}

/// Why something is not a request.
#[derive(Clone, Debug, PartialEq, Eq, Error)]
pub(crate) enum RequestError {
    #[error("`{url}` is not a URL: {why}\n  help: it has the form http://HOST[:PORT]/PATH?QUERY")]
    Url { url: String, why: String },
    #[error("a gateway speaks http, https, tcp or udp, and not `{0}`")]
    Scheme(String),
    #[error("the path `{0}` cannot be read safely: every request for it is answered 400")]
    Path(String),
    #[error("`{0}` is not a header\n  help: it has the form NAME: VALUE")]
    Header(String),
    #[error("`{0}` is not a method")]
    Method(String),
}

impl ExplainedRequest {
    pub(crate) fn read(asked: &AskedRequest) -> Result<Self, RequestError> {
        let url = |why: &str| RequestError::Url { url: asked.url.clone(), why: why.to_owned() };
        if asked.url.contains('#') {
            return Err(url("a fragment is never sent"));
        }
        let uri: Uri =
            asked.url.parse().map_err(|error: hyper::http::uri::InvalidUri| url(&error.to_string()))?;
        let scheme = uri.scheme_str().ok_or_else(|| url("it has no scheme"))?.to_ascii_lowercase();
        let default_port = match scheme.as_str() {
            "http" => 80,
            "https" => 443,
            // Has to be told.
            "tcp" | "udp" => 0,
            _ => return Err(RequestError::Scheme(scheme)),
        };
        let host = uri.host().filter(|host| !host.is_empty()).ok_or_else(|| url("it has no host"))?;
        let host = host.strip_suffix('.').unwrap_or(host).to_ascii_lowercase();
        // What is no number of a port, `Uri` takes for none.
        let written = uri.authority().and_then(|authority| authority.as_str().rsplit_once(':'));
        let port = match written.map(|(_, port)| port).filter(|port| !port.ends_with(']')) {
            None | Some("") => default_port,
            Some(port) => port.parse().map_err(|_| url("its port is not from 0 to 65535"))?,
        };
        if port == 0 && default_port == 0 {
            return Err(url("tcp and udp need a port"));
        }
        let path = match uri.path() {
            "" => "/",
            path => path,
        };
        let path = canonical_path(path).map_err(|_| RequestError::Path(path.to_owned()))?.into_owned();
        if hyper::Method::from_bytes(asked.method.as_bytes()).is_err() {
            return Err(RequestError::Method(asked.method.clone()));
        }
        Ok(Self {
            method: asked.method.clone(),
            server_name: (scheme == "https").then(|| server_name(asked.sni.as_deref(), &host)).flatten(),
            scheme,
            host,
            port,
            path,
            query: uri.query().map(str::to_owned),
            headers: asked.headers.iter().map(|line| header(line)).collect::<Result<_, _>>()?,
        })
    }

    /// The protocol of the listeners that are asked, where nothing is read of what comes to them.
    pub(crate) fn stream(&self) -> Option<ListenerProtocol> {
        match self.scheme.as_str() {
            "tcp" => Some(ListenerProtocol::Tcp),
            "udp" => Some(ListenerProtocol::Udp),
            _ => None,
        }
    }

    /// How it reaches the Gateway.
    pub(crate) fn connection(&self) -> Connection<'_> {
        match self.scheme.as_str() {
            "https" => Connection::Tls { server_name: self.server_name.as_deref() },
            _ => Connection::Plain,
        }
    }

    /// As it was asked for, in its canonical form.
    pub(crate) fn url(&self) -> String {
        let query = self.query.as_ref().map(|query| format!("?{query}")).unwrap_or_default();
        let port = match (self.scheme.as_str(), self.port) {
            ("http", 80) | ("https", 443) => String::new(),
            (_, port) => format!(":{port}"),
        };
        if self.stream().is_some() {
            return format!("{}://{}{port}", self.scheme, self.host);
        }
        format!("{}://{}{port}{}{query}", self.scheme, self.host, self.path)
    }
}

/// The server name that a client sends: never an address (RFC 6066, section 3). An empty `--sni` is none.
fn server_name(given: Option<&str>, host: &str) -> Option<String> {
    match given {
        Some("") => None,
        Some(name) => Some(name.strip_suffix('.').unwrap_or(name).to_ascii_lowercase()),
        None if host.starts_with('[') || host.parse::<std::net::IpAddr>().is_ok() => None,
        None => Some(host.to_owned()),
    }
}

fn header(line: &str) -> Result<(String, String), RequestError> {
    let wrong = || RequestError::Header(line.to_owned());
    let (name, value) = line.split_once(':').ok_or_else(wrong)?;
    let name: HeaderName = name.trim().parse().map_err(|_| wrong())?;
    let value = value.trim();
    value.parse::<HeaderValue>().map_err(|_| wrong())?;
    Ok((name.as_str().to_owned(), value.to_owned()))
}

impl Request for ExplainedRequest {
    fn host(&self) -> &str {
        &self.host
    }

    fn method(&self) -> &str {
        &self.method
    }

    fn path(&self) -> &str {
        &self.path
    }

    fn query(&self) -> Option<&str> {
        self.query.as_deref()
    }

    fn any_header(&self, name: &str, each: &mut dyn FnMut(&[u8]) -> bool) -> bool {
        // A route may ask for the Host header as for any other; it arrives as the authority.
        let host = (name == "host").then_some(self.host.as_str());
        let given = self.headers.iter().filter(|(it, _)| it == name).map(|(_, value)| value.as_str());
        host.into_iter().chain(given).any(|value| each(value.as_bytes()))
    }
}

#[cfg(test)]
mod tests {
    use super::*;
    use crate::cli::Output;

    fn read(url: &str, sni: Option<&str>, headers: &[&str]) -> Result<ExplainedRequest, RequestError> {
        ExplainedRequest::read(&AskedRequest {
            method: "GET".to_owned(),
            url: url.to_owned(),
            headers: headers.iter().map(|&header| header.to_owned()).collect(),
            sni: sni.map(str::to_owned),
            admin: None,
            output: Output::Text,
        })
    }

    #[test]
    fn requests_have_the_form_that_the_proxy_gives_them() {
        let request =
            read("http://A.Example.com.:8080/x/../%61//b?c=1", None, &["X-Canary:  always "]).unwrap();
        assert_eq!(request.url(), "http://a.example.com:8080/a/b?c=1");
        assert_eq!(request.headers, [("x-canary".to_owned(), "always".to_owned())]);
        assert_eq!(request.connection(), Connection::Plain);
        assert_eq!(read("http://a", None, &[]).unwrap().path, "/");
        let stream = read("udp://192.0.2.10:53", None, &[]).unwrap();
        assert_eq!(
            (stream.url().as_str(), stream.stream()),
            ("udp://192.0.2.10:53", Some(ListenerProtocol::Udp))
        );
    }

    #[test]
    fn the_server_name_is_the_host_unless_given() {
        let name = |url, sni| read(url, sni, &[]).unwrap().server_name;
        assert_eq!(name("https://A.com/", None).as_deref(), Some("a.com"));
        assert_eq!(name("https://a.com/", Some("B.com.")).as_deref(), Some("b.com"));
        assert_eq!(name("https://a.com/", Some("")), None);
        assert_eq!(name("https://127.0.0.1/", None), None);
        assert_eq!(name("https://[::1]/", None), None);
        assert_eq!(name("http://a.com/", Some("b.com")), None);
    }

    #[test]
    fn what_is_no_request_is_refused() {
        for url in [
            "",
            "/cart",
            "a.com/cart",
            "http://",
            "http:///cart",
            "ftp://a/",
            "udp://a",
            "tcp://a:/",
            "http://a/#b",
            "http://a/%2f",
            "http://a:99999/",
        ] {
            assert!(read(url, None, &[]).is_err(), "{url}");
        }
        assert!(matches!(read("http://a/", None, &["no header"]), Err(RequestError::Header(_))));
        assert!(matches!(read("http://a/", None, &["a b: c"]), Err(RequestError::Header(_))));
    }
}
