//! The article's example: an application, a Gateway in another namespace, and the route between them.

use crate::curl::curl;
use crate::eventually;
use crate::manifest;
use crate::portway::{self, Portway};

/// The name of the replica on a demo backend's page.
fn server_name(body: &str) -> &str {
    let line = body.lines().find_map(|line| line.strip_prefix("Server name: "));
    line.unwrap_or_else(|| panic!("no page of a demo backend: {body}"))
}

#[test]
fn the_example_serves_the_page_from_both_replicas() {
    let portway = Portway::run(["examples/my-app", "--demo-backends"]);
    let mut replicas = std::collections::BTreeSet::new();
    for _ in 0..20 {
        let answer = portway.get("http://myapp.example.com/cart?item=7");
        assert_eq!(answer.status, 200, "{answer:?}");
        assert!(answer.body.contains("\nURI: /cart?item=7\n"), "{}", answer.body);
        replicas.insert(server_name(&answer.body).to_owned());
    }
    assert_eq!(replicas.len(), 2, "{replicas:?}");
    assert_eq!(portway.get("http://other.example.com/").status, 404);
    let told = portway.stderr();
    let line = format!("curl -H 'Host: myapp.example.com' http://{}/", portway.at(80));
    assert!(told.contains(&line), "{told}");
    assert!(told.contains("Namespace gateway-api: no manifest declares this namespace"), "{told}");
}

#[test]
fn the_curl_line_that_is_printed_answers() {
    let portway = Portway::run(["examples/my-app", "--demo-backends"]);
    // It is ready before what it says of itself has been read.
    let line = eventually("a line for curl", || {
        portway.stderr().lines().find_map(|line| line.trim().strip_prefix("curl ").map(str::to_owned))
    });
    let words = line.split(' ').map(|word| word.trim_matches('\''));
    // The only word with a space is the header.
    let arguments: Vec<_> = words
        .collect::<Vec<_>>()
        .join(" ")
        .replace("Host: ", "Host:")
        .split(' ')
        .map(str::to_owned)
        .collect();
    assert_eq!(curl(arguments).status, 200, "{line}");
}

/// The manifests exactly as they stand in the article: the Gateway takes routes of its own namespace only.
#[test]
fn a_route_that_may_not_attach_is_explained_everywhere() {
    let path = manifest("my-app-same.yaml");
    let portway = Portway::run([path.as_str(), "--demo-backends"]);
    assert_eq!(portway.get("http://myapp.example.com/").status, 404);

    let message = "HTTPRoute my-app/my-web-app-route may not attach to Gateway gateway-api/my-gateway: listener http takes \
                   routes from its own namespace gateway-api only (allowedRoutes.namespaces.from: Same), and the route \
                   is in namespace my-app";
    let started = portway.stderr();
    for part in [
        message,
        &format!("{path}:70:5: error[route-not-attached]"),
        "to All",
        "move the route to namespace gateway-api",
    ] {
        assert!(started.contains(part), "{part:?} is not in {started}");
    }

    let (code, status, _) = portway::output(["status", "--admin", &portway.admin()]);
    assert_eq!(code, 1, "{status}");
    assert!(status.contains("NotAllowedByListeners"), "{status}");
    assert!(status.contains("listener http, 0 routes"), "{status}");

    let document = portway.status();
    let objects = document["objects"].as_array().unwrap();
    let route = objects.iter().find(|it| it["object"]["kind"] == "HTTPRoute").unwrap();
    let accepted = &route["parts"][0]["conditions"][0];
    assert_eq!((&accepted["type"], &accepted["status"]), (&"Accepted".into(), &"False".into()));
    assert_eq!(accepted["reason"], "NotAllowedByListeners");
    assert!(accepted["message"].as_str().unwrap().contains("listener http"), "{accepted}");
}
