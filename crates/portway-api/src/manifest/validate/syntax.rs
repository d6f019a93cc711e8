//! The forms that texts in objects may have.

/// A form: what it is called, what it looks like, and how long it may be.
pub(super) struct Form {
    /// With its article: `a DNS name`.
    pub(super) name: &'static str,
    /// In words, for whoever got it wrong.
    pub(super) looks: &'static str,
    /// In characters.
    pub(super) longest: usize,
    pub(super) fits: fn(&str) -> bool,
}

/// RFC 1123 subdomain; also section names and hostnames without wildcards.
pub(super) const DNS_NAME: Form = Form {
    name: "a DNS name",
    looks: "lower-case letters, digits and `-`, in parts joined by `.`, each part with a letter or digit at both ends",
    longest: 253,
    fits: is_dns_name,
};

/// RFC 1123 label.
pub(super) const DNS_LABEL: Form = Form {
    name: "a DNS label",
    looks: "lower-case letters, digits and `-`, with a letter or digit at both ends",
    longest: 63,
    fits: is_dns_label,
};

/// RFC 1035 label, as the name of a Service.
pub(super) const SERVICE_NAME: Form = Form {
    name: "a name for a Service",
    looks: "lower-case letters, digits and `-`, with a letter first and a letter or digit last",
    longest: 63,
    fits: |text| is_dns_label(text) && text.starts_with(|c: char| c.is_ascii_lowercase()),
};

/// RFC 6335 service name, as the name of a port.
pub(super) const PORT_NAME: Form = Form {
    name: "a name for a port",
    looks: "lower-case letters, digits and single `-` between them, at least one letter",
    longest: 15,
    fits: |text| {
        is_dns_label(text) && !text.contains("--") && text.contains(|c: char| c.is_ascii_lowercase())
    },
};

/// A hostname, perhaps with `*` for its first label.
pub(super) const HOSTNAME: Form = Form {
    name: "a hostname",
    looks: "lower-case letters, digits and `-`, in parts joined by `.`; the first part may be `*`",
    longest: 253,
    fits: |text| is_dns_name(text.strip_prefix("*.").unwrap_or(text)),
};

/// An API group; empty is the core group.
pub(super) const GROUP: Form = Form {
    name: "an API group",
    looks: "empty for core, or a DNS name such as `gateway.networking.k8s.io`, without a version",
    longest: 253,
    fits: |text| text.is_empty() || is_dns_name(text),
};

/// A kind.
pub(super) const KIND: Form = Form {
    name: "a kind",
    looks: "letters, digits and `-`, with a letter first and a letter or digit last",
    longest: 63,
    fits: |text| {
        text.starts_with(|c: char| c.is_ascii_alphabetic())
            && text.ends_with(|c: char| c.is_ascii_alphanumeric())
            && text.bytes().all(|b| b.is_ascii_alphanumeric() || b == b'-')
    },
};

/// A name that only its kind limits further.
pub(super) const OBJECT_NAME: Form =
    Form { name: "a name", looks: "at least one character", longest: 253, fits: |text| !text.is_empty() };

/// RFC 9110 token: the name of a header, query parameter or cookie.
pub(super) const TOKEN: Form = Form {
    name: "a name for a header, query parameter or cookie",
    looks: "letters, digits and any of !#$%&'*+-.^_`|~",
    longest: 256,
    fits: is_token,
};

/// The value of a header that is set or compared with.
pub(super) const HEADER_VALUE: Form = Form {
    name: "a header value",
    looks: "visible ASCII characters, with single spaces or tabs between them only",
    longest: 4096,
    fits: |text| {
        text.split([' ', '\t']).all(|word| !word.is_empty() && word.bytes().all(|b| b.is_ascii_graphic()))
    },
};

/// Any text of some length that is not empty.
pub(super) const fn some_text(longest: usize) -> Form {
    Form { name: "a value", looks: "at least one character", longest, fits: |text| !text.is_empty() }
}

/// Any text of some length.
pub(super) const fn any_text(longest: usize) -> Form {
    Form { name: "a value", looks: "any text", longest, fits: |_| true }
}

/// The path of a URL (RFC 3986, section 3.3).
pub(super) const PATH: Form = Form {
    name: "a path",
    looks: "letters, digits, any of -/._~!$&'()*+,;=:@ and `%` with two hexadecimal digits",
    longest: 1024,
    fits: is_path,
};

/// A Gateway API duration (GEP-2257).
pub(super) const DURATION: Form = Form {
    name: "a duration",
    looks: "up to four whole numbers with their units h, m, s or ms, such as `1h30m`, `10s` or `500ms`",
    longest: 28,
    fits: |text| milliseconds(text).is_some(),
};

/// The name of a controller: a domain and a path.
pub(super) const CONTROLLER_NAME: Form = Form {
    name: "a controller's name",
    looks: "a DNS name and a path, such as `example.com/gateway-controller`",
    longest: 253,
    fits: |text| is_domain_prefixed(text, is_path_character),
};

/// The protocol of a listener.
pub(super) const PROTOCOL: Form = Form {
    name: "a protocol",
    looks: "HTTP, HTTPS, TLS, TCP, UDP, or an implementation's own such as `example.com/bar`",
    longest: 255,
    fits: |text| {
        let is_plain = |text: &str| {
            text.starts_with(|c: char| c.is_ascii_alphanumeric())
                && text.ends_with(|c: char| c.is_ascii_alphanumeric())
                && text.bytes().all(|b| b.is_ascii_alphanumeric() || b == b'-')
        };
        is_plain(text) || is_domain_prefixed(text, |b| b.is_ascii_alphanumeric())
    },
};

/// The type of a Gateway's address.
pub(super) const ADDRESS_TYPE: Form = Form {
    name: "a type of address",
    looks: "IPAddress, Hostname, NamedAddress, or an implementation's own such as `example.com/pool`",
    longest: 253,
    fits: |text| {
        matches!(text, "IPAddress" | "Hostname" | "NamedAddress")
            || is_domain_prefixed(text, is_path_character)
    },
};

/// The routability of a Gateway's address (GEP-5093).
pub(super) const ROUTABILITY: Form = Form {
    name: "a routability",
    looks: "empty, `Cluster`, or an implementation's own such as `example.com/internal` (k8s.io is reserved)",
    longest: 253,
    fits: |text| {
        let is_own = |domain: &str| is_dns_name(domain) && domain != "k8s.io" && !domain.ends_with(".k8s.io");
        let has_domain = |(domain, rest): (&str, &str)| is_own(domain) && !rest.is_empty();
        matches!(text, "" | "Cluster") || text.split_once('/').is_some_and(has_domain)
    },
};

/// A well-known set of CA certificates.
pub(super) const WELL_KNOWN_CA: Form = Form {
    name: "a set of CA certificates",
    looks: "`System`, or an implementation's own such as `example.com/roots`",
    longest: 253,
    fits: |text| text == "System" || (text.contains('/') && is_qualified_name(text)),
};

/// A URI in a certificate.
pub(super) const URI: Form = Form {
    name: "a URI",
    looks: "a scheme and `://`, such as `spiffe://example.com/web`",
    longest: 253,
    fits: |text| {
        text.split_once("://")
            .is_some_and(|(scheme, _)| !scheme.is_empty() && !scheme.contains([':', '/', '?', '#']))
    },
};

/// An origin that a CORS filter allows (RFC 6454, with wildcards by GEP-1767).
pub(super) const ORIGIN: Form = Form {
    name: "an origin",
    looks: "`*`, or http:// or https:// with a host, whose first part may be `*`, and perhaps a port; no path",
    longest: 253,
    fits: is_origin,
};

/// A gRPC service that is matched exactly.
pub(super) const GRPC_SERVICE: Form = Form {
    name: "a gRPC service",
    looks: "letters, digits and `_`, in parts joined by `.`, such as `my.package.MyService`",
    longest: 1024,
    fits: |text| text.strip_prefix('.').unwrap_or(text).split('.').all(is_identifier),
};

/// A gRPC method that is matched exactly.
pub(super) const GRPC_METHOD: Form = Form {
    name: "a gRPC method",
    looks: "letters, digits and `_`, no digit first",
    longest: 1024,
    fits: is_identifier,
};

/// The key of a label or annotation.
pub(super) const LABEL_KEY: Form = Form {
    name: "the key of a label or annotation",
    looks: "up to 63 letters, digits and any of -_., perhaps after a DNS name and `/`",
    longest: 317,
    fits: is_qualified_name,
};

/// The value of a label.
pub(super) const LABEL_VALUE: Form = Form {
    name: "the value of a label",
    looks: "empty, or letters, digits and any of -_., with a letter or digit at both ends",
    longest: 63,
    fits: |text| text.is_empty() || is_label_text(text),
};

fn is_dns_label(text: &str) -> bool {
    let is_letter = |b: u8| b.is_ascii_lowercase() || b.is_ascii_digit();
    text.bytes().all(|b| is_letter(b) || b == b'-')
        && text.bytes().next().is_some_and(is_letter)
        && text.bytes().next_back().is_some_and(is_letter)
}

fn is_dns_name(text: &str) -> bool {
    text.split('.').all(is_dns_label)
}

fn is_token(text: &str) -> bool {
    !text.is_empty() && text.bytes().all(|b| b.is_ascii_alphanumeric() || b"!#$%&'*+-.^_`|~".contains(&b))
}

fn is_identifier(text: &str) -> bool {
    text.bytes().all(|b| b.is_ascii_alphanumeric() || b == b'_')
        && !text.starts_with(|c: char| c.is_ascii_digit())
        && !text.is_empty()
}

fn is_path(text: &str) -> bool {
    let mut parts = text.split('%');
    let is_plain = |part: &str| part.bytes().all(|b| is_path_character(b) || b == b'@');
    let starts_escaped = |part: &str| part.len() >= 2 && part.bytes().take(2).all(|b| b.is_ascii_hexdigit());
    !text.is_empty()
        && parts.next().is_some_and(is_plain)
        && parts.all(|part| starts_escaped(part) && is_plain(part))
}

/// The characters of paths in names; `%` stands for itself there.
fn is_path_character(b: u8) -> bool {
    b.is_ascii_alphanumeric() || b"-/._~%!$&'()*+,;=:".contains(&b)
}

fn is_domain_prefixed(text: &str, is_allowed: fn(u8) -> bool) -> bool {
    text.split_once('/')
        .is_some_and(|(domain, path)| is_dns_name(domain) && !path.is_empty() && path.bytes().all(is_allowed))
}

fn is_label_text(text: &str) -> bool {
    text.bytes().all(|b| b.is_ascii_alphanumeric() || b"-_.".contains(&b))
        && text.starts_with(|c: char| c.is_ascii_alphanumeric())
        && text.ends_with(|c: char| c.is_ascii_alphanumeric())
}

fn is_qualified_name(text: &str) -> bool {
    const LONGEST_PREFIX: usize = 252;
    let (prefix, name) = match text.split_once('/') {
        Some((prefix, name)) => (Some(prefix), name),
        None => (None, text),
    };
    prefix.is_none_or(|prefix| prefix.len() <= LONGEST_PREFIX && is_dns_name(prefix))
        && name.len() <= 63
        && is_label_text(name)
}

fn is_origin(text: &str) -> bool {
    if text == "*" {
        return true;
    }
    let Some(rest) = text.strip_prefix("http://").or_else(|| text.strip_prefix("https://")) else {
        return false;
    };
    let (host, port) = match rest.split_once(':') {
        Some((host, port)) => (host, Some(port)),
        None => (rest, None),
    };
    let is_label =
        |label: &str| !label.is_empty() && label.bytes().all(|b| b.is_ascii_alphanumeric() || b == b'-');
    let is_port = |port: &str| (1..=5).contains(&port.len()) && port.bytes().all(|b| b.is_ascii_digit());
    (host == "*" || host.strip_prefix("*.").unwrap_or(host).split('.').all(is_label))
        && port.is_none_or(is_port)
}

/// The length of a Gateway API duration (GEP-2257).
pub(super) fn milliseconds(text: &str) -> Option<u64> {
    const MAX_PARTS: usize = 4;
    const MAX_DIGITS: usize = 5;
    let mut sum = 0u64;
    let mut rest = text;
    for _ in 0..MAX_PARTS {
        let digits = rest.len() - rest.trim_start_matches(|c: char| c.is_ascii_digit()).len();
        if !(1..=MAX_DIGITS).contains(&digits) {
            return None;
        }
        let (number, after) = rest.split_at(digits);
        let (unit, after) = [("ms", 1), ("h", 3_600_000), ("m", 60_000), ("s", 1_000)]
            .into_iter()
            .find_map(|(unit, length)| Some((length, after.strip_prefix(unit)?)))?;
        sum = number.parse::<u64>().ok()?.checked_mul(unit)?.checked_add(sum)?;
        if after.is_empty() {
            return Some(sum);
        }
        rest = after;
    }
    None
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn forms_fit_what_they_should() {
        let cases: &[(Form, &[&str], &[&str])] = &[
            (DNS_NAME, &["a", "a-b.c0", "0.1"], &["", "A", "-a", "a.", ".a", "a..b", "a_b", "ä", "*.a"]),
            (
                HOSTNAME,
                &["a.example", "*.example.com"],
                &["*", "*a.b", "a.*.b", "Example.com", "a.example:80", "*."],
            ),
            (SERVICE_NAME, &["a", "a-0"], &["0a", "a.b", ""]),
            (PORT_NAME, &["http", "h2c", "a-b"], &["80", "a--b", "-", ""]),
            (GROUP, &["", "apps", "a.b"], &["a/v1", "A"]),
            (KIND, &["Service", "a-1"], &["", "1a", "a-", "a.b"]),
            (TOKEN, &["X-A", "a_b", "`"], &["", "a b", "a:", "ä"]),
            (HEADER_VALUE, &["a", "a b\tc", "\"x\""], &["", " a", "a ", "a  b", "ä", "a\n"]),
            (PATH, &["/", "/a%2Fb@", "a"], &["", "/a b", "/%2", "/%zz", "/ä", "/a?b", "/#"]),
            (
                DURATION,
                &["0s", "10s", "1h30m", "1h1m1s1ms"],
                &["", "10", "1.5s", "-1s", "100000s", "1d", "1h1h1h1h1h", "s"],
            ),
            (CONTROLLER_NAME, &["a.b/c", "a/b/c"], &["a.b", "a.b/", "/c", "A/b", "a/b c"]),
            (PROTOCOL, &["HTTP", "x-y", "example.com/bar"], &["", "-a", "example.com/b/c", "a b"]),
            (ADDRESS_TYPE, &["IPAddress", "a.b/c"], &["IP", "", "Hostnames"]),
            (ROUTABILITY, &["", "Cluster", "a.b/c"], &["Public", "k8s.io/x", "a.k8s.io/x", "/x", "a.b/"]),
            (WELL_KNOWN_CA, &["System", "a.b/c"], &["system", "", "a.b"]),
            (URI, &["spiffe://a/b", "https://x"], &["a/b", "://", "a:b", "a/b://c"]),
            (
                ORIGIN,
                &["*", "https://*", "http://a.b:80", "https://*.a", "https://A.b"],
                &["a.b", "ftp://a", "https://", "https://a/", "https://a:", "https://a.*"],
            ),
            (GRPC_SERVICE, &["a.B", ".a", "A_1"], &["", "a.", "1a", "a/b"]),
            (GRPC_METHOD, &["Get", "_a1"], &["", "1a", "a.b"]),
            (LABEL_KEY, &["a", "a.b/C_d.e"], &["", "a/", "/a", "-a", "A/b", "a/b/c"]),
            (LABEL_VALUE, &["", "a", "A_b.c-1"], &["-a", "a ", "ä"]),
        ];
        for (form, fitting, unfit) in cases {
            assert_eq!(
                fitting.iter().filter(|text| !(form.fits)(text)).collect::<Vec<_>>(),
                [""; 0].iter().collect::<Vec<_>>(),
                "{}",
                form.name
            );
            assert_eq!(
                unfit.iter().filter(|text| (form.fits)(text)).collect::<Vec<_>>(),
                [""; 0].iter().collect::<Vec<_>>(),
                "{}",
                form.name
            );
        }
    }

    #[test]
    fn durations_have_their_length() {
        assert_eq!(milliseconds("1h2m3s4ms"), Some(3_723_004));
        assert_eq!(milliseconds("99999h"), Some(359_996_400_000));
        assert_eq!(milliseconds("0s"), Some(0));
    }
}
