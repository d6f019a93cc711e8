//! How often rules name each backend.

use portway_config::BackendKey;
use portway_shared_map::SharedMap;

/// How often rules name each backend, those that are not there included. A rule holds the index of each backend that
/// it names; so it must be compiled anew when one of them comes or goes, even if nothing happens to the rule.
#[derive(Clone, Debug, Default)]
pub(crate) struct BackendUses(SharedMap<BackendKey, u32>);

impl BackendUses {
    pub(crate) fn add(&mut self, key: &BackendKey) {
        match self.0.get_mut(key) {
            Some(count) => *count = count.saturating_add(1),
            None => {
                self.0.insert(key.clone(), 1);
            }
        }
    }

    pub(crate) fn remove(&mut self, key: &BackendKey) {
        match self.0.get_mut(key) {
            Some(count @ 2..) => *count -= 1,
            Some(_) => {
                self.0.remove(key);
            }
            None => {}
        }
    }

    pub(crate) fn is_used(&self, key: &BackendKey) -> bool {
        self.0.contains_key(key)
    }
}
