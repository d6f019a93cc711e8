//! What is sent, and what came of it.

use std::sync::Arc;

use portway_config::Revision;
use portway_xds::client::{RefusedByProxy, Source};
use portway_xds::{Refusal, ResourceKey, ResourceType};

use crate::configurations::{
    configuration, endpoints, endpoints_key, gateway, only, put_endpoints, route, route_key,
};
use crate::stack::{Stack, publisher};

#[tokio::test]
async fn a_configuration_arrives_whole_and_is_acknowledged() {
    let stack = Stack::start().await;
    let published = configuration(3);
    let revisions = stack.publisher.publish(&only(published.clone()));
    assert_eq!(revisions[&gateway()], Revision(1000));
    let mut proxy = stack.client("pod-1");
    let update = proxy.take().await;
    assert_eq!((update.revision, &*update.configuration), (Revision(1000), &published));
    assert_eq!(update.source, Source::Controller);
    stack.until_reached("pod-1", Revision(1000)).await;
    assert!(stack.proxy("pod-1").refused.is_empty());
}

#[tokio::test]
async fn a_proxy_that_is_there_first_is_told_when_there_is_something() {
    let stack = Stack::start().await;
    let mut proxy = stack.client("pod-1");
    proxy.nothing().await;
    stack.publisher.publish(&only(configuration(1)));
    assert_eq!(proxy.take().await.configuration.routes.len(), 1);
}

#[tokio::test]
async fn what_is_equal_is_shared_with_the_update_before() {
    let stack = Stack::start().await;
    stack.publisher.publish(&only(configuration(2)));
    let mut proxy = stack.client("pod-1");
    let before = proxy.take().await.configuration;
    stack.publisher.publish_endpoints(&Arc::new(endpoints(&["10.0.0.2:8080"])));
    let after = proxy.take().await.configuration;
    assert_eq!(*after.endpoints[&endpoints_key()], endpoints(&["10.0.0.2:8080"]));
    assert!(Arc::ptr_eq(&before.routes[&route_key("route-1")], &after.routes[&route_key("route-1")]));
}

#[tokio::test]
async fn a_semantically_equal_publish_sends_nothing() {
    let stack = Stack::start().await;
    stack.publisher.publish(&only(configuration(2)));
    let mut proxy = stack.client("pod-1");
    proxy.take().await;
    let again = stack.publisher.publish(&only(configuration(2)));
    assert_eq!(again[&gateway()], Revision(1000));
    assert_eq!(stack.publisher.publish_endpoints(&Arc::new(endpoints(&["10.0.0.1:8080"]))), [].into());
    proxy.nothing().await;
}

#[tokio::test]
async fn what_is_removed_is_gone() {
    let stack = Stack::start().await;
    stack.publisher.publish(&only(configuration(2)));
    let mut proxy = stack.client("pod-1");
    proxy.take().await;
    let revisions = stack.publisher.publish(&only(configuration(1)));
    let update = proxy.take().await;
    assert_eq!((update.revision, &*update.configuration), (revisions[&gateway()], &configuration(1)));
}

#[tokio::test]
async fn a_refused_resource_keeps_its_last_good_version_and_good_ones_beside_it_are_used() {
    let stack = Stack::start().await;
    stack.publisher.publish(&only(configuration(2)));
    let mut proxy = stack.client("pod-1");
    proxy.take().await;

    let mut changed = configuration(2);
    for name in ["route-0", "route-1"] {
        changed.routes.insert(route_key(name), Arc::new(route(name, Some(7))));
    }
    let revisions = stack.publisher.publish(&only(changed));
    let update = proxy.update().await;
    assert_eq!(update.configuration.routes[&route_key("route-0")].created, Some(7));
    let key = ResourceKey::Route(route_key("route-0"));
    let refused = RefusedByProxy { refusal: Refusal::new(key.clone(), "rule 0: no"), keeps_last_good: true };
    proxy.report(&update, vec![refused]);
    stack.until_reached("pod-1", revisions[&gateway()]).await;
    let refused = stack.proxy("pod-1").refused;
    assert_eq!(refused.keys().collect::<Vec<_>>(), [&key]);
    assert_eq!(refused[&key].message, "rule 0: no");
    assert_eq!(stack.publisher.traffic().of(ResourceType::Route).nacks, 1);

    // Later updates have the good version too, and the refusal stands until the resource is changed again.
    stack.publisher.publish_endpoints(&Arc::new(endpoints(&["10.0.0.2:8080"])));
    let update = proxy.take().await;
    assert_eq!(update.configuration.routes[&route_key("route-0")].created, None);
    assert_eq!(update.configuration.routes[&route_key("route-1")].created, Some(7));
    assert_eq!(update.refused, [Refusal::new(key.clone(), "rule 0: no")]);
    stack.until_reached("pod-1", update.revision).await;
    assert_eq!(stack.proxy("pod-1").refused[&key].since, refused[&key].since);

    let mut mended = configuration(2);
    put_endpoints(&mut mended, &["10.0.0.2:8080"]);
    stack.publisher.publish(&only(mended.clone()));
    let update = proxy.take().await;
    assert_eq!((&*update.configuration, update.refused), (&mended, vec![]));
    stack.until(|it| it.proxies["pod-1"].refused.is_empty()).await;
}

#[tokio::test]
async fn a_report_may_change_without_an_update() {
    let stack = Stack::start().await;
    let revisions = stack.publisher.publish(&only(configuration(1)));
    let mut proxy = stack.client("pod-1");
    let update = proxy.update().await;
    let key = ResourceKey::Listener(crate::configurations::listener_key());
    let refusal = Refusal::new(key.clone(), "the address is in use");
    proxy.report(&update, vec![RefusedByProxy { refusal, keeps_last_good: false }]);
    stack.until_reached("pod-1", revisions[&gateway()]).await;
    assert!(stack.proxy("pod-1").refused.contains_key(&key));
    proxy.report(&update, vec![]);
    stack.until(|it| it.proxies["pod-1"].refused.is_empty()).await;
}

#[tokio::test]
async fn after_a_restart_of_the_server_the_proxy_is_in_step_at_the_new_revision() {
    let mut stack = Stack::start().await;
    stack.publisher.publish(&only(configuration(2)));
    let mut proxy = stack.client("pod-1");
    proxy.take().await;
    let next = publisher(5000);
    stack.restart(next.clone()).await;
    // Not published yet: a proxy must not lose what it has.
    proxy.nothing().await;
    next.publish(&only(configuration(2)));
    let update = proxy.take().await;
    assert_eq!((update.revision, &*update.configuration), (Revision(5000), &configuration(2)));
    stack.until_reached("pod-1", Revision(5000)).await;
}

#[tokio::test]
async fn a_proxy_starts_from_its_disk_without_a_server() {
    let mut stack = Stack::start().await;
    stack.publisher.publish(&only(configuration(2)));
    let mut proxy = stack.client_with_state("pod-1");
    proxy.take().await;
    stack.until_reached("pod-1", Revision(1000)).await;
    proxy.0.stop().await;
    stack.stop().await;

    let mut proxy = stack.client_with_state("pod-1");
    let update = proxy.take().await;
    assert_eq!((update.source, update.revision), (Source::Disk, Revision(1000)));
    // With the private key.
    assert_eq!(*update.configuration, configuration(2));
}
