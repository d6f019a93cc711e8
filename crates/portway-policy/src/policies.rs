//! All policies, in the order in which they are asked.

use std::sync::Arc;

use portway_config::network_policy::{Labels, NamedPort, PolicyFacts};

use crate::cluster::{ClusterPolicy, Tier};
use crate::direction::{Applied, Compilation, Tiers, World};
use crate::identity::Identity;
use crate::rule::{Policy, Rule};
use crate::tables::{Direction, DirectionPolicy, PodPolicy, PolicyIndex, PolicyName, Ruled};

/// What was read of the policies.
#[derive(Debug, Default)]
pub(crate) struct Policies {
    /// Whether there is any of the whole cluster, one that cannot be read among them.
    are_of_cluster: bool,
    /// By priority; of the same priority, by name: the API leaves the order of those open.
    admin: Vec<ClusterPolicy>,
    /// By name.
    network: Vec<Policy>,
    /// As the first ones.
    baseline: Vec<ClusterPolicy>,
}

impl Policies {
    pub(crate) fn read(facts: &PolicyFacts) -> Self {
        // What is wrong with them, `warnings` tells.
        let network = facts.policies.values().filter_map(|it| Policy::parse(it, &mut Vec::new())).collect();
        let of_cluster = facts.cluster_policies.values();
        let mut of_cluster: Vec<_> =
            of_cluster.filter_map(|it| ClusterPolicy::parse(it, &mut Vec::new())).collect();
        // They are sorted by name, and stay so where this is the same.
        of_cluster.sort_by_key(|it| it.priority);
        let (admin, baseline) = of_cluster.into_iter().partition(|it| it.tier == Tier::Admin);
        Self { are_of_cluster: !facts.cluster_policies.is_empty(), admin, network, baseline }
    }

    pub(crate) fn names(&self) -> impl Iterator<Item = PolicyName> {
        let network = self.network.iter().map(|it| PolicyName::Namespaced(it.name.clone()));
        network.chain(self.of_cluster().map(|it| PolicyName::Cluster(it.name.clone())))
    }

    fn of_cluster(&self) -> impl Iterator<Item = &ClusterPolicy> {
        self.admin.iter().chain(&self.baseline)
    }

    /// The labels that they look at of pods which they select.
    pub(crate) fn subject_keys(&self) -> impl Iterator<Item = &Arc<str>> {
        let network = self.network.iter().flat_map(|it| it.pods.keys());
        network.chain(self.of_cluster().flat_map(|it| it.subject.pod_keys()))
    }

    pub(crate) fn rules(&self) -> impl Iterator<Item = &Rule> {
        let of_cluster =
            |it| Direction::ALL.into_iter().flat_map(move |direction| ClusterPolicy::rules(it, direction));
        self.network.iter().flat_map(Policy::all_rules).chain(self.of_cluster().flat_map(of_cluster))
    }

    /// What pods of an identity may get and send. `number`: of a policy.
    pub(crate) fn of_pod(
        &self,
        world: &World<'_>,
        identity: &Identity,
        number: impl Fn(PolicyName) -> Option<PolicyIndex>,
    ) -> PodPolicy {
        let Identity { namespace, labels, ports } = identity;
        let of_namespace = world.namespaces.get(namespace).copied();
        if of_namespace.is_none() && self.are_of_cluster {
            // Namespaces come by another way than pods do. Until this one is told of, nobody knows whether it is forbidden something.
            let closed = Ruled { enforced: DirectionPolicy::closed(), rehearsed: None };
            return PodPolicy { ingress: closed.clone(), egress: closed };
        }
        let none = Labels::new();
        let selecting = Selecting {
            admin: of_subject(&self.admin, (of_namespace.unwrap_or(&none), labels)),
            network: self
                .network
                .iter()
                .filter(|it| it.name.namespace == *namespace && it.pods.matches(labels))
                .collect(),
            baseline: of_subject(&self.baseline, (of_namespace.unwrap_or(&none), labels)),
        };
        let side = |direction| {
            let tiers = [Rehearsed::LeftOut, Rehearsed::Enforced]
                .map(|rehearsed| selecting.tiers(direction, rehearsed, &number));
            ruled(world, direction, ports, &tiers)
        };
        PodPolicy { ingress: side(Direction::Ingress), egress: side(Direction::Egress) }
    }
}

fn of_subject<'a>(
    policies: &'a [ClusterPolicy],
    (namespace, pod): (&Labels, &Labels),
) -> Vec<&'a ClusterPolicy> {
    policies.iter().filter(|it| it.subject.matches(namespace, pod)).collect()
}

#[derive(Clone, Copy, PartialEq)]
enum Rehearsed {
    LeftOut,
    Enforced,
}

/// The policies that select a pod.
struct Selecting<'a> {
    admin: Vec<&'a ClusterPolicy>,
    network: Vec<&'a Policy>,
    baseline: Vec<&'a ClusterPolicy>,
}

impl<'a> Selecting<'a> {
    /// Those that have a say in a direction.
    fn tiers(
        &self,
        direction: Direction,
        rehearsed: Rehearsed,
        number: impl Fn(PolicyName) -> Option<PolicyIndex>,
    ) -> Tiers<'a> {
        let counts = |is_rehearsed: bool| !is_rehearsed || rehearsed == Rehearsed::Enforced;
        let network = self.network.iter().filter(|it| counts(it.is_rehearsed)).filter_map(|it| {
            let index = number(PolicyName::Namespaced(it.name.clone()))?;
            Some(Applied { index, namespace: Some(&it.name.namespace), rules: it.rules(direction)? })
        });
        let of_cluster = |policies: &[&'a ClusterPolicy]| -> Vec<Applied<'a>> {
            let policies = policies.iter().filter(|it| counts(it.is_rehearsed)).filter_map(|it| {
                let index = number(PolicyName::Cluster(it.name.clone()))?;
                let rules = Some(it.rules(direction)).filter(|it| !it.is_empty())?;
                Some(Applied { index, namespace: None, rules })
            });
            policies.collect()
        };
        Tiers {
            admin: of_cluster(&self.admin),
            network: network.collect(),
            baseline: of_cluster(&self.baseline),
        }
    }
}

/// One direction: what the first policies make, and what all make if that is something else.
fn ruled(
    world: &World<'_>,
    direction: Direction,
    own_ports: &[NamedPort],
    [enforced, all]: &[Tiers<'_>; 2],
) -> Ruled {
    let compile = |tiers: &Tiers<'_>| Compilation::new(direction, world, own_ports, tiers).compile();
    let is_rehearsed = enforced.len() != all.len();
    let enforced = compile(enforced);
    let rehearsed = is_rehearsed.then(|| compile(all)).filter(|it| *it != enforced);
    Ruled { enforced, rehearsed }
}
