//! What two maps differ in.

use std::cmp::Ordering;
use std::sync::Arc;

use crate::SharedMap;
use crate::map::Chunk;

/// An entry that is not the same in two maps.
#[derive(Debug)]
pub struct Difference<'a, K, V> {
    /// The key.
    pub key: &'a K,
    /// The value before; none where the key is new.
    pub before: Option<&'a V>,
    /// The value after; none where the key is gone.
    pub after: Option<&'a V>,
}

impl<K: Ord, V> SharedMap<K, V> {
    /// What is different in `after`, in the order of keys; `is_same` says whether two values are to be taken for one.
    /// Chunks that the two maps share are passed over unseen.
    pub fn differences<'a>(
        &'a self,
        after: &'a Self,
        mut is_same: impl FnMut(&V, &V) -> bool,
    ) -> impl Iterator<Item = Difference<'a, K, V>> {
        let (mut old, mut new) = (Cursor::new(self), Cursor::new(after));
        if self.is_same(after) {
            (old.chunks, new.chunks) = (&[], &[]);
        }
        std::iter::from_fn(move || {
            loop {
                Cursor::skip_shared(&mut old, &mut new);
                let order = match (old.entry(), new.entry()) {
                    (None, None) => return None,
                    (Some(_), None) => Ordering::Less,
                    (None, Some(_)) => Ordering::Greater,
                    (Some((old, _)), Some((new, _))) => old.cmp(new),
                };
                let before = if order.is_le() { old.take() } else { None };
                let after = if order.is_ge() { new.take() } else { None };
                let is_same =
                    before.zip(after).is_some_and(|((_, before), (_, after))| is_same(before, after));
                if let Some((key, _)) = before.or(after).filter(|_| !is_same) {
                    let value = |entry: Option<&'a (K, V)>| entry.map(|(_, value)| value);
                    return Some(Difference { key, before: value(before), after: value(after) });
                }
            }
        })
    }
}

impl<K: Ord, T: ?Sized> SharedMap<K, Arc<T>> {
    /// What is another object in `after`, whether it is equal or not.
    pub fn replaced<'a>(&'a self, after: &'a Self) -> impl Iterator<Item = Difference<'a, K, Arc<T>>> {
        self.differences(after, Arc::ptr_eq)
    }
}

/// A place in a map.
struct Cursor<'a, K, V> {
    /// The chunk that it is in, and all after it.
    chunks: &'a [Arc<Chunk<K, V>>],
    /// Position in that chunk, which is beyond no chunk's end.
    position: usize,
}

impl<'a, K, V> Cursor<'a, K, V> {
    fn new(map: &'a SharedMap<K, V>) -> Self {
        Self { chunks: &map.chunks, position: 0 }
    }

    fn entry(&self) -> Option<&'a (K, V)> {
        self.chunks.first()?.get(self.position)
    }

    fn take(&mut self) -> Option<&'a (K, V)> {
        let (chunk, others) = self.chunks.split_first()?;
        let entry = chunk.get(self.position);
        self.position += 1;
        if self.position >= chunk.len() {
            (self.chunks, self.position) = (others, 0);
        }
        entry
    }

    /// Passes over chunks that both have. Where neither map was changed, their chunks begin at the same keys.
    fn skip_shared(one: &mut Self, other: &mut Self) {
        while one.position == 0
            && other.position == 0
            && let (Some((a, after_a)), Some((b, after_b))) =
                (one.chunks.split_first(), other.chunks.split_first())
            && Arc::ptr_eq(a, b)
        {
            (one.chunks, other.chunks) = (after_a, after_b);
        }
    }
}
