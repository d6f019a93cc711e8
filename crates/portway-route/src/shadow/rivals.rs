//! Which entry leaves another one nothing.

use ahash::AHashMap;
use portway_config::request_match::{PathMatch, RequestMatch};

use super::cover;
use super::entry::Entry;
use crate::path_table::{CompiledMatch, MatchId, PathTable};

/// How many entries of one table an entry is compared with, apart from those that are equal to it.
/// Thousands of matches that differ in their headers alone would otherwise take quadratic time.
const MOST_RIVALS: usize = 256;

/// The entries under one hostname of a listener, in their order of precedence.
pub(super) struct Group<'a> {
    entries: &'a [Entry<'a>],
    tables: &'a [PathTable],
    positions: AHashMap<MatchId, usize>,
    /// The first of each set of matches with equal conditions.
    first: AHashMap<RequestMatch, usize>,
}

impl<'a> Group<'a> {
    /// `tables`: those of the hostname.
    pub(super) fn new(entries: &'a [Entry<'a>], tables: &'a [PathTable]) -> Self {
        let mut positions = AHashMap::new();
        let mut first = AHashMap::new();
        for (position, entry) in entries.iter().enumerate() {
            if let (Some(compiled), Some(request_match)) = (entry.compiled, entry.ranked.request_match) {
                positions.insert(compiled.id(), position);
                first.entry(canonical(request_match)).or_insert(position);
            }
        }
        Self { entries, tables, positions, first }
    }

    /// An entry that comes before the one at `position` and takes all that this would; one of another
    /// rule if there is any.
    pub(super) fn taker(&self, position: usize) -> Option<&'a Entry<'a>> {
        let entry = self.entries.get(position)?;
        let Some(compiled) = entry.compiled else {
            // Rules of TLSRoutes, TCPRoutes and UDPRoutes take all.
            return self.entries.first().filter(|_| position > 0);
        };
        let equal = self.first.get(&canonical(entry.ranked.request_match?)).copied();
        let mut takers = equal.into_iter().chain(self.wider(compiled)).filter(|&it| it < position);
        let mut own = None;
        takers
            .find_map(|taker| {
                let taker = self.entries.get(taker)?;
                if taker.rule == entry.rule {
                    own = own.or(Some(taker));
                    return None;
                }
                Some(taker)
            })
            .or(own)
    }

    /// The positions of entries that take all that `narrow` would, wherever they stand.
    fn wider(&self, narrow: &CompiledMatch) -> impl Iterator<Item = usize> {
        let probe = cover::probe(&narrow.path);
        let near = self
            .tables
            .iter()
            .flat_map(move |table| table.candidates(&probe).take(MOST_RIVALS).collect::<Vec<_>>());
        near.filter_map(|it| self.positions.get(&it.id()).copied()).filter(|&position| {
            let wide = self.entries.get(position).and_then(|it| it.compiled);
            wide.is_some_and(|wide| cover::covers(wide, narrow))
        })
    }
}

/// Equal for matches with equal conditions, in whichever order they are written.
fn canonical(request_match: &RequestMatch) -> RequestMatch {
    let mut canonical = request_match.clone();
    if let PathMatch::Prefix(prefix) = &mut canonical.path {
        *prefix = prefix.trim_end_matches('/').into();
    }
    canonical.headers.sort_by(|a, b| a.name.cmp(&b.name));
    canonical.query_params.sort_by(|a, b| a.name.cmp(&b.name));
    canonical
}
