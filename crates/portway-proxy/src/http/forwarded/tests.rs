use super::super::fields::Fields;
use super::*;

fn told(peer: &str, host: &'static str, hops: u8, list: &[(&'static str, &str)]) -> (String, HeaderMap) {
    let neighbour = Neighbour::new(peer.parse().unwrap(), true, 443);
    let mut headers = HeaderMap::new();
    for (name, value) in list {
        headers.append(HeaderName::from_static(name), HeaderValue::from_str(value).unwrap());
    }
    let kinds = Fields::of(&headers).kinds;
    let authority = Authority::parse(HeaderValue::from_static(host)).unwrap();
    let client = neighbour.tell(&mut headers, kinds, &authority, Version::HTTP_11, hops);
    (client.to_string(), headers)
}

fn value<'a>(headers: &'a HeaderMap, name: &str) -> &'a str {
    let mut values = headers.get_all(name).iter();
    let value = values.next().map_or("", |value| value.to_str().unwrap());
    assert!(values.next().is_none(), "{name} stands there once");
    value
}

#[test]
fn the_edge_tells_of_the_peer() {
    let (client, headers) = told("192.0.2.1", "example.com", 0, &[]);
    assert_eq!(client, "192.0.2.1");
    assert_eq!(value(&headers, "x-forwarded-for"), "192.0.2.1");
    assert_eq!(value(&headers, "x-forwarded-proto"), "https");
    assert_eq!(value(&headers, "x-forwarded-host"), "example.com");
    assert_eq!(value(&headers, "x-forwarded-port"), "443");
    assert_eq!(value(&headers, "forwarded"), "for=192.0.2.1;host=example.com;proto=https");
    assert_eq!(value(&headers, "via"), "1.1 portway");
}

#[test]
fn the_edge_drops_what_clients_claim() {
    let claims = [
        ("x-forwarded-for", "10.0.0.1"),
        ("x-forwarded-for", "10.0.0.2"),
        ("x-forwarded-proto", "ftp"),
        ("x-real-ip", "10.0.0.1"),
        ("x-forwarded-client-cert", "By=me"),
        ("forwarded", "for=10.0.0.1"),
    ];
    let (client, headers) = told("2001:db8::1", "example.com:8443", 0, &claims);
    assert_eq!(client, "2001:db8::1");
    assert_eq!(value(&headers, "x-forwarded-for"), "2001:db8::1");
    assert_eq!(value(&headers, "x-forwarded-proto"), "https");
    assert_eq!(value(&headers, "x-real-ip"), "");
    assert_eq!(value(&headers, "x-forwarded-client-cert"), "");
    let forwarded = "for=\"[2001:db8::1]\";host=\"example.com:8443\";proto=https";
    assert_eq!(value(&headers, "forwarded"), forwarded);
}

#[test]
fn trusted_proxies_are_believed_and_added_to() {
    let claims = [
        ("x-forwarded-for", "6.6.6.6, 203.0.113.7"),
        ("x-forwarded-for", "198.51.100.1"),
        ("x-forwarded-proto", "http"),
        ("x-real-ip", "203.0.113.7"),
        ("via", "1.1 front"),
    ];
    let (client, headers) = told("192.0.2.1", "example.com", 2, &claims);
    assert_eq!(client, "203.0.113.7", "the second from the right");
    assert_eq!(value(&headers, "x-forwarded-for"), "6.6.6.6, 203.0.113.7, 198.51.100.1, 192.0.2.1");
    assert_eq!(value(&headers, "x-forwarded-proto"), "http");
    assert_eq!(value(&headers, "x-real-ip"), "203.0.113.7");
    assert_eq!(value(&headers, "x-forwarded-host"), "example.com");
    assert_eq!(value(&headers, "via"), "1.1 front, 1.1 portway");
}

#[test]
fn the_client_is_counted_from_the_right() {
    let cases = [
        ("1.1.1.1, 2.2.2.2, 3.3.3.3", 1, "3.3.3.3"),
        ("1.1.1.1, 2.2.2.2, 3.3.3.3", 3, "1.1.1.1"),
        ("1.1.1.1", 3, "1.1.1.1"),
        ("[2001:db8::2]:4711", 1, "2001:db8::2"),
        ("2001:db8::3", 1, "2001:db8::3"),
        ("1.1.1.1:80", 1, "1.1.1.1"),
        ("nobody", 1, "192.0.2.1"),
    ];
    for (list, hops, expected) in cases {
        let (client, _) = told("192.0.2.1", "a", hops, &[("x-forwarded-for", list)]);
        assert_eq!(client, expected, "{list} with {hops} hops");
    }
}

#[test]
fn an_ipv4_mapped_peer_is_written_as_ipv4() {
    let (client, headers) = told("::ffff:192.0.2.1", "a", 0, &[]);
    assert_eq!(client, "192.0.2.1");
    assert_eq!(value(&headers, "forwarded"), "for=192.0.2.1;host=a;proto=https");
}
