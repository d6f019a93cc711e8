//! Numbered values of which two states share what they have in common.

use std::sync::Arc;

/// How many slots are shared as one.
const PAGE: usize = 32;

type Page<T> = [Option<T>; PAGE];

/// Values by number. A number stays with its value until that is taken out, whatever happens to others; it is given again then.
/// A clone copies a pointer for each [`PAGE`] values, a change one page.
#[derive(Debug)]
pub struct SharedSlots<T> {
    pages: Vec<Arc<Page<T>>>,
    /// Numbers below the end that have no value.
    free: Vec<u32>,
    /// One more than the greatest number that was given.
    end: u32,
}

impl<T> SharedSlots<T> {
    /// No value.
    pub fn new() -> Self {
        Self { pages: Vec::new(), free: Vec::new(), end: 0 }
    }

    /// Number of values.
    pub fn len(&self) -> usize {
        self.end as usize - self.free.len()
    }

    /// Whether there is no value.
    pub fn is_empty(&self) -> bool {
        self.len() == 0
    }

    /// The value of a number.
    #[inline]
    pub fn get(&self, number: usize) -> Option<&T> {
        self.pages.get(number / PAGE)?.get(number % PAGE)?.as_ref()
    }

    /// All values with their numbers, in the order of these.
    pub fn iter(&self) -> impl Iterator<Item = (u32, &T)> {
        let slots = self.pages.iter().flat_map(|page| page.iter());
        (0..).zip(slots).filter_map(|(number, value)| Some((number, value.as_ref()?)))
    }

    /// The numbers whose values are others in `after`, or are in one alone. Pages that the two share are passed over.
    pub fn differences(&self, after: &Self, mut is_same: impl FnMut(&T, &T) -> bool) -> Vec<u32> {
        let mut different = Vec::new();
        let pages = self.pages.len().max(after.pages.len());
        for page in 0..pages {
            let (old, new) = (self.pages.get(page), after.pages.get(page));
            if old.zip(new).is_some_and(|(old, new)| Arc::ptr_eq(old, new)) {
                continue;
            }
            for number in page * PAGE..(page + 1) * PAGE {
                let is_same = match (self.get(number), after.get(number)) {
                    (Some(old), Some(new)) => is_same(old, new),
                    (None, None) => true,
                    _ => false,
                };
                if !is_same {
                    // Numbers are given as `u32`, so it is one.
                    different.extend(u32::try_from(number));
                }
            }
        }
        different
    }
}

impl<T: Clone> SharedSlots<T> {
    /// Adds a value, and returns its number: the least that is free.
    ///
    /// # Panics
    ///
    /// When there are 2^32 values, which no memory holds.
    pub fn insert(&mut self, value: T) -> u32 {
        let number = self.next_number();
        self.free.pop();
        self.end = self.end.max(number + 1);
        self.put(number, Some(value));
        number
    }

    /// Sets the value of a number that something else has given; `None` takes it out.
    pub fn set(&mut self, number: u32, value: Option<T>) {
        if value.is_none() {
            self.remove(number);
            return;
        }
        while self.end <= number {
            self.release(self.end);
            self.end += 1;
        }
        self.free.retain(|it| *it != number);
        self.put(number, value);
    }

    /// The number that the next value will have.
    pub fn next_number(&self) -> u32 {
        self.free.last().copied().unwrap_or(self.end)
    }

    /// Takes a value out.
    pub fn remove(&mut self, number: u32) -> Option<T> {
        let page = self.pages.get_mut(number as usize / PAGE)?;
        page.get(number as usize % PAGE)?.as_ref()?;
        let value = Arc::make_mut(page).get_mut(number as usize % PAGE)?.take();
        self.release(number);
        value
    }

    /// The least number shall be taken next: it is the last of `free`.
    fn release(&mut self, number: u32) {
        let at = self.free.partition_point(|it| *it > number);
        self.free.insert(at, number);
    }

    fn put(&mut self, number: u32, value: Option<T>) {
        let (page, position) = (number as usize / PAGE, number as usize % PAGE);
        while self.pages.len() <= page {
            self.pages.push(Arc::new(std::array::from_fn(|_| None)));
        }
        let page = self.pages.get_mut(page).map(Arc::make_mut);
        if let Some(slot) = page.and_then(|page| page.get_mut(position)) {
            *slot = value;
        }
    }
}

impl<T> Default for SharedSlots<T> {
    fn default() -> Self {
        Self::new()
    }
}

impl<T> Clone for SharedSlots<T> {
    fn clone(&self) -> Self {
        Self { pages: self.pages.clone(), free: self.free.clone(), end: self.end }
    }
}

#[cfg(test)]
mod tests {
    use std::collections::BTreeMap;

    use proptest::prelude::*;

    use super::*;

    proptest! {
        #[test]
        fn numbers_stay_with_their_values(edits in prop::collection::vec((any::<bool>(), 0..120_u32), 0..400)) {
            let (mut slots, mut model) = (SharedSlots::new(), BTreeMap::new());
            for (index, (is_new, number)) in edits.into_iter().enumerate() {
                let before = slots.clone();
                let number = if is_new {
                    let number = slots.insert(index);
                    prop_assert_eq!(model.insert(number, index), None);
                    prop_assert!((0..number).all(|lower| model.contains_key(&lower)));
                    Some(number)
                } else {
                    let removed = slots.remove(number);
                    prop_assert_eq!(removed, model.remove(&number));
                    removed.map(|_| number)
                };
                let changed = before.differences(&slots, |a, b| a == b);
                prop_assert_eq!(changed, number.into_iter().collect::<Vec<_>>());
            }
            prop_assert!(slots.iter().eq(model.iter().map(|(number, value)| (*number, value))));
            prop_assert_eq!(slots.len(), model.len());
            let mut copy = SharedSlots::new();
            for (number, value) in slots.iter().collect::<Vec<_>>().into_iter().rev() {
                copy.set(number, Some(*value));
            }
            prop_assert!(copy.iter().eq(slots.iter()));
            prop_assert_eq!(copy.len(), slots.len());
        }
    }
}
