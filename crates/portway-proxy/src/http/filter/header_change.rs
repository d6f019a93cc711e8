//! A change of one header, as it was found out at request time.

use http::{HeaderMap, HeaderName, HeaderValue};

/// A change of one header.
#[derive(Clone, Debug)]
pub(in crate::http) struct HeaderChange {
    pub(in crate::http) name: HeaderName,
    pub(in crate::http) value: HeaderValue,
    pub(in crate::http) mode: Mode,
}

/// What becomes of values that are there.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub(in crate::http) enum Mode {
    /// They go.
    Set,
    /// They go; where there are none, none is added.
    Replace,
    /// They stay, and the value is added.
    Append,
    /// They stay; where there are none, the value is added.
    AddIfAbsent,
}

impl HeaderChange {
    pub(in crate::http) fn apply(&self, headers: &mut HeaderMap) {
        match self.mode {
            Mode::Set => drop(headers.insert(self.name.clone(), self.value.clone())),
            Mode::Replace if headers.contains_key(&self.name) => {
                headers.insert(self.name.clone(), self.value.clone());
            }
            Mode::Append => drop(headers.append(self.name.clone(), self.value.clone())),
            Mode::AddIfAbsent if !headers.contains_key(&self.name) => {
                headers.insert(self.name.clone(), self.value.clone());
            }
            Mode::Replace | Mode::AddIfAbsent => {}
        }
    }
}
