//! The Lease of an address. Pure.

use std::net::IpAddr;

use jiff::Timestamp;
use k8s_openapi::api::coordination::v1::{Lease, LeaseSpec};
use k8s_openapi::apimachinery::pkg::apis::meta::v1::MicroTime;
use kube::api::ObjectMeta;

use crate::limits::HOLDER_LEASE_DURATION;

/// The Lease's name. Of IPv6 all groups are written, as a name may not end with a dash.
pub(super) fn name(address: IpAddr) -> String {
    let address = match address {
        IpAddr::V4(it) => it.octets().map(|it| it.to_string()).join("-"),
        IpAddr::V6(it) => it.segments().map(|it| format!("{it:x}")).join("-"),
    };
    format!("portway-address-{address}")
}

/// What is to stand there, after what stands there now.
pub(super) fn after(
    present: Option<Lease>,
    name: &str,
    node: &str,
    transitions: u32,
    now: Timestamp,
) -> Lease {
    let (metadata, spec) = match present {
        Some(lease) => (lease.metadata, lease.spec.unwrap_or_default()),
        None => (ObjectMeta { name: Some(name.to_owned()), ..ObjectMeta::default() }, LeaseSpec::default()),
    };
    let is_same = spec.holder_identity.as_deref() == Some(node);
    let counted = spec.lease_transitions.unwrap_or_default();
    let transitions = i32::try_from(transitions).unwrap_or(i32::MAX);
    // Agents that all were restarted count from the beginning; what people see never goes back.
    let transitions = transitions.max(if is_same { counted } else { counted.saturating_add(1) });
    let acquired = spec.acquire_time.filter(|_| is_same && transitions == counted);
    let spec = LeaseSpec {
        holder_identity: Some(node.to_owned()),
        lease_duration_seconds: i32::try_from(HOLDER_LEASE_DURATION.as_secs()).ok(),
        lease_transitions: Some(transitions),
        acquire_time: acquired.or(Some(MicroTime(now))),
        renew_time: Some(MicroTime(now)),
        ..spec
    };
    Lease { metadata, spec: Some(spec) }
}

/// The Lease of an address that nobody announces any more; None: another has it.
pub(super) fn without_holder(lease: Lease, node: &str) -> Option<Lease> {
    let spec = lease.spec.filter(|it| it.holder_identity.as_deref() == Some(node))?;
    Some(Lease {
        metadata: lease.metadata,
        spec: Some(LeaseSpec { holder_identity: None, acquire_time: None, ..spec }),
    })
}

#[cfg(test)]
mod tests {
    use super::*;

    fn at(second: i64) -> Timestamp {
        Timestamp::from_second(second).unwrap()
    }

    #[test]
    fn names_are_those_of_objects() {
        assert_eq!(name("192.0.2.1".parse().unwrap()), "portway-address-192-0-2-1");
        assert_eq!(name("fd00::".parse().unwrap()), "portway-address-fd00-0-0-0-0-0-0-0");
    }

    #[test]
    fn who_stays_renews_and_who_comes_counts_on() {
        let first = after(None, "it", "a", 1, at(10));
        let renewed = after(Some(first.clone()), "it", "a", 1, at(20));
        let (first, renewed) = (first.spec.unwrap(), renewed.spec.unwrap());
        assert_eq!(renewed.acquire_time, first.acquire_time);
        assert_eq!(renewed.renew_time, Some(MicroTime(at(20))));
        assert_eq!(renewed.lease_transitions, Some(1));

        let lease = Lease { metadata: ObjectMeta::default(), spec: Some(renewed) };
        let taken = after(Some(lease), "it", "b", 1, at(30));
        let spec = taken.spec.clone().unwrap();
        assert_eq!((spec.holder_identity.as_deref(), spec.lease_transitions), (Some("b"), Some(2)));
        assert_eq!(spec.acquire_time, Some(MicroTime(at(30))));

        assert_eq!(without_holder(taken.clone(), "a"), None);
        let given_up = without_holder(taken, "b").unwrap().spec.unwrap();
        assert_eq!((given_up.holder_identity, given_up.lease_transitions), (None, Some(2)));
    }
}
