//! Types that came after the first version, as these were when they came.

use portway_xds::ResourceType;
use portway_xds::resource::DecodeError;
use serde_json::{Value, json};

use crate::{decode, encoded};

fn cluster_policies() -> Vec<Value> {
    serde_json::from_str(include_str!("cluster_policy.json")).unwrap()
}

#[test]
fn a_cluster_network_policy_is_written_as_it_was() {
    for json in cluster_policies() {
        let resource = decode(ResourceType::ClusterNetworkPolicy, &json).unwrap();
        assert_eq!(encoded(&resource), json, "older agents refuse what is written now");
    }
}

/// A peer of a kind that an agent does not know must not be taken for one that is empty: the policy is refused, and the one before is
/// enforced on.
#[test]
fn a_part_of_a_cluster_network_policy_that_is_not_known_is_refused() {
    for at in
        ["/spec", "/spec/subject", "/spec/egress/0", "/spec/egress/0/to/0", "/spec/egress/0/protocols/0"]
    {
        let mut json = cluster_policies().remove(0);
        json.pointer_mut(at).unwrap()["novelty"] = json!({"x": 1});
        let refused = decode(ResourceType::ClusterNetworkPolicy, &json).unwrap_err();
        assert!(
            matches!(&refused, DecodeError::UnknownField { path } if path.ends_with("novelty")),
            "{refused}"
        );
    }
}
