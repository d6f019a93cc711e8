//! Names and labels of what is provisioned (GEP-1762).

use std::collections::BTreeMap;

use aws_lc_rs::digest::{SHA256, digest};
use portway_api::Gateway;

/// The label that tells the Gateway (`apis/v1`, GatewayNameLabelKey).
pub const GATEWAY_NAME: &str = "gateway.networking.k8s.io/gateway-name";
/// The label that tells the class.
pub const GATEWAY_CLASS_NAME: &str = "gateway.networking.k8s.io/gateway-class-name";
/// The label that tells who keeps an object as it is.
pub const MANAGED_BY: &str = "app.kubernetes.io/managed-by";
/// Its value on what is Portway's.
pub const PORTWAY: &str = "portway.dev";

/// Most characters of a Service's name and of a label's value (RFC 1123, DNS label).
const MAX_NAME: usize = 63;
/// Characters of a hash: 50 bits.
const HASH: usize = 10;
/// A name must not begin with a digit (RFC 1035), so this goes before one that does.
const PREFIX: &str = "gw-";

/// The name of everything that is provisioned for a Gateway: `GATEWAY-CLASS`, as GEP-1762 asks for. Where that is too
/// long, is no name for a Service, or could be that of another Gateway or class too, it is cut and a hash is added.
pub fn name(gateway: &str, class: &str) -> String {
    let plain = format!("{gateway}-{class}");
    // `a-b` of class `c` and `a` of class `b-c` are both `a-b-c`: only without a dash the end tells where the class
    // begins. A class named like a hash could be taken for one.
    let is_ambiguous = class.contains('-') || class.len() == HASH;
    if !is_ambiguous && is_service_name(&plain) {
        return plain;
    }
    let sanitized: String = plain.chars().map(|c| if c == '.' { '-' } else { c }).collect();
    let prefix = if sanitized.starts_with(|c: char| c.is_ascii_lowercase()) { "" } else { PREFIX };
    cut(&format!("{prefix}{sanitized}"), &hash(&[gateway, class]))
}

/// The labels by which the pods of a Gateway are selected.
pub fn selector(gateway: &Gateway) -> BTreeMap<String, String> {
    let class = &gateway.spec.gateway_class_name;
    [(GATEWAY_NAME, gateway.name()), (GATEWAY_CLASS_NAME, class)]
        .map(|(label, value)| (label.to_owned(), label_value(value)))
        .into()
}

/// The labels of everything that is provisioned for a Gateway: those of its `spec.infrastructure`, and ours, which win.
pub fn labels(gateway: &Gateway) -> BTreeMap<String, String> {
    let mut labels = gateway.spec.infrastructure.as_ref().map(|it| it.labels.clone()).unwrap_or_default();
    labels.extend(selector(gateway));
    let own = [
        ("app.kubernetes.io/name", "portway"),
        ("app.kubernetes.io/component", "proxy"),
        (MANAGED_BY, PORTWAY),
    ];
    labels.extend(own.map(|(label, value)| (label.to_owned(), value.to_owned())));
    labels
}

/// A name as the value of a label, which may have fewer characters than an object's name.
pub fn label_value(name: &str) -> String {
    if name.len() <= MAX_NAME { name.to_owned() } else { cut(name, &hash(&[name])) }
}

/// A hash of texts in [`HASH`] characters that names may have. Texts are told apart by their lengths.
pub(super) fn hash(texts: &[&str]) -> String {
    const ALPHABET: &[u8; 32] = b"abcdefghijklmnopqrstuvwxyz234567";
    let mut bytes = Vec::new();
    for text in texts {
        bytes.extend((text.len() as u64).to_be_bytes());
        bytes.extend(text.as_bytes());
    }
    let digest = digest(&SHA256, &bytes);
    let digits = digest.as_ref().iter().take(HASH).map(|byte| ALPHABET[usize::from(byte % 32)]);
    digits.map(char::from).collect()
}

/// As much of a name as there is place for before the hash.
fn cut(name: &str, hash: &str) -> String {
    let start: String = name.chars().take(MAX_NAME - HASH - 1).collect();
    format!("{}-{hash}", start.trim_end_matches(['-', '.', '_']))
}

/// A DNS label as RFC 1035 has it, which is what a Service may be called.
fn is_service_name(name: &str) -> bool {
    let is_inner = |byte: u8| byte.is_ascii_lowercase() || byte.is_ascii_digit() || byte == b'-';
    name.len() <= MAX_NAME
        && name.bytes().all(is_inner)
        && name.starts_with(|c: char| c.is_ascii_lowercase())
        && !name.ends_with('-')
}

#[cfg(test)]
mod tests {
    use proptest::prelude::*;

    use super::*;

    #[test]
    fn the_name_is_that_of_gateway_and_class_where_it_can_be() {
        assert_eq!(name("edge", "portway"), "edge-portway");
        assert_eq!(name("my-edge", "portway"), "my-edge-portway");
        assert_eq!(name("edge", "portway-internal"), "edge-portway-internal-cpa2q3uydw");
        // A Service's name has no dots and does not begin with a digit.
        assert!(name("example.com", "portway").starts_with("example-com-portway-"));
        assert!(name("1st", "portway").starts_with("gw-1st-portway-"));
        assert_eq!(name(&"a".repeat(253), "portway").len(), 63);
        assert_eq!(label_value("edge.example.com"), "edge.example.com");
        assert_eq!(label_value(&"a".repeat(253)).len(), 63);
    }

    proptest! {
        #[test]
        fn every_name_is_one_of_a_service(gateway in NAME, class in NAME) {
            prop_assert!(is_service_name(&name(&gateway, &class)), "{}", name(&gateway, &class));
        }

        #[test]
        fn no_two_have_one_name(a in NAME, b in NAME, c in "[ab]{1,2}", d in "[ab-]{0,2}", e in "[ab]{1,2}") {
            let pairs = [(&*a, &*b), (&*b, &*a)];
            prop_assert!(a == b || name(pairs[0].0, pairs[0].1) != name(pairs[1].0, pairs[1].1));
            // Those that are the same text once they are joined.
            let (left, right) = (format!("{c}-{d}{e}"), format!("{d}{e}-{c}"));
            if !left.starts_with('-') && !right.starts_with('-') {
                prop_assert_ne!(name(&left, &c), name(&c, &format!("{d}{e}-{c}")));
                prop_assert_ne!(name(&format!("{c}.{e}"), &e), name(&format!("{c}-{e}"), &e));
            }
        }
    }

    /// Names of objects: DNS subdomains, short ones and such as are too long to be joined.
    const NAME: &str = "[a-z0-9]([a-z0-9-]{0,8}[a-z0-9])?(\\.[a-z0-9]([a-z0-9-]{0,40}[a-z0-9])?){0,3}";
}
