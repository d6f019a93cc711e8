//! The snapshot that a request is served by, at hand without touching what workers share.

use std::cell::RefCell;
use std::rc::Rc;
use std::sync::Arc;

use arc_swap::ArcSwap;

use crate::Snapshot;

/// A snapshot as one thread holds it. Requests count their references here, so that the count of the
/// shared snapshot changes once for each worker and configuration, not for each request.
#[derive(Debug)]
pub(super) struct Current {
    /// Another one for each snapshot that this thread has held.
    pub(super) generation: u64,
    pub(super) snapshot: Arc<Snapshot>,
}

thread_local! {
    static CURRENT: RefCell<Option<Rc<Current>>> = const { RefCell::new(None) };
}

/// The snapshot that new requests are served by.
pub(super) fn current(shared: &ArcSwap<Snapshot>) -> Rc<Current> {
    let snapshot = shared.load();
    CURRENT.with_borrow_mut(|held| match held {
        Some(current) if Arc::ptr_eq(&current.snapshot, &snapshot) => Rc::clone(current),
        _ => {
            let generation = held.as_ref().map_or(1, |former| former.generation + 1);
            let current = Rc::new(Current { generation, snapshot: Arc::clone(&snapshot) });
            *held = Some(Rc::clone(&current));
            current
        }
    })
}
