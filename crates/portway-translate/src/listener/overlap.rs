//! Listeners with TLS whose hostnames or certificates overlap (GEP-3567).
//!
//! A client may send requests for several hosts over one HTTP/2 connection when the certificate
//! covers them. Where listeners overlap it may so reach one through a connection that was accepted
//! for another. We answer such requests with 421; the condition tells users why.

use std::collections::BTreeMap;
use std::sync::Arc;

use portway_config::HostnamePattern;

use super::conflict::describe;
use super::view::ListenerView;
use crate::context::Context;
use crate::reason::{ConditionType, Reason};
use crate::tls::certificate::name_covers;

/// Sets `OverlappingTLSConfig` on listeners that are served and overlap. It is absent otherwise.
/// All indices below are of `listeners`, whose length stays.
pub(crate) fn mark(context: &Context<'_>, listeners: &mut [ListenerView<'_>]) {
    let mut ports: BTreeMap<u16, Vec<usize>> = BTreeMap::new();
    for (index, listener) in listeners.iter().enumerate() {
        if listener.config.as_ref().is_some_and(|it| it.protocol.is_tls()) {
            ports.entry(listener.port).or_default().push(index);
        }
    }
    for indices in ports.into_values().filter(|it| it.len() > 1) {
        let by_hostname = by_hostname(listeners, &indices);
        // Where both are so, the reason of certificates is the one to give.
        let by_certificate = by_certificate(context, listeners, &indices);
        for (index, other) in by_hostname {
            tell(listeners, index, other, Reason::OverlappingHostnames);
        }
        for (index, other) in by_certificate {
            tell(listeners, index, other, Reason::OverlappingCertificates);
        }
    }
}

fn tell(listeners: &mut [ListenerView<'_>], index: usize, other: usize, reason: Reason) {
    let who = describe(&listeners[other], listeners[index].owner);
    let what = match reason {
        Reason::OverlappingCertificates => {
            "The certificates of this listener cover hostnames of the certificates"
        }
        _ => "The hostname of this listener overlaps with that",
    };
    let message = format!(
        "{what} of {who} on port {}; requests that reach the wrong one of the two over a shared \
         connection are answered with status 421.",
        listeners[index].port
    );
    listeners[index].conditions.set(ConditionType::OverlappingTLSConfig, true, reason, message);
}

/// For each listener that overlaps another one, one such other.
type Overlaps = BTreeMap<usize, usize>;

fn pair(overlaps: &mut Overlaps, a: usize, b: usize) {
    overlaps.entry(a).or_insert(b);
    overlaps.entry(b).or_insert(a);
}

/// Hostnames overlap when one is the same as, or below, the other. So it is enough to go up from each.
fn by_hostname(listeners: &[ListenerView<'_>], indices: &[usize]) -> Overlaps {
    let owners: BTreeMap<_, _> = indices.iter().map(|index| (&listeners[*index].hostname, *index)).collect();
    let mut overlaps = Overlaps::new();
    for index in indices {
        for above in above(&listeners[*index].hostname) {
            if let Some(other) = owners.get(&above) {
                pair(&mut overlaps, *index, *other);
            }
        }
    }
    overlaps
}

/// The wider patterns that contain a hostname, from the narrowest to all.
fn above(hostname: &HostnamePattern) -> impl Iterator<Item = HostnamePattern> {
    let (text, all) = match hostname {
        HostnamePattern::Exact(name) => (&**name, true),
        HostnamePattern::Wildcard(suffix) => (suffix.trim_start_matches('.'), true),
        HostnamePattern::Any => ("", false),
    };
    let suffixes = text.match_indices('.').map(|(at, _)| HostnamePattern::Wildcard(Arc::from(&text[at..])));
    suffixes.chain(all.then_some(HostnamePattern::Any))
}

fn by_certificate(context: &Context<'_>, listeners: &[ListenerView<'_>], indices: &[usize]) -> Overlaps {
    let mut names: BTreeMap<Arc<str>, Vec<usize>> = BTreeMap::new();
    for index in indices {
        for name in certificate_names(context, &listeners[*index]) {
            let owners = names.entry(name).or_default();
            if owners.last() != Some(index) {
                owners.push(*index);
            }
        }
    }
    let mut overlaps = Overlaps::new();
    for (name, owners) in &names {
        let wildcard = name.split_once('.').map(|(_, parent)| format!("*.{parent}"));
        let covering = wildcard.filter(|it| name_covers(it, name)).and_then(|it| names.get(it.as_str()));
        let first = owners.first().into_iter().chain(covering.into_iter().flatten());
        for other in first {
            for index in owners.iter().filter(|it| *it != other) {
                pair(&mut overlaps, *index, *other);
            }
        }
    }
    overlaps
}

fn certificate_names(context: &Context<'_>, listener: &ListenerView<'_>) -> Vec<Arc<str>> {
    let termination = listener.config.as_ref().and_then(|it| it.protocol.termination());
    let keys = termination.into_iter().flat_map(|it| &it.certificates);
    keys.filter_map(|key| context.tls.served(key)).flat_map(|it| it.dns_names.clone()).collect()
}
