//! The places of all parts of a document, in one flat table.
//!
//! A tree of maps would take several times the memory of the text, and there may be thousands of routes. Here each value
//! is one row of 16 bytes, in the order of the text and each before its parts; a row says where the rows of its parts
//! end. Keys are kept as hashes: two keys of one mapping that meet in a hash cost no more than a place that is off.

use std::hash::{DefaultHasher, Hash, Hasher};

use super::{field_path::Segment, position::Place};

/// A row of the table: one value.
#[derive(Clone, Copy, Debug)]
struct Row {
    name: Name,
    key: Packed,
    value: Packed,
    /// The row behind the last of this value's parts; while the value is open, [`OPEN`].
    end: u32,
}

/// The end of a value whose parts are not complete.
const OPEN: u32 = u32::MAX;

/// A place in four bytes: line and column, or with the highest bit set where in [`Places::wide`] it stands.
#[derive(Clone, Copy, Debug)]
struct Packed(u32);

impl Packed {
    const COLUMN_BITS: u32 = 11;
    const WIDE: u32 = 1 << 31;

    /// Absent for a place that is too far down or to the right.
    fn of(place: Place) -> Option<Self> {
        let fits = place.line < Self::WIDE >> Self::COLUMN_BITS && place.column < 1 << Self::COLUMN_BITS;
        fits.then_some(Self(place.line << Self::COLUMN_BITS | place.column))
    }
}

/// What leads from a value to one of its parts.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub(super) struct Name(u32);

impl Name {
    /// An item of a list, which its position names; and the document itself.
    pub(super) const ITEM: Self = Self(0);

    /// A value that no path leads to: a key, or what `<<` merges.
    pub(super) const HIDDEN: Self = Self(1);

    /// An entry of a mapping.
    pub(super) fn of_key(key: &str) -> Self {
        let mut hasher = DefaultHasher::new();
        key.hash(&mut hasher);
        // The upper half is as good as the lower; what the constants stand for is left out.
        Self(((hasher.finish() >> 32) as u32).max(2))
    }
}

/// A value in the table.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub(super) struct Spot(u32);

/// The places of all parts of one document.
#[derive(Clone, Debug, Default)]
pub(super) struct Places {
    rows: Vec<Row>,
    /// The places that four bytes are too few for.
    wide: Vec<Place>,
}

impl Places {
    /// Adds a value, whose parts follow until it is [left](Self::leave). `key` is the place of an entry's key.
    pub(super) fn enter(&mut self, name: Name, key: Option<Place>, value: Place) -> Spot {
        // Fewer rows than `limits` allow values and copies of them: far from `u32::MAX`.
        let spot = Spot(self.len());
        let value = self.pack(value);
        let key = key.map_or(value, |key| self.pack(key));
        self.rows.push(Row { name, key, value, end: OPEN });
        spot
    }

    fn pack(&mut self, place: Place) -> Packed {
        Packed::of(place).unwrap_or_else(|| {
            // No more of them than of rows, and of keys.
            let index = u32::try_from(self.wide.len()).unwrap_or(u32::MAX);
            self.wide.push(place);
            Packed(Packed::WIDE | index)
        })
    }

    fn unpack(&self, packed: Packed) -> Place {
        if packed.0 & Packed::WIDE == 0 {
            let column = packed.0 & ((1 << Packed::COLUMN_BITS) - 1);
            return Place { line: packed.0 >> Packed::COLUMN_BITS, column };
        }
        let index = (packed.0 & !Packed::WIDE) as usize;
        self.wide.get(index).copied().unwrap_or(Place::START)
    }

    /// Ends the parts of a value.
    pub(super) fn leave(&mut self, spot: Spot) {
        let end = self.len();
        if let Some(row) = self.rows.get_mut(spot.0 as usize) {
            row.end = end;
        }
    }

    /// Gives back the room for rows that do not come any more.
    pub(super) fn complete(mut self) -> Self {
        self.rows.shrink_to_fit();
        self.wide.shrink_to_fit();
        self
    }

    /// Adds the parts of `original` once more, as parts of the value that is open.
    pub(super) fn copy_parts(&mut self, original: Spot) {
        let parts = self.parts(original);
        self.copy(parts);
    }

    /// Adds a value with its parts once more, as a part of the value that is open.
    pub(super) fn copy_whole(&mut self, original: Spot) {
        self.copy(original.0..self.end(original));
    }

    fn copy(&mut self, rows: std::ops::Range<u32>) {
        let shift = self.len() - rows.start;
        for at in rows {
            if let Some(mut row) = self.rows.get(at as usize).copied() {
                row.end = row.end.saturating_add(shift);
                self.rows.push(row);
            }
        }
    }

    /// How many rows a value and its parts take.
    pub(super) fn size(&self, spot: Spot) -> usize {
        (self.end(spot) - spot.0) as usize
    }

    /// The part that a segment leads to.
    pub(super) fn part(&self, spot: Spot, segment: &Segment) -> Option<Spot> {
        match segment {
            Segment::Index(index) => self.items(spot).nth(*index),
            Segment::Key(key) => {
                let name = Name::of_key(key);
                self.children(spot).find(|child| self.name(*child) == name)
            }
        }
    }

    /// The items of a list, in their order.
    pub(super) fn items(&self, spot: Spot) -> impl Iterator<Item = Spot> {
        self.children(spot).filter(|child| self.name(*child) == Name::ITEM)
    }

    /// The entries of a mapping, in their order.
    pub(super) fn entries(&self, spot: Spot) -> impl Iterator<Item = Spot> {
        self.children(spot).filter(|child| !matches!(self.name(*child), Name::ITEM | Name::HIDDEN))
    }

    fn children(&self, spot: Spot) -> impl Iterator<Item = Spot> {
        let std::ops::Range { start, end } = self.parts(spot);
        let mut next = start;
        std::iter::from_fn(move || {
            let child = (next < end).then_some(Spot(next))?;
            next = self.end(child);
            Some(child)
        })
    }

    /// Where the key of an entry is, and of other values the value.
    pub(super) fn key(&self, spot: Spot) -> Place {
        self.row(spot).map_or(Place::START, |row| self.unpack(row.key))
    }

    /// Where the value is.
    pub(super) fn value(&self, spot: Spot) -> Place {
        self.row(spot).map_or(Place::START, |row| self.unpack(row.value))
    }

    fn name(&self, spot: Spot) -> Name {
        self.row(spot).map_or(Name::HIDDEN, |row| row.name)
    }

    /// The rows of a value's parts.
    fn parts(&self, spot: Spot) -> std::ops::Range<u32> {
        spot.0 + 1..self.end(spot)
    }

    fn end(&self, spot: Spot) -> u32 {
        self.row(spot).map_or(spot.0 + 1, |row| row.end).min(self.len())
    }

    fn row(&self, spot: Spot) -> Option<&Row> {
        self.rows.get(spot.0 as usize)
    }

    fn len(&self) -> u32 {
        u32::try_from(self.rows.len()).unwrap_or(u32::MAX)
    }
}

#[cfg(test)]
mod tests {
    use super::*;

    fn at(line: u32) -> Place {
        Place { line, column: 1 }
    }

    /// Adds a value without parts.
    fn leaf(places: &mut Places, name: Name, key: Option<Place>, value: Place) {
        let spot = places.enter(name, key, value);
        places.leave(spot);
    }

    #[test]
    fn rows_are_small() {
        assert_eq!(size_of::<Row>(), 16);
    }

    #[test]
    fn a_place_is_what_it_was_however_far_away() {
        let mut places = Places::default();
        let far = [1, 2, 2047, 2048, (1 << 20) - 1, 1 << 20, u32::MAX];
        let all = || far.iter().flat_map(|&line| far.map(|column| Place { line, column }));
        let spots: Vec<_> =
            all().map(|place| places.enter(Name::of_key("a"), Some(place), Place::START)).collect();
        let places = places.complete();
        for (spot, place) in spots.into_iter().zip(all()) {
            assert_eq!((places.key(spot), places.value(spot)), (place, Place::START));
        }
        assert_eq!(places.wide.len(), 7 * 7 - 5 * 3, "lines below 2^20 with columns below 2^11 are packed");
    }

    #[test]
    fn parts_are_found_also_in_copies() {
        let mut places = Places::default();
        let root = places.enter(Name::ITEM, None, at(1));
        let list = places.enter(Name::of_key("list"), Some(at(2)), at(3));
        leaf(&mut places, Name::ITEM, None, at(4));
        let item = places.enter(Name::ITEM, None, at(5));
        leaf(&mut places, Name::of_key("a"), Some(at(6)), at(7));
        places.leave(item);
        places.leave(list);
        leaf(&mut places, Name::HIDDEN, None, at(8));
        let alias = places.enter(Name::of_key("alias"), Some(at(9)), at(10));
        places.copy_parts(list);
        places.leave(alias);
        places.copy_whole(item);
        places.leave(root);

        let find = |path: &str| {
            let path: crate::manifest::FieldPath = path.parse().unwrap();
            let spot = path.segments().iter().try_fold(root, |spot, segment| places.part(spot, segment))?;
            Some((places.key(spot).line, places.value(spot).line))
        };
        assert_eq!(find("list"), Some((2, 3)));
        assert_eq!(find("list[1].a"), Some((6, 7)));
        assert_eq!(find("alias"), Some((9, 10)));
        assert_eq!(find("alias[0]"), Some((4, 4)));
        assert_eq!(find("alias[1].a"), Some((6, 7)));
        assert_eq!(find("[0].a"), Some((6, 7)));
        assert_eq!(find("list[2]"), None);
        assert_eq!(find("list[0].a"), None);
        assert_eq!(places.entries(root).count(), 2);
        assert_eq!(places.size(list), 4);
    }
}
