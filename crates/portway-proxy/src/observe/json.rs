//! Values as JSON, written by hand: a line of the access log is written for each request, and a general
//! serializer would take longer over it than the match of the request.

use std::io::Write;
use std::net::{IpAddr, SocketAddr};

use portway_config::key::Transport;
use portway_config::{BackendKey, NamespacedName, RouteKey};

/// One JSON object, field by field.
pub(super) struct Object<'a>(&'a mut Vec<u8>);

impl<'a> Object<'a> {
    /// Begins an object.
    pub(super) fn begin(into: &'a mut Vec<u8>) -> Self {
        into.push(b'{');
        Self(into)
    }

    /// Goes on in an object that was begun before.
    pub(super) fn resume(into: &'a mut Vec<u8>) -> Self {
        Self(into)
    }

    /// Writes a field. `key` is what [`key!`] makes of its name. Inlined, so that its length is known to the
    /// compiler and copying it takes a few moves.
    #[inline(always)]
    pub(super) fn field(&mut self, key: &'static str, value: impl Value) -> &mut Self {
        // The comma before the first field is left out.
        let key = if self.0.last() == Some(&b'{') { &key[1..] } else { key };
        self.0.extend_from_slice(key.as_bytes());
        value.write(self.0);
        self
    }

    /// Writes a field if there is a value.
    pub(super) fn field_if(&mut self, key: &'static str, value: Option<impl Value>) -> &mut Self {
        if let Some(value) = value {
            self.field(key, value);
        }
        self
    }

    /// Ends the object, and the line.
    pub(super) fn end(&mut self) {
        self.0.extend_from_slice(b"}\n");
    }
}

/// The name of a field as [`Object::field`] wants it: quoted, after a comma. Names are ours and need no
/// escapes.
macro_rules! key {
    ($name:literal) => {
        concat!(",\"", $name, "\":")
    };
}
pub(super) use key;

/// Text in which no character needs an escape.
pub(super) struct Plain<'a>(pub(super) &'a str);

impl Value for Plain<'_> {
    #[inline(always)]
    fn write(&self, into: &mut Vec<u8>) {
        quoted(into, |into| into.extend_from_slice(self.0.as_bytes()));
    }
}

/// What can be written as JSON.
pub(super) trait Value {
    fn write(&self, into: &mut Vec<u8>);
}

impl<T: Value> Value for Option<T> {
    fn write(&self, into: &mut Vec<u8>) {
        match self {
            Some(value) => value.write(into),
            None => into.extend_from_slice(b"null"),
        }
    }
}

impl<T: Value + ?Sized> Value for &T {
    fn write(&self, into: &mut Vec<u8>) {
        (**self).write(into);
    }
}

macro_rules! integers {
    ($($integer:ty),*) => {$(
        impl Value for $integer {
            fn write(&self, into: &mut Vec<u8>) {
                decimal(into, *self);
            }
        }
    )*};
}
integers!(u16, u32, u64, usize);

impl Value for str {
    fn write(&self, into: &mut Vec<u8>) {
        quoted(into, |into| escaped(into, self));
    }
}

impl Value for NamespacedName {
    fn write(&self, into: &mut Vec<u8>) {
        quoted(into, |into| namespaced(into, self));
    }
}

impl Value for RouteKey {
    fn write(&self, into: &mut Vec<u8>) {
        quoted(into, |into| {
            into.extend_from_slice(self.kind.as_str().as_bytes());
            into.push(b' ');
            namespaced(into, &self.name);
        });
    }
}

impl Value for BackendKey {
    fn write(&self, into: &mut Vec<u8>) {
        quoted(into, |into| {
            namespaced(into, &self.endpoints.service);
            into.push(b':');
            decimal(into, self.endpoints.port);
            if self.endpoints.transport == Transport::Udp {
                into.extend_from_slice(b"/UDP");
            }
        });
    }
}

impl Value for IpAddr {
    fn write(&self, into: &mut Vec<u8>) {
        quoted(into, |into| address(into, *self));
    }
}

impl Value for SocketAddr {
    fn write(&self, into: &mut Vec<u8>) {
        quoted(into, |into| match self {
            Self::V4(it) => {
                address(into, IpAddr::V4(*it.ip()));
                into.push(b':');
                decimal(into, it.port());
            }
            // Writing to a Vec cannot fail. An address has nothing to escape: a zone is a number.
            Self::V6(it) => drop(write!(into, "{it}")),
        });
    }
}

fn quoted(into: &mut Vec<u8>, content: impl FnOnce(&mut Vec<u8>)) {
    into.push(b'"');
    content(into);
    into.push(b'"');
}

fn decimal(into: &mut Vec<u8>, number: impl itoa::Integer) {
    into.extend_from_slice(itoa::Buffer::new().format(number).as_bytes());
}

fn namespaced(into: &mut Vec<u8>, name: &NamespacedName) {
    escaped(into, &name.namespace);
    into.push(b'/');
    escaped(into, &name.name);
}

fn address(into: &mut Vec<u8>, address: IpAddr) {
    match address {
        IpAddr::V4(it) => {
            let [first, rest @ ..] = it.octets();
            write_octet(into, first);
            for octet in rest {
                into.push(b'.');
                write_octet(into, octet);
            }
        }
        IpAddr::V6(it) => drop(write!(into, "{it}")),
    }
}

fn write_octet(into: &mut Vec<u8>, octet: u8) {
    if octet >= 100 {
        into.push(b'0' + octet / 100);
    }
    if octet >= 10 {
        into.push(b'0' + octet / 10 % 10);
    }
    into.push(b'0' + octet % 10);
}

/// The characters that JSON does not allow in a string become escapes (RFC 8259, section 7).
fn escaped(into: &mut Vec<u8>, text: &str) {
    if !needs_escapes(text.as_bytes()) {
        return into.extend_from_slice(text.as_bytes());
    }
    for &byte in text.as_bytes() {
        match byte {
            b'"' | b'\\' => into.extend_from_slice(&[b'\\', byte]),
            b'\n' => into.extend_from_slice(b"\\n"),
            b'\r' => into.extend_from_slice(b"\\r"),
            b'\t' => into.extend_from_slice(b"\\t"),
            0..0x20 => drop(write!(into, "\\u{byte:04x}")),
            _ => into.push(byte),
        }
    }
}

/// Hardly any text does, so it is looked at in blocks: the loop over one becomes a few vector instructions.
fn needs_escapes(text: &[u8]) -> bool {
    let (blocks, rest) = text.as_chunks::<16>();
    if blocks.iter().any(block_needs_escapes) {
        return true;
    }
    // The last block overlaps those before.
    match (text.last_chunk::<16>(), rest.first_chunk::<8>(), rest.last_chunk::<8>()) {
        _ if rest.is_empty() => false,
        (Some(last), ..) => block_needs_escapes(last),
        (None, Some(first), Some(last)) => block_needs_escapes(first) | block_needs_escapes(last),
        _ => rest.iter().any(|byte| matches!(byte, 0..0x20 | b'"' | b'\\')),
    }
}

/// Without a branch for each byte, so that the compiler can look at all of them at once.
fn block_needs_escapes<const LENGTH: usize>(block: &[u8; LENGTH]) -> bool {
    block.iter().fold(false, |found, &byte| found | (byte < 0x20) | (byte == b'"') | (byte == b'\\'))
}

#[cfg(test)]
mod tests {
    use portway_config::key::BackendProtocol;
    use portway_config::{EndpointsKey, RouteKind};
    use proptest::prelude::*;

    use super::*;

    fn written(value: impl Value) -> serde_json::Value {
        let mut into = Vec::new();
        Object::begin(&mut into).field(key!("it"), value).end();
        let object: serde_json::Value = serde_json::from_slice(&into).unwrap();
        object["it"].clone()
    }

    proptest! {
        #[test]
        fn any_text_is_read_back_as_it_was(text in "(\\PC|[\"\\\\\\x00-\\x1f\\x7f]){0,40}") {
            prop_assert_eq!(written(&*text), text);
        }

        #[test]
        fn an_address_is_what_is_displayed(address: SocketAddr) {
            prop_assert_eq!(written(address), address.to_string());
            prop_assert_eq!(written(address.ip()), address.ip().to_string());
        }
    }

    #[test]
    fn every_byte_below_space_and_both_quotes_are_found_in_every_place() {
        for byte in 0..0x80_u8 {
            for (length, place) in (1..40).flat_map(|length| (0..length).map(move |place| (length, place))) {
                let mut text = vec![b'a'; length];
                text[place] = byte;
                let needed = matches!(byte, 0..0x20 | b'"' | b'\\');
                assert_eq!(needs_escapes(&text), needed, "{byte} at {place} of {length}");
            }
        }
    }

    #[test]
    fn keys_are_what_is_displayed() {
        let name = NamespacedName::new("my-app", "web");
        let route = RouteKey { kind: RouteKind::Grpc, name: name.clone() };
        assert_eq!(written(&name), name.to_string());
        assert_eq!(written(&route), route.to_string());
        for transport in [Transport::Tcp, Transport::Udp] {
            let endpoints = EndpointsKey { service: name.clone(), port: 65_535, transport };
            let backend = BackendKey { endpoints, protocol: BackendProtocol::Http1 };
            assert_eq!(written(&backend), backend.to_string());
        }
    }

    #[test]
    fn what_is_absent_is_null_or_left_out() {
        let mut into = Vec::new();
        let none: Option<&str> = None;
        Object::begin(&mut into)
            .field_if(key!("a"), none)
            .field(key!("b"), none)
            .field_if(key!("c"), Some(u64::MAX))
            .field(key!("d"), Some(""))
            .end();
        assert_eq!(into, b"{\"b\":null,\"c\":18446744073709551615,\"d\":\"\"}\n");
    }
}
