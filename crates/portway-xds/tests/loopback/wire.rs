//! How much is sent, and when.

use std::collections::HashMap;
use std::sync::Arc;

use portway_config::Revision;
use portway_xds::message::{
    Any, DeltaDiscoveryRequest, DeltaDiscoveryResponse, Payload, RefusedResource, RpcStatus, XdsResource,
};
use portway_xds::{Client, ClientOptions, Limits, Resource, ResourceKey, ResourceType};
use prost::Message;

use crate::configurations::{configuration, endpoints, gateway, listener_key, only, route_key};
use crate::raw::{RawProxy, RawServer};
use crate::stack::{Proxy, Stack, publisher};

/// The types and names of the resources in responses.
fn names(group: &[DeltaDiscoveryResponse]) -> Vec<(&str, &str)> {
    group.iter().flat_map(|it| it.resources.iter().map(|one| (&*it.type_url, &*one.name))).collect()
}

fn versions(group: &[DeltaDiscoveryResponse]) -> HashMap<ResourceType, HashMap<String, String>> {
    let mut versions = HashMap::<_, HashMap<_, _>>::new();
    for response in group {
        let of_type = versions.entry(ResourceType::of_url(&response.type_url).unwrap()).or_default();
        of_type.extend(response.resources.iter().map(|it| (it.name.clone(), it.version.clone())));
    }
    versions
}

#[tokio::test]
async fn an_endpoint_change_sends_that_resource_and_nothing_else() {
    let stack = Stack::start().await;
    stack.publisher.publish(&only(configuration(2000)));
    let mut proxy = RawProxy::connect(&stack, "pod-1", &ResourceType::ALL, HashMap::new()).await;
    let all = proxy.group().await;
    assert_eq!(names(&all).len(), 2004, "settings, listener, endpoints, certificate and routes");
    proxy.acknowledge(&all).await;
    let traffic = || stack.publisher.traffic();
    let before = traffic().of(ResourceType::Endpoints);
    assert_eq!((before.resources, traffic().of(ResourceType::Route).resources), (1, 2000));

    stack.publisher.publish_endpoints(&Arc::new(endpoints(&["10.0.0.2:8080"])));
    let group = proxy.group().await;
    let key = ResourceKey::Endpoints(crate::configurations::endpoints_key());
    assert_eq!(names(&group), [(ResourceType::Endpoints.url(), &*key.name())]);
    assert_eq!(group[0].removed_resources, [] as [String; 0]);
    let bytes = group[0].encoded_len();
    assert!(bytes < 512, "{bytes} bytes");
    let after = traffic().of(ResourceType::Endpoints);
    assert_eq!((after.resources, after.bytes - before.bytes), (2, bytes as u64));
    proxy.acknowledge(&group).await;

    stack.publisher.publish_endpoints(&Arc::new(endpoints(&["10.0.0.2:8080"])));
    proxy.nothing().await;
}

#[tokio::test]
async fn after_a_restart_of_the_server_nothing_is_sent_again() {
    let mut stack = Stack::start().await;
    stack.publisher.publish(&only(configuration(10)));
    let mut proxy = RawProxy::connect(&stack, "pod-1", &ResourceType::ALL, HashMap::new()).await;
    let has = versions(&proxy.group().await);
    let next = publisher(5000);
    next.publish(&only(configuration(10)));
    stack.restart(next).await;

    let mut proxy = RawProxy::connect(&stack, "pod-1", &ResourceType::ALL, has.clone()).await;
    let group = proxy.group().await;
    assert_eq!(names(&group), []);
    assert_eq!((group.len(), &*group[0].system_version_info), (1, "5000"));
    proxy.acknowledge(&group).await;
    stack.until_reached("pod-1", Revision(5000)).await;

    // Of what has changed meanwhile, that alone.
    let next = publisher(9000);
    next.publish(&only(configuration(9)));
    stack.restart(next).await;
    let mut proxy = RawProxy::connect(&stack, "pod-1", &ResourceType::ALL, has).await;
    let group = proxy.group().await;
    let gone = ResourceKey::Route(route_key("route-9")).name();
    assert_eq!((names(&group), &group[0].removed_resources), (vec![], &vec![gone]));
}

#[tokio::test]
async fn a_slow_proxy_is_sent_the_newest_state_alone() {
    let stack = Stack::start().await;
    stack.publisher.publish(&only(configuration(5)));
    let mut proxy = RawProxy::connect(&stack, "pod-1", &ResourceType::ALL, HashMap::new()).await;
    let first = proxy.group().await;
    for last in 1..=100 {
        stack.publisher.publish_endpoints(&Arc::new(endpoints(&[&format!("10.0.1.{last}:80")])));
    }
    stack.publisher.publish_endpoints(&Arc::new(endpoints(&["10.0.2.1:80"])));
    // Nothing more until it has answered.
    proxy.nothing().await;
    proxy.acknowledge(&first).await;
    let group = proxy.group().await;
    assert_eq!((group.len(), group[0].resources.len()), (1, 1));
    assert_eq!(group[0].system_version_info, "1101");
    let content = group[0].resources[0].resource.clone().unwrap();
    let Resource::Endpoints(sent) = Resource::decode(ResourceType::Endpoints, content.value).unwrap() else {
        panic!("endpoints")
    };
    assert_eq!(*sent, endpoints(&["10.0.2.1:80"]));
    proxy.acknowledge(&group).await;
    proxy.nothing().await;
}

#[tokio::test]
async fn a_large_configuration_comes_in_several_responses_and_is_taken_as_one() {
    let limits = Limits { response_bytes: 1000, ..Limits::default() };
    let stack = Stack::start_with(limits).await;
    stack.publisher.publish(&only(configuration(100)));
    let mut raw = RawProxy::connect(&stack, "pod-1", &ResourceType::ALL, HashMap::new()).await;
    let group = raw.group().await;
    assert!(group.len() > 10, "{}", group.len());
    assert_eq!(names(&group).len(), 104);
    let mut proxy = stack.client("pod-2");
    assert_eq!(*proxy.take().await.configuration, configuration(100));
    stack.until_reached("pod-2", Revision(1000)).await;
}

#[tokio::test]
async fn types_that_an_older_proxy_does_not_know_count_as_refused() {
    let stack = Stack::start().await;
    stack.publisher.publish(&only(configuration(1)));
    let known = [ResourceType::Settings, ResourceType::Listener];
    let mut proxy = RawProxy::connect(&stack, "pod-1", &known, HashMap::new()).await;
    let group = proxy.group().await;
    assert_eq!(names(&group).len(), 2);
    proxy.acknowledge(&group).await;
    stack.until_reached("pod-1", Revision(1000)).await;
    let refused = stack.proxy("pod-1").refused;
    let route = &refused[&ResourceKey::Route(route_key("route-0"))];
    assert_eq!(route.message, "old 0 does not know resources of this type");
    assert_eq!(refused.len(), 3, "route, endpoints and certificate: {refused:?}");
}

/// After a rollback of the controller: proxies have, ask for and refuse what it has never heard of.
#[tokio::test]
async fn what_a_newer_proxy_says_is_passed_over_and_its_stream_goes_on() {
    let stack = Stack::start().await;
    stack.publisher.publish(&only(configuration(1)));
    let novelty = "type.googleapis.com/portway.config.v1.Novelty";
    let mut urls = vec![novelty];
    urls.extend(ResourceType::ALL.map(ResourceType::url));
    let strange = |name: &str| HashMap::from([(name.to_owned(), "1".to_owned())]);
    let has = HashMap::from([
        (novelty, strange("x")),
        // A name of another form, and one of a route that there is no more.
        (ResourceType::Listener.url(), strange(r#"{"novel":"name"}"#)),
        (ResourceType::Route.url(), strange(&ResourceKey::Route(route_key("gone")).name())),
    ]);
    let mut proxy = RawProxy::subscribe(&stack, "pod-1", &urls, has).await;
    let group = proxy.group().await;
    assert_eq!(names(&group).len(), 5, "settings, listener, endpoints, certificate and route");
    let removed: Vec<_> = group.iter().flat_map(|it| &it.removed_resources).collect();
    assert!(removed.contains(&&ResourceKey::Route(route_key("gone")).name()), "{removed:?}");

    let refused =
        RefusedResource { type_url: novelty.to_owned(), name: "x".to_owned(), message: "no".to_owned() };
    let url = "type.googleapis.com/portway.config.v1.RefusedResource".to_owned();
    let detail = Any { type_url: url, value: refused.encode_to_vec().into() };
    let beside = Any { type_url: "type.googleapis.com/example.Other".to_owned(), value: "?".into() };
    let refusal = DeltaDiscoveryRequest {
        type_url: novelty.to_owned(),
        error_detail: Some(RpcStatus { code: 3, message: "no".to_owned(), details: vec![detail, beside] }),
        ..DeltaDiscoveryRequest::default()
    };
    proxy.requests.send(refusal).await.unwrap();
    proxy.acknowledge(&group).await;
    stack.until_reached("pod-1", Revision(1000)).await;
    assert_eq!(stack.proxy("pod-1").refused.len(), 0);
    let nacks = ResourceType::ALL.map(|kind| stack.publisher.traffic().of(kind).nacks);
    assert_eq!(nacks, [0; ResourceType::ALL.len()], "of a type that nobody knows here");

    stack.publisher.publish_endpoints(&Arc::new(endpoints(&["10.0.0.2:8080"])));
    assert_eq!(names(&proxy.group().await).len(), 1);
}

fn resource(type_url: &str, name: String, json: &str) -> XdsResource {
    let payload = Payload { json: json.to_owned().into() };
    let value = payload.encode_to_vec().into();
    XdsResource {
        version: "1".to_owned(),
        resource: Some(Any { type_url: type_url.to_owned(), value }),
        name,
    }
}

fn response(nonce: &str, type_url: &str, resources: Vec<XdsResource>, more: bool) -> DeltaDiscoveryResponse {
    DeltaDiscoveryResponse {
        system_version_info: "7".to_owned(),
        resources,
        type_url: type_url.to_owned(),
        nonce: nonce.to_owned(),
        removed_resources: vec![],
        more,
    }
}

fn refused(request: &DeltaDiscoveryRequest) -> Vec<RefusedResource> {
    let details = request.error_detail.iter().flat_map(|status| &status.details);
    details.map(|it| RefusedResource::decode(it.value.clone()).unwrap()).collect()
}

#[tokio::test]
async fn what_a_newer_controller_sends_is_refused_alone() {
    let stack = Stack::start().await;
    let mut server = RawServer::start(&stack.authority).await;
    let controller = format!("localhost:{}", server.address.port());
    let options = ClientOptions { controller, ..stack.options("pod-1", "token") };
    let mut proxy = Proxy(Client::start(options));
    let (mut stream, first) = server.stream().await;
    assert_eq!(first.len(), ResourceType::ALL.len());

    let unknown = "type.googleapis.com/portway.config.v1.Novelty";
    stream.respond(response("1", unknown, vec![resource(unknown, "\"x\"".to_owned(), "{}")], true)).await;
    let listener = &configuration(0).listeners[&listener_key()];
    let json = serde_json::to_value(listener).unwrap();
    let with = |name: &str, field: &str| {
        let mut json = json.clone();
        json["key"]["name"] = name.into();
        json[field] = true.into();
        let key = serde_json::to_string(&json["key"]).unwrap();
        resource(ResourceType::Listener.url(), key, &json.to_string())
    };
    let mut good = json.clone();
    good["key"]["name"] = "good".into();
    let key = serde_json::to_string(&good["key"]).unwrap();
    let good = resource(ResourceType::Listener.url(), key, &good.to_string());
    let listeners = vec![with("strange", "novelty"), good];
    stream.respond(response("2", ResourceType::Listener.url(), listeners, false)).await;

    let update = proxy.take().await;
    assert_eq!(update.configuration.gateway, gateway());
    let names: Vec<_> = update.configuration.listeners.keys().map(|key| &*key.name).collect();
    assert_eq!(names, ["good"]);
    assert_eq!(update.refused.len(), 1, "{:?}", update.refused);
    let answer = stream.request().await;
    assert_eq!((&*answer.response_nonce, refused(&answer).len()), ("1", 1));
    assert!(refused(&answer)[0].message.contains("older than the controller"));
    let answer = stream.request().await;
    assert_eq!(answer.response_nonce, "2");
    let [refused] = refused(&answer).try_into().unwrap();
    assert!(refused.name.contains("strange"), "{refused:?}");
    assert!(refused.message.starts_with("novelty: unknown field"), "{refused:?}");
}

#[tokio::test]
async fn what_protects_and_cannot_be_read_is_taken_out_of_service() {
    let stack = Stack::start().await;
    let mut server = RawServer::start(&stack.authority).await;
    let controller = format!("localhost:{}", server.address.port());
    let options = ClientOptions { controller, ..stack.options("pod-1", "token") };
    let mut proxy = Proxy(Client::start(options));
    let (mut stream, _) = server.stream().await;

    let url = ResourceType::TrustBundle.url();
    let key = r#"{"ConfigMap":{"namespace":"apps","name":"ca"}}"#;
    let bundle =
        |anchors: &str| resource(url, key.to_owned(), &format!(r#"{{"key":{key},"anchors":[{anchors}]}}"#));
    let https = |validation: &str| {
        let json = serde_json::to_string(&configuration(0).listeners[&listener_key()]).unwrap();
        let tls = format!(r#"{{"Https":{{"certificates":[],"client_validation":{validation}}}}}"#);
        let json = json.replace(r#""Http""#, &tls);
        resource(ResourceType::Listener.url(), ResourceKey::Listener(listener_key()).name(), &json)
    };
    stream.respond(response("1", url, vec![bundle(r#""AQID""#)], true)).await;
    stream.respond(response("2", ResourceType::Listener.url(), vec![https("null")], false)).await;
    let update = proxy.take().await;
    assert_eq!((update.configuration.trust_bundles.len(), update.configuration.listeners.len()), (1, 1));
    for _ in 0..2 {
        assert_eq!(refused(&stream.request().await), []);
    }

    let stricter = https(r#"{"trust":[],"mode":"AllowFriends"}"#);
    stream.respond(response("3", url, vec![bundle("\"not Base64!\"")], true)).await;
    stream.respond(response("4", ResourceType::Listener.url(), vec![stricter], false)).await;
    let update = proxy.take().await;
    assert_eq!((update.configuration.trust_bundles.len(), update.configuration.listeners.len()), (0, 0));
    for _ in 0..2 {
        let answer = stream.request().await;
        assert_eq!(refused(&answer).len(), 1, "{answer:?}");
    }
}
