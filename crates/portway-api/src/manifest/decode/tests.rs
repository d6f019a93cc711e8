use serde::Deserialize;

use super::*;
use crate::{
    HttpRoute,
    core::{Secret, Service},
    manifest::{Source, parse},
};

fn document(text: &str) -> Document {
    let mut parsed = parse(&Source::new("x.yaml"), text);
    assert_eq!(parsed.problems, []);
    parsed.documents.remove(0)
}

/// Whether the object could be read, and the problems, each on one line.
fn decoded<T: DeserializeOwned>(text: &str) -> (bool, Vec<String>) {
    let (object, problems) = decode::<T>(&document(text));
    (object.is_some(), problems.iter().map(|problem| problem.to_string().replace("\n  ", " ")).collect())
}

#[test]
fn reads_a_route() {
    let text = "\
apiVersion: gateway.networking.k8s.io/v1
kind: HTTPRoute
metadata: {name: web, namespace: my-app, creationTimestamp: null}
spec:
  parentRefs: [{name: gateway}]
  rules:
  - matches: [{path: {value: /a}}]
    timeouts: null
    backendRefs: [{name: web, port: 80}]
";
    let (route, problems) = decode::<HttpRoute>(&document(text));
    assert_eq!(problems, []);
    let route = route.unwrap();
    assert_eq!(route.key().to_string(), "my-app/web");
    assert_eq!(route.spec.rules[0].backend_refs[0].weight, 1);
}

#[test]
fn every_mistake_is_told_with_its_place() {
    let text = "\
apiVersion: gateway.networking.k8s.io/v1
kind: HTTPRoute
metadata: {name: web, namespace: my-app}
spec:
  hostname: [a.example.com]
  parentRefs: {name: gateway}
  rules:
  - name: 1
    matches:
    - path: {type: Prefix, value: /a}
    - path: {type: exact}
      headers: [{value: x}]
    filters:
    - type: RequestRedirect
      requestRedirect: {statusCode: 70000}
    backendRefs:
    - name: web
      port: \"80\"
      wight: 1
";
    let (read, problems) = decoded::<HttpRoute>(text);
    assert!(!read);
    assert_eq!(
        problems,
        [
            "x.yaml:5:3: error[unknown-field]: HTTPRoute my-app/web: spec.hostname: there is no field `hostname` here \
             help: did you mean `hostnames`?",
            "x.yaml:6:15: error[wrong-type]: HTTPRoute my-app/web: spec.parentRefs: a list is expected here, not a \
             mapping help: start each item of the list with `- `",
            "x.yaml:8:11: error[wrong-type]: HTTPRoute my-app/web: spec.rules[0].name: text is expected here, not the \
             number 1 help: put it in quotes: \"1\"",
            "x.yaml:10:20: error[unknown-value]: HTTPRoute my-app/web: spec.rules[0].matches[0].path.type: \"Prefix\" is \
             not allowed here; allowed are `Exact`, `PathPrefix`, `RegularExpression` help: did you mean `PathPrefix`?",
            "x.yaml:11:20: error[unknown-value]: HTTPRoute my-app/web: spec.rules[0].matches[1].path.type: \"exact\" is \
             not allowed here; allowed are `Exact`, `PathPrefix`, `RegularExpression` help: did you mean `Exact`?",
            "x.yaml:12:17: error[missing-field]: HTTPRoute my-app/web: spec.rules[0].matches[1].headers[0].name: this \
             field is required, and it is missing",
            "x.yaml:15:37: error[invalid-value]: HTTPRoute my-app/web: spec.rules[0].filters[0].requestRedirect.statusCode: \
             70000 is out of range: from 0 to 65535",
            "x.yaml:18:13: error[wrong-type]: HTTPRoute my-app/web: spec.rules[0].backendRefs[0].port: a whole number is \
             expected here, not the text \"80\" help: remove the quotes: 80",
            "x.yaml:19:7: error[unknown-field]: HTTPRoute my-app/web: spec.rules[0].backendRefs[0].wight: there is no \
             field `wight` here help: did you mean `weight`?",
        ]
    );
}

#[test]
fn core_objects_are_checked_as_well() {
    let (read, problems) = decoded::<Service>(
        "apiVersion: v1\nkind: Service\nmetadata: {name: web}\nspec:\n  ports:\n  - {port: 80, targetport: http}\n",
    );
    assert!(read);
    assert_eq!(
        problems,
        [
            "x.yaml:6:16: error[unknown-field]: Service web: spec.ports[0].targetport: there is no field `targetport` here \
          help: did you mean `targetPort`?"
        ]
    );
    let (read, problems) = decoded::<Secret>("apiVersion: v1\nkind: Secret\ndata: {tls.crt: '!'}\n");
    assert!(!read);
    assert_eq!(problems.len(), 1);
    assert!(
        problems[0]
            .starts_with("x.yaml:3:17: error[invalid-value]: Secret: data[tls.crt]: this is not base64: "),
        "{problems:?}"
    );
    assert!(problems[0].contains("`base64 -w0`"), "{problems:?}");
    let (service, problems) = decode::<Service>(&document(
        "apiVersion: v1\nkind: Service\nspec: {ports: [{port: 80, targetPort: http}, {port: 81, targetPort: 8080}]}\n",
    ));
    assert_eq!(problems, []);
    let ports = service.and_then(|service| service.spec).and_then(|spec| spec.ports).unwrap_or_default();
    assert_eq!(ports.len(), 2);
}

#[test]
fn a_wrong_object_is_told_once() {
    #[derive(Debug, Deserialize)]
    struct Outer {
        #[allow(dead_code, reason = "only whether it can be read matters")]
        inner: Inner,
    }
    #[derive(Debug, Deserialize)]
    struct Inner {
        #[allow(dead_code, reason = "only whether it can be read matters")]
        count: u8,
    }
    assert_eq!(
        decoded::<Outer>("inner: {count: x}"),
        (false, vec!["x.yaml:1:16: error[wrong-type]: inner.count: a whole number is expected here, not the text \"x\"".to_owned()])
    );
    assert_eq!(
        decoded::<Outer>("inner: {}"),
        (
            false,
            vec![
                "x.yaml:1:1: error[missing-field]: inner.count: this field is required, and it is missing"
                    .to_owned()
            ]
        )
    );
    assert_eq!(
        decoded::<Outer>("other: 1"),
        (
            false,
            vec![
                "x.yaml:1:1: error[missing-field]: inner: this field is required, and it is missing".to_owned(),
                "x.yaml:1:1: error[unknown-field]: other: there is no field `other` here help: the fields here are \
                 `inner`".to_owned(),
            ]
        )
    );
}

#[test]
fn the_number_of_problems_is_limited() {
    let text = format!("spec: {{rules: [{}]}}", "{name: 1}, ".repeat(1_000));
    let (read, problems) = decoded::<HttpRoute>(&text);
    assert_eq!((read, problems.len()), (false, limits::MAX_TYPE_PROBLEMS));
}
