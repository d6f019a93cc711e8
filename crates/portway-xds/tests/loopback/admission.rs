//! Who is let in, and how the server shows who it is.

use std::collections::HashMap;
use std::sync::Arc;
use std::time::Duration;

use portway_config::{NamespacedName, Revision};
use portway_xds::{Client, ClientOptions, Limits, ResourceType};
use tokio::time::timeout;

use crate::configurations::{configuration, endpoints, only};
use crate::pki::Authority;
use crate::raw::{self, RawProxy};
use crate::stack::{Proxy, SOON, Stack};

#[tokio::test]
async fn a_wrong_token_gets_nothing() {
    let stack = Stack::start().await;
    stack.publisher.publish(&only(configuration(1)));
    let mut forged = Proxy(Client::start(stack.options("pod-1", "forged")));
    let mut missing = Proxy(Client::start(ClientOptions { token_file: None, ..stack.options("pod-2", "") }));
    // The token is that of another Gateway's proxy, and of no proxy at all.
    let mut foreign = Proxy(Client::start(stack.options("pod-3", "pod-3@shop")));
    let mut none = Proxy(Client::start(stack.options("pod-4", "pod-4@other")));
    for proxy in [&mut forged, &mut missing, &mut foreign, &mut none] {
        proxy.nothing().await;
    }
    stack.until(|it| it.proxies.is_empty()).await;
    let traffic = stack.publisher.traffic();
    assert!(traffic.turned_away() >= 4 && traffic.admitted() == 0, "{traffic:?}");
}

#[tokio::test]
async fn a_token_is_read_again_at_each_connect() {
    let stack = Stack::start().await;
    stack.publisher.publish(&only(configuration(1)));
    let mut proxy = Proxy(Client::start(stack.options("pod-1", "expired")));
    proxy.nothing().await;
    std::fs::write(stack.file("token-pod-1"), "pod-1@web").unwrap();
    proxy.take().await;
}

#[tokio::test]
async fn another_gateways_configuration_is_not_sent() {
    let stack = Stack::start().await;
    let mut all = only(configuration(1));
    let other = NamespacedName::new("apps", "shop");
    let mut of_other = configuration(5);
    of_other.gateway = other.clone();
    all.insert(other, Arc::new(of_other));
    stack.publisher.publish(&all);
    let update = stack.client("pod-1").take().await;
    assert_eq!(*update.configuration, configuration(1));
}

#[tokio::test]
async fn a_server_that_the_authority_does_not_vouch_for_is_not_believed() {
    let stack = Stack::start().await;
    stack.publisher.publish(&only(configuration(1)));
    std::fs::write(stack.file("other-ca.pem"), Authority::new().certificate_pem).unwrap();
    let options = stack.options("pod-1", "pod-1@web");
    let mut misled =
        Proxy(Client::start(ClientOptions { ca_file: Some(stack.file("other-ca.pem")), ..options }));
    // The right authority, but the name is another.
    let controller = format!("127.0.0.1:{}", stack.address.port());
    let options = stack.options("pod-2", "pod-2@web");
    let mut misnamed = Proxy(Client::start(ClientOptions { controller, ..options }));
    misled.nothing().await;
    misnamed.nothing().await;
}

#[tokio::test]
async fn a_rotated_certificate_breaks_no_stream() {
    let stack = Stack::start().await;
    stack.publisher.publish(&only(configuration(1)));
    let mut proxy = stack.client("pod-1");
    proxy.take().await;
    let connected = stack.proxy("pod-1").connected;
    // The new authority is added to the file before the new certificate is shown.
    let authority = Authority::new();
    let both = [&*stack.authority.certificate_pem, &*authority.certificate_pem].concat();
    std::fs::write(stack.file("ca.pem"), both).unwrap();
    let pair = authority.issue("localhost");
    stack.tls.replace(pair.certificate.as_bytes(), pair.key.as_bytes()).unwrap();

    stack.publisher.publish_endpoints(&Arc::new(endpoints(&["10.0.0.7:80"])));
    proxy.take().await;
    assert_eq!(stack.proxy("pod-1").connected, connected, "it is the same stream");
    // A proxy that comes now is shown the new one.
    stack.client("pod-2").take().await;
    assert!(stack.tls.replace(b"", b"").is_err());
    stack.client("pod-3").take().await;
}

#[tokio::test]
async fn a_connection_that_says_nothing_is_closed() {
    let limits = Limits { admission_timeout: Duration::from_millis(200), ..Limits::default() };
    let stack = Stack::start_with(limits).await;
    stack.publisher.publish(&only(configuration(1)));
    let (_silent, connection) = raw::connect(&stack).await;
    let mut proxy = RawProxy::connect(&stack, "pod-1", &ResourceType::ALL, HashMap::new()).await;
    let group = proxy.group().await;
    // That it was closed is all that counts; as it was without a word, it may be an error.
    let _ = timeout(SOON, connection).await.expect("it is closed");
    // One with a stream lives on.
    tokio::time::sleep(Duration::from_millis(200)).await;
    proxy.acknowledge(&group).await;
    stack.until_reached("pod-1", Revision(1000)).await;
}

#[tokio::test]
async fn of_two_streams_of_a_pod_the_newer_lives() {
    let stack = Stack::start().await;
    stack.publisher.publish(&only(configuration(1)));
    let mut old = stack.client("pod-1");
    old.take().await;
    let connected = stack.proxy("pod-1").connected;
    let mut new = stack.client("pod-1");
    new.take().await;
    stack.until(|it| it.proxies.get("pod-1").is_some_and(|it| it.connected > connected)).await;
}
