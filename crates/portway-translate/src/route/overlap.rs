//! HTTPRoutes and GRPCRoutes that meet on a hostname of one listener.
//!
//! The Gateway API gives no order between matches of the two kinds, and asks not to merge them
//! (GRPCRouteSpec.hostnames, GRPCRouteRule.matches). Portway takes the way that it offers: of two
//! such routes the one with the higher precedence is accepted, and the other is not.

use std::collections::BTreeMap;

use portway_api::ObjectKey;
use portway_config::RouteKind;

use super::hostname_set::HostnameSet;
use super::work::Work;
use crate::precedence::Precedence;

/// An attachment: index of the route, of the parent, and position among its attachments.
type Place = (usize, usize, usize);

/// Takes back each attachment whose hostnames meet those of a route of the other kind that has
/// higher precedence on the same listener.
pub(crate) fn displace(works: &mut [&mut Work<'_, '_>]) {
    for mut places in contested(works).into_values() {
        places.sort_by(|a, b| precedence(works, *a).cmp(&precedence(works, *b)));
        let (mut http, mut grpc) = (HostnameSet::default(), HostnameSet::default());
        let mut losers = Vec::new();
        for place in places {
            let Some(work) = works.get(place.0) else { continue };
            let (own, other) = match work.view.kind {
                RouteKind::Http => (&mut http, &grpc),
                _ => (&mut grpc, &http),
            };
            let hostnames = attached(work, place).map_or(&[][..], |it| &it.hostnames);
            match hostnames.iter().find_map(|hostname| other.meeting(hostname)) {
                Some(winner) => losers.push((place, winner)),
                None => hostnames.iter().for_each(|hostname| own.insert(hostname, place.0)),
            }
        }
        take_back(works, losers);
    }
}

/// The attachments of each listener that routes of both kinds are attached to.
fn contested(works: &[&mut Work<'_, '_>]) -> BTreeMap<(ObjectKey, usize), Vec<Place>> {
    let mut by_listener: BTreeMap<_, Vec<Place>> = BTreeMap::new();
    for (route, work) in works.iter().enumerate().filter(|(_, it)| it.is_http() && !it.is_invalid()) {
        for (parent, it) in work.parents.iter().enumerate() {
            for (position, attached) in it.attached().iter().enumerate() {
                let listener = (it.parent.gateway.clone(), attached.listener);
                by_listener.entry(listener).or_default().push((route, parent, position));
            }
        }
    }
    by_listener.retain(|_, places| {
        let is = |kind| places.iter().any(|place| works.get(place.0).is_some_and(|it| it.view.kind == kind));
        is(RouteKind::Http) && is(RouteKind::Grpc)
    });
    by_listener
}

fn precedence<'a>(works: &[&mut Work<'a, '_>], place: Place) -> Option<(Precedence<'a>, RouteKind)> {
    works.get(place.0).map(|work| (work.view.precedence(), work.view.kind))
}

fn attached<'w>(
    work: &'w Work<'_, '_>,
    (_, parent, position): Place,
) -> Option<&'w super::attachment::Attached> {
    work.parents.get(parent)?.attached().get(position)
}

fn take_back(works: &mut [&mut Work<'_, '_>], mut losers: Vec<(Place, usize)>) {
    // From the last position to the first, so that the positions before stay what they are.
    losers.sort_by(|a, b| b.cmp(a));
    for ((route, parent, position), winner) in losers {
        let Some(name) = works.get(winner).map(|work| work.view.object_ref().to_string()) else { continue };
        let parents = works.get_mut(route).map(|work| &mut work.parents);
        let Some(it) = parents.and_then(|parents| parents.get_mut(parent)) else { continue };
        if let Ok(attached) = &mut it.attached
            && position < attached.len()
        {
            let lost = attached.remove(position);
            it.displaced.push((lost.listener, name));
        }
    }
}
