//! Taking away flows that are over. The programs do not look at an entry before they need its place or it gets a packet.

use aya::maps::Map;
use zerocopy::FromBytes as _;

use super::{Enforcer, FLOWS, NEW_FLOWS};
use crate::error::KernelError;
use crate::flow;
use crate::kernel::{monotonic_clock, told};
use crate::layout::{TCP, UDP};
use crate::limits::Limits;
use crate::policy::layout::{Flow, FlowKey};
use crate::walk;

impl Enforcer {
    /// Removes the flows that have been silent for too long; returns how many. One that gets a packet at this very moment is judged
    /// anew by it.
    ///
    /// # Errors
    ///
    /// The kernel refuses.
    pub fn sweep(&mut self, limits: &Limits) -> Result<usize, KernelError> {
        let now = monotonic_clock();
        let is_over = |key: &FlowKey, entry: &Flow| {
            // What is no TCP has the time of UDP.
            let protocol = if key.tuple.protocol == TCP { TCP } else { UDP };
            let silence = now.as_nanos().saturating_sub(entry.last_seen.into());
            silence > flow::timeout(limits, protocol, entry.state).as_nanos()
        };
        let mut removed = 0;
        for name in [FLOWS, NEW_FLOWS] {
            let Some(Map::LruHashMap(map)) = self.programs.map(name) else { continue };
            let mut over = Vec::new();
            let look = |key: &[u8], entry: &[u8]| {
                if let (Ok(key), Ok(entry)) = (FlowKey::read_from_bytes(key), Flow::read_from_bytes(entry))
                    && is_over(&key, &entry)
                {
                    over.push(key);
                }
            };
            walk::for_each(map, look).map_err(told(name))?;
            for key in &over {
                self.remove::<FlowKey, Flow>(name, key)?;
            }
            removed += over.len();
        }
        Ok(removed)
    }
}
