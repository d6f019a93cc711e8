use super::*;
use crate::{core::IntOrString, manifest::limits};

fn reading(text: &str) -> Reading {
    read(&Source::new("x.yaml"), text)
}

fn told(reading: &Reading) -> Vec<String> {
    reading.problems.iter().map(|problem| problem.to_string().replace("\n  ", " ")).collect()
}

const MY_APP: &str = "\
apiVersion: v1
kind: Namespace
metadata: {name: my-app}
---
apiVersion: v1
kind: Service
metadata: {name: web, namespace: my-app}
spec: {ports: [{port: 80}]}
---
apiVersion: gateway.networking.k8s.io/v1beta1
kind: Gateway
metadata: {name: gateway}
spec:
  gatewayClassName: portway
  listeners: [{name: http, protocol: HTTP, port: 80}]
---
apiVersion: gateway.networking.k8s.io/v1
kind: HTTPRoute
metadata: {name: web, namespace: my-app}
spec:
  parentRefs: [{name: gateway, namespace: default}]
  rules: [{backendRefs: [{name: web, port: 80}]}]
";

#[test]
fn objects_are_read_and_completed() {
    let reading = reading(MY_APP);
    assert_eq!(told(&reading), [] as [&str; 0]);
    let names: Vec<_> = reading.objects.iter().map(|(object, _)| object.object_ref().to_string()).collect();
    assert_eq!(
        names,
        ["Namespace my-app", "Service my-app/web", "Gateway default/gateway", "HTTPRoute my-app/web"]
    );
    let (Object::Namespace(namespace), _) = &reading.objects[0] else { panic!("{names:?}") };
    let labels = namespace.metadata.labels.clone().unwrap_or_default();
    assert_eq!(labels.get("kubernetes.io/metadata.name").map(String::as_str), Some("my-app"));
    let (Object::Service(service), _) = &reading.objects[1] else { panic!("{names:?}") };
    let port = &service.spec.as_ref().and_then(|spec| spec.ports.as_ref()).unwrap()[0];
    assert_eq!((port.protocol.as_deref(), &port.target_port), (Some("TCP"), &Some(IntOrString::Int(80))));
}

#[test]
fn an_object_that_breaks_a_rule_is_left_out_alone() {
    let text = MY_APP.replace("port: 80}]\n---", "port: 70000}]\n---").replace("parentRefs", "parentRef");
    let reading = reading(&text);
    assert_eq!(
        told(&reading),
        [
            "x.yaml:15:50: error[invalid-value]: Gateway gateway: spec.listeners[0].port: 70000 is out of range: from \
             1 to 65535",
            "x.yaml:21:3: error[unknown-field]: HTTPRoute my-app/web: spec.parentRef: there is no field `parentRef` \
             here help: did you mean `parentRefs`?",
        ]
    );
    assert!(reading.has_errors());
    let kinds: Vec<_> = reading.objects.iter().map(|(object, _)| object.kind()).collect();
    assert_eq!(kinds, ["Namespace", "Service", "HTTPRoute"]);
}

#[test]
fn what_does_not_fit_hides_nothing_else() {
    let text = MY_APP
        .replace("listeners: [{name: http, protocol: HTTP, port: 80}]", "listeners: [{name: HTTP, port: 80}]")
        .replace(
            "{name: web, port: 80}]",
            "{name: web, port: '80'}], name: A, matches: [{path: {value: a}}]",
        );
    let told: Vec<_> = reading(&text)
        .problems
        .iter()
        .map(|it| format!("{} {}", it.code, it.field.clone().unwrap_or_default()))
        .collect();
    assert_eq!(
        told,
        [
            // The listener is left out, so what else is wrong with it, or missing without it, is not told.
            "missing-field spec.listeners[0].protocol",
            "wrong-type spec.rules[0].backendRefs[0].port",
            "invalid-value spec.rules[0].name",
            "invalid-value spec.rules[0].matches[0].path.value",
        ]
    );
}

#[test]
fn one_object_stands_at_one_place() {
    let gateway_class = |version: &str| {
        format!(
            "apiVersion: gateway.networking.k8s.io/{version}\nkind: GatewayClass\nmetadata: {{name: a}}\n\
             spec: {{controllerName: a.b/c}}\n"
        )
    };
    let text = [gateway_class("v1"), gateway_class("v1beta1")].join("---\n");
    let reading = reading(&text);
    assert_eq!(
        told(&reading),
        [
            "x.yaml:6:1: error[duplicate-object]: GatewayClass a: this object is defined already at x.yaml:1:1 help: \
          remove one of the two, or give it another name or namespace"
        ]
    );
    assert_eq!(reading.objects.len(), 1);
    let same_key = "apiVersion: v1\nkind: Secret\nmetadata: {name: a}\n---\napiVersion: v1\nkind: ConfigMap\n\
                    metadata: {name: a}\n---\napiVersion: v1\nkind: Secret\nmetadata: {name: a, namespace: b}\n";
    assert_eq!(told(&read(&Source::new("x.yaml"), same_key)), [] as [&str; 0]);
}

#[test]
fn names_are_checked() {
    let text = "\
apiVersion: v1
kind: Service
metadata: {name: 0web, namespace: My_App, labels: {'a/b/c': '-'}}
---
apiVersion: v1
kind: ConfigMap
metadata: {generateName: a-}
---
apiVersion: v1
kind: Namespace
metadata: {name: a, namespace: b}
---
kind: Service
---
- a
---
apiVersion: v1
kind: Secret
metadata: {name: a}
stringData: {b: c}
data: {b: Zg==}
";
    let reading = reading(text);
    let told: Vec<_> =
        told(&reading).iter().map(|problem| problem.split(" help: ").next().unwrap().to_owned()).collect();
    assert_eq!(
        told,
        [
            "x.yaml:3:18: error[invalid-value]: Service My_App/0web: metadata.name: \"0web\" is not a name for a Service",
            "x.yaml:3:35: error[invalid-value]: Service My_App/0web: metadata.namespace: \"My_App\" is not a DNS label",
            "x.yaml:3:61: error[invalid-value]: Service My_App/0web: metadata.labels[a/b/c]: \"a/b/c\" is not the key of \
             a label or annotation",
            "x.yaml:3:61: error[invalid-value]: Service My_App/0web: metadata.labels[a/b/c]: \"-\" is not the value of a \
             label",
            "x.yaml:7:1: error[missing-field]: ConfigMap: metadata.name: only an API server makes names by \
             `generateName`; the object needs a name",
            "x.yaml:11:32: warning[invalid-value]: Namespace b/a: metadata.namespace: a Namespace stands in no namespace; \
             b is ignored",
            "x.yaml:13:1: error[not-an-object]: Service: this is no Kubernetes object: it has no `apiVersion`",
            "x.yaml:15:1: error[not-an-object]: a Kubernetes object is a mapping with `apiVersion`, `kind` and `metadata`",
        ]
    );
    let (Object::Secret(secret), _) = &reading.objects[1] else { panic!("{:?}", reading.objects) };
    let data = secret.data.clone().unwrap_or_default();
    assert_eq!(data["b"].0, b"c");
}

#[test]
fn the_broken_rules_of_one_object_are_told_up_to_a_limit() {
    let labels: String = (0..1_000).map(|n| format!("    -{n}: a\n")).collect();
    let text = format!("apiVersion: v1\nkind: ConfigMap\nmetadata:\n  name: a\n  labels:\n{labels}");
    assert_eq!(reading(&text).problems.len(), limits::MAX_VALIDATION_PROBLEMS);
}
