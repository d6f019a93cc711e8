use super::*;
use crate::service::{Endpoint, Reach, Transport};

const DRAIN: Duration = Duration::from_secs(30);

fn at(seconds: u64) -> Duration {
    Duration::from_secs(seconds)
}

fn listener(port: u16) -> ServiceAddress {
    ServiceAddress { transport: Transport::Tcp, address: SocketAddr::from(([192, 0, 2, 1], port)) }
}

fn endpoint(last: u8) -> Endpoint {
    Endpoint { address: SocketAddr::from(([10, 0, 0, last], 80)), reach: Reach::Forwarded, source: None }
}

fn service(backends: &[(u32, &[u8])]) -> Service {
    let backend = |(weight, endpoints): &(u32, &[u8])| Backend {
        weight: *weight,
        endpoints: endpoints.iter().map(|it| endpoint(*it)).collect(),
    };
    Service {
        backends: backends.iter().map(backend).collect(),
        source_affinity: false,
        beside_proxy: false,
        gateway: 0,
    }
}

fn share(changes: &[Change], value: u32) -> f64 {
    let table = changes.iter().find_map(|it| match it {
        Change::PutTable { table, .. } => Some(table),
        _ => None,
    });
    let table = table.unwrap();
    table.iter().filter(|it| **it == value).count() as f64 / table.len() as f64
}

/// Without what the tables hold.
fn shown(changes: &[Change]) -> Vec<String> {
    let one = |change: &Change| match change {
        Change::PutEndpoint { id, endpoint } => format!("endpoint {id} is {:?}", endpoint.address),
        Change::PutTable { service, .. } => format!("table of {service}"),
        Change::PutCounters { service } => format!("counters of {service}"),
        Change::PutService { key, service } => format!("{:?} is service {}", key.port, service.id),
        Change::RemoveService { key } => format!("no {:?}", key.port),
        Change::RemoveTable { service } => format!("no table of {service}"),
        Change::RemoveCounters { service } => format!("no counters of {service}"),
        Change::RemoveEndpoint { id } => format!("no endpoint {id}"),
    };
    changes.iter().map(one).collect()
}

#[test]
fn what_is_referred_to_comes_first_and_goes_last() {
    let mut balancer = Balancer::new(DRAIN);
    let wanted = Services::from([(listener(80), service(&[(1, &[1, 2])]))]);
    assert_eq!(
        shown(&balancer.serve(&wanted, at(0))),
        [
            "endpoint 1 is 10.0.0.1",
            "endpoint 2 is 10.0.0.2",
            "counters of 1",
            "table of 1",
            "80 is service 1"
        ]
    );
    assert_eq!(shown(&balancer.serve(&wanted, at(1))), [] as [&str; 0]);
    assert_eq!(
        shown(&balancer.serve(&Services::new(), at(2))),
        ["no 80", "no table of 1", "no counters of 1"]
    );
    assert_eq!(shown(&balancer.expire(at(31))), [] as [&str; 0]);
    assert_eq!(balancer.next_expiry(), Some(at(32)));
    assert_eq!(shown(&balancer.expire(at(32))), ["no endpoint 1", "no endpoint 2"]);
}

#[test]
fn an_endpoint_that_leaves_drains_and_may_come_back() {
    let mut balancer = Balancer::new(DRAIN);
    let both = Services::from([(listener(80), service(&[(1, &[1, 2])]))]);
    let one = Services::from([(listener(80), service(&[(1, &[1])]))]);
    balancer.serve(&both, at(0));
    assert_eq!(shown(&balancer.serve(&one, at(10))), ["table of 1"]);
    assert_eq!(balancer.draining(), 1);
    assert_eq!(shown(&balancer.serve(&both, at(20))), ["table of 1"], "under its old id");
    assert_eq!(balancer.draining(), 0);
    assert_eq!(shown(&balancer.expire(at(1000))), [] as [&str; 0]);
    balancer.serve(&one, at(1000));
    assert_eq!(shown(&balancer.serve(&one, at(1030))), ["no endpoint 2"]);
}

#[test]
fn an_id_is_never_used_again() {
    let mut balancer = Balancer::new(Duration::ZERO);
    let wanted = Services::from([(listener(80), service(&[(1, &[1])]))]);
    balancer.serve(&wanted, at(0));
    balancer.serve(&Services::new(), at(1));
    assert_eq!(
        shown(&balancer.serve(&wanted, at(2))),
        ["endpoint 2 is 10.0.0.1", "counters of 2", "table of 2", "80 is service 2"]
    );
}

#[test]
fn a_backend_shares_its_weight_among_its_endpoints() {
    let mut balancer = Balancer::new(DRAIN);
    let wanted = Services::from([(listener(80), service(&[(90, &[1, 2, 3]), (10, &[4])]))]);
    let changes = balancer.serve(&wanted, at(0));
    for (id, expected) in [(1, 0.3), (2, 0.3), (3, 0.3), (4, 0.1)] {
        let has = share(&changes, id);
        assert!((has - expected).abs() < 0.001, "endpoint {id}: {has}");
    }
}

#[test]
fn the_share_of_a_backend_without_endpoints_is_refused() {
    let mut balancer = Balancer::new(DRAIN);
    let wanted = Services::from([(listener(80), service(&[(3, &[1]), (1, &[]), (0, &[])]))]);
    let changes = balancer.serve(&wanted, at(0));
    assert!((share(&changes, ENDPOINT_REFUSE) - 0.25).abs() < 0.001);
    let nothing = Services::from([(listener(80), Service::default())]);
    assert!((share(&balancer.serve(&nothing, at(1)), ENDPOINT_REFUSE) - 1.0).abs() < f64::EPSILON);
}

#[test]
fn endpoints_of_the_other_family_get_nothing() {
    let mut balancer = Balancer::new(DRAIN);
    let mut wanted = service(&[(1, &[1])]);
    let address = "[2001:db8::1]:80".parse().unwrap();
    wanted.backends[0].endpoints.push(Endpoint { address, reach: Reach::Forwarded, source: None });
    let changes = balancer.serve(&Services::from([(listener(80), wanted)]), at(0));
    assert!((share(&changes, 1) - 1.0).abs() < f64::EPSILON);
}

#[test]
fn another_way_to_an_endpoint_is_told_under_its_id() {
    let mut balancer = Balancer::new(DRAIN);
    let mut wanted = service(&[(1, &[1])]);
    balancer.serve(&Services::from([(listener(80), wanted.clone())]), at(0));
    wanted.backends[0].endpoints[0].reach = Reach::Masqueraded;
    wanted.source_affinity = true;
    assert_eq!(
        shown(&balancer.serve(&Services::from([(listener(80), wanted)]), at(1))),
        ["endpoint 1 is 10.0.0.1", "table of 1", "80 is service 1"]
    );
}

#[test]
fn every_node_makes_the_same_table() {
    let wanted = Services::from([(listener(80), service(&[(1, &[1, 2, 3])]))]);
    let mut other = Balancer::new(DRAIN);
    // Its ids are others, since it has served something else before.
    other.serve(&Services::from([(listener(81), service(&[(1, &[3, 1])]))]), at(0));
    let places = |changes: &[Change]| {
        let mut addresses = BTreeMap::from([(ENDPOINT_REFUSE, None)]);
        let mut places = Vec::new();
        for change in changes {
            match change {
                Change::PutEndpoint { id, endpoint } => {
                    addresses.insert(*id, Some(endpoint.address));
                }
                Change::PutTable { table, .. } => places.extend(table.iter().map(|id| addresses[id])),
                _ => {}
            }
        }
        places
    };
    let one = places(&Balancer::new(DRAIN).serve(&wanted, at(0)));
    assert!(one.iter().all(Option::is_some));
    assert_eq!(one, places(&other.serve(&wanted, at(1))));
}

/// An agent that starts anew finds the maps as the one before has left them.
#[test]
fn ids_are_kept_over_a_restart() {
    let mut before = Balancer::new(DRAIN);
    let wanted =
        Services::from([(listener(80), service(&[(1, &[1, 2])])), (listener(81), service(&[(1, &[3])]))]);
    let (mut services, mut endpoints) = (Vec::new(), Vec::new());
    for change in before.serve(&wanted, at(0)) {
        match change {
            Change::PutService { key, service } => services.push((key, service)),
            Change::PutEndpoint { id, endpoint } => endpoints.push((id, endpoint)),
            _ => {}
        }
    }
    let mut after = Balancer::resume(DRAIN, &services, &endpoints);
    let wanted = Services::from([(listener(80), service(&[(1, &[2, 4])]))]);
    assert_eq!(
        shown(&after.serve(&wanted, at(1))),
        [
            "endpoint 4 is 10.0.0.4",
            "table of 1",
            "80 is service 1",
            "no 81",
            "no table of 2",
            "no counters of 2"
        ]
    );
    assert_eq!(after.draining(), 2);
    assert_eq!(shown(&after.expire(at(30))), ["no endpoint 1", "no endpoint 3"]);
    assert_eq!(shown(&after.serve(&wanted, at(31))), Vec::<String>::new());
}

/// So an established flow goes on by the way that it began by, however its endpoint is reached by now.
#[test]
fn an_endpoint_that_is_reached_by_another_node_is_another_one() {
    let mut balancer = Balancer::new(DRAIN);
    let by = |reach: Reach| {
        let endpoints = vec![Endpoint { reach, ..endpoint(1) }];
        let backends = vec![Backend { weight: 1, endpoints }];
        Services::from([(
            listener(80),
            Service { backends, source_affinity: false, beside_proxy: false, gateway: 0 },
        )])
    };
    let node = |last: u8| Reach::OnNeighbour([192, 0, 2, last].into());
    let before = balancer.serve(&by(node(9)), at(0));
    let put: Vec<_> = before.iter().filter(|it| matches!(it, Change::PutEndpoint { .. })).cloned().collect();
    let [Change::PutEndpoint { id: 1, endpoint: first }] = put[..] else { panic!("{before:?}") };
    assert_eq!(
        (IpAddr::from(first.node), first.flags),
        ([192, 0, 2, 9].into(), layout::ENDPOINT_ON_NEIGHBOUR)
    );
    assert_eq!(
        shown(&balancer.serve(&by(Reach::Masqueraded), at(1))),
        ["endpoint 2 is 10.0.0.1", "table of 1"]
    );
    assert_eq!(balancer.draining(), 1);
    assert_eq!(shown(&balancer.serve(&by(node(9)), at(2))), ["table of 1"], "the first is back");
    assert_eq!(shown(&balancer.expire(at(40))), ["no endpoint 2"]);

    let service = layout::Service { id: 1, flags: 0 };
    let mut next = Balancer::resume(DRAIN, &[(key(&listener(80)), service)], &[(1, first)]);
    let found = ["table of 1", "80 is service 1"];
    assert_eq!(shown(&next.serve(&by(node(9)), at(0))), found, "found in the maps");
}

#[test]
fn an_endpoint_is_told_the_gateway_of_its_clients() {
    let mut balancer = Balancer::new(DRAIN);
    let through = |gateway| {
        let backends = vec![Backend { weight: 1, endpoints: vec![endpoint(1)] }];
        Services::from([(listener(80), Service { backends, gateway, ..Service::default() })])
    };
    let mut told = |gateway| {
        let changes = balancer.serve(&through(gateway), at(0)).into_iter();
        let put = changes.filter_map(|it| match it {
            Change::PutEndpoint { id, endpoint } => Some((id, endpoint.gateway)),
            _ => None,
        });
        put.collect::<Vec<_>>()
    };
    assert_eq!([told(5), told(5), told(6), told(0)], [vec![(1, 5)], vec![], vec![(1, 6)], vec![(1, 0)]]);
}
