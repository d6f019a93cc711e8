//! The access log: buffered by each worker, written by a thread of its own.

use std::cell::{Cell, RefCell};
use std::io::Write;
use std::rc::Rc;
use std::sync::Arc;
use std::sync::atomic::{AtomicU64, Ordering};
use std::sync::mpsc::{Receiver, SyncSender, TrySendError, sync_channel};
use std::thread::JoinHandle;

use super::log_line;
use super::record::{L4Record, RequestRecord};
use super::remembered::Remembered;
use super::timestamp::TimestampFormat;
use crate::limits::{ACCESS_LOG_BUFFER_BYTES, ACCESS_LOG_FLUSH_INTERVAL, ACCESS_LOG_QUEUE};

/// Form of the access log.
#[derive(Clone, Copy, Debug, Default, PartialEq, Eq)]
pub enum LogFormat {
    /// One JSON object on each line.
    #[default]
    Json,
    /// One line for people.
    Text,
    /// No access log.
    Off,
}

#[derive(Debug)]
struct Lines {
    bytes: Vec<u8>,
    count: u64,
}

/// The thread that writes.
#[derive(Debug)]
pub(super) struct LogWriter {
    sender: SyncSender<Lines>,
    dropped: Arc<AtomicU64>,
    thread: Option<JoinHandle<()>>,
}

impl LogWriter {
    pub(super) fn start(output: Box<dyn Write + Send>) -> Self {
        let (sender, receiver) = sync_channel(ACCESS_LOG_QUEUE);
        let dropped = Arc::new(AtomicU64::new(0));
        let failed = Arc::clone(&dropped);
        let thread = std::thread::Builder::new()
            .name("portway-log".to_owned())
            .spawn(move || write_all(&receiver, output, &failed))
            .ok();
        Self { sender, dropped, thread }
    }

    pub(super) fn buffer(&self, format: LogFormat) -> Option<LogBuffer> {
        (format != LogFormat::Off).then(|| {
            LogBuffer(Rc::new(Buffer {
                json: format == LogFormat::Json,
                lines: RefCell::new(Lines { bytes: Vec::new(), count: 0 }),
                time: RefCell::default(),
                remembered: RefCell::default(),
                flush_is_due: Cell::new(false),
                sender: self.sender.clone(),
                dropped: Arc::clone(&self.dropped),
            }))
        })
    }

    pub(super) fn dropped_lines(&self) -> u64 {
        self.dropped.load(Ordering::Relaxed)
    }

    pub(super) fn finish(self) {
        drop(self.sender);
        if let Some(thread) = self.thread {
            // It panics only if `output` does.
            let _ = thread.join();
        }
    }
}

fn write_all(receiver: &Receiver<Lines>, mut output: Box<dyn Write + Send>, dropped: &AtomicU64) {
    for lines in receiver {
        if output.write_all(&lines.bytes).and_then(|()| output.flush()).is_err() {
            dropped.fetch_add(lines.count, Ordering::Relaxed);
        }
    }
}

/// The buffer of one worker.
#[derive(Clone, Debug)]
pub(super) struct LogBuffer(Rc<Buffer>);

#[derive(Debug)]
struct Buffer {
    json: bool,
    lines: RefCell<Lines>,
    time: RefCell<TimestampFormat>,
    remembered: RefCell<Remembered>,
    flush_is_due: Cell<bool>,
    sender: SyncSender<Lines>,
    dropped: Arc<AtomicU64>,
}

impl LogBuffer {
    pub(super) fn request(&self, record: &RequestRecord<'_>) {
        let mut time = self.0.time.borrow_mut();
        let time = time.format(record.start);
        if self.0.json {
            let mut remembered = self.0.remembered.borrow_mut();
            self.0.push(|bytes| log_line::request_json(bytes, time, record, &mut remembered));
        } else {
            self.0.push(|bytes| log_line::request_text(bytes, time, record));
        }
        self.flush_soon();
    }

    pub(super) fn connection(&self, record: &L4Record) {
        let write = if self.0.json { log_line::connection_json } else { log_line::connection_text };
        self.0.push(|bytes| write(bytes, self.0.time.borrow_mut().format(record.start), record));
        self.flush_soon();
    }

    fn flush_soon(&self) {
        if self.0.flush_is_due.replace(true) {
            return;
        }
        let buffer = Rc::downgrade(&self.0);
        tokio::task::spawn_local(async move {
            tokio::time::sleep(ACCESS_LOG_FLUSH_INTERVAL).await;
            if let Some(buffer) = buffer.upgrade() {
                buffer.flush_is_due.set(false);
                buffer.flush();
            }
        });
    }
}

impl Buffer {
    fn push(&self, write: impl FnOnce(&mut Vec<u8>)) {
        let full = {
            let mut lines = self.lines.borrow_mut();
            write(&mut lines.bytes);
            lines.count += 1;
            lines.bytes.len() >= ACCESS_LOG_BUFFER_BYTES
        };
        if full {
            self.flush();
        }
    }

    fn flush(&self) {
        let mut lines = self.lines.borrow_mut();
        if lines.count == 0 {
            return;
        }
        let next = Lines { bytes: Vec::with_capacity(lines.bytes.len()), count: 0 };
        let full = std::mem::replace(&mut *lines, next);
        if let Err(TrySendError::Full(lost) | TrySendError::Disconnected(lost)) = self.sender.try_send(full) {
            self.dropped.fetch_add(lost.count, Ordering::Relaxed);
        }
    }
}

impl Drop for Buffer {
    fn drop(&mut self) {
        self.flush();
    }
}
