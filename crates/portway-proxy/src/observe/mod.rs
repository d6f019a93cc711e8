//! What is seen from outside: access log, metrics.
//!
//! Each worker has a [`Recorder`]: it formats log lines into a buffer of its own, and counts in a shard
//! of its own. An [`Observer`] for the process writes the buffers out in a thread of its own, and adds
//! the shards up when it is asked for metrics. A log that cannot be written never holds up a request:
//! lines are dropped then, and counted.

mod access_log;
mod exposition;
mod json;
mod log_line;
mod metrics;
pub mod record;
mod remembered;
mod timestamp;

pub use access_log::LogFormat;
pub use record::{L4Record, RequestRecord};

use std::io::Write;
use std::sync::{Arc, Mutex, PoisonError};

use access_log::{LogBuffer, LogWriter};
use metrics::Shard;
use prometheus_client::collector::Collector;

/// What is to be seen.
#[derive(Clone, Copy, Debug, Default)]
pub struct ObserveOptions {
    /// Form of the access log.
    pub log: LogFormat,
    /// Whether requests are also counted for each route; this makes a series for each of them, up to
    /// [`METRICS_ROUTES`](crate::limits::METRICS_ROUTES).
    pub route_metrics: bool,
}

/// Log and metrics of the process.
#[derive(Debug)]
pub struct Observer {
    options: ObserveOptions,
    writer: LogWriter,
    shards: Mutex<Vec<Arc<Shard>>>,
}

impl Observer {
    /// Begins to write the access log to `output`.
    pub fn new(options: ObserveOptions, output: Box<dyn Write + Send>) -> Self {
        Self { options, writer: LogWriter::start(output), shards: Mutex::default() }
    }

    /// A recorder for one worker.
    pub fn recorder(&self) -> Recorder {
        let shard = Arc::new(Shard::new(self.options.route_metrics));
        self.shards.lock().unwrap_or_else(PoisonError::into_inner).push(Arc::clone(&shard));
        Recorder { log: self.writer.buffer(self.options.log), shard }
    }

    /// All that was counted so far, as metrics.
    pub fn counted(&self) -> Box<dyn Collector> {
        let shards = self.shards.lock().unwrap_or_else(PoisonError::into_inner);
        let (counts, dropped_log_lines) = (metrics::sum(&shards), self.writer.dropped_lines());
        Box::new(exposition::Counted { counts, dropped_log_lines })
    }

    /// Waits until all that was recorded is written. Recorders must be gone by then.
    pub fn finish(self) {
        self.writer.finish();
    }
}

/// Takes the record of every request and connection when it ends. One for each worker; cheap.
#[derive(Debug)]
pub struct Recorder {
    log: Option<LogBuffer>,
    shard: Arc<Shard>,
}

impl Recorder {
    /// Logs and counts a request that is complete.
    pub fn request(&self, record: &RequestRecord<'_>) {
        self.shard.request(record);
        if let Some(log) = &self.log {
            log.request(record);
        }
    }

    /// Logs and counts a connection or UDP session that has ended.
    pub fn connection(&self, record: &L4Record) {
        self.shard.connection(record);
        if let Some(log) = &self.log {
            log.connection(record);
        }
    }
}

#[cfg(test)]
mod tests;
