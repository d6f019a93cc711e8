//! The programs in the kernel, with what stands in their maps.

use std::collections::BTreeMap;
use std::path::Path;
use std::time::{Duration, Instant};

use nix::net::if_::if_nametoindex;
use portway_ebpf::balancer::Balancer;
use portway_ebpf::layout::{SERVICE_BESIDE_PROXY, ServiceCounters};
use portway_ebpf::metrics::Counted;
use portway_ebpf::{HandOver, Kernel, KernelError, Limits, Node, Sweep};

use super::decide::Decision;
use super::machine::Machine;

pub(super) struct Loaded {
    pub(super) kernel: Kernel,
    pub(super) balancer: Balancer,
    /// By the interfaces' indices.
    pub(super) attached: BTreeMap<u32, String>,
    pub(super) last_sweep: Instant,
    pub(super) swept: Sweep,
    /// Whether connections to the same addresses may have been under way by others when the former layout came to serve.
    was_beside_others: bool,
}

impl Loaded {
    pub(super) fn new(
        limits: &Limits,
        node: Node,
        pins: Option<&Path>,
        drain: Duration,
    ) -> Result<Self, KernelError> {
        let mut was_beside_others = false;
        let (kernel, balancer) = match pins {
            None => (Kernel::load(limits, node)?, Balancer::new(drain)),
            Some(pins) => {
                let mut kernel = Kernel::load_pinned(limits, node, pins)?;
                let (services, endpoints) = kernel.standing()?;
                was_beside_others = services.iter().any(|(_, it)| it.flags & SERVICE_BESIDE_PROXY != 0);
                tell_of(kernel.hand_over());
                let balancer = Balancer::resume(drain, &services, &endpoints);
                (kernel, balancer)
            }
        };
        let (attached, swept) = (BTreeMap::new(), Sweep::default());
        Ok(Self { kernel, balancer, attached, last_sweep: Instant::now(), swept, was_beside_others })
    }

    /// Carries over what the programs of a former layout have begun until now. Whether no connection is anybody else's after that.
    pub(super) fn end_hand_over(&mut self) -> bool {
        let is_under_way = self.kernel.is_handing_over();
        match self.kernel.end_hand_over() {
            Ok(0) => {}
            Ok(entries) => {
                tracing::info!("{entries} entries of flows that began meanwhile are carried over as well");
            }
            // All others go on.
            Err(error) => tracing::warn!("connections that have just begun may be cut: {error}"),
        }
        is_under_way && !self.was_beside_others
    }

    pub(super) fn attach(&mut self, decision: &Decision, machine: &Machine) -> Result<(), KernelError> {
        // An interface that is gone has taken its links along.
        self.attached.retain(|index, _| machine.interfaces.contains_key(index));
        for index in &decision.interfaces {
            let Some(interface) = machine.interfaces.get(index) else {
                continue;
            };
            if !self.attached.contains_key(index) {
                let attached = self.kernel.attach(&interface.name);
                // One that has gone since the machine was looked at is no fault: it is looked at again soon.
                if attached.is_err() && if_nametoindex(interface.name.as_str()).ok() != Some(*index) {
                    continue;
                }
                attached?;
                tracing::info!("eBPF programs are attached to the interface {}", interface.name);
                self.attached.insert(*index, interface.name.clone());
            }
        }
        Ok(())
    }

    pub(super) fn count(&mut self, decision: &Decision) -> Result<Counted, KernelError> {
        let mut listeners: BTreeMap<_, ServiceCounters> = BTreeMap::new();
        for (address, labels) in &decision.labels {
            if let Some(id) = self.balancer.id(address) {
                let sum = listeners.entry(labels.clone()).or_default();
                *sum = sum.plus(&self.kernel.counters(id)?);
            }
        }
        let drops = self.kernel.drops()?;
        let fill = self.kernel.fill();
        Ok(Counted { listeners: listeners.into_iter().collect(), drops, fill })
    }
}

fn tell_of(hand_over: &HandOver) {
    match hand_over {
        HandOver::Nothing => {}
        HandOver::From { version, entries } => {
            tracing::info!(
                "connections go on: maps of version {version} of the layout are carried over, with {entries} entries of flows"
            );
        }
        HandOver::Cut { why } => {
            tracing::warn!(
                "what another version of the agent has left cannot be carried over: {why}; connections go on as far as the table leads \
                 them to the same endpoint again, and others are cut, such as those to endpoints that have left"
            );
        }
    }
}
