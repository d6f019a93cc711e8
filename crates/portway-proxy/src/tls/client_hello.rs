//! Reading the ClientHello from raw bytes, before it is known who will end the TLS session.
//!
//! HTTPS, terminated TLS and TLS passthrough may share a port, so the server name must be known before a
//! TLS library sees a byte, and for passthrough no library ever does. Only what routing needs is read;
//! whoever ends the session judges the rest.

use std::sync::Arc;

/// What routing needs of a ClientHello (RFC 8446, section 4.1.2).
#[derive(Clone, Debug, Default, PartialEq, Eq)]
pub(crate) struct ClientHello {
    /// The server name (RFC 6066, section 3), in lower case and without a trailing dot. A client that sends
    /// an IP address, which the RFC forbids, is taken to have sent none.
    pub(crate) server_name: Option<Arc<str>>,
}

/// Why there is no ClientHello.
#[derive(Clone, Copy, Debug, PartialEq, Eq, thiserror::Error)]
pub(crate) enum ClientHelloError {
    /// The client does not speak TLS.
    #[error("the client does not speak TLS")]
    NotTls,
    /// The client speaks TLS, but wrongly.
    #[error("malformed ClientHello: {0}")]
    Malformed(&'static str),
    /// Larger than the limit.
    #[error("the ClientHello is larger than {0} bytes")]
    TooLarge(usize),
}

/// Alerts that we send before a TLS library takes part (RFC 8446, section 6.2).
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
#[repr(u8)]
pub(crate) enum Alert {
    DecodeError = 50,
    InternalError = 80,
    UnrecognizedName = 112,
}

impl Alert {
    /// The record to send. A fatal alert in clear text has this form in all versions.
    pub(crate) fn record(self) -> [u8; 7] {
        const FATAL: u8 = 2;
        [ALERT, 3, 3, 0, 2, FATAL, self as u8]
    }
}

const ALERT: u8 = 21;
const HANDSHAKE: u8 = 22;
const CLIENT_HELLO: u8 = 1;
const SERVER_NAME: u16 = 0;
const HOST_NAME: u8 = 0;
const RECORD_HEADER: usize = 5;
const MESSAGE_HEADER: usize = 4;
/// RFC 8446, section 5.1.
const MAX_FRAGMENT: usize = 1 << 14;

/// Collects bytes until they hold a ClientHello, which may come in many packets and records.
#[derive(Debug)]
pub(crate) struct ClientHelloReader {
    /// Everything that was read, for whoever ends the session.
    raw: Vec<u8>,
    /// Start in `raw` of the first record that was not looked at.
    next_record: usize,
    /// The payload of the records so far.
    message: Vec<u8>,
    /// Bytes that are read at most.
    limit: usize,
}

impl ClientHelloReader {
    pub(crate) fn new(limit: usize) -> Self {
        Self { raw: Vec::new(), next_record: 0, message: Vec::new(), limit }
    }

    /// Where bytes are to be appended as they come.
    pub(crate) fn buffer(&mut self) -> &mut Vec<u8> {
        // Enough for nearly all clients, post-quantum key shares included.
        self.raw.reserve(2048);
        &mut self.raw
    }

    /// All that was read.
    pub(crate) fn into_raw(self) -> Vec<u8> {
        self.raw
    }

    /// Bytes that were read.
    pub(crate) fn len(&self) -> usize {
        self.raw.len()
    }

    /// Looks at the bytes that are new; None if the ClientHello is not complete. Each byte is looked at a
    /// bounded number of times, however small the pieces are that it comes in.
    pub(crate) fn advance(&mut self) -> Result<Option<ClientHello>, ClientHelloError> {
        while let Some((fragment, rest)) = record(self.raw.get(self.next_record..).unwrap_or_default())? {
            self.message.extend_from_slice(fragment);
            self.next_record = self.raw.len() - rest.len();
            if let Some(body) = message(&self.message, self.limit)? {
                return parse(body).map(Some);
            }
        }
        if self.raw.len() >= self.limit {
            return Err(ClientHelloError::TooLarge(self.limit));
        }
        Ok(None)
    }
}

/// The payload of a record, and the bytes that come after it.
type Record<'a> = (&'a [u8], &'a [u8]);

/// The first record; None if it is not complete.
fn record(bytes: &[u8]) -> Result<Option<Record<'_>>, ClientHelloError> {
    // The first byte alone tells most that is not TLS.
    if bytes.first().is_some_and(|kind| *kind != HANDSHAKE) || bytes.get(1).is_some_and(|major| *major != 3) {
        return Err(ClientHelloError::NotTls);
    }
    let Some((header, rest)) = bytes.split_first_chunk::<RECORD_HEADER>() else { return Ok(None) };
    let length = usize::from(u16::from_be_bytes([header[3], header[4]]));
    if length == 0 || length > MAX_FRAGMENT {
        return Err(ClientHelloError::Malformed("length of a record"));
    }
    Ok(rest.split_at_checked(length))
}

/// The body of the ClientHello; None if it is not complete.
fn message(bytes: &[u8], limit: usize) -> Result<Option<&[u8]>, ClientHelloError> {
    if bytes.first().is_some_and(|kind| *kind != CLIENT_HELLO) {
        return Err(ClientHelloError::Malformed("the first message is another one"));
    }
    let Some((header, rest)) = bytes.split_first_chunk::<MESSAGE_HEADER>() else { return Ok(None) };
    let length = u32::from_be_bytes([0, header[1], header[2], header[3]]) as usize;
    if length > limit {
        return Err(ClientHelloError::TooLarge(limit));
    }
    Ok(rest.get(..length))
}

fn parse(body: &[u8]) -> Result<ClientHello, ClientHelloError> {
    let mut body = Reader(body);
    body.skip(2 + 32, "version and random")?;
    body.vector_u8("session id")?;
    body.vector_u16("cipher suites")?;
    body.vector_u8("compression methods")?;
    if body.is_empty() {
        // Extensions came with TLS 1.2; clients may leave them out.
        return Ok(ClientHello::default());
    }
    let mut extensions = body.vector_u16("extensions")?;
    body.end("bytes after the extensions")?;

    let mut server_name = None;
    let mut seen = false;
    while !extensions.is_empty() {
        let kind = extensions.u16("type of an extension")?;
        let data = extensions.vector_u16("an extension")?;
        if kind == SERVER_NAME {
            // Two would let us and the backend read different names.
            if std::mem::replace(&mut seen, true) {
                return Err(ClientHelloError::Malformed("two server name extensions"));
            }
            server_name = parse_server_name(data)?;
        }
    }
    Ok(ClientHello { server_name })
}

fn parse_server_name(mut extension: Reader<'_>) -> Result<Option<Arc<str>>, ClientHelloError> {
    let mut list = extension.vector_u16("server name list")?;
    extension.end("bytes after the server name list")?;
    let mut name = None;
    while !list.is_empty() {
        let kind = list.u8("type of a server name")?;
        let data = list.vector_u16("server name")?;
        if kind == HOST_NAME && name.replace(data.0).is_some() {
            return Err(ClientHelloError::Malformed("two server names"));
        }
    }
    name.map_or(Ok(None), normalize)
}

fn normalize(name: &[u8]) -> Result<Option<Arc<str>>, ClientHelloError> {
    const MALFORMED: ClientHelloError = ClientHelloError::Malformed("server name is no host name");
    let name = str::from_utf8(name).map_err(|_| MALFORMED)?;
    let name = name.strip_suffix('.').unwrap_or(name);
    if name.parse::<std::net::IpAddr>().is_ok() {
        return Ok(None);
    }
    // Underscores are no part of host names, but of names that people use.
    let is_label = |label: &str| {
        !label.is_empty()
            && label.len() <= 63
            && label.bytes().all(|byte| byte.is_ascii_alphanumeric() || byte == b'-' || byte == b'_')
    };
    if name.len() > 253 || !name.split('.').all(is_label) {
        return Err(MALFORMED);
    }
    Ok(Some(name.to_ascii_lowercase().into()))
}

/// Reads fields from the front of a message.
#[derive(Clone, Copy)]
struct Reader<'a>(&'a [u8]);

impl<'a> Reader<'a> {
    fn is_empty(self) -> bool {
        self.0.is_empty()
    }

    fn skip(&mut self, length: usize, what: &'static str) -> Result<&'a [u8], ClientHelloError> {
        let (field, rest) = self.0.split_at_checked(length).ok_or(ClientHelloError::Malformed(what))?;
        self.0 = rest;
        Ok(field)
    }

    fn u8(&mut self, what: &'static str) -> Result<u8, ClientHelloError> {
        let (&[byte], rest) = self.0.split_first_chunk().ok_or(ClientHelloError::Malformed(what))?;
        self.0 = rest;
        Ok(byte)
    }

    fn u16(&mut self, what: &'static str) -> Result<u16, ClientHelloError> {
        let (bytes, rest) = self.0.split_first_chunk().ok_or(ClientHelloError::Malformed(what))?;
        self.0 = rest;
        Ok(u16::from_be_bytes(*bytes))
    }

    /// A field with its length in one byte in front.
    fn vector_u8(&mut self, what: &'static str) -> Result<Self, ClientHelloError> {
        let length = self.u8(what)?;
        self.skip(length.into(), what).map(Reader)
    }

    /// A field with its length in two bytes in front.
    fn vector_u16(&mut self, what: &'static str) -> Result<Self, ClientHelloError> {
        let length = self.u16(what)?;
        self.skip(length.into(), what).map(Reader)
    }

    fn end(self, what: &'static str) -> Result<(), ClientHelloError> {
        if self.is_empty() { Ok(()) } else { Err(ClientHelloError::Malformed(what)) }
    }
}

#[cfg(test)]
mod tests;
