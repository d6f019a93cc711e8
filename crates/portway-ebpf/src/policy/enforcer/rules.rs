//! Writing rules whole, and taking them away again.

use std::collections::BTreeSet;

use aya::maps::HashMap;
use aya::maps::lpm_trie::{Key, LpmTrie};

use super::{CLASSES, DEFAULTS, Enforcer, NETWORKS, PORTS};
use crate::error::KernelError;
use crate::kernel::{missing, told};
use crate::policy::layout::{ClassKey, Verdict};
use crate::policy::ledger::{PortPrefix, Prefix, Rules};

impl Enforcer {
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
