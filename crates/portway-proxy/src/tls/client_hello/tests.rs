use std::sync::Arc;

use proptest::prelude::*;
use rustls::pki_types::ServerName;
use rustls::{ClientConfig, ClientConnection, RootCertStore};

use super::*;

const LIMIT: usize = 64 * 1024;

/// What a real client sends: one record.
fn client_hello(server_name: &str) -> Vec<u8> {
    let provider = Arc::new(rustls::crypto::aws_lc_rs::default_provider());
    let config = ClientConfig::builder_with_provider(provider)
        .with_safe_default_protocol_versions()
        .unwrap()
        .with_root_certificates(RootCertStore::empty())
        .with_no_client_auth();
    let name = ServerName::try_from(server_name.to_owned()).unwrap();
    let mut client = ClientConnection::new(Arc::new(config), name).unwrap();
    let mut bytes = Vec::new();
    client.write_tls(&mut bytes).unwrap();
    bytes
}

/// A ClientHello by hand, with these extensions, cut into records of `fragment` bytes.
fn hello_with(extensions: &[u8], fragment: usize) -> Vec<u8> {
    let mut body = vec![3, 3];
    body.extend([7; 32]);
    body.extend([0, 0, 2, 0x13, 0x01, 1, 0]);
    body.extend((extensions.len() as u16).to_be_bytes());
    body.extend(extensions);
    let mut message = vec![CLIENT_HELLO];
    message.extend(&(body.len() as u32).to_be_bytes()[1..]);
    message.extend(body);
    let mut records = Vec::new();
    for fragment in message.chunks(fragment) {
        records.extend([HANDSHAKE, 3, 1]);
        records.extend((fragment.len() as u16).to_be_bytes());
        records.extend(fragment);
    }
    records
}

/// An extension with a list of names of the type for hosts.
fn server_names(names: &[&[u8]]) -> Vec<u8> {
    let mut list = Vec::new();
    for name in names {
        list.push(HOST_NAME);
        list.extend((name.len() as u16).to_be_bytes());
        list.extend(*name);
    }
    let mut extension = vec![0, 0];
    extension.extend((list.len() as u16 + 2).to_be_bytes());
    extension.extend((list.len() as u16).to_be_bytes());
    extension.extend(list);
    extension
}

fn read(bytes: &[u8]) -> Result<Option<ClientHello>, ClientHelloError> {
    let mut reader = ClientHelloReader::new(LIMIT);
    reader.buffer().extend_from_slice(bytes);
    reader.advance()
}

fn name_of(names: &[&[u8]]) -> Result<Option<String>, ClientHelloError> {
    let hello = read(&hello_with(&server_names(names), MAX_FRAGMENT))?.expect("complete");
    Ok(hello.server_name.map(|name| name.to_string()))
}

#[test]
fn reads_the_server_name_of_a_real_client() {
    let hello = read(&client_hello("www.example.com")).unwrap().unwrap();
    assert_eq!(hello.server_name.as_deref(), Some("www.example.com"));
    // A client that is given an address sends no name.
    assert_eq!(read(&client_hello("127.0.0.1")).unwrap().unwrap().server_name, None);
}

#[test]
fn names_are_compared_in_one_form() {
    assert_eq!(name_of(&[b"WWW.Example.COM"]), Ok(Some("www.example.com".to_owned())));
    assert_eq!(name_of(&[b"www.example.com."]), Ok(Some("www.example.com".to_owned())));
    assert_eq!(name_of(&[b"192.0.2.1"]), Ok(None));
    assert_eq!(name_of(&[b"2001:db8::1"]), Ok(None));
    assert_eq!(name_of(&[]), Ok(None));
}

#[test]
fn names_that_are_none_are_refused() {
    let long_label = [b'a'; 64];
    let long_name = b"a.".repeat(128);
    for name in
        [&b""[..], b".", b"a..b", b"a\0b", b"b\xc3\xbccher.example", b"a b", b"*.a", &long_label, &long_name]
    {
        assert!(matches!(name_of(&[name]), Err(ClientHelloError::Malformed(_))), "{name:?}");
    }
}

#[test]
fn two_names_are_refused() {
    assert_eq!(name_of(&[b"a.test", b"b.test"]), Err(ClientHelloError::Malformed("two server names")));
    let twice = [server_names(&[b"a.test"]), server_names(&[b"b.test"])].concat();
    assert!(matches!(read(&hello_with(&twice, 100)), Err(ClientHelloError::Malformed(_))));
}

#[test]
fn other_protocols_are_told_by_their_first_bytes() {
    for bytes in [&b"G"[..], b"GET / HTTP/1.1\r\n", b"\x80\x2e\x01", b"\x16\x02", b"SSH-2.0", b"\0"] {
        assert_eq!(read(bytes), Err(ClientHelloError::NotTls), "{bytes:?}");
    }
    assert_eq!(read(b""), Ok(None));
    assert_eq!(read(b"\x16\x03"), Ok(None));
}

#[test]
fn a_client_hello_may_come_in_any_pieces() {
    let whole = hello_with(&server_names(&[b"a.example.com"]), MAX_FRAGMENT);
    for fragment in [1, 2, 3, 5, 40, 1000] {
        let bytes = hello_with(&server_names(&[b"a.example.com"]), fragment);
        let mut reader = ClientHelloReader::new(LIMIT);
        for byte in &bytes[..bytes.len() - 1] {
            reader.buffer().push(*byte);
            assert_eq!(reader.advance(), Ok(None));
        }
        reader.buffer().extend(&bytes[bytes.len() - 1..]);
        assert_eq!(reader.advance(), read(&whole));
        assert_eq!(reader.into_raw(), bytes);
    }
}

#[test]
fn there_is_a_largest_client_hello() {
    // An announcement is enough.
    let announced = [HANDSHAKE, 3, 1, 0, 4, CLIENT_HELLO, 1, 0, 1];
    assert_eq!(read(&announced), Err(ClientHelloError::TooLarge(LIMIT)));
    // Many small records cannot get around it.
    let padding = [&[0, 21][..], &30_000_u16.to_be_bytes(), &[0; 30_000]].concat();
    let bytes = hello_with(&padding, 1);
    let mut reader = ClientHelloReader::new(LIMIT);
    reader.buffer().extend_from_slice(&bytes[..LIMIT]);
    assert_eq!(reader.advance(), Err(ClientHelloError::TooLarge(LIMIT)));
    // One that is just small enough is taken.
    let padding = [&[0, 21][..], &60_000_u16.to_be_bytes(), &[0; 60_000]].concat();
    assert!(read(&hello_with(&padding, MAX_FRAGMENT)).unwrap().is_some());
}

#[test]
fn malformed_records_and_messages_are_refused() {
    let empty_record = [HANDSHAKE, 3, 1, 0, 0];
    let long_record = [HANDSHAKE, 3, 1, 0x40, 1];
    let server_hello = [HANDSHAKE, 3, 1, 0, 1, 2];
    for bytes in [&empty_record[..], &long_record, &server_hello] {
        assert!(matches!(read(bytes), Err(ClientHelloError::Malformed(_))), "{bytes:?}");
    }
    // An alert between two fragments.
    let mut bytes = hello_with(&[], 20);
    bytes.splice(25..25, Alert::InternalError.record());
    assert_eq!(read(&bytes), Err(ClientHelloError::NotTls));
}

#[test]
fn extensions_may_be_absent() {
    let mut bytes = hello_with(&[], MAX_FRAGMENT);
    bytes.truncate(bytes.len() - 2);
    bytes[4] -= 2;
    bytes[8] -= 2;
    assert_eq!(read(&bytes), Ok(Some(ClientHello::default())));
}

proptest! {
    #[test]
    fn never_panics_on_any_bytes(bytes in proptest::collection::vec(any::<u8>(), 0..400)) {
        let _ = read(&bytes);
        // Behind a valid beginning, so that the inner parts are reached.
        let _ = parse(&bytes);
        let _ = read(&hello_with(&bytes, 60));
        let _ = parse_server_name(Reader(&bytes));
    }

    #[test]
    fn never_panics_on_a_mutated_client_hello(
        changes in proptest::collection::vec((any::<prop::sample::Index>(), any::<u8>()), 1..8),
        end in any::<prop::sample::Index>(),
    ) {
        let mut bytes = hello_with(&server_names(&[b"a.example.com"]), 64);
        for (at, byte) in changes {
            let at = at.index(bytes.len());
            bytes[at] = byte;
        }
        let end = end.index(bytes.len() + 1);
        let _ = read(&bytes[..end]);
    }

    #[test]
    fn finds_the_name_among_other_extensions(
        label in "[a-z0-9][a-z0-9-]{0,20}",
        before in proptest::collection::vec((1_u16..100, proptest::collection::vec(any::<u8>(), 0..50)), 0..5),
        fragment in 1_usize..300,
    ) {
        let mut extensions = Vec::new();
        for (kind, data) in before {
            extensions.extend(kind.to_be_bytes());
            extensions.extend((data.len() as u16).to_be_bytes());
            extensions.extend(data);
        }
        let name = format!("{label}.example.com");
        extensions.extend(server_names(&[name.as_bytes()]));
        let hello = read(&hello_with(&extensions, fragment)).unwrap().unwrap();
        prop_assert_eq!(hello.server_name.as_deref(), Some(&*name));
    }
}
