//! What lines of the access log have in common: what was written for one request is copied for the next that the same
//! part of the configuration serves.

use super::record::ServedBy;

/// How many texts are remembered at most; each takes some 250 bytes.
const SLOTS: usize = 64;

/// The texts that a worker has written of late.
#[derive(Debug, Default)]
pub(super) struct Remembered {
    slots: Vec<Slot>,
}

/// One of the texts. The next that comes to the same slot takes its place, and its memory.
#[derive(Clone, Debug, Default)]
struct Slot {
    of: Option<ServedBy>,
    text: Vec<u8>,
}

impl Remembered {
    /// Appends the text of `of`, which `write` writes unless it is remembered.
    pub(super) fn write(
        &mut self,
        into: &mut Vec<u8>,
        of: Option<ServedBy>,
        write: impl FnOnce(&mut Vec<u8>),
    ) {
        let Some(served_by) = of else { return write(into) };
        if self.slots.is_empty() {
            self.slots.resize(SLOTS, Slot::default());
        }
        let Some(slot) = self.slots.get_mut(place(&served_by)) else { return write(into) };
        if slot.of != of {
            slot.of = of;
            slot.text.clear();
            write(&mut slot.text);
        }
        into.extend_from_slice(&slot.text);
    }
}

/// Rules are numbered in their order, so that those which are asked for together fall apart by themselves.
fn place(served_by: &ServedBy) -> usize {
    let rule = served_by.rule.map_or(0, |rule| rule.0 as usize);
    (rule + 7 * served_by.backend.unwrap_or(0) + 31 * served_by.gateway) % SLOTS
}

#[cfg(test)]
mod tests {
    use portway_route::{ListenerId, RuleId};

    use super::*;

    fn served_by(generation: u64, rule: u32) -> ServedBy {
        let (listener, rule) = (Some(ListenerId(0)), Some(RuleId(rule)));
        ServedBy { generation, gateway: 0, listener, rule, backend: Some(0) }
    }

    #[test]
    fn a_text_is_written_once_for_each_part_of_a_configuration() {
        let mut remembered = Remembered::default();
        let mut written = 0;
        let mut text_of = |of: Option<ServedBy>| {
            let mut into = b"{".to_vec();
            remembered.write(&mut into, of, |into| {
                written += 1;
                into.extend_from_slice(format!("{of:?}").as_bytes());
            });
            assert_eq!(String::from_utf8(into).unwrap(), format!("{{{of:?}"));
            written
        };
        let slots = u32::try_from(SLOTS).unwrap();
        assert_eq!(text_of(Some(served_by(1, 0))), 1);
        assert_eq!(text_of(Some(served_by(1, 1))), 2);
        assert_eq!(text_of(Some(served_by(1, 0))), 2);
        assert_eq!(text_of(Some(ServedBy { listener: None, ..served_by(1, 0) })), 3, "another listener");
        assert_eq!(text_of(Some(served_by(1, slots))), 4, "the same slot");
        assert_eq!(text_of(Some(served_by(1, 0))), 5, "it was forgotten");
        assert_eq!(text_of(Some(served_by(2, 0))), 6, "another configuration");
        assert_eq!(text_of(Some(ServedBy { backend: None, ..served_by(2, 0) })), 7, "not forwarded");
        assert_eq!(text_of(None), 8);
        assert_eq!(text_of(None), 9, "what the configuration does not have is not remembered");
    }
}
