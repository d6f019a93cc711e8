//! Iterators.

use std::iter::FlatMap;
use std::sync::Arc;
use std::{slice, vec};

use crate::map::Chunk;

type Borrowed<'a, K, V> = FlatMap<
    slice::Iter<'a, Arc<Chunk<K, V>>>,
    slice::Iter<'a, (K, V)>,
    fn(&'a Arc<Chunk<K, V>>) -> slice::Iter<'a, (K, V)>,
>;

/// The entries of a map, in the order of their keys.
pub struct Iter<'a, K, V>(Borrowed<'a, K, V>);

impl<'a, K, V> Iter<'a, K, V> {
    pub(crate) fn new(chunks: &'a [Arc<Chunk<K, V>>]) -> Self {
        Self(chunks.iter().flat_map(|chunk| chunk.iter()))
    }
}

impl<'a, K, V> Iterator for Iter<'a, K, V> {
    type Item = (&'a K, &'a V);

    fn next(&mut self) -> Option<Self::Item> {
        self.0.next().map(|(key, value)| (key, value))
    }

    fn size_hint(&self) -> (usize, Option<usize>) {
        self.0.size_hint()
    }
}

impl<K, V> DoubleEndedIterator for Iter<'_, K, V> {
    fn next_back(&mut self) -> Option<Self::Item> {
        self.0.next_back().map(|(key, value)| (key, value))
    }
}

type Owned<K, V> = FlatMap<
    vec::IntoIter<Arc<Chunk<K, V>>>,
    vec::IntoIter<(K, V)>,
    fn(Arc<Chunk<K, V>>) -> vec::IntoIter<(K, V)>,
>;

/// The entries of a map that nobody needs any more, in the order of their keys.
pub struct IntoIter<K, V>(Owned<K, V>);

impl<K: Clone, V: Clone> IntoIter<K, V> {
    pub(crate) fn new(chunks: Vec<Arc<Chunk<K, V>>>) -> Self {
        Self(chunks.into_iter().flat_map(|chunk| Arc::unwrap_or_clone(chunk).into_iter()))
    }
}

impl<K, V> Iterator for IntoIter<K, V> {
    type Item = (K, V);

    fn next(&mut self) -> Option<Self::Item> {
        self.0.next()
    }
}
