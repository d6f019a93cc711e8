//! TLSRoutes, TCPRoutes and UDPRoutes that meet on one hostname of a listener.
//!
//! All of them are accepted and count, and the one with the highest precedence gets every connection
//! (Gateway API, guide on conflicts). The others shall hear of it.

use std::collections::BTreeMap;

use portway_api::ObjectKey;
use portway_config::HostnamePattern;

use super::work::Work;
use crate::precedence::Precedence;

/// Precedence of a route under a hostname: first that of the hostname it names itself, then its age.
type Rank<'w, 'a> = (&'w HostnamePattern, Precedence<'a>);

/// A route that another one takes connections from, on one listener.
#[derive(Clone, Debug, PartialEq, Eq)]
pub(crate) struct Shadowed {
    /// Index of the listener in the Gateway's view.
    pub(crate) listener: usize,
    /// The hostname; `*` where there are none.
    pub(crate) hostname: HostnamePattern,
    /// The route that gets the connections.
    pub(crate) winner: String,
    /// Why, in words.
    pub(crate) criterion: &'static str,
}

/// Finds out which of the routes get connections, and tells the others.
pub(crate) fn shadow(works: &mut [Work<'_, '_>]) {
    let mut told = Vec::new();
    {
        let winners = winners(works);
        for (index, work) in works.iter().enumerate().filter(|(_, work)| takes_streams(work)) {
            for (parent, it) in work.parents.iter().enumerate() {
                for attached in it.attached() {
                    for hostname in &attached.hostnames {
                        let key = (&it.parent.gateway, attached.listener, hostname);
                        let Some((rank, winner)) = winners.get(&key).filter(|(_, winner)| *winner != index)
                        else {
                            continue;
                        };
                        let Some(other) = works.get(*winner) else { continue };
                        let own = rank_of(work, hostname);
                        let shadowed = Shadowed {
                            listener: attached.listener,
                            hostname: hostname.clone(),
                            winner: other.view.object_ref().to_string(),
                            criterion: if rank.0 == own.0 {
                                rank.1.criterion(&own.1)
                            } else {
                                "the hostname that it names itself is more specific"
                            },
                        };
                        told.push((index, parent, shadowed));
                    }
                }
            }
        }
    }
    for (index, parent, shadowed) in told {
        if let Some(it) = works.get_mut(index).and_then(|work| work.parents.get_mut(parent)) {
            it.shadowed.push(shadowed);
        }
    }
}

/// For each hostname of each listener the route with the highest precedence.
fn winners<'w, 'a>(
    works: &'w [Work<'a, '_>],
) -> BTreeMap<(&'w ObjectKey, usize, &'w HostnamePattern), (Rank<'w, 'a>, usize)> {
    let mut winners: BTreeMap<_, (Rank<'_, '_>, usize)> = BTreeMap::new();
    for (index, work) in works.iter().enumerate().filter(|(_, work)| takes_streams(work)) {
        for it in &work.parents {
            for attached in it.attached() {
                for hostname in &attached.hostnames {
                    let candidate = (rank_of(work, hostname), index);
                    let best =
                        winners.entry((&it.parent.gateway, attached.listener, hostname)).or_insert(candidate);
                    *best = candidate.min(*best);
                }
            }
        }
    }
    winners
}

fn takes_streams(work: &Work<'_, '_>) -> bool {
    !work.is_http() && !work.is_invalid()
}

/// The rank of a route under a hostname that it has in common with a listener.
fn rank_of<'w, 'a>(work: &'w Work<'a, '_>, hostname: &'w HostnamePattern) -> Rank<'w, 'a> {
    let own = work.hostnames.iter().filter(|own| own.intersection(hostname).as_ref() == Some(hostname)).min();
    (own.unwrap_or(hostname), work.view.precedence())
}
