//! What an authorization server changes of a request that may pass, and of its response.

use http::{HeaderName, header};

use crate::http::draft::Draft;
use crate::http::exchange::Exchange;
use crate::http::fields::HOP;
use crate::http::filter::header_change::HeaderChange;

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
