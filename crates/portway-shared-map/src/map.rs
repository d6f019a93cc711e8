//! The map.

use std::borrow::Borrow;
use std::fmt;
use std::hash::{Hash, Hasher};
use std::ops::Index;
use std::sync::Arc;

use crate::iter::{IntoIter, Iter};

/// The most entries in a chunk.
const MOST: usize = 64;

/// A chunk of fewer is joined with its neighbour, where they fit into one.
const LEAST: usize = 16;

/// Some entries, sorted; never empty.
pub(crate) type Chunk<K, V> = Vec<(K, V)>;

/// An ordered map whose clones share what they have in common.
pub struct SharedMap<K, V> {
    /// Sorted, and none of them empty.
    pub(crate) chunks: Arc<Vec<Arc<Chunk<K, V>>>>,
    len: usize,
}

impl<K, V> SharedMap<K, V> {
    /// An empty map.
    pub fn new() -> Self {
        Self { chunks: Arc::default(), len: 0 }
    }

    /// Number of entries.
    pub fn len(&self) -> usize {
        self.len
    }

    /// Whether there is no entry.
    pub fn is_empty(&self) -> bool {
        self.len == 0
    }

    /// The entries, in the order of their keys.
    pub fn iter(&self) -> Iter<'_, K, V> {
        Iter::new(&self.chunks)
    }

    /// The keys, in their order.
    pub fn keys(&self) -> impl DoubleEndedIterator<Item = &K> {
        self.iter().map(|(key, _)| key)
    }

    /// The values, in the order of their keys.
    pub fn values(&self) -> impl DoubleEndedIterator<Item = &V> {
        self.iter().map(|(_, value)| value)
    }

    /// Whether two maps are clones of which neither was changed since; then they are equal.
    pub fn is_same(&self, other: &Self) -> bool {
        Arc::ptr_eq(&self.chunks, &other.chunks)
    }
}

impl<K: Ord, V> SharedMap<K, V> {
    /// The value of a key.
    pub fn get<Q: Ord + ?Sized>(&self, key: &Q) -> Option<&V>
    where
        K: Borrow<Q>,
    {
        let (chunk, position) = self.find(key);
        let (_, value) = self.chunks.get(chunk)?.get(position.ok()?)?;
        Some(value)
    }

    /// Whether there is a key.
    pub fn contains_key<Q: Ord + ?Sized>(&self, key: &Q) -> bool
    where
        K: Borrow<Q>,
    {
        self.find(key).1.is_ok()
    }

    /// The entries from the first whose key is not less than `start`.
    pub fn range_from<'a, Q: Ord + ?Sized>(
        &'a self,
        start: &Q,
    ) -> impl Iterator<Item = (&'a K, &'a V)> + use<'a, K, V, Q>
    where
        K: Borrow<Q>,
    {
        let (chunk, position) = self.find(start);
        let position = position.unwrap_or_else(|position| position);
        self.chunks
            .iter()
            .skip(chunk)
            .flat_map(|it| it.iter())
            .skip(position)
            .map(|(key, value)| (key, value))
    }

    /// The chunk where a key is or belongs, and its position there: `Err` where it is not.
    fn find<Q: Ord + ?Sized>(&self, key: &Q) -> (usize, Result<usize, usize>)
    where
        K: Borrow<Q>,
    {
        let is_before = |chunk: &Arc<Chunk<K, V>>| chunk.last().is_some_and(|(last, _)| last.borrow() < key);
        // What comes after all goes to the end of the last chunk.
        let chunk = self.chunks.partition_point(is_before).min(self.chunks.len().saturating_sub(1));
        let entries = self.chunks.get(chunk).map(|chunk| chunk.as_slice()).unwrap_or_default();
        (chunk, entries.binary_search_by(|(it, _)| it.borrow().cmp(key)))
    }
}

impl<K: Ord + Clone, V: Clone> SharedMap<K, V> {
    /// Sets the value of a key, and gives back the one that it had.
    pub fn insert(&mut self, key: K, value: V) -> Option<V> {
        let (at, position) = self.find(&key);
        let chunks = Arc::make_mut(&mut self.chunks);
        let Some(chunk) = chunks.get_mut(at).map(Arc::make_mut) else {
            chunks.push(Arc::new(vec![(key, value)]));
            self.len = 1;
            return None;
        };
        match position {
            Ok(position) => chunk.get_mut(position).map(|(_, there)| std::mem::replace(there, value)),
            Err(position) => {
                self.len += 1;
                if chunk.len() < MOST {
                    chunk.insert(position, (key, value));
                } else {
                    let right = split(chunk, position, (key, value));
                    chunks.insert(at + 1, Arc::new(right));
                }
                None
            }
        }
    }

    /// Takes a key out, and gives back the value that it had.
    pub fn remove<Q: Ord + ?Sized>(&mut self, key: &Q) -> Option<V>
    where
        K: Borrow<Q>,
    {
        let (at, position) = self.find(key);
        let position = position.ok()?;
        let chunks = Arc::make_mut(&mut self.chunks);
        let chunk = Arc::make_mut(chunks.get_mut(at)?);
        let (_, value) = chunk.remove(position);
        let left = chunk.len();
        self.len -= 1;
        if left == 0 {
            chunks.remove(at);
        } else if left < LEAST && chunks.get(at + 1).is_some_and(|next| left + next.len() <= MOST) {
            let next = chunks.remove(at + 1);
            if let Some(chunk) = chunks.get_mut(at) {
                Arc::make_mut(chunk).extend(Arc::unwrap_or_clone(next));
            }
        }
        Some(value)
    }

    /// The value of a key, to be changed.
    pub fn get_mut<Q: Ord + ?Sized>(&mut self, key: &Q) -> Option<&mut V>
    where
        K: Borrow<Q>,
    {
        let (at, position) = self.find(key);
        let position = position.ok()?;
        let chunk = Arc::make_mut(Arc::make_mut(&mut self.chunks).get_mut(at)?);
        chunk.get_mut(position).map(|(_, value)| value)
    }

    /// The values, to be changed: all of them are copied that are shared.
    pub fn values_mut(&mut self) -> impl Iterator<Item = &mut V> {
        let chunks = Arc::make_mut(&mut self.chunks).iter_mut();
        chunks.flat_map(|chunk| Arc::make_mut(chunk).iter_mut()).map(|(_, value)| value)
    }

    /// Takes everything out.
    pub fn clear(&mut self) {
        *self = Self::new();
    }

    /// Keeps the entries of which `keep` says so.
    pub fn retain(&mut self, mut keep: impl FnMut(&K, &V) -> bool) {
        let gone: Vec<K> =
            self.iter().filter(|(key, value)| !keep(key, value)).map(|(key, _)| key.clone()).collect();
        for key in gone {
            self.remove(&key);
        }
    }
}

/// Puts an entry into a full chunk; returns what goes into the one after it. Neither takes more room than it needs.
fn split<K, V>(chunk: &mut Chunk<K, V>, position: usize, entry: (K, V)) -> Chunk<K, V> {
    // In the order of their keys they often come, so most chunks stay as full as this leaves them.
    if position == chunk.len() {
        return vec![entry];
    }
    let mut right = chunk.split_off(MOST / 2);
    chunk.shrink_to_fit();
    match position.checked_sub(chunk.len()) {
        Some(position) => right.insert(position, entry),
        None => chunk.insert(position, entry),
    }
    right
}

impl<K, V> Clone for SharedMap<K, V> {
    fn clone(&self) -> Self {
        Self { chunks: Arc::clone(&self.chunks), len: self.len }
    }
}

impl<K, V> Default for SharedMap<K, V> {
    fn default() -> Self {
        Self::new()
    }
}

/// As of the standard library's maps.
///
/// # Panics
///
/// There is no such key.
impl<K: Ord + Borrow<Q>, V, Q: Ord + ?Sized> Index<&Q> for SharedMap<K, V> {
    type Output = V;

    #[expect(clippy::expect_used, reason = "to index is to say that the key is there")]
    fn index(&self, key: &Q) -> &V {
        self.get(key).expect("the key is in the map")
    }
}

impl<K: fmt::Debug, V: fmt::Debug> fmt::Debug for SharedMap<K, V> {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        f.debug_map().entries(self.iter()).finish()
    }
}

impl<K: Ord, V: PartialEq> PartialEq for SharedMap<K, V> {
    fn eq(&self, other: &Self) -> bool {
        self.len == other.len && self.differences(other, |a, b| a == b).next().is_none()
    }
}

impl<K: Ord, V: Eq> Eq for SharedMap<K, V> {}

impl<K: Hash, V: Hash> Hash for SharedMap<K, V> {
    fn hash<H: Hasher>(&self, state: &mut H) {
        state.write_usize(self.len);
        self.iter().for_each(|entry| entry.hash(state));
    }
}

impl<K: Ord + Clone, V: Clone> Extend<(K, V)> for SharedMap<K, V> {
    fn extend<I: IntoIterator<Item = (K, V)>>(&mut self, entries: I) {
        for (key, value) in entries {
            self.insert(key, value);
        }
    }
}

impl<K: Ord + Clone, V: Clone> FromIterator<(K, V)> for SharedMap<K, V> {
    fn from_iter<I: IntoIterator<Item = (K, V)>>(entries: I) -> Self {
        let mut map = Self::new();
        map.extend(entries);
        map
    }
}

impl<'a, K, V> IntoIterator for &'a SharedMap<K, V> {
    type Item = (&'a K, &'a V);
    type IntoIter = Iter<'a, K, V>;

    fn into_iter(self) -> Self::IntoIter {
        self.iter()
    }
}

impl<K: Clone, V: Clone> IntoIterator for SharedMap<K, V> {
    type Item = (K, V);
    type IntoIter = IntoIter<K, V>;

    fn into_iter(self) -> Self::IntoIter {
        IntoIter::new(Arc::unwrap_or_clone(self.chunks))
    }
}

#[cfg(test)]
mod tests;
