//! The commands that show a listener at work.

use std::collections::BTreeSet;
use std::net::SocketAddr;

use portway_config::request_match::{PathMatch, RequestMatch};
use portway_config::{Configuration, HostnamePattern, Listener, ListenerProtocol, Rules};

use super::open_addresses::reachable;

/// The label that stands for an asterisk.
const ANY_LABEL: &str = "www";

/// For each host that an HTTP listener serves a `curl` command that reaches it. `addresses`: where the listener is.
pub(super) fn commands(
    configuration: &Configuration,
    listener: &Listener,
    addresses: &[SocketAddr],
) -> Vec<String> {
    let Some(address) = addresses.first().copied().map(reachable) else { return Vec::new() };
    let is_tls = match listener.protocol {
        ListenerProtocol::Http => false,
        ListenerProtocol::Https(_) => true,
        _ => return Vec::new(),
    };
    let mut seen = BTreeSet::new();
    let mut commands = Vec::new();
    for (hostname, path) in requests(configuration, listener) {
        let host = match hostname {
            HostnamePattern::Exact(name) => Some(name.to_string()),
            HostnamePattern::Wildcard(suffix) => Some(format!("{ANY_LABEL}{suffix}")),
            HostnamePattern::Any => None,
        };
        if seen.insert(host.clone()) {
            commands.push(if is_tls { https(host, address, &path) } else { http(host, address, &path) });
        }
    }
    commands
}

/// The hostnames of a listener's routes, each with a path that one of their rules matches.
fn requests<'a>(
    configuration: &'a Configuration,
    listener: &'a Listener,
) -> impl Iterator<Item = (&'a HostnamePattern, String)> {
    configuration.routes.values().flat_map(move |route| {
        let attached = route.attachments.iter().filter(|it| it.listener == listener.key);
        let path = match &route.rules {
            Rules::Http(rules) => path(rules.iter().flat_map(|rule| &rule.matches)),
            Rules::L4(_) => None,
        };
        attached.flat_map(move |it| {
            let path = path.clone();
            it.hostnames.iter().filter_map(move |hostname| Some((hostname, path.clone()?)))
        })
    })
}

/// A path that a match without other conditions has; the first that has none serves a plain `curl`.
fn path<'a>(matches: impl Iterator<Item = &'a RequestMatch>) -> Option<String> {
    let is_plain = |it: &&RequestMatch| {
        it.headers.is_empty()
            && it.query_params.is_empty()
            && it.method.as_deref().is_none_or(|method| method == "GET")
    };
    matches.filter(is_plain).find_map(|it| match &it.path {
        PathMatch::Exact(path) => Some(path.to_string()),
        PathMatch::Prefix(path) if path.is_empty() => Some("/".to_owned()),
        PathMatch::Prefix(path) => Some(path.to_string()),
        PathMatch::Regex(_) | PathMatch::Grpc { .. } => None,
    })
}

fn http(host: Option<String>, address: SocketAddr, path: &str) -> String {
    let header = host.map(|host| format!("-H 'Host: {host}' ")).unwrap_or_default();
    format!("curl {header}{}", quoted(&format!("http://{address}{path}")))
}

/// Without `--insecure` curl would refuse most certificates that are tried out.
fn https(host: Option<String>, address: SocketAddr, path: &str) -> String {
    let Some(host) = host else {
        return format!("curl --insecure {}", quoted(&format!("https://{address}{path}")));
    };
    let (ip, port) = (address.ip(), address.port());
    // A port of 443 need not be written in the URL, but then neither is it wrong.
    format!(
        "curl --insecure --resolve {host}:{port}:{ip} {}",
        quoted(&format!("https://{host}:{port}{path}"))
    )
}

/// As a word of the shell.
fn quoted(word: &str) -> String {
    let is_plain = |c: char| c.is_ascii_alphanumeric() || "/:.-_~@%+,=".contains(c);
    if word.chars().all(is_plain) { word.to_owned() } else { format!("'{}'", word.replace('\'', r"'\''")) }
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn commands_have_what_the_listener_needs() {
        let address: SocketAddr = "127.0.0.1:8080".parse().unwrap();
        let host = || Some("a.example.com".to_owned());
        assert_eq!(http(host(), address, "/"), "curl -H 'Host: a.example.com' http://127.0.0.1:8080/");
        assert_eq!(http(None, address, "/a b"), "curl 'http://127.0.0.1:8080/a b'");
        assert_eq!(
            https(host(), address, "/x"),
            "curl --insecure --resolve a.example.com:8080:127.0.0.1 https://a.example.com:8080/x"
        );
        let v6: SocketAddr = "[::1]:8443".parse().unwrap();
        assert_eq!(https(None, v6, "/"), "curl --insecure 'https://[::1]:8443/'");
    }
}
