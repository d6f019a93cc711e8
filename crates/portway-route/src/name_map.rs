//! Values by name, found by hash.
//!
//! A Gateway may have thousands of hostnames, and a change touches one. So the map is cut into shards, each with a few
//! dozen names: a clone copies a pointer for each shard, and a change one shard. A look-up costs one hash more than in a
//! map of one piece, and as long as there are few names there is one piece.

use std::sync::Arc;

use ahash::{AHashMap, RandomState};

/// Shards hold no more than this on average; then there are twice as many.
const MOST: usize = 32;

type Shard<T> = AHashMap<Arc<str>, T>;

/// Values by name. Clones share what they have in common.
#[derive(Clone, Debug)]
pub(crate) struct NameMap<T> {
    /// A power of two.
    shards: Vec<Arc<Shard<T>>>,
    len: usize,
    /// Says which shard has a name.
    hasher: RandomState,
}

impl<T> NameMap<T> {
    pub(crate) fn is_empty(&self) -> bool {
        self.len == 0
    }

    #[inline]
    pub(crate) fn get(&self, name: &str) -> Option<&T> {
        self.shards.get(self.shard_of(name))?.get(name)
    }

    #[inline]
    fn shard_of(&self, name: &str) -> usize {
        if self.shards.len() <= 1 { 0 } else { shard(&self.hasher, self.shards.len(), name) }
    }

    /// The names whose values are others in `after`, or are in one alone; in no order. Shards that the two share are
    /// passed over.
    pub(crate) fn differences(&self, after: &Self, is_same: impl Fn(&T, &T) -> bool) -> Vec<Arc<str>> {
        // With another number of shards, names are elsewhere.
        let is_cut_alike = self.shards.len() == after.shards.len();
        let is_shared = |at: usize| {
            let pair = self.shards.get(at).zip(after.shards.get(at));
            is_cut_alike && pair.is_some_and(|(old, new)| Arc::ptr_eq(old, new))
        };
        let different =
            |map: &Self| -> Vec<usize> { (0..map.shards.len()).filter(|at| !is_shared(*at)).collect() };
        let mut names = Vec::new();
        for shard in different(self).into_iter().filter_map(|at| self.shards.get(at)) {
            let others = shard
                .iter()
                .filter(|(name, value)| !after.get(name).is_some_and(|after| is_same(value, after)));
            names.extend(others.map(|(name, _)| Arc::clone(name)));
        }
        for shard in different(after).into_iter().filter_map(|at| after.shards.get(at)) {
            names.extend(shard.keys().filter(|name| self.get(name).is_none()).cloned());
        }
        names
    }
}

impl<T: Clone> NameMap<T> {
    /// Sets the value of a name, or takes it out.
    pub(crate) fn set(&mut self, name: &Arc<str>, value: Option<T>) {
        let is_there = self.get(name).is_some();
        match (is_there, value.is_some()) {
            (false, true) => self.len += 1,
            (true, false) => self.len -= 1,
            _ => {}
        }
        if self.shards.is_empty() || self.len > self.shards.len() * MOST {
            self.grow();
        }
        let shard = self.shard_of(name);
        let Some(shard) = self.shards.get_mut(shard).map(Arc::make_mut) else { return };
        if let Some(value) = value {
            shard.insert(Arc::clone(name), value);
        } else {
            shard.remove(name);
        }
    }

    fn grow(&mut self) {
        let count = (self.shards.len() * 2).max(1);
        let mut shards = vec![Shard::default(); count];
        for (name, value) in self.shards.iter().flat_map(|shard| shard.iter()) {
            if let Some(shard) = shards.get_mut(shard(&self.hasher, count, name)) {
                shard.insert(Arc::clone(name), value.clone());
            }
        }
        self.shards = shards.into_iter().map(Arc::new).collect();
    }
}

fn shard(hasher: &RandomState, count: usize, name: &str) -> usize {
    // A count is a power of two, and less than 2^32 as each shard has an address. The low bits are what a shard's own
    // table goes by.
    (hasher.hash_one(name) >> 32) as usize & (count - 1)
}

impl<T> Default for NameMap<T> {
    fn default() -> Self {
        Self { shards: Vec::new(), len: 0, hasher: RandomState::new() }
    }
}

#[cfg(test)]
mod tests {
    use std::collections::{BTreeMap, BTreeSet};

    use proptest::prelude::*;

    use super::*;

    proptest! {
        #[test]
        fn it_does_what_a_map_does(edits in prop::collection::vec((0..300_u16, any::<Option<u8>>()), 0..600)) {
            let (mut map, mut model) = (NameMap::default(), BTreeMap::new());
            let half = edits.len() / 2;
            let (mut kept, mut kept_model) = (map.clone(), model.clone());
            for (index, (name, value)) in edits.into_iter().enumerate() {
                if index == half {
                    (kept, kept_model) = (map.clone(), model.clone());
                }
                map.set(&name.to_string().into(), value);
                if let Some(value) = value {
                    model.insert(name, value);
                } else {
                    model.remove(&name);
                }
            }
            let mut expected = BTreeSet::new();
            for name in 0..300 {
                let text = name.to_string();
                prop_assert_eq!(map.get(&text), model.get(&name));
                prop_assert_eq!(kept.get(&text), kept_model.get(&name));
                if model.get(&name) != kept_model.get(&name) {
                    expected.insert(text);
                }
            }
            let found = kept.differences(&map, |a, b| a == b);
            prop_assert_eq!(found.len(), expected.len());
            prop_assert_eq!(found.iter().map(ToString::to_string).collect::<BTreeSet<_>>(), expected);
            prop_assert_eq!(map.is_empty(), model.is_empty());
        }
    }
}
