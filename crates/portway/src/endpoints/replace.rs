//! Putting the endpoints of `--endpoint` in the place of those that manifests give.

use std::sync::Arc;

use portway_api::core::{EndpointPort, Service, ServicePort};
use portway_api::{Object, ObjectKey, Snapshot};

use super::mirror::mirrored;
use super::option::EndpointOption;
use super::slice::{Replica, keys_of, protocol, slice};

/// Whether manifests give endpoints of a Service.
pub(crate) fn has_endpoints(snapshot: &Snapshot, service: &ObjectKey) -> bool {
    snapshot.endpoints.contains_key(service) || !keys_of(snapshot, service).is_empty()
}

/// Puts endpoints in the place of those that manifests give. Returns what stands in the way, as a sentence.
pub(crate) fn replace(snapshot: &mut Snapshot, options: &[EndpointOption]) -> Vec<String> {
    let replaced = options.iter().enumerate().map(|(index, option)| replace_one(snapshot, option, index));
    replaced.filter_map(|it| it.err().map(|why| why.to_string())).collect()
}

/// Why an option has no effect, or another than it seems.
#[derive(Debug, thiserror::Error)]
enum NoEffect<'a> {
    #[error("--endpoint {0}: no manifest holds this Service")]
    NoService(&'a EndpointOption),
    #[error("--endpoint {0}: the Service has no such port")]
    NoPort(&'a EndpointOption),
    #[error("--endpoint {0}: the Service is of type ExternalName, which says where it is already")]
    External(&'a EndpointOption),
}

fn replace_one<'a>(
    snapshot: &mut Snapshot,
    option: &'a EndpointOption,
    index: usize,
) -> Result<(), NoEffect<'a>> {
    let service = snapshot.services.get(&option.service).ok_or(NoEffect::NoService(option))?;
    let service = Arc::clone(service);
    if service.spec.as_ref().and_then(|spec| spec.type_.as_deref()) == Some("ExternalName") {
        return Err(NoEffect::External(option));
    }
    let is_meant = |port: &&ServicePort| option.port.is_none_or(|it| i32::from(it) == port.port);
    let ports: Vec<_> = ports(&service).filter(is_meant).collect();
    if ports.is_empty() {
        return Err(NoEffect::NoPort(option));
    }
    slices_of_endpoints(snapshot, &option.service);
    for key in keys_of(snapshot, &option.service) {
        take_ports_away(snapshot, &key, &ports);
    }
    for (number, endpoint) in option.endpoints.iter().enumerate() {
        let suffix = format!("endpoint-option-{index}-{number}");
        let replica = Replica { suffix: &suffix, host: &endpoint.host, port: endpoint.port };
        snapshot.insert(Object::EndpointSlice(Arc::new(slice(&service, ports.iter().copied(), replica))));
    }
    Ok(())
}

fn ports(service: &Service) -> impl Iterator<Item = &ServicePort> {
    service.spec.iter().flat_map(|spec| spec.ports.iter().flatten())
}

/// Writes the older Endpoints object of a Service as slices, as the EndpointSlice mirroring controller of Kubernetes
/// does: where a Service has a slice its Endpoints do not count any more, and one port's slice would hide the others'.
fn slices_of_endpoints(snapshot: &mut Snapshot, service: &ObjectKey) {
    if !keys_of(snapshot, service).is_empty() {
        return;
    }
    let Some(endpoints) = snapshot.endpoints.remove(service) else { return };
    for slice in mirrored(&endpoints) {
        snapshot.insert(Object::EndpointSlice(Arc::new(slice)));
    }
}

/// Removes ports from a slice, and the slice if none is left.
fn take_ports_away(snapshot: &mut Snapshot, key: &ObjectKey, ports: &[&ServicePort]) {
    let Some(slice) = snapshot.endpoint_slices.get_mut(key) else { return };
    let slice = Arc::make_mut(slice);
    let left = slice.ports.get_or_insert_default();
    left.retain(|it| !ports.iter().any(|port| is_port(it, port)));
    if left.is_empty() {
        snapshot.endpoint_slices.remove(key);
    }
}

/// A slice's port is a Service's when they have name and protocol in common; an absent name is the empty one.
fn is_port(of_slice: &EndpointPort, of_service: &ServicePort) -> bool {
    of_slice.name.as_deref().unwrap_or_default() == of_service.name.as_deref().unwrap_or_default()
        && of_slice.protocol.as_deref().unwrap_or("TCP") == protocol(of_service)
}

#[cfg(test)]
mod tests {
    use portway_api::manifest::{Source, read};
    use portway_config::{EndpointsKey, NamespacedName, Transport};
    use portway_translate::backend::endpoints;

    use super::*;

    const WEB: &str = "
apiVersion: v1
kind: Service
metadata: {name: web, namespace: a}
spec: {ports: [{name: http, port: 80}, {name: admin, port: 81}]}
---
apiVersion: discovery.k8s.io/v1
kind: EndpointSlice
metadata: {name: web-1, namespace: a, labels: {kubernetes.io/service-name: web}}
addressType: IPv4
ports: [{name: http, port: 8080}, {name: admin, port: 8081}]
endpoints: [{addresses: [10.0.0.1]}]
---
apiVersion: v1
kind: Service
metadata: {name: elsewhere, namespace: a}
spec: {type: ExternalName, externalName: example.com}
";

    fn snapshot(text: &str) -> Snapshot {
        let reading = read(&Source::new("web.yaml"), text);
        assert_eq!(reading.problems, []);
        let mut snapshot = Snapshot::default();
        for (object, _) in reading.objects {
            snapshot.insert(object);
        }
        snapshot
    }

    /// The endpoints of ports 80 and 81 of `a/web`, and what stood in the way.
    fn replaced(options: &[&str]) -> ([Vec<String>; 2], Vec<String>) {
        replaced_in(WEB, options)
    }

    fn replaced_in(text: &str, options: &[&str]) -> ([Vec<String>; 2], Vec<String>) {
        let options: Vec<EndpointOption> = options.iter().map(|it| it.parse().unwrap()).collect();
        let mut snapshot = snapshot(text);
        let told = replace(&mut snapshot, &options);
        let of_port = |port| {
            let service = NamespacedName::new("a", "web");
            let key = EndpointsKey { service, port, transport: Transport::Tcp };
            let found = endpoints(&snapshot, &key).endpoints;
            found.iter().map(|endpoint| endpoint.address.to_string()).collect()
        };
        ([of_port(80), of_port(81)], told)
    }

    #[test]
    fn one_port_or_all_are_replaced() {
        let (found, told) = replaced(&["a/web:80=127.0.0.1:1,[::1]:2"]);
        assert_eq!(told, [] as [&str; 0]);
        assert_eq!(found, [vec!["127.0.0.1:1", "[::1]:2"], vec!["10.0.0.1:8081"]]);
        let (found, _) = replaced(&["a/web=localhost:3"]);
        assert_eq!(found, [["localhost:3"], ["localhost:3"]]);
        let (found, _) = replaced(&["a/web=127.0.0.1:1", "a/web:81=127.0.0.1:2"]);
        assert_eq!(found, [["127.0.0.1:1"], ["127.0.0.1:2"]]);
    }

    #[test]
    fn the_other_ports_of_an_older_endpoints_object_stay() {
        let text = "
apiVersion: v1
kind: Service
metadata: {name: web, namespace: a}
spec: {ports: [{name: http, port: 80}, {name: admin, port: 81}]}
---
apiVersion: v1
kind: Endpoints
metadata: {name: web, namespace: a}
subsets:
- addresses: [{ip: 10.0.0.1}, {ip: 'fd00::1'}]
  ports: [{name: http, port: 8080}, {name: admin, port: 8081}]
- notReadyAddresses: [{ip: 10.0.0.2}]
  addresses: [{ip: 10.0.0.3}]
  ports: [{name: admin, port: 9081}]
";
        let (found, told) = replaced_in(text, &["a/web:80=127.0.0.1:1"]);
        assert_eq!(told, [] as [&str; 0]);
        assert_eq!(found, [vec!["127.0.0.1:1"], vec!["10.0.0.1:8081", "10.0.0.3:9081", "[fd00::1]:8081"]]);
        let (found, _) = replaced_in(text, &["a/web=127.0.0.1:1"]);
        assert_eq!(found, [["127.0.0.1:1"], ["127.0.0.1:1"]]);
    }

    #[test]
    fn an_option_without_effect_is_told() {
        let (found, told) = replaced(&["a/wob=a:1", "a/web:82=a:1", "a/elsewhere=a:1"]);
        assert_eq!(found, [["10.0.0.1:8080"], ["10.0.0.1:8081"]]);
        assert_eq!(
            told,
            [
                "--endpoint a/wob: no manifest holds this Service",
                "--endpoint a/web:82: the Service has no such port",
                "--endpoint a/elsewhere: the Service is of type ExternalName, which says where it is already",
            ]
        );
    }

    #[test]
    fn whether_manifests_give_endpoints() {
        let snapshot = snapshot(WEB);
        assert!(has_endpoints(&snapshot, &ObjectKey::new("a", "web")));
        assert!(!has_endpoints(&snapshot, &ObjectKey::new("a", "elsewhere")));
    }
}
