//! What is seen from outside: access log, metrics.

pub mod record;

pub use record::{L4Record, RequestRecord};

/// Takes the record of every request and connection when it ends. One for each worker; cheap.
#[derive(Debug, Default)]
pub struct Recorder {}

impl Recorder {
    /// Logs and counts a request that is complete.
    pub fn request(&self, _record: &RequestRecord<'_>) {}

    /// Logs and counts a connection or UDP session that has ended.
    pub fn connection(&self, _record: &L4Record) {}
}
