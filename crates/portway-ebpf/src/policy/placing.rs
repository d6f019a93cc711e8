//! Which interface is which pod's. Pure.
//!
//! What is known of pods comes from the API server, and interfaces come and go by the node's container runtime: either can be ahead
//! of the other. An address alone does not tell whose an interface is, since it may have been another pod's a moment ago, or be
//! the next one's already.

use std::collections::{BTreeMap, BTreeSet};
use std::net::IpAddr;

use portway_config::NamespacedName;
use portway_policy::LocalPod;

use super::layout::Pod;
use super::ledger::uid_number;

/// Why a pod has no interface. Until it has, it gets and sends nothing but what is between it and its node.
#[derive(Clone, Copy, Debug, PartialEq, Eq, PartialOrd, Ord, Hash, thiserror::Error)]
#[allow(missing_docs, reason = "the messages say it")]
pub enum Unplaced {
    #[error("it has no address yet")]
    NoAddress,
    #[error(
        "no interface of this node leads to its address; it must have a veth pair of its own that the node routes to"
    )]
    NoInterface,
    #[error(
        "the interface at its address is or was another pod's, or its former one; it gets one with the next change of the pod"
    )]
    OfAnother,
}

/// Which interface is which pod's, once and for all: neither gets another.
#[derive(Clone, Debug, Default)]
pub struct Placing {
    /// By interface: the pod, by the number of its uid.
    bound: BTreeMap<u32, u64>,
    /// Pods whose interface has gone.
    spent: BTreeSet<u64>,
}

impl Placing {
    /// Goes on from what a process before this one has found.
    pub fn resume(pods: &BTreeMap<u32, Pod>) -> Self {
        Self { bound: pods.iter().map(|(index, pod)| (*index, pod.uid)).collect(), spent: BTreeSet::new() }
    }

    /// The interface of each pod. `ways`: the interface, one of those that are pods', that each address is behind. `present`: all
    /// interfaces that there are.
    pub fn place<'a>(
        &mut self,
        pods: &'a BTreeMap<NamespacedName, LocalPod>,
        ways: &BTreeMap<IpAddr, u32>,
        present: &BTreeSet<u32>,
    ) -> BTreeMap<&'a NamespacedName, Result<u32, Unplaced>> {
        self.part_with_gone(pods, present);
        let way = |pod: &LocalPod| pod.addresses.iter().find_map(|it| ways.get(it)).copied();
        let mut claims: BTreeMap<u32, Vec<u64>> = BTreeMap::new();
        for pod in pods.values() {
            if let Some(interface) = way(pod) {
                claims.entry(interface).or_default().push(uid_number(&pod.uid));
            }
        }
        for (interface, claimants) in claims {
            let held: BTreeSet<u64> = self.bound.values().copied().collect();
            let mut free = claimants.iter().filter(|it| !held.contains(it) && !self.spent.contains(it));
            // Where two claim it, one of them has gone or is yet to come: the next change tells which.
            if let (Some(one), None) = (free.next(), free.next()) {
                self.bound.entry(interface).or_insert(*one);
            }
        }
        let placed = |pod: &LocalPod| {
            if pod.addresses.is_empty() {
                return Err(Unplaced::NoAddress);
            }
            let interface = way(pod).ok_or(Unplaced::NoInterface)?;
            let is_its_own = self.bound.get(&interface) == Some(&uid_number(&pod.uid));
            if is_its_own { Ok(interface) } else { Err(Unplaced::OfAnother) }
        };
        pods.iter().map(|(name, pod)| (name, placed(pod))).collect()
    }

    /// A pod whose interface has gone is over, though it may be a moment until we are told: whoever comes by its address meanwhile is
    /// another.
    fn part_with_gone(&mut self, pods: &BTreeMap<NamespacedName, LocalPod>, present: &BTreeSet<u32>) {
        let spent = &mut self.spent;
        self.bound.retain(|interface, uid| {
            let is_there = present.contains(interface);
            if !is_there {
                spent.insert(*uid);
            }
            is_there
        });
        let known: BTreeSet<u64> = pods.values().map(|it| uid_number(&it.uid)).collect();
        self.spent.retain(|it| known.contains(it));
    }
}

#[cfg(test)]
mod tests {
    use portway_policy::{IdentityId, PolicySetId};

    use super::*;

    const ADDRESS: &str = "10.0.0.2";

    fn pod(name: &str, uid: &str, address: &str) -> (NamespacedName, LocalPod) {
        let addresses = vec![address.parse().unwrap()];
        let pod = LocalPod { uid: uid.into(), addresses, identity: IdentityId(20), set: PolicySetId(1) };
        (NamespacedName::new("shop", name), pod)
    }

    /// What comes of these pods when the address is behind this interface, and only that is there.
    fn place(
        placing: &mut Placing,
        pods: &[(NamespacedName, LocalPod)],
        interface: u32,
    ) -> Vec<Result<u32, Unplaced>> {
        let ways = [(ADDRESS.parse().unwrap(), interface)].into();
        let pods = pods.iter().cloned().collect();
        placing.place(&pods, &ways, &[interface].into()).into_values().collect()
    }

    #[test]
    fn a_pod_has_the_interface_that_leads_to_its_address() {
        let mut placing = Placing::default();
        assert_eq!(place(&mut placing, &[pod("a", "1", ADDRESS)], 7), [Ok(7)]);
        assert_eq!(place(&mut placing, &[pod("a", "1", "10.0.0.3")], 7), [Err(Unplaced::NoInterface)]);
        let (name, mut unaddressed) = pod("a", "1", ADDRESS);
        unaddressed.addresses.clear();
        assert_eq!(place(&mut placing, &[(name, unaddressed)], 7), [Err(Unplaced::NoAddress)]);
    }

    #[test]
    fn a_new_interface_at_the_address_of_a_pod_that_has_gone_is_not_its() {
        let mut placing = Placing::default();
        let former = pod("a", "1", ADDRESS);
        assert_eq!(place(&mut placing, std::slice::from_ref(&former), 7), [Ok(7)]);
        // The interface is the next pod's, of which nothing has been told yet.
        assert_eq!(place(&mut placing, std::slice::from_ref(&former), 8), [Err(Unplaced::OfAnother)]);
        let next = pod("b", "2", ADDRESS);
        assert_eq!(
            place(&mut placing, &[former.clone(), next.clone()], 8),
            [Err(Unplaced::OfAnother), Ok(8)],
            "both are known for a moment"
        );
        assert_eq!(place(&mut placing, &[next], 8), [Ok(8)]);
    }

    #[test]
    fn an_interface_is_not_given_to_the_next_pod_while_it_is_there() {
        let mut placing = Placing::default();
        assert_eq!(place(&mut placing, &[pod("a", "1", ADDRESS)], 7), [Ok(7)]);
        assert_eq!(place(&mut placing, &[pod("b", "2", ADDRESS)], 7), [Err(Unplaced::OfAnother)]);
        // Nor by a process that comes after.
        let pods = [(7, Pod { uid: uid_number("1"), ..Pod::default() })].into();
        let mut placing = Placing::resume(&pods);
        assert_eq!(place(&mut placing, &[pod("b", "2", ADDRESS)], 7), [Err(Unplaced::OfAnother)]);
        assert_eq!(place(&mut placing, &[pod("a", "1", ADDRESS)], 7), [Ok(7)]);
    }

    #[test]
    fn of_two_that_claim_a_new_interface_neither_has_it() {
        let mut placing = Placing::default();
        let both = [pod("a", "1", ADDRESS), pod("b", "2", ADDRESS)];
        assert_eq!(place(&mut placing, &both, 7), [Err(Unplaced::OfAnother); 2]);
        assert_eq!(place(&mut placing, &both[1..], 7), [Ok(7)]);
    }
}
