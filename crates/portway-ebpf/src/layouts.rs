//! Layouts of what is kept, by version: what a former version has left is carried over field by field. Pure.
//!
//! What describes a layout is a file for each version in `layouts/`. When a structure changes after a release, [`VERSION`] is raised,
//! the file of the former version joins [`FORMER`], and that of the new one is written by the test below. A field that is new is zero
//! in what is carried over, so zero has to mean that nothing is known.

use std::ops::Range;

use crate::layout::{self, STRUCTURES};

/// The number of this layout.
pub const VERSION: u32 = 1;

/// Layouts of versions before, which this one can carry over.
const FORMER: &[(u32, &str)] = &[];

/// A layout: its structures with their fields, as they are described in `layouts/`.
#[derive(Clone, Debug, PartialEq, Eq)]
pub struct Layout {
    version: u32,
    structures: Vec<Described>,
}

#[derive(Clone, Debug, PartialEq, Eq)]
struct Described {
    name: String,
    size: usize,
    fields: Vec<(String, Range<usize>)>,
}

impl Layout {
    /// Of this version.
    pub fn current() -> Self {
        let field =
            |(name, offset, size): &(&str, usize, usize)| ((*name).to_owned(), *offset..offset + size);
        let described = |it: &layout::Structure| Described {
            name: it.name.to_owned(),
            size: it.size,
            fields: it.fields.iter().map(field).collect(),
        };
        Self { version: VERSION, structures: STRUCTURES.iter().map(described).collect() }
    }

    /// Of all versions before that are known.
    pub fn former() -> Vec<Self> {
        FORMER.iter().filter_map(|(version, text)| Self::parse(*version, text)).collect()
    }

    /// Reads a description. None: it is none.
    pub fn parse(version: u32, text: &str) -> Option<Self> {
        let mut structures: Vec<Described> = Vec::new();
        for line in text.lines() {
            let words: Vec<_> = line.split_whitespace().collect();
            match words[..] {
                [name, size] => {
                    let (name, size) = (name.to_owned(), size.parse().ok()?);
                    structures.push(Described { name, size, fields: Vec::new() });
                }
                [name, offset, size] => {
                    let structure = structures.last_mut()?;
                    let (offset, size): (usize, usize) = (offset.parse().ok()?, size.parse().ok()?);
                    let end = offset.checked_add(size).filter(|it| *it <= structure.size)?;
                    structure.fields.push((name.to_owned(), offset..end));
                }
                _ => return None,
            }
        }
        Some(Self { version, structures })
    }

    /// What [`parse`](Self::parse) reads: a line for each structure with its size, and one for each field with offset and size.
    pub fn describe(&self) -> String {
        let mut text = String::new();
        for Described { name, size, fields } in &self.structures {
            text += &format!("{name} {size}\n");
            for (name, place) in fields {
                text += &format!("  {name} {} {}\n", place.start, place.len());
            }
        }
        text
    }

    /// Its number.
    pub fn version(&self) -> u32 {
        self.version
    }

    /// The folder that a version with this layout keeps its maps in. Its name tells the layout twice: of a version that is not
    /// released yet, the number alone does not.
    pub fn folder(&self) -> String {
        let fields = |it: &Described| -> Vec<_> {
            it.fields.iter().map(|(name, place)| (name.clone(), place.start, place.len())).collect()
        };
        let structures: Vec<_> =
            self.structures.iter().map(|it| (it.name.as_str(), it.size, fields(it))).collect();
        let fingerprint = layout::fingerprint_by(structures.iter().map(|(name, size, fields)| {
            (*name, *size, fields.iter().map(|(name, offset, size)| (name.as_str(), *offset, *size)))
        }));
        format!("v{}-{fingerprint:016x}", self.version)
    }

    fn structure(&self, name: &str) -> Option<&Described> {
        self.structures.iter().find(|it| it.name == name)
    }
}

/// Makes a structure of one layout out of the same of another.
#[derive(Clone, Debug, PartialEq, Eq)]
pub(crate) struct Conversion {
    pub(crate) former_size: usize,
    size: usize,
    /// Where each field was, and where it is now.
    moves: Vec<(Range<usize>, Range<usize>)>,
}

impl Conversion {
    /// Of what has no fields, and so is what it was.
    pub(crate) fn of_number(size: usize) -> Self {
        Self { former_size: size, size, moves: vec![(0..size, 0..size)] }
    }

    /// None: one of the two does not have the structure, or a field has another size now.
    pub(crate) fn between(former: &Layout, now: &Layout, structure: &str) -> Option<Self> {
        let (before, now) = (former.structure(structure)?, now.structure(structure)?);
        let mut moves = Vec::new();
        for (name, to) in &now.fields {
            if let Some((_, from)) = before.fields.iter().find(|it| it.0 == *name) {
                if from.len() != to.len() {
                    return None;
                }
                moves.push((from.clone(), to.clone()));
            }
        }
        Some(Self { former_size: before.size, size: now.size, moves })
    }

    /// None: there are not as many bytes as the former structure has.
    pub(crate) fn convert(&self, former: &[u8]) -> Option<Vec<u8>> {
        let mut now = vec![0; self.size];
        for (from, to) in &self.moves {
            now.get_mut(to.clone())?.copy_from_slice(former.get(from.clone())?);
        }
        Some(now)
    }
}

#[cfg(test)]
mod tests {
    use proptest::prelude::*;

    use super::*;

    /// To write it anew: `PORTWAY_WRITE_LAYOUT=1 cargo test -p portway-ebpf --lib layouts`.
    #[test]
    fn the_layout_is_that_of_its_version() {
        let current = Layout::current();
        let path = format!("{}/layouts/{VERSION}.txt", env!("CARGO_MANIFEST_DIR"));
        if std::env::var_os("PORTWAY_WRITE_LAYOUT").is_some() {
            std::fs::write(&path, current.describe()).unwrap();
        }
        let text = std::fs::read_to_string(&path).unwrap_or_default();
        assert_eq!(
            text,
            current.describe(),
            "the layout has changed: if version {VERSION} was released, raise VERSION and name it in FORMER; then write {path} anew"
        );
        assert_eq!(Layout::parse(VERSION, &text), Some(current.clone()));
        assert_eq!(current.folder(), format!("v{VERSION}-{:016x}", layout::fingerprint()));
    }

    #[test]
    fn former_layouts_are_of_former_versions() {
        assert_eq!(Layout::former().len(), FORMER.len(), "each can be read");
        assert!(Layout::former().iter().all(|it| it.version < VERSION));
        for wrong in ["flow", "flow x", "  other 0 8", "flow 4\n  other 0 8", "flow 8\n  other 0 8 9"] {
            assert_eq!(Layout::parse(1, wrong), None, "{wrong}");
        }
    }

    #[test]
    fn fields_go_to_where_they_are_now() {
        let layout = |text| Layout::parse(1, text).unwrap();
        let former = layout("it 8\n  a 0 2\n  gone 2 2\n  b 4 4\n");
        let now = layout("it 12\n  b 0 4\n  a 4 2\n  pad 6 2\n  new 8 4\n");
        let conversion = Conversion::between(&former, &now, "it").unwrap();
        assert_eq!(
            conversion.convert(&[1, 2, 3, 4, 5, 6, 7, 8]),
            Some(vec![5, 6, 7, 8, 1, 2, 0, 0, 0, 0, 0, 0])
        );
        assert_eq!(conversion.convert(&[1, 2, 3, 4, 5, 6, 7]), None, "cut short");
        let wider = layout("it 8\n  a 0 8\n");
        assert_eq!(Conversion::between(&former, &wider, "it"), None, "a field of another size");
        assert_eq!(Conversion::between(&former, &now, "other"), None);
    }

    proptest! {
        #[test]
        fn what_is_described_is_read_and_what_is_carried_over_is_where_its_field_is(
            sizes in prop::collection::vec(1_usize..20, 1..8),
            order in any::<prop::sample::Index>(),
            bytes in prop::collection::vec(any::<u8>(), 160),
        ) {
            let describe = |fields: &mut dyn Iterator<Item = (usize, usize)>| {
                let (mut text, mut end) = (String::new(), 0);
                for (number, size) in fields {
                    text += &format!("  f{number} {end} {size}\n");
                    end += size;
                }
                Layout::parse(1, &format!("it {end}\n{text}")).unwrap()
            };
            let all: Vec<_> = sizes.into_iter().enumerate().collect();
            let former = describe(&mut all.iter().copied());
            // The fields in another order, with the first of them gone.
            let mut moved = all.clone();
            moved.rotate_left(order.index(all.len()));
            let now = describe(&mut moved.iter().skip(1).copied());
            prop_assert_eq!(Layout::parse(1, &former.describe()), Some(former.clone()));
            let carried = Conversion::between(&former, &now, "it").unwrap().convert(&bytes).unwrap();
            for (name, place) in &now.structure("it").unwrap().fields {
                let (_, before) =
                    former.structure("it").unwrap().fields.iter().find(|it| it.0 == *name).unwrap();
                prop_assert_eq!(&carried[place.clone()], &bytes[before.clone()]);
            }
        }

        #[test]
        fn no_description_is_too_odd_to_be_refused(text in "([a-z]{0,3} ?[0-9]{0,20} ?[0-9]{0,20}\n){0,5}") {
            if let Some(layout) = Layout::parse(1, &text) {
                prop_assert_eq!(Layout::parse(1, &layout.describe()), Some(layout.clone()));
            }
        }
    }
}
