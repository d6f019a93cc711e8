use std::collections::HashMap;

use portway_config::network_policy::{Labels, PolicyNamespace};
use portway_config::{Route, RouteKey, RouteKind, Rules};
use proptest::collection::{btree_map, vec};
use proptest::prelude::*;

use super::*;
use crate::resource::resources_of;

fn gateway() -> NamespacedName {
    NamespacedName::new("apps", "web")
}

/// Routes by number, each in a version.
fn configuration(routes: &BTreeMap<u8, u8>) -> Arc<Configuration> {
    let mut configuration = Configuration::empty(gateway());
    for (number, version) in routes {
        let key = RouteKey { kind: RouteKind::Http, name: NamespacedName::new("apps", number.to_string()) };
        let created = Some(i64::from(*version));
        let route = Route {
            key: key.clone(),
            created,
            hostnames: vec![],
            attachments: vec![],
            rules: Rules::Http(vec![]),
        };
        configuration.routes.insert(key, Arc::new(route));
    }
    Arc::new(configuration)
}

fn publish(publisher: &Publisher, configuration: &Arc<Configuration>) -> Revision {
    publisher.publish(&BTreeMap::from([(gateway(), Arc::clone(configuration))]))[&gateway()]
}

fn publisher() -> Publisher {
    Publisher::new(Revision(100), || Timestamp::UNIX_EPOCH)
}

type Has = HashMap<(&'static str, String), String>;

/// What a proxy that has `has` has afterwards.
fn apply(has: &mut Has, changes: &Changes) {
    for (version, resource) in &changes.changed {
        let key = resource.key();
        has.insert((key.resource_type().url(), key.name()), version.to_string());
    }
    for name in &changes.removed {
        has.remove(name);
    }
}

fn of(configuration: &Configuration) -> Has {
    let named = |resource: crate::Resource| {
        let key = resource.key();
        ((key.resource_type().url(), key.name()), resource.version().to_string())
    };
    resources_of(configuration).map(named).collect()
}

#[derive(Clone, Debug)]
enum Step {
    Publish(BTreeMap<u8, u8>),
    /// One of the proxies takes what there is.
    Take(usize),
    /// It connects again, with what it has.
    Reconnect(usize),
}

fn step() -> impl Strategy<Value = Step> {
    prop_oneof![
        btree_map(0..6_u8, 0..3_u8, 0..5).prop_map(Step::Publish),
        (0..2_usize).prop_map(Step::Take),
        (0..2_usize).prop_map(Step::Reconnect),
    ]
}

/// A proxy, and what it has.
struct Proxy {
    connection: Connection,
    has: Has,
    revision: Option<Revision>,
}

impl Proxy {
    fn connect(publisher: &Publisher, index: usize, has: Has) -> Self {
        let connection = publisher.connect(&gateway(), index.to_string().into());
        Self { connection, has, revision: None }
    }

    fn take(&mut self) {
        let changes = match self.revision {
            Some(revision) => self.connection.since(revision).unwrap(),
            None => self.connection.beyond(self.has.clone()).unwrap(),
        };
        self.revision = Some(changes.revision);
        apply(&mut self.has, &changes);
    }
}

proptest! {
    /// However publishing, taking and connecting again are mixed, a proxy that has taken what there is has what is
    /// published, and revisions grow with each change and with nothing else.
    #[test]
    fn proxies_come_to_have_what_is_published(steps in vec(step(), 1..40)) {
        let publisher = publisher();
        let mut published = configuration(&BTreeMap::new());
        let mut revision = publish(&publisher, &published);
        let mut proxies: Vec<_> = (0..2).map(|index| Proxy::connect(&publisher, index, Has::new())).collect();
        for step in steps {
            match step {
                Step::Publish(routes) => {
                    let next = configuration(&routes);
                    let before = revision;
                    revision = publish(&publisher, &next);
                    prop_assert_eq!(revision > before, next != published);
                    published = next;
                }
                Step::Take(index) => {
                    proxies[index].take();
                    prop_assert_eq!(&proxies[index].has, &of(&published));
                }
                Step::Reconnect(index) => {
                    let has = std::mem::take(&mut proxies[index].has);
                    proxies[index] = Proxy::connect(&publisher, index, has);
                }
            }
        }
    }
}

#[test]
fn what_is_sent_for_a_change_is_the_change() {
    let publisher = publisher();
    let routes: BTreeMap<u8, u8> = (0..100).map(|number| (number, 0)).collect();
    publish(&publisher, &configuration(&routes));
    let mut connection = publisher.connect(&gateway(), "pod".into());
    let all = connection.beyond(Has::new()).unwrap();
    assert_eq!(all.changed.len(), 101);
    let mut changed = routes.clone();
    changed.insert(7, 1);
    changed.remove(&8);
    publish(&publisher, &configuration(&changed));
    let changes = connection.since(all.revision).unwrap();
    assert_eq!((changes.changed.len(), changes.removed.len()), (1, 1));
    assert_eq!(connection.since(changes.revision).unwrap().changed, []);
}

/// A pod that comes is one resource, and what is published next is compared with it.
#[test]
fn an_amendment_is_the_change_that_it_makes() {
    let publisher = publisher();
    let namespace = |name: &str| Arc::new(PolicyNamespace { name: name.into(), labels: Labels::new() });
    assert_eq!(publisher.amend(&gateway(), |_| {}), None, "nothing is published yet");
    let routes = (0..10).map(|number| (number, 0)).collect();
    let first = publish(&publisher, &configuration(&routes));
    let mut connection = publisher.connect(&gateway(), "pod".into());
    connection.beyond(Has::new()).unwrap();
    let amend = |name: &str| {
        publisher.amend(&gateway(), |it| drop(it.policy.namespaces.insert(name.into(), namespace(name))))
    };
    let second = amend("a").unwrap();
    assert_eq!(second, Revision(first.0 + 1));
    let changes = connection.since(first).unwrap();
    assert_eq!((changes.changed.len(), changes.removed.len()), (1, 0));
    assert_eq!(amend("a"), Some(second), "the same again is no change");
    let third = publish(&publisher, &configuration(&routes));
    let changes = connection.since(second).unwrap();
    assert_eq!((third > second, changes.changed.len(), changes.removed.len()), (true, 0, 1));
}

#[test]
fn what_every_proxy_was_told_is_forgotten() {
    let publisher = publisher();
    publish(&publisher, &configuration(&(0..50).map(|number| (number, 0)).collect()));
    let mut connection = publisher.connect(&gateway(), "pod".into());
    connection.beyond(Has::new()).unwrap();
    publish(&publisher, &configuration(&BTreeMap::new()));
    let remembered = || {
        let gateways = publisher.lock();
        gateways[&gateway()].published.as_ref().unwrap().removed_count()
    };
    assert_eq!(remembered(), 50);
    connection.since(Revision(100)).unwrap();
    assert_eq!(remembered(), 0);
}

#[test]
fn a_revision_goes_on_from_that_of_a_proxy_that_is_ahead() {
    let publisher = publisher();
    let one = configuration(&BTreeMap::from([(1, 1)]));
    assert_eq!(publish(&publisher, &one), Revision(100));
    let connection = publisher.connect(&gateway(), "pod".into());
    for (revision, then) in [(99, 100), (100, 100), (150, 151), (9999, 151)] {
        connection.go_on_from(Revision(revision), 1000);
        assert_eq!(publish(&publisher, &one), Revision(then));
    }
    assert_eq!(publish(&publisher, &configuration(&BTreeMap::new())), Revision(152));

    let publisher = self::publisher();
    let connection = publisher.connect(&gateway(), "pod".into());
    connection.go_on_from(Revision(100), 1000);
    assert_eq!(publish(&publisher, &one), Revision(101));
}

#[test]
fn a_gateway_that_is_published_no_more_lives_as_long_as_its_proxies() {
    let publisher = publisher();
    publish(&publisher, &configuration(&BTreeMap::from([(1, 1)])));
    let mut connection = publisher.connect(&gateway(), "pod".into());
    publisher.publish(&BTreeMap::new());
    assert_eq!(connection.beyond(Has::new()).unwrap().changed.len(), 2);
    assert!(publisher.acknowledgements().borrow().gateways.contains_key(&gateway()));
    drop(connection);
    assert!(publisher.acknowledgements().borrow().gateways.is_empty());
}
