//! The connections that one socket accepted, so that they can be drained and at last cut.

use std::cell::RefCell;
use std::future::Future;
use std::rc::Rc;

use slab::Slab;
use tokio::sync::Notify;
use tokio::task::AbortHandle;

use super::drain::{DrainSignal, DrainTrigger};

/// The tasks of connections (or UDP sessions) of one socket.
#[derive(Debug, Default)]
pub(crate) struct Group {
    trigger: DrainTrigger,
    tasks: RefCell<Slab<AbortHandle>>,
    empty: Notify,
}

impl Group {
    /// Runs `task` on this thread, as one of the group.
    pub(crate) fn spawn(self: &Rc<Self>, task: impl Future<Output = ()> + 'static) {
        let mut tasks = self.tasks.borrow_mut();
        let entry = tasks.vacant_entry();
        let member = Member { group: Rc::clone(self), key: entry.key() };
        let handle = tokio::task::spawn_local(async move {
            let _member = member;
            task.await;
        });
        entry.insert(handle.abort_handle());
    }

    /// The signal that the members listen to.
    pub(crate) fn signal(&self) -> DrainSignal {
        self.trigger.signal()
    }

    /// Asks all members to end when they can.
    pub(crate) fn drain(&self) {
        self.trigger.drain();
    }

    /// Members that have not ended.
    pub(crate) fn len(&self) -> usize {
        self.tasks.borrow().len()
    }

    /// Waits until there is no member.
    pub(crate) async fn ended(&self) {
        while self.len() > 0 {
            self.empty.notified().await;
        }
    }

    /// Ends all members at once.
    pub(crate) fn abort(&self) {
        for (_, task) in self.tasks.borrow().iter() {
            task.abort();
        }
    }
}

/// Takes the task out of its group when it ends, in whichever way it does.
struct Member {
    group: Rc<Group>,
    key: usize,
}

impl Drop for Member {
    fn drop(&mut self) {
        let mut tasks = self.group.tasks.borrow_mut();
        tasks.try_remove(self.key);
        if tasks.is_empty() {
            self.group.empty.notify_waiters();
        }
    }
}

#[cfg(test)]
mod tests {
    use super::*;

    #[tokio::test]
    async fn a_group_ends_by_drain_or_by_abort() {
        let local = tokio::task::LocalSet::new();
        local
            .run_until(async {
                let group = Rc::new(Group::default());
                let mut signal = group.signal();
                group.spawn(async move { signal.drained().await });
                group.spawn(std::future::pending());
                assert_eq!(group.len(), 2);
                group.drain();
                while group.len() > 1 {
                    tokio::task::yield_now().await;
                }
                group.abort();
                group.ended().await;
                assert_eq!(group.len(), 0);
            })
            .await;
    }
}
