//! AddressPools, read.

use std::collections::BTreeMap;
use std::net::IpAddr;

use portway_api::core::LabelSelector;
use portway_api::{AddressPool, Gateway};

use super::range::{AddressRange, RangeError};

/// An AddressPool, read. Entries that make no sense are left out.
#[derive(Clone, Debug)]
pub struct Pool<'a> {
    /// Its name.
    pub name: &'a str,
    /// Whether Gateways get an address from it that ask for none in particular.
    pub auto_assign: bool,
    /// What is wrong with it: an entry of `spec.addresses`, by its index.
    pub faults: Vec<(usize, RangeError)>,
    ranges: Vec<AddressRange>,
    selector: Option<&'a LabelSelector>,
}

impl<'a> Pool<'a> {
    /// Reads a pool.
    pub fn new(pool: &'a AddressPool) -> Self {
        let (mut ranges, mut faults) = (Vec::new(), Vec::new());
        for (index, text) in pool.spec.addresses.iter().enumerate() {
            match text.parse() {
                Ok(range) => ranges.push(range),
                Err(error) => faults.push((index, error)),
            }
        }
        Self {
            name: pool.name(),
            auto_assign: pool.spec.auto_assign.unwrap_or(true),
            faults,
            ranges,
            selector: pool.spec.gateway_selector.as_ref(),
        }
    }

    /// Whether a Gateway may have addresses of it.
    pub fn selects(&self, gateway: &Gateway) -> bool {
        self.selector.is_none_or(|it| selects(it, gateway.metadata.labels.as_ref()))
    }

    /// Whether an address is one of it.
    pub fn contains(&self, address: IpAddr) -> bool {
        self.ranges.iter().any(|it| it.contains(address))
    }

    /// All addresses, in the order in which they are given away.
    pub(super) fn addresses(&self) -> impl Iterator<Item = IpAddr> + '_ {
        self.ranges.iter().flat_map(|it| it.addresses())
    }
}

/// A selector of labels (`metav1.LabelSelector`).
fn selects(selector: &LabelSelector, labels: Option<&BTreeMap<String, String>>) -> bool {
    let label = |key: &str| labels.and_then(|it| it.get(key));
    let by_labels = selector.match_labels.iter().flatten().all(|(key, value)| label(key) == Some(value));
    let by_expressions = selector.match_expressions.iter().flatten().all(|requirement| {
        let value = label(&requirement.key);
        let is_listed = value.is_some_and(|value| requirement.values.iter().flatten().any(|it| it == value));
        match requirement.operator.as_str() {
            "In" => is_listed,
            "NotIn" => !is_listed,
            "Exists" => value.is_some(),
            "DoesNotExist" => value.is_none(),
            // An operator that does not exist selects nothing; the API server refuses it.
            _ => false,
        }
    });
    by_labels && by_expressions
}
