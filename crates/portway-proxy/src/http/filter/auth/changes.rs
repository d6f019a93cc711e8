//! What an authorization server changes of a request that may pass, and of its response.

use http::{HeaderMap, HeaderName, HeaderValue, header};

use crate::http::draft::Draft;
use crate::http::exchange::Exchange;
use crate::http::fields::HOP;

/// What an authorization server changes.
#[derive(Debug, Default)]
pub(super) struct Changes {
    /// Of the request's headers, in their order; then some are removed.
    pub(super) request: Vec<HeaderChange>,
    pub(super) remove: Vec<HeaderName>,
    /// Of the response's headers.
    pub(super) response: Vec<HeaderChange>,
    /// Query parameters that get another value, and those that go.
    pub(super) set_query: Vec<(String, String)>,
    pub(super) remove_query: Vec<String>,
}

/// A change of one header.
#[derive(Clone, Debug)]
pub(in crate::http) struct HeaderChange {
    pub(super) name: HeaderName,
    pub(super) value: HeaderValue,
    pub(super) mode: Mode,
}

/// What becomes of values that are there.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub(super) enum Mode {
    /// They go.
    Set,
    /// They go; where there are none, none is added.
    Replace,
    /// They stay, and the value is added.
    Append,
    /// They stay; where there are none, the value is added.
    AddIfAbsent,
}

impl Changes {
    /// Changes the request, and notes what is to be changed of the response.
    pub(super) fn apply(self, exchange: &Exchange, draft: &mut Draft) {
        self.request.iter().for_each(|change| change.apply(&mut draft.headers));
        for name in &self.remove {
            draft.headers.remove(name);
        }
        if !(self.set_query.is_empty() && self.remove_query.is_empty()) {
            draft.target.change_query(&self.set_query, &self.remove_query);
        }
        exchange.response_changes.borrow_mut().extend(self.response);
    }
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

/// Whether a server may change a header by its name: not what frames messages, manages the connection, or
/// decides where the request goes.
pub(super) fn may_be_changed(name: &HeaderName) -> bool {
    const NEVER: [HeaderName; 7] = [
        header::HOST,
        header::CONNECTION,
        header::CONTENT_LENGTH,
        header::EXPECT,
        header::TE,
        header::TRAILER,
        header::UPGRADE,
    ];
    !NEVER.contains(name) && !HOP.contains(name)
}
