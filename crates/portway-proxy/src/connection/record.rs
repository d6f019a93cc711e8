//! The record of a connection or UDP session, written when it ends, in whichever way it does.

use std::net::SocketAddr;
use std::rc::Rc;
use std::time::Instant;

use portway_config::{BackendKey, ListenerKey, RouteKey};

use super::relay::Counts;
use crate::observe::L4Record;
use crate::reason::Reason;
use crate::worker::Worker;

/// A record that is being filled. Dropped without [`Recording::end`], it tells of a connection that was
/// cut while draining: nothing else drops it.
pub(super) struct Recording {
    worker: Rc<Worker>,
    began: Instant,
    counts: Rc<Counts>,
    record: L4Record,
    discarded: bool,
}

impl Recording {
    pub(super) fn new(worker: Rc<Worker>, began: Instant, record: L4Record) -> Self {
        let record = L4Record { reason: Some(Reason::Draining), ..record };
        Self { worker, began, counts: Rc::default(), record, discarded: false }
    }

    pub(super) fn listener(&mut self, key: &ListenerKey) {
        self.record.listener = Some(key.clone());
    }

    pub(super) fn server_name(&mut self, name: &str) {
        self.record.server_name = Some(name.into());
    }

    pub(super) fn route(&mut self, key: &RouteKey) {
        self.record.route = Some(key.clone());
    }

    pub(super) fn backend(&mut self, key: &BackendKey) {
        self.record.backend = Some(key.clone());
    }

    pub(super) fn endpoint(&mut self, endpoint: Option<SocketAddr>) {
        self.record.endpoint = endpoint;
    }

    /// Where the bytes are counted.
    pub(super) fn counts(&self) -> Rc<Counts> {
        Rc::clone(&self.counts)
    }

    /// Ends and writes it. `reason`: why it was refused or ended early.
    pub(super) fn end(mut self, reason: Option<Reason>) {
        self.record.reason = reason;
    }

    /// Leaves it unwritten: what becomes of the connection is recorded elsewhere.
    pub(super) fn discard(mut self) {
        self.discarded = true;
    }
}

impl Drop for Recording {
    fn drop(&mut self) {
        if self.discarded {
            return;
        }
        self.record.total = self.began.elapsed();
        self.record.received_bytes = self.counts.received.get();
        self.record.sent_bytes = self.counts.sent.get();
        self.worker.recorder.connection(&self.record);
    }
}
