//! What the CRDs say in CEL, each rule with an object that breaks it and one that just does not.

use std::collections::BTreeSet;

use serde_json::{Value, json};

use super::{crd, errors, reading};
use crate::manifest::{Severity, Source, parse};

/// How many different rules the CRDs hold. Where this changes, so must the cases below. One rule, that a GatewayClass
/// keeps its controller, looks at the former object and has no meaning here.
const RULES: usize = 93;

/// An object of a kind with this spec in YAML.
fn object(kind: &str, spec: &str) -> Value {
    let parsed = parse(&Source::new("spec.yaml"), spec);
    assert_eq!((parsed.documents.len(), &parsed.problems), (1, &vec![]), "{spec}");
    let (kind, version) = kind.split_once(' ').unwrap_or((kind, "v1"));
    json!({
        "apiVersion": format!("gateway.networking.k8s.io/{version}"),
        "kind": kind,
        "metadata": {"name": "a"},
        "spec": parsed.documents[0].value,
    })
}

#[track_caller]
fn refused(kind: &str, spec: &str, fields: &[&str]) {
    let errors = errors(&object(kind, spec));
    let at: Vec<_> = errors.iter().map(|(at, _)| at.as_str()).collect();
    assert_eq!(at, fields, "{spec}\n{errors:#?}");
}

#[track_caller]
fn allowed(kind: &str, spec: &str) {
    refused(kind, spec, &[]);
}

/// A rule of an HTTPRoute.
fn rule(rule: &str) -> String {
    format!("rules: [{{{rule}}}]")
}

fn http_filter(filter: &str) -> String {
    rule(&format!("filters: [{{{filter}}}]"))
}

fn listener(listener: &str) -> String {
    format!("{{gatewayClassName: a, listeners: [{{name: a, port: 80, {listener}}}]}}")
}

#[test]
fn the_rules_are_those_that_were_read() {
    let mut rules = BTreeSet::new();
    for crd in crd::all() {
        crd.walk(&mut |_, schema| {
            let here = schema["x-kubernetes-validations"].as_array().into_iter().flatten();
            rules.extend(here.filter_map(|validation| validation["rule"].as_str()).map(str::to_owned));
        });
    }
    assert_eq!(rules.len(), RULES);
}

#[test]
fn parents_are_distinct() {
    for (parents, fields) in [
        ("{name: a}, {name: b}", &[][..]),
        ("{name: a}, {name: a, namespace: b}", &[]),
        ("{name: a, sectionName: a}, {name: a, sectionName: b}", &[]),
        ("{name: a, port: 80}, {name: a, port: 81}", &[]),
        ("{name: a}, {name: a}", &["spec.parentRefs[1]"]),
        ("{name: a}, {name: a, kind: Gateway}", &["spec.parentRefs[1]"]),
        ("{name: a}, {name: a, sectionName: b}", &["spec.parentRefs[1]"]),
        ("{name: a, port: 80}, {name: a, sectionName: b}", &["spec.parentRefs[1]"]),
        ("{name: a, sectionName: a}, {name: b}, {name: a, sectionName: a}", &["spec.parentRefs[2]"]),
    ] {
        for kind in ["HTTPRoute", "GRPCRoute"] {
            refused(kind, &format!("parentRefs: [{parents}]"), fields);
        }
    }
}

#[test]
fn backends_have_ports_where_they_need_them() {
    for (backend, fields) in [
        ("name: a, port: 80", &[][..]),
        ("name: a, group: example.com, kind: Foo", &[]),
        ("name: a", &["spec.rules[0].backendRefs[0].port"]),
        (
            "name: a, group: gateway.networking.x-k8s.io, kind: XBackend, port: 80",
            &["spec.rules[0].backendRefs[0].port"],
        ),
    ] {
        refused("HTTPRoute", &rule(&format!("backendRefs: [{{{backend}}}]")), fields);
        refused("TCPRoute", &rule(&format!("backendRefs: [{{{backend}}}]")), fields);
    }
}

#[test]
fn paths_are_clean() {
    for path in ["/", "/a/b.c", "/a%20b", "/...", "/.a/b..", "/a@b"] {
        allowed("HTTPRoute", &rule(&format!("matches: [{{path: {{value: \"{path}\"}}}}]")));
    }
    for path in
        ["a", "/a//b", "/a/./b", "/a/../b", "/a%2fb", "/a%2Fb", "/a#b", "/a/..", "/a/.", "/a b", "/ä", "/a?b"]
    {
        for kind in ["Exact", "PathPrefix"] {
            let spec = rule(&format!("matches: [{{path: {{type: {kind}, value: \"{path}\"}}}}]"));
            refused("HTTPRoute", &spec, &["spec.rules[0].matches[0].path.value"]);
        }
        allowed(
            "HTTPRoute",
            &rule(&format!("matches: [{{path: {{type: RegularExpression, value: \"{path}\"}}}}]")),
        );
    }
}

#[test]
fn rules_have_distinct_names_and_not_too_many_matches() {
    for kind in ["HTTPRoute", "GRPCRoute"] {
        allowed(kind, "rules: [{name: a}, {name: b}, {}, {}]");
        refused(kind, "rules: [{name: a}, {}, {name: a}]", &["spec.rules[2].name"]);
        let rule = |matches: usize| format!("{{matches: [{}]}}", vec!["{headers: []}"; matches].join(", "));
        allowed(kind, &format!("rules: [{}, {}]", rule(64), rule(64)));
        refused(kind, &format!("rules: [{}, {}, {}]", rule(64), rule(64), rule(1)), &["spec.rules"]);
    }
    allowed(
        "TCPRoute v1alpha2",
        "rules: [{name: a, backendRefs: [{name: a, port: 1}]}, {name: b, backendRefs: [{name: a, port: 1}]}]",
    );
    let twice =
        "rules: [{name: a, backendRefs: [{name: a, port: 1}]}, {name: a, backendRefs: [{name: a, port: 1}]}]";
    refused("TCPRoute v1alpha2", twice, &["spec.rules[1].name"]);
    refused("TCPRoute", twice, &["spec.rules", "spec.rules[1].name"]);
}

#[test]
fn filters_are_what_their_type_says() {
    for (kind, field, value) in [
        ("RequestHeaderModifier", "requestHeaderModifier", "{}"),
        ("ResponseHeaderModifier", "responseHeaderModifier", "{}"),
        ("RequestMirror", "requestMirror", "{backendRef: {name: a, port: 80}}"),
        ("RequestRedirect", "requestRedirect", "{}"),
        ("URLRewrite", "urlRewrite", "{}"),
        ("CORS", "cors", "{}"),
        ("ExtensionRef", "extensionRef", "{group: a, kind: a, name: a}"),
        ("ExternalAuth", "externalAuth", "{protocol: HTTP, http: {}, backendRef: {name: a, port: 80}}"),
    ] {
        allowed("HTTPRoute", &http_filter(&format!("type: {kind}, {field}: {value}")));
        refused(
            "HTTPRoute",
            &http_filter(&format!("type: {kind}")),
            &[&format!("spec.rules[0].filters[0].{field}")],
        );
        let (other, other_field) =
            if kind == "CORS" { ("URLRewrite", "urlRewrite") } else { ("CORS", "cors") };
        let spec = http_filter(&format!("type: {other}, {other_field}: {{}}, {field}: {value}"));
        refused("HTTPRoute", &spec, &[&format!("spec.rules[0].filters[0].{field}")]);
        let in_backend = rule(&format!("backendRefs: [{{name: a, port: 80, filters: [{{type: {kind}}}]}}]"));
        refused("HTTPRoute", &in_backend, &[&format!("spec.rules[0].backendRefs[0].filters[0].{field}")]);
    }
    for (kind, field) in [
        ("RequestHeaderModifier", "requestHeaderModifier"),
        ("ResponseHeaderModifier", "responseHeaderModifier"),
        ("RequestMirror", "requestMirror"),
        ("ExtensionRef", "extensionRef"),
    ] {
        refused(
            "GRPCRoute",
            &http_filter(&format!("type: {kind}")),
            &[&format!("spec.rules[0].filters[0].{field}")],
        );
    }
    let listener_filter =
        |filter: &str| listener(&format!("protocol: HTTP, filters: {{requests: [{{{filter}}}]}}"));
    allowed("Gateway", &listener_filter("type: ExtensionRef, extensionRef: {group: a, kind: a, name: a}"));
    let at = "spec.listeners[0].filters.requests[0]";
    refused("Gateway", &listener_filter("type: ExtensionRef"), &[&format!("{at}.extensionRef")]);
    refused("Gateway", &listener_filter("type: ExternalAuth"), &[&format!("{at}.externalAuth")]);
    let both = "type: ExternalAuth, externalAuth: {protocol: GRPC, grpc: {}, backendRef: {name: a, port: 80}}, \
                extensionRef: {group: a, kind: a, name: a}";
    refused("Gateway", &listener_filter(both), &[&format!("{at}.extensionRef")]);
}

#[test]
fn filters_stand_beside_each_other_only_where_they_may() {
    let filters = |filters: &str| rule(&format!("filters: [{filters}]"));
    let mirror = "{type: RequestMirror, requestMirror: {backendRef: {name: a, port: 80}}}";
    allowed("HTTPRoute", &filters(&format!("{mirror}, {mirror}")));
    for (kind, field) in [
        ("RequestHeaderModifier", "requestHeaderModifier"),
        ("ResponseHeaderModifier", "responseHeaderModifier"),
        ("RequestRedirect", "requestRedirect"),
        ("URLRewrite", "urlRewrite"),
        ("CORS", "cors"),
    ] {
        let filter = format!("{{type: {kind}, {field}: {{}}}}");
        refused("HTTPRoute", &filters(&format!("{filter}, {filter}")), &["spec.rules[0].filters[1]"]);
        if field.ends_with("Modifier") {
            refused("GRPCRoute", &filters(&format!("{filter}, {filter}")), &["spec.rules[0].filters[1]"]);
        }
    }
    let both = "{type: URLRewrite, urlRewrite: {}}, {type: RequestRedirect, requestRedirect: {}}";
    refused("HTTPRoute", &filters(both), &["spec.rules[0].filters[0]"]);
    let redirect = "filters: [{type: RequestRedirect, requestRedirect: {}}]";
    refused(
        "HTTPRoute",
        &rule(&format!("{redirect}, backendRefs: [{{name: a, port: 80}}]")),
        &["spec.rules[0].filters[0]"],
    );
}

#[test]
fn a_prefix_is_replaced_only_where_one_is_matched() {
    let prefix = "path: {type: ReplacePrefixMatch, replacePrefixMatch: /b}";
    for (kind, field) in [("RequestRedirect", "requestRedirect"), ("URLRewrite", "urlRewrite")] {
        let filters = format!("filters: [{{type: {kind}, {field}: {{{prefix}}}}}]");
        for (matches, is_allowed) in [
            ("", true),
            ("matches: [{path: {value: /a}}], ", true),
            ("matches: [{method: GET}], ", true),
            ("matches: [{path: {value: /a}}, {path: {value: /b}}], ", false),
            ("matches: [{path: {type: Exact, value: /a}}], ", false),
            ("matches: [], ", false),
        ] {
            let at = format!("spec.rules[0].filters[0].{field}.path");
            let in_backend = format!("spec.rules[0].backendRefs[0].filters[0].{field}.path");
            let expected = |at| if is_allowed { vec![] } else { vec![at] };
            refused("HTTPRoute", &rule(&format!("{matches}{filters}")), &expected(at.as_str()));
            let backend = rule(&format!("{matches}backendRefs: [{{name: a, port: 80, {filters}}}]"));
            refused("HTTPRoute", &backend, &expected(in_backend.as_str()));
        }
    }
}

#[test]
fn parts_of_filters_agree() {
    let at = "spec.rules[0].filters[0]";
    for (filter, field) in [
        ("type: URLRewrite, urlRewrite: {path: {type: ReplaceFullPath}}", "urlRewrite.path.replaceFullPath"),
        (
            "type: URLRewrite, urlRewrite: {path: {type: ReplaceFullPath, replaceFullPath: /, replacePrefixMatch: /}}",
            "urlRewrite.path.replacePrefixMatch",
        ),
        (
            "type: URLRewrite, urlRewrite: {path: {type: ReplacePrefixMatch}}",
            "urlRewrite.path.replacePrefixMatch",
        ),
        (
            "type: RequestMirror, requestMirror: {backendRef: {name: a, port: 80}, percent: 1, fraction: {numerator: 1}}",
            "requestMirror.fraction",
        ),
        (
            "type: RequestMirror, requestMirror: {backendRef: {name: a, port: 80}, fraction: {numerator: 101}}",
            "requestMirror.fraction.numerator",
        ),
        ("type: CORS, cors: {allowOrigins: ['*', 'https://a']}", "cors.allowOrigins"),
        ("type: CORS, cors: {allowHeaders: ['*', 'a']}", "cors.allowHeaders"),
        ("type: CORS, cors: {allowMethods: ['*', GET]}", "cors.allowMethods"),
        (
            "type: ExternalAuth, externalAuth: {protocol: HTTP, backendRef: {name: a, port: 80}}",
            "externalAuth.http",
        ),
        (
            "type: ExternalAuth, externalAuth: {protocol: GRPC, backendRef: {name: a, port: 80}}",
            "externalAuth.grpc",
        ),
        (
            "type: ExternalAuth, externalAuth: {protocol: GRPC, grpc: {}, http: {}, backendRef: {name: a, port: 80}}",
            "externalAuth.http",
        ),
        (
            "type: ExternalAuth, externalAuth: {protocol: HTTP, grpc: {}, http: {}, backendRef: {name: a, port: 80}}",
            "externalAuth.grpc",
        ),
    ] {
        refused("HTTPRoute", &http_filter(filter), &[&format!("{at}.{field}")]);
    }
    allowed("HTTPRoute", &http_filter("type: CORS, cors: {allowOrigins: ['*'], exposeHeaders: ['*', a]}"));
}

#[test]
fn timeouts_and_sessions_agree() {
    for (timeouts, fields) in [
        ("{request: 10s, backendRequest: 10000ms}", &[][..]),
        ("{request: 0s, backendRequest: 10s}", &[]),
        ("{backendRequest: 10s}", &[]),
        ("{request: 10s, backendRequest: 11s}", &["spec.rules[0].timeouts.backendRequest"]),
    ] {
        refused("HTTPRoute", &rule(&format!("timeouts: {timeouts}")), fields);
    }
    for (session, fields) in [
        ("{cookie: {}}", &[][..]),
        ("{type: Header, header: {name: a}}", &[]),
        ("{cookie: {lifetimeType: Permanent}, absoluteTimeout: 1h}", &[]),
        ("{cookie: {lifetimeType: Permanent}}", &["spec.rules[0].sessionPersistence.absoluteTimeout"]),
        ("{}", &["spec.rules[0].sessionPersistence.cookie"]),
        ("{type: Header}", &["spec.rules[0].sessionPersistence.header"]),
        ("{cookie: {}, header: {name: a}}", &["spec.rules[0].sessionPersistence.header"]),
        ("{type: Header, cookie: {}, header: {name: a}}", &["spec.rules[0].sessionPersistence.cookie"]),
    ] {
        refused("HTTPRoute", &rule(&format!("sessionPersistence: {session}")), fields);
        refused("GRPCRoute", &rule(&format!("sessionPersistence: {session}")), fields);
    }
}

#[test]
fn grpc_methods_are_named() {
    let at = "spec.rules[0].matches[0].method";
    for (method, fields) in [
        ("service: a.B", vec![]),
        ("method: Get", vec![]),
        ("type: RegularExpression, service: 'a.*', method: '^G'", vec![]),
        ("type: Exact", vec![at.to_owned()]),
        ("service: 'a.*'", vec![format!("{at}.service")]),
        ("method: a/b", vec![format!("{at}.method")]),
    ] {
        let fields: Vec<_> = fields.iter().map(String::as_str).collect();
        refused("GRPCRoute", &rule(&format!("matches: [{{method: {{{method}}}}}]")), &fields);
    }
}

#[test]
fn listeners_fit_their_protocol() {
    let certificate = "certificateRefs: [{name: a}]";
    for (rest, field) in [
        ("protocol: HTTP".to_owned(), None),
        ("protocol: HTTPS".to_owned(), None),
        (format!("protocol: HTTPS, tls: {{{certificate}}}"), None),
        ("protocol: HTTPS, tls: {options: {a: b}}".to_owned(), None),
        ("protocol: TLS, tls: {mode: Passthrough}".to_owned(), None),
        (format!("protocol: HTTP, tls: {{{certificate}}}"), Some("tls")),
        (format!("protocol: TCP, tls: {{{certificate}}}"), Some("tls")),
        (format!("protocol: UDP, tls: {{{certificate}}}"), Some("tls")),
        ("protocol: HTTPS, tls: {mode: Passthrough}".to_owned(), Some("tls.mode")),
        ("protocol: TLS".to_owned(), Some("tls")),
        ("protocol: TLS, tls: {mode: Terminate}".to_owned(), Some("tls.certificateRefs")),
        ("protocol: TCP, hostname: a".to_owned(), Some("hostname")),
        ("protocol: UDP, hostname: a".to_owned(), Some("hostname")),
        ("protocol: TCP, filters: {}".to_owned(), Some("filters")),
        (
            "protocol: HTTP, allowedRoutes: {namespaces: {from: None}}".to_owned(),
            Some("allowedRoutes.namespaces.from"),
        ),
    ] {
        let fields: Vec<_> = field.map(|field| format!("spec.listeners[0].{field}")).into_iter().collect();
        let fields: Vec<_> = fields.iter().map(String::as_str).collect();
        refused("Gateway", &listener(&rest), &fields);
        refused(
            "ListenerSet",
            &listener(&rest).replace("gatewayClassName: a", "parentRef: {name: a}"),
            &fields,
        );
    }
    let two = |first: &str, second: &str| {
        format!("{{gatewayClassName: a, listeners: [{{{first}}}, {{{second}}}]}}")
    };
    let http = "name: a, port: 80, protocol: HTTP";
    allowed("Gateway", &two(http, "name: b, port: 80, protocol: HTTP, hostname: a"));
    allowed("Gateway", &two(http, "name: b, port: 80, protocol: TCP"));
    refused("Gateway", &two(http, "name: a, port: 81, protocol: HTTP"), &["spec.listeners[1]"]);
    refused("Gateway", &two(http, "name: b, port: 80, protocol: HTTP"), &["spec.listeners[1]"]);
}

#[test]
fn gateways_have_sound_addresses_labels_and_trust() {
    let gateway = |rest: &str| {
        format!("{{gatewayClassName: a, listeners: [{{name: a, port: 80, protocol: HTTP}}], {rest}}}")
    };
    for (rest, field) in [
        (
            "addresses: [{value: 10.0.0.1}, {value: '::1'}, {type: Hostname, value: a.b}, {type: NamedAddress, value: x y}, {}]",
            None,
        ),
        ("addresses: [{value: 10.0.0.1}, {value: 10.0.0.1}]", Some("addresses[1]")),
        ("addresses: [{type: Hostname, value: a}, {type: Hostname, value: a}]", Some("addresses[1]")),
        ("addresses: [{type: NamedAddress, value: a}, {type: NamedAddress, value: a}]", None),
        ("addresses: [{value: a}]", Some("addresses[0].value")),
        ("addresses: [{type: Hostname, value: 'a b'}]", Some("addresses[0].value")),
        ("addresses: [{routability: Public}]", Some("addresses[0].routability")),
        ("addresses: [{routability: x.k8s.io/a}]", Some("addresses[0].routability")),
        ("infrastructure: {labels: {'a.b/c': d}}", None),
        ("infrastructure: {labels: {'-': d}}", Some("infrastructure.labels.-")),
        ("infrastructure: {annotations: {'a b': d}}", Some("infrastructure.annotations[a b]")),
        (
            "tls: {frontend: {default: {}, perPort: [{port: 1, tls: {}}, {port: 1, tls: {}}]}}",
            Some("tls.frontend.perPort[1]"),
        ),
        (
            "tls: {frontend: {default: {validation: {caCertificateRefs: [{group: certificates.k8s.io, kind: \
             ClusterTrustBundle, name: a, namespace: b}]}}}}",
            Some("tls.frontend.default.validation.caCertificateRefs[0].namespace"),
        ),
        ("allowedListeners: {namespaces: {from: None}}", None),
        (
            "allowedListeners: {namespaces: {from: Selector, selector: {matchExpressions: [{key: a, operator: in}]}}}",
            Some("allowedListeners.namespaces.selector.matchExpressions[0].operator"),
        ),
    ] {
        let fields: Vec<_> = field.map(|field| format!("spec.{field}")).into_iter().collect();
        refused("Gateway", &gateway(rest), &fields.iter().map(String::as_str).collect::<Vec<_>>());
    }
    let long = "a".repeat(253);
    let labels = gateway(&format!("infrastructure: {{labels: {{'{long}/c': d}}}}"));
    refused("Gateway", &labels, &[&format!("spec.infrastructure.labels[{long}/c]")]);
}

#[test]
fn a_controller_name_without_a_path_is_warned_of() {
    let spec = |name: &str| format!("controllerName: {name}");
    for name in ["a.b/c", "a.b/c/d", "a.b"] {
        allowed("GatewayClass", &spec(name));
    }
    let warned = reading(&object("GatewayClass", &spec("io.cilium.gateway-controller")));
    assert_eq!((warned.objects.len(), warned.problems.len()), (1, 1), "{warned:?}");
    assert_eq!(warned.problems[0].severity, Severity::Warning);
    for name in ["A.b/c", "a.b/", "/c", "a b", "a.b/c d"] {
        refused("GatewayClass", &spec(name), &["spec.controllerName"]);
    }
}

#[test]
fn server_names_are_no_addresses() {
    let route = |hostname: &str| {
        format!("{{hostnames: ['{hostname}'], rules: [{{backendRefs: [{{name: a, port: 1}}]}}]}}")
    };
    allowed("TLSRoute", &route("*.a.b"));
    for hostname in ["10.0.0.1", "a.*.b", "*a", "A", "a_b"] {
        refused("TLSRoute", &route(hostname), &["spec.hostnames[0]"]);
    }
    allowed("TLSRoute v1alpha2", &route("10.0.0.1"));
    allowed("TLSRoute v1alpha2", "rules: [{backendRefs: [{name: a, port: 1}]}]");
}

#[test]
fn backend_tls_policies_agree_with_themselves() {
    let target = "{group: '', kind: Service, name: a}";
    let policy = |targets: &str, validation: &str| {
        format!("{{targetRefs: [{targets}], validation: {{hostname: a, {validation}}}}}")
    };
    let system = "wellKnownCACertificates: System";
    allowed("BackendTLSPolicy", &policy(target, system));
    allowed("BackendTLSPolicy v1alpha3", &policy(target, system));
    let section = |name: &str| format!("{{group: '', kind: Service, name: a, sectionName: {name}}}");
    allowed("BackendTLSPolicy", &policy(&format!("{}, {}", section("a"), section("b")), system));
    for targets in [
        format!("{target}, {target}"),
        format!("{target}, {}", section("a")),
        format!("{}, {}", section("a"), section("a")),
    ] {
        refused("BackendTLSPolicy", &policy(&targets, system), &["spec.targetRefs[1]"]);
    }
    let reference = "caCertificateRefs: [{group: '', kind: ConfigMap, name: a}]";
    allowed("BackendTLSPolicy", &policy(target, reference));
    refused("BackendTLSPolicy", &policy(target, ""), &["spec.validation.caCertificateRefs"]);
    refused(
        "BackendTLSPolicy",
        &policy(target, &format!("{system}, {reference}")),
        &["spec.validation.wellKnownCACertificates"],
    );
    for (name, field) in [
        ("{type: Hostname, hostname: a}", None),
        ("{type: URI, uri: 'a://b'}", None),
        ("{type: Hostname}", Some("hostname")),
        ("{type: URI}", Some("uri")),
        ("{type: URI, uri: 'a://b', hostname: a}", Some("hostname")),
        ("{type: Hostname, uri: 'a://b', hostname: a}", Some("uri")),
    ] {
        let fields: Vec<_> =
            field.map(|field| format!("spec.validation.subjectAltNames[0].{field}")).into_iter().collect();
        let spec = policy(target, &format!("{system}, subjectAltNames: [{name}]"));
        refused("BackendTLSPolicy", &spec, &fields.iter().map(String::as_str).collect::<Vec<_>>());
    }
}
