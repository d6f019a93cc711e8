//! What Portway tells the backend of the client, as the edge or behind trusted proxies.
//!
//! With no trusted hop, all that a client says of the way here is dropped and said anew. With N hops,
//! the proxies in front are believed: their entries stay, ours is appended, and the client is the
//! Nth address of `X-Forwarded-For` from the right.

use std::cell::RefCell;
use std::net::IpAddr;

use http::{HeaderMap, HeaderName, HeaderValue, Version, header};

use super::authority::Authority;
use super::fields::{FORWARDED, Kinds};

const X_FORWARDED_FOR: HeaderName = HeaderName::from_static("x-forwarded-for");
const X_FORWARDED_PROTO: HeaderName = HeaderName::from_static("x-forwarded-proto");
const X_FORWARDED_HOST: HeaderName = HeaderName::from_static("x-forwarded-host");
const X_FORWARDED_PORT: HeaderName = HeaderName::from_static("x-forwarded-port");

/// What is the same for all requests of a connection, written once.
#[derive(Debug)]
pub(super) struct Neighbour {
    address: IpAddr,
    for_: HeaderValue,
    proto: HeaderValue,
    port: HeaderValue,
    /// The `Forwarded` element of the last request's host: most connections ask for one host.
    element: RefCell<Option<(HeaderValue, HeaderValue)>>,
}

impl Neighbour {
    pub(super) fn new(address: IpAddr, tls: bool, port: u16) -> Self {
        let address = address.to_canonical();
        Self {
            address,
            for_: ascii(&address.to_string()),
            proto: HeaderValue::from_static(if tls { "https" } else { "http" }),
            port: HeaderValue::from(port),
            element: RefCell::default(),
        }
    }

    /// Sets the fields that tell of the way of a request; returns the address of the client.
    pub(super) fn tell(
        &self,
        headers: &mut HeaderMap,
        kinds: Kinds,
        authority: &Authority,
        version: Version,
        trusted_hops: u8,
    ) -> IpAddr {
        let client = if kinds.has(Kinds::FORWARDED) && trusted_hops == 0 {
            FORWARDED.iter().for_each(|name| drop(headers.remove(name)));
            self.tell_anew(headers, authority);
            self.address
        } else if kinds.has(Kinds::FORWARDED) {
            let client = client(headers, trusted_hops).unwrap_or(self.address);
            self.tell_more(headers, authority);
            client
        } else {
            self.tell_anew(headers, authority);
            self.address
        };
        let via = if version == Version::HTTP_2 { "2 portway" } else { "1.1 portway" };
        if kinds.has(Kinds::VIA) {
            append_to_list(headers, header::VIA, via);
        } else {
            headers.append(header::VIA, HeaderValue::from_static(via));
        }
        client
    }

    /// None of the fields is there, so that appending, which is cheaper, does what inserting would.
    fn tell_anew(&self, headers: &mut HeaderMap, authority: &Authority) {
        headers.append(X_FORWARDED_FOR, self.for_.clone());
        headers.append(X_FORWARDED_PROTO, self.proto.clone());
        headers.append(X_FORWARDED_HOST, authority.value().clone());
        headers.append(X_FORWARDED_PORT, self.port.clone());
        headers.append(header::FORWARDED, self.element(authority));
    }

    /// Adds to what trusted proxies have told; what they have left out is told anew.
    fn tell_more(&self, headers: &mut HeaderMap, authority: &Authority) {
        append_to_list(headers, X_FORWARDED_FOR, self.for_.to_str().unwrap_or_default());
        headers.entry(X_FORWARDED_PROTO).or_insert_with(|| self.proto.clone());
        headers.entry(X_FORWARDED_HOST).or_insert_with(|| authority.value().clone());
        headers.entry(X_FORWARDED_PORT).or_insert_with(|| self.port.clone());
        append_to_list(headers, header::FORWARDED, self.element(authority).to_str().unwrap_or_default());
    }

    /// The element of this hop in `Forwarded` (RFC 7239).
    fn element(&self, authority: &Authority) -> HeaderValue {
        let mut last = self.element.borrow_mut();
        match &*last {
            Some((host, element)) if host == authority.value() => element.clone(),
            _ => {
                let element = self.write_element(authority.as_str());
                // A copy, since what the client has sent holds the whole buffer that it was read into.
                *last = Some((ascii(authority.as_str()), element.clone()));
                element
            }
        }
    }

    fn write_element(&self, host: &str) -> HeaderValue {
        let for_ = match self.address {
            IpAddr::V4(address) => address.to_string(),
            IpAddr::V6(address) => format!("\"[{address}]\""),
        };
        let proto = self.proto.to_str().unwrap_or_default();
        // An authority holds no quote and no backslash. A colon or bracket needs the quotes.
        let host = match host {
            "" => String::new(),
            host if host.contains([':', '[']) => format!(";host=\"{host}\""),
            host => format!(";host={host}"),
        };
        ascii(&format!("for={for_}{host};proto={proto}"))
    }
}

/// The Nth address of `X-Forwarded-For` from the right, or the leftmost when there are fewer.
fn client(headers: &HeaderMap, trusted_hops: u8) -> Option<IpAddr> {
    let entries = || {
        let values = headers.get_all(X_FORWARDED_FOR).iter();
        values.flat_map(|value| value.as_bytes().split(|&byte| byte == b','))
    };
    let place = entries().count().saturating_sub(usize::from(trusted_hops));
    parse_address(std::str::from_utf8(entries().nth(place)?).ok()?.trim())
}

/// An address, with or without a port.
fn parse_address(text: &str) -> Option<IpAddr> {
    let bare = text.strip_prefix('[').and_then(|rest| rest.split_once(']')).map_or(text, |(inner, _)| inner);
    bare.parse().ok().or_else(|| text.parse().ok().map(|it: std::net::SocketAddr| it.ip()))
}

/// Appends an entry to a list, all in one field: some receivers read only the first.
fn append_to_list(headers: &mut HeaderMap, name: HeaderName, entry: &str) {
    let mut list = Vec::new();
    for value in headers.get_all(&name) {
        list.extend_from_slice(value.as_bytes());
        list.extend_from_slice(b", ");
    }
    list.extend_from_slice(entry.as_bytes());
    // The parts were values already, so their list is one.
    if let Ok(value) = HeaderValue::from_bytes(&list) {
        headers.insert(name, value);
    }
}

fn ascii(text: &str) -> HeaderValue {
    HeaderValue::from_str(text).unwrap_or(HeaderValue::from_static("unknown"))
}

#[cfg(test)]
mod tests;
