use hyper::Request;

use super::*;

fn parts(version: Version, target: &str, list: &[(&str, &str)]) -> Parts {
    let mut request = Request::builder().version(version).uri(target);
    for (name, value) in list {
        request = request.header(*name, *value);
    }
    request.body(()).unwrap().into_parts().0
}

fn decoded(
    version: Version,
    target: &str,
    list: &[(&str, &str)],
) -> Result<(String, HeaderMap), &'static str> {
    let mut parts = parts(version, target, list);
    let head = decode(&mut parts, &Limits::default()).map_err(|refusal| refusal.detail)?;
    Ok((head.authority.host().to_owned(), parts.headers))
}

fn host_of(version: Version, target: &str, list: &[(&str, &str)]) -> Result<String, &'static str> {
    decoded(version, target, list).map(|(host, headers)| {
        assert_eq!(headers.get_all(header::HOST).iter().count(), usize::from(!host.is_empty()));
        host
    })
}

#[test]
fn the_authority_is_that_of_the_target_before_host() {
    const V1: Version = Version::HTTP_11;
    const V2: Version = Version::HTTP_2;
    assert_eq!(host_of(V1, "/", &[("host", "A.example:80")]), Ok("a.example".into()));
    assert_eq!(host_of(V1, "http://b.example/x", &[("host", "a.example")]), Ok("b.example".into()));
    assert_eq!(host_of(V2, "https://b.example/x", &[]), Ok("b.example".into()));
    assert_eq!(host_of(V2, "https://b.example/x", &[("host", "b.example")]), Ok("b.example".into()));
    assert_eq!(host_of(V2, "/x", &[("host", "b.example")]), Ok("b.example".into()));
    assert_eq!(host_of(Version::HTTP_10, "/", &[]), Ok(String::new()));
}

#[test]
fn ambiguous_or_malformed_authorities_are_refused() {
    const V1: Version = Version::HTTP_11;
    const V2: Version = Version::HTTP_2;
    assert_eq!(host_of(V1, "/", &[]), Err("no Host"));
    assert_eq!(host_of(V1, "http://a.example/", &[]), Err("no Host"));
    assert_eq!(host_of(V1, "/", &[("host", "a"), ("host", "a")]), Err("more than one Host"));
    assert_eq!(host_of(V1, "/", &[("host", "a,b")]), Err("Host is malformed"));
    assert_eq!(host_of(V1, "http://u@a/", &[("host", "a")]), Err("the authority is malformed"));
    assert_eq!(host_of(V2, "https://a/", &[("host", "b")]), Err("Host differs from :authority"));
    assert_eq!(host_of(V2, "/", &[]), Err("no :authority"));
    let scheme = "the scheme of the target is neither http nor https";
    assert_eq!(host_of(V1, "ftp://a/", &[("host", "a")]), Err(scheme));
}

#[test]
fn two_framings_are_refused() {
    let both = [("host", "a"), ("content-length", "5"), ("transfer-encoding", "chunked")];
    let expected = "both Content-Length and Transfer-Encoding";
    assert_eq!(host_of(Version::HTTP_11, "/", &both), Err(expected));
}

#[test]
fn limits_have_their_own_reasons() {
    let limits = Limits { request_target_bytes: 10, request_headers: 2, ..Limits::default() };
    let reason = |target: &str, list: &[(&str, &str)]| {
        decode(&mut parts(Version::HTTP_11, target, list), &limits).map_err(|it| it.reason).err()
    };
    assert_eq!(reason("/123456789", &[("host", "a")]), None);
    assert_eq!(reason("/1234567890", &[("host", "a")]), Some(Reason::TargetTooLong));
    assert_eq!(reason("/", &[("host", "a"), ("b", ""), ("c", "")]), Some(Reason::HeadersTooLarge));
    let limits = Limits { request_header_bytes: 100, ..Limits::default() };
    let mut large = parts(Version::HTTP_11, "/", &[("host", "a"), ("b", &"x".repeat(64))]);
    assert_eq!(decode(&mut large, &limits).map_err(|it| it.reason).err(), Some(Reason::HeadersTooLarge));
}

#[test]
fn upgrades_pass_but_not_to_http2() {
    let upgrade = |value: &str, version: Version| {
        let list = [("host", "a"), ("connection", "Upgrade, HTTP2-Settings"), ("upgrade", value)];
        let mut parts = parts(version, "/", &list);
        let head = decode(&mut parts, &Limits::default()).unwrap();
        let upgrade = head.upgrade.is_some();
        assert_eq!(upgrade, parts.headers.contains_key(header::UPGRADE));
        assert_eq!(upgrade, parts.headers.contains_key(header::CONNECTION));
        upgrade
    };
    assert!(upgrade("websocket", Version::HTTP_11));
    assert!(!upgrade("websocket", Version::HTTP_10));
    assert!(!upgrade("h2c", Version::HTTP_11));
    assert!(!upgrade("websocket, H2C", Version::HTTP_11));
    assert!(!upgrade("HTTP/2.0", Version::HTTP_11));
}

#[test]
fn underscores_cannot_shadow() {
    let list = [("host", "a"), ("x_forwarded_for", "1"), ("x_mine", "2")];
    let (_, headers) = decoded(Version::HTTP_11, "/", &list).unwrap();
    assert!(!headers.contains_key("x_forwarded_for"));
    assert!(headers.contains_key("x_mine"));
    let limits = Limits { reject_underscore_headers: true, ..Limits::default() };
    assert!(decode(&mut parts(Version::HTTP_11, "/", &list), &limits).is_err());
}

#[test]
fn connect_is_refused() {
    let mut connect = parts(Version::HTTP_11, "a.example:443", &[("host", "a.example:443")]);
    connect.method = Method::CONNECT;
    assert_eq!(decode(&mut connect, &Limits::default()).err().map(|it| it.reason), Some(Reason::BadRequest));
}
