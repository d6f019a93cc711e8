//! What a worker thread has at hand for every connection and request.

mod thread;

use std::sync::Arc;

use arc_swap::ArcSwap;

use crate::Snapshot;
use crate::limits::Limits;
use crate::observe::Recorder;
use crate::upstream::Pools;

pub(crate) use thread::{Command, OpenedPort, PortChange, WorkerHandle};

/// What a worker thread has at hand. It lives on its thread, in an `Rc`.
#[derive(Debug)]
pub struct Worker {
    /// Index of the worker.
    pub id: usize,
    /// The state that new requests are served by; shared by all workers.
    pub snapshot: Arc<ArcSwap<Snapshot>>,
    /// Limits and defaults.
    pub limits: Arc<Limits>,
    /// Connections to endpoints; of this worker alone.
    pub upstream: Pools,
    /// Access log and metrics.
    pub recorder: Recorder,
}
