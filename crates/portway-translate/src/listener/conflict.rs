//! Listeners that cannot be told apart.
//!
//! A connection or request must belong to one listener. So on one port, all listeners speak one
//! family of protocols, and within a family that knows hostnames each has a hostname of its own.
//!
//! Who is refused depends on whose the listeners are. Between the Gateway and its ListenerSets there
//! is an order (GEP-1713, listener precedence), and the first to claim keeps what it has. Within one
//! Gateway or one ListenerSet there is none, and *all* listeners of a conflict are refused.
//!
//! A listener that is refused for another reason (an invalid certificate, a conflict with its equals)
//! keeps its claim against those of lower precedence: a mistake of the Gateway's owner must not
//! hand his hostname to somebody else.

use std::collections::BTreeMap;

use portway_config::HostnamePattern;

use super::view::{ListenerView, Owner, Protocol};
use crate::context::Output;
use crate::finding::{Culprit, Finding, FindingCode};
use crate::reason::{ConditionType, Reason};

/// Protocols that can share a port.
#[derive(Clone, Copy, Debug, PartialEq, Eq, PartialOrd, Ord)]
enum Family {
    /// Told apart by the Host header.
    Http,
    /// Told apart by the server name, terminated here or not.
    Tls,
    /// One listener for each port.
    Tcp,
    /// One listener for each port.
    Udp,
}

impl Family {
    fn of(protocol: Protocol) -> Self {
        match protocol {
            Protocol::Http => Self::Http,
            Protocol::Https | Protocol::TlsTerminate | Protocol::TlsPassthrough => Self::Tls,
            Protocol::Tcp => Self::Tcp,
            Protocol::Udp => Self::Udp,
        }
    }

    /// UDP has ports of its own.
    fn is_datagram(self) -> bool {
        self == Self::Udp
    }
}

/// Who claims what on one port of one transport: indices of listeners.
#[derive(Debug, Default)]
struct Claims {
    families: BTreeMap<Family, Vec<usize>>,
    hostnames: BTreeMap<HostnamePattern, Vec<usize>>,
}

impl Claims {
    fn add(&mut self, index: usize, family: Family, hostname: &HostnamePattern) {
        self.families.entry(family).or_default().push(index);
        self.hostnames.entry(hostname.clone()).or_default().push(index);
    }

    /// Another listener that claims what this one does.
    fn rival(&self, index: usize, family: Family, hostname: &HostnamePattern) -> Option<usize> {
        let foreign =
            self.families.iter().find(|(it, _)| **it != family).and_then(|(_, claims)| claims.first());
        let same = || self.hostnames.get(hostname)?.iter().find(|it| **it != index);
        foreign.or_else(same).copied()
    }
}

type Port = (u16, bool);

/// Refuses listeners in conflict. `listeners` are in order of precedence, those of one owner together.
pub(crate) fn refuse(listeners: &mut [ListenerView<'_>], out: &mut Output) {
    let mut taken: BTreeMap<Port, Claims> = BTreeMap::new();
    let mut start = 0;
    while let Some(first) = listeners.get(start) {
        let parent = first.key.parent.clone();
        let count = listeners.iter().skip(start).take_while(|it| it.key.parent == parent).count();
        refuse_of_owner(listeners, start..start + count, &mut taken, out);
        start += count;
    }
}

/// Refuses listeners of one owner: those at `range`. All indices here are of `listeners`, whose length stays.
fn refuse_of_owner(
    listeners: &mut [ListenerView<'_>],
    range: std::ops::Range<usize>,
    taken: &mut BTreeMap<Port, Claims>,
    out: &mut Output,
) {
    // Index of the rival, and whether it has precedence.
    let mut lost: BTreeMap<usize, (usize, bool)> = BTreeMap::new();
    let mut own: BTreeMap<Port, Claims> = BTreeMap::new();
    for index in range.clone() {
        let Some((port, family, hostname)) = claim(&listeners[index]) else { continue };
        match taken.get(&port).and_then(|it| it.rival(index, family, hostname)) {
            Some(rival) => {
                lost.insert(index, (rival, true));
            }
            None => own.entry(port).or_default().add(index, family, hostname),
        }
    }
    for index in range {
        let Some((port, family, hostname)) = claim(&listeners[index]) else { continue };
        if !lost.contains_key(&index)
            && let Some(rival) = own.get(&port).and_then(|it| it.rival(index, family, hostname))
        {
            lost.insert(index, (rival, false));
        }
    }
    for (index, (rival, precedes)) in lost {
        let (reason, error) = conflict(&listeners[index], &listeners[rival], precedes);
        let listener = &mut listeners[index];
        listener.conditions.set(ConditionType::Conflicted, true, reason, error.sentence());
        listener.refuse(reason, error, out);
    }
    for (port, claims) in own {
        let taken = taken.entry(port).or_default();
        for (family, indices) in claims.families {
            taken.families.entry(family).or_default().extend(indices);
        }
        for (hostname, indices) in claims.hostnames {
            taken.hostnames.entry(hostname).or_default().extend(indices);
        }
    }
}

fn claim<'l>(listener: &'l ListenerView<'_>) -> Option<(Port, Family, &'l HostnamePattern)> {
    let family = Family::of(listener.protocol?);
    listener.claims.then_some(((listener.port, family.is_datagram()), family, &listener.hostname))
}

/// What is to be said of `listener`, which cannot be told from `rival`.
fn conflict(listener: &ListenerView<'_>, rival: &ListenerView<'_>, precedes: bool) -> (Reason, Finding) {
    let port = listener.port;
    let who = describe(rival, listener.owner);
    let (mine, theirs) = (&listener.spec.protocol, &rival.spec.protocol);
    let families = (listener.protocol.map(Family::of), rival.protocol.map(Family::of));
    let shares_hostnames = families.0 == families.1 && matches!(families.0, Some(Family::Http | Family::Tls));
    let hostname = if listener.spec.hostname().is_some() { "hostname" } else { "" };
    let (reason, field, message, help) = if !shares_hostnames && mine == theirs {
        let message = format!("port {port} takes one {mine} listener only, and {who} listens there");
        (Reason::ProtocolConflict, "port", message, "use another port")
    } else if !shares_hostnames {
        let message = format!("{mine} and {theirs} cannot share port {port}, where {who} listens");
        (Reason::ProtocolConflict, "port", message, "use another port")
    } else if mine == theirs {
        let message = format!("{who} has hostname {} on port {port} too", quoted(listener));
        (Reason::HostnameConflict, hostname, message, "give each listener of a port a hostname of its own")
    } else {
        let message = format!("{who} serves {theirs} for hostname {} on port {port}", quoted(listener));
        (Reason::ProtocolConflict, hostname, message, "give each listener of a port a hostname of its own")
    };
    let outcome =
        if precedes { "it has precedence, so this one is not served" } else { "none of them is served" };
    let error =
        listener.error(FindingCode::ListenerConflict, field, format!("{message}; {outcome}")).with_help(help);
    let is_within_one = rival.key.parent == listener.key.parent;
    (reason, error.with_culprit(if is_within_one { Culprit::Itself } else { Culprit::Nobody }))
}

fn quoted(listener: &ListenerView<'_>) -> String {
    match &listener.hostname {
        HostnamePattern::Any => "`*` (all)".to_owned(),
        hostname => format!("`{hostname}`"),
    }
}

/// Names `listener` to whoever reads the status of `reader`. What is in the ListenerSets of other
/// namespaces is not for everybody to know (GEP-1713).
pub(super) fn describe(listener: &ListenerView<'_>, reader: Owner<'_>) -> String {
    match listener.owner {
        owner if owner.object_ref() == reader.object_ref() => format!("listener `{}`", listener.name()),
        Owner::ListenerSet(set) if set.namespace() != reader.namespace() => {
            "a listener of a ListenerSet in another namespace".to_owned()
        }
        owner => format!("listener `{}` of {}", listener.name(), owner.object_ref()),
    }
}
