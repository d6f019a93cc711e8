use portway_config::filter::PathModifier;

use super::*;

const KEEP: Redirect = Redirect { scheme: None, hostname: None, path: None, port: None, status: 302 };

fn location(redirect: &Redirect, scheme: Scheme, listener_port: u16, target: &str) -> String {
    let (path, query) = target.split_once('?').map_or((target, None), |(path, query)| (path, Some(query)));
    let requested = Requested {
        scheme,
        host: "a.example",
        listener_port,
        path,
        query,
        prefix_len: Some("/foo".len() as u32),
    };
    let location = RedirectTo::compile(redirect).unwrap().location(&requested).unwrap();
    location.to_str().unwrap().to_owned()
}

/// The cases of the conformance tests for ports and schemes.
#[test]
fn the_port_is_derived_and_left_out_where_it_is_well_known() {
    use Scheme::{Http, Https};
    let http = || Redirect { scheme: Some("http".into()), ..KEEP };
    let https = || Redirect { scheme: Some("https".into()), ..KEEP };
    let with_port = |port, redirect: Redirect| Redirect { port: Some(port), ..redirect };
    let cases = [
        (KEEP, Http, 80, "http://a.example/foo"),
        (KEEP, Http, 8080, "http://a.example:8080/foo"),
        (KEEP, Https, 443, "https://a.example/foo"),
        (KEEP, Https, 80, "https://a.example:80/foo"),
        (http(), Https, 443, "http://a.example/foo"),
        (https(), Http, 80, "https://a.example/foo"),
        (https(), Http, 8080, "https://a.example/foo"),
        (with_port(8443, https()), Http, 80, "https://a.example:8443/foo"),
        (with_port(443, https()), Http, 80, "https://a.example/foo"),
        (with_port(80, http()), Http, 8080, "http://a.example/foo"),
        (with_port(80, https()), Http, 80, "https://a.example:80/foo"),
        (with_port(80, KEEP), Http, 8080, "http://a.example/foo"),
        (with_port(8080, KEEP), Http, 80, "http://a.example:8080/foo"),
    ];
    for (redirect, scheme, port, expected) in cases {
        assert_eq!(location(&redirect, scheme, port, "/foo"), expected, "{redirect:?} on {scheme:?} {port}");
    }
}

#[test]
fn host_and_path_change_and_the_query_stays() {
    let redirect = Redirect {
        hostname: Some("b.example".into()),
        path: Some(PathModifier::ReplacePrefixMatch("/bar".into())),
        ..KEEP
    };
    assert_eq!(location(&redirect, Scheme::Http, 80, "/foo/x?y=z"), "http://b.example/bar/x?y=z");
    let redirect = Redirect { path: Some(PathModifier::ReplaceFullPath("/other".into())), ..KEEP };
    assert_eq!(location(&redirect, Scheme::Http, 80, "/foo/x?y=z"), "http://a.example/other?y=z");
}

#[test]
fn a_request_without_host_is_sent_to_a_path() {
    let requested = Requested {
        scheme: Scheme::Http,
        host: "",
        listener_port: 80,
        path: "/foo",
        query: None,
        prefix_len: None,
    };
    assert_eq!(RedirectTo::compile(&KEEP).unwrap().location(&requested).unwrap(), "/foo");
}

#[test]
fn only_redirects_compile() {
    assert!(RedirectTo::compile(&Redirect { status: 200, ..KEEP }).is_err());
    assert!(RedirectTo::compile(&Redirect { scheme: Some("ftp".into()), ..KEEP }).is_err());
    for status in [301, 302, 303, 307, 308] {
        assert_eq!(RedirectTo::compile(&Redirect { status, ..KEEP }).unwrap().status.as_u16(), status);
    }
}
