//! Manifests that the tests put theirs to.

/// A Gateway with one listener (`listener` is its entry in `spec.listeners`), and `more`.
pub(crate) fn gateway(listener: &str, more: &str) -> String {
    format!(
        r"
apiVersion: gateway.networking.k8s.io/v1
kind: GatewayClass
metadata: {{ name: portway }}
spec: {{ controllerName: portway.dev/gateway-controller }}
---
apiVersion: gateway.networking.k8s.io/v1
kind: Gateway
metadata: {{ name: edge, namespace: web }}
spec:
  gatewayClassName: portway
  listeners:
  - {listener}
---
{more}"
    )
}

/// A Gateway with an HTTP listener, and `more`.
pub(crate) fn http_gateway(more: &str) -> String {
    gateway("{ name: http, port: 80, protocol: HTTP }", more)
}

/// A Service of one port, which is a flow mapping of a `ServicePort`.
pub(crate) fn service(name: &str, port: &str) -> String {
    format!(
        "apiVersion: v1
kind: Service
metadata: {{ name: {name}, namespace: web }}
spec: {{ ports: [{port}] }}
---
"
    )
}

/// A route with one rule, whose fields `rule` has.
pub(crate) fn route(kind: &str, hostnames: &str, rule: &str) -> String {
    format!(
        "apiVersion: gateway.networking.k8s.io/v1
kind: {kind}
metadata: {{ name: app, namespace: web }}
spec:
  parentRefs: [{{ name: edge }}]
  hostnames: [{hostnames}]
  rules:
  - {rule}
---
"
    )
}

/// The rule that sends everything to `web/app`.
pub(crate) const TO_APP: &str = "backendRefs: [{ name: app, port: 80 }]";

/// `web/app`, and a route to it for every host, with this rule.
pub(crate) fn app(rule: &str) -> String {
    service("app", "{ port: 80 }") + &route("HTTPRoute", "", rule)
}
