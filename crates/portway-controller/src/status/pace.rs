//! How often the status of one object is written.
//!
//! The status of a Gateway counts its routes, so that each route that comes changes it. Of a thousand that come together, nobody
//! reads each count: the first is written at once, and then the newest, once in an interval.

use std::collections::BTreeMap;

use portway_api::object::ObjectRef;
use tokio::time::Instant;

use crate::limits::STATUS_INTERVAL;

/// When each object was written last.
#[derive(Debug, Default)]
pub(super) struct Pace {
    written: BTreeMap<ObjectRef, Instant>,
}

impl Pace {
    /// Forgets what holds up nothing any more.
    pub(super) fn begin(&mut self, now: Instant) {
        self.written.retain(|_, at| now < *at + STATUS_INTERVAL);
    }

    /// Whether an object may be written now; it counts as written then. Else, when it may be.
    pub(super) fn take(&mut self, object: &ObjectRef, now: Instant) -> Result<(), Instant> {
        match self.written.get(object).map(|at| *at + STATUS_INTERVAL).filter(|next| now < *next) {
            Some(next) => Err(next),
            None => {
                self.written.insert(object.clone(), now);
                Ok(())
            }
        }
    }
}
