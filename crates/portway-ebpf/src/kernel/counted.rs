//! What the programs have counted, and the flows that they keep.

use std::collections::BTreeMap;

use aya::maps::{HashMap, PerCpuArray, PerCpuHashMap};

use super::{Kernel, missing, monotonic_clock, told};
use crate::drop_reason::DropReason;
use crate::error::KernelError;
use crate::flow;
use crate::layout::{self, Flow, ServiceCounters, Tuple};
use crate::limits::Limits;
use crate::walk::{self, Fill};

/// What a sweep of the flows found.
#[derive(Clone, Copy, Debug, Default, PartialEq, Eq)]
pub struct Sweep {
    /// Entries that were removed.
    pub removed: usize,
    /// Entries left in the map `flows`.
    pub flows: usize,
    /// Entries left in the map `new_flows`.
    pub new_flows: usize,
    /// TCP connections that are established and that neither side has closed.
    pub connections: usize,
}

impl Kernel {
    /// How many packets were dropped, for each reason.
    ///
    /// # Errors
    ///
    /// The kernel refuses.
    pub fn drops(&mut self) -> Result<Vec<(DropReason, u64)>, KernelError> {
        const MAP: &str = "drops";
        let map: PerCpuArray<_, u64> = self.map(MAP)?;
        let count = |reason: &DropReason| {
            let values = map.get(&reason.index(), 0).map_err(told(MAP))?;
            Ok((*reason, values.iter().sum()))
        };
        DropReason::ALL.iter().map(count).collect()
    }

    /// What came through a service, over all processors.
    ///
    /// # Errors
    ///
    /// There is no such service, or the kernel refuses.
    pub fn counters(&mut self, service: u32) -> Result<ServiceCounters, KernelError> {
        const MAP: &str = "counters";
        let map: PerCpuHashMap<_, u32, ServiceCounters> = self.map(MAP)?;
        let values = map.get(&service, 0).map_err(told(MAP))?;
        Ok(values.iter().fold(ServiceCounters::default(), |sum, it| sum.plus(it)))
    }

    /// How full each map is, by name, whose number of entries is not fixed.
    pub fn fill(&self) -> BTreeMap<String, Fill> {
        let fill = |(name, map)| Some((str::to_owned(name), walk::fill(map)?));
        self.programs.maps().filter_map(fill).collect()
    }

    /// Every flow, in both directions. Flows that begin or end meanwhile may be missing.
    ///
    /// # Errors
    ///
    /// The kernel refuses.
    pub fn flows(&mut self) -> Result<Vec<(Tuple, Flow)>, KernelError> {
        let mut found = Vec::new();
        for name in ["flows", "new_flows"] {
            let map: HashMap<_, Tuple, Flow> = self.map(name)?;
            found.extend(map.iter().filter_map(Result::ok));
        }
        Ok(found)
    }

    /// Removes the flows that have been silent for too long, and counts those that go on. One that gets a packet at
    /// this very moment is begun anew by it.
    ///
    /// # Errors
    ///
    /// The kernel refuses.
    pub fn sweep(&mut self, limits: &Limits) -> Result<Sweep, KernelError> {
        let now = monotonic_clock();
        let mut sweep = Sweep::default();
        for (name, most) in [("flows", limits.flows), ("new_flows", limits.new_flows)] {
            let mut map: HashMap<_, Tuple, Flow> = self.map(name)?;
            let mut over = Vec::new();
            // The walk begins anew at an entry that another has taken the place of meanwhile.
            let entries = map.iter().filter_map(Result::ok).take(most as usize * 2);
            for (tuple, entry) in entries {
                if flow::has_expired(limits, &tuple, &entry, now) {
                    over.push(tuple);
                } else if name == "flows" {
                    sweep.flows += 1;
                    let is_client = entry.direction == layout::FLOW_FROM_CLIENT;
                    sweep.connections += usize::from(is_client && flow::is_open(&tuple, &entry));
                } else {
                    sweep.new_flows += 1;
                }
            }
            for tuple in &over {
                map.remove(tuple).or_else(missing).map_err(told(name))?;
            }
            sweep.removed += over.len();
        }
        Ok(sweep)
    }
}
