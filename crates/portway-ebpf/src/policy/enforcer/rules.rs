//! Writing rules whole, and taking them away again.

use std::collections::BTreeSet;

use aya::maps::lpm_trie::{Key, LpmTrie};
use aya::maps::{HashMap, PerCpuHashMap};

use super::{CLASSES, COUNTERS, DEFAULTS, Enforcer, NETWORKS, PORTS};
use crate::error::KernelError;
use crate::kernel::{missing, told};
use crate::policy::layout::{ClassKey, Counter, CounterKey, Verdict};
use crate::policy::ledger::{PortPrefix, Prefix, Rules};

impl Enforcer {
    /// The highest number of an identity that rules speak of.
    pub(super) fn last_identity_of_rules(&mut self) -> Result<u32, KernelError> {
        Ok(self.keys::<ClassKey, u32>(CLASSES)?.iter().map(|it| it.identity).max().unwrap_or(0))
    }

    /// The highest number of a policy in verdicts and counters.
    pub(super) fn last_policy(&mut self) -> Result<u32, KernelError> {
        let of_verdict = |it: Verdict| it.first.policy.max(it.then.policy);
        let defaults = self.entries::<u32, Verdict>(DEFAULTS)?.into_values().map(of_verdict).max();
        let map: LpmTrie<_, PortBits, Verdict> = self.map(PORTS)?;
        let ports = map.iter().filter_map(Result::ok).map(|(_, it)| of_verdict(it)).max();
        let map: PerCpuHashMap<_, CounterKey, Counter> = self.map(COUNTERS)?;
        let counters = map.keys().filter_map(Result::ok).map(|it| it.policy).max();
        Ok([defaults, ports, counters].into_iter().flatten().max().unwrap_or(0))
    }

    /// The default last: rules without one let nothing through.
    pub(super) fn put_rules(&mut self, id: u32, rules: &Rules) -> Result<(), KernelError> {
        let mut map: HashMap<_, ClassKey, u32> = self.map(CLASSES)?;
        for (identity, class) in &rules.identities {
            let key = ClassKey { rules: id, identity: *identity };
            map.insert(key, class, 0).map_err(told(CLASSES))?;
        }
        let mut map: LpmTrie<_, NetworkBits, u32> = self.map(NETWORKS)?;
        for (prefix, class) in &rules.networks {
            map.insert(&network(id, prefix), class, 0).map_err(told(NETWORKS))?;
        }
        let mut map: LpmTrie<_, PortBits, Verdict> = self.map(PORTS)?;
        for (prefix, verdict) in &rules.ports {
            map.insert(&ports(id, prefix), verdict, 0).map_err(told(PORTS))?;
        }
        self.put(DEFAULTS, &id, &rules.default)
    }

    /// Takes away all other rules.
    pub(super) fn keep_rules(&mut self, ids: &BTreeSet<u32>) -> Result<(), KernelError> {
        let is_gone =
            |bits: &[u8]| bits.first_chunk().is_some_and(|it| !ids.contains(&u32::from_ne_bytes(*it)));
        let gone = self.keys::<u32, Verdict>(DEFAULTS)?;
        for id in gone.iter().filter(|it| !ids.contains(it)) {
            self.remove::<u32, Verdict>(DEFAULTS, id)?;
        }
        let gone = self.keys::<ClassKey, u32>(CLASSES)?;
        for key in gone.iter().filter(|it| !ids.contains(&it.rules)) {
            self.remove::<ClassKey, u32>(CLASSES, key)?;
        }
        let mut map: LpmTrie<_, NetworkBits, u32> = self.map(NETWORKS)?;
        let gone: Vec<_> = map.keys().filter_map(Result::ok).filter(|it| is_gone(&it.data())).collect();
        for key in &gone {
            map.remove(key).or_else(missing).map_err(told(NETWORKS))?;
        }
        let mut map: LpmTrie<_, PortBits, Verdict> = self.map(PORTS)?;
        let gone: Vec<_> = map.keys().filter_map(Result::ok).filter(|it| is_gone(&it.data())).collect();
        for key in &gone {
            map.remove(key).or_else(missing).map_err(told(PORTS))?;
        }
        Ok(())
    }
}

/// What follows the number of bits in a key for the longest prefix: rules and address; and rules, class, protocol and
/// port.
type NetworkBits = [u8; 20];
type PortBits = [u8; 12];

fn network(rules: u32, prefix: &Prefix) -> Key<NetworkBits> {
    let mut bits = [0; 20];
    bits[..4].copy_from_slice(&rules.to_ne_bytes());
    bits[4..].copy_from_slice(&prefix.address.octets());
    Key::new(32 + prefix.length, bits)
}

fn ports(rules: u32, prefix: &PortPrefix) -> Key<PortBits> {
    let mut bits = [0; 12];
    bits[..4].copy_from_slice(&rules.to_ne_bytes());
    bits[4..8].copy_from_slice(&prefix.class.to_ne_bytes());
    bits[8..10].copy_from_slice(&prefix.protocol.to_ne_bytes());
    bits[10..].copy_from_slice(&prefix.port.to_be_bytes());
    Key::new(80 + prefix.length, bits)
}
