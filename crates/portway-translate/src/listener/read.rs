//! From a listener as it is written to one that is understood: protocol, port, hostname, and which
//! routes may attach.
//!
//! Much of what is refused here an API server refuses too (the CRD's CEL rules); in standalone mode
//! nobody did.

use std::collections::BTreeMap;

use portway_api::listener::{From, Listener, TlsMode};
use portway_api::portway_parameters::TransportProtocol;
use portway_config::{HostnamePattern, ListenerKey, ListenerParent, NamespacedName};

use super::allowed::{AllowedNamespaces, AllowedRoutes};
use super::kinds;
use super::view::{ListenerView, Owner, Protocol};
use crate::context::{Context, Output};
use crate::finding::{FindingCode, Severity};
use crate::hostname;
use crate::reason::Reason;

/// Reads the listeners of a Gateway or a ListenerSet.
pub(crate) fn listeners<'a>(
    context: &Context<'a>,
    owner: Owner<'a>,
    out: &mut Output,
) -> Vec<ListenerView<'a>> {
    let mut views: Vec<_> =
        owner.listeners().iter().enumerate().map(|(index, spec)| view(context, owner, index, spec)).collect();
    for view in &mut views {
        read_protocol(view, out);
        read_port(view, out);
        check_port_is_free(context, view, out);
        read_hostname(view, out);
        check_tls(view, out);
        check_filters(view, out);
        check_namespaces(view, out);
        kinds::read(view, out);
    }
    refuse_same_names(&mut views, out);
    views
}

fn view<'a>(context: &Context<'a>, owner: Owner<'a>, index: usize, spec: &'a Listener) -> ListenerView<'a> {
    let allowed = spec.allowed_routes.as_ref().and_then(|it| it.namespaces.as_ref());
    ListenerView {
        key: key(owner, &spec.name),
        owner,
        index,
        spec,
        hostname: HostnamePattern::Any,
        port: 0,
        protocol: None,
        allowed: AllowedRoutes {
            kinds: Vec::new(),
            namespaces: AllowedNamespaces::new(allowed, From::Same, owner.namespace()),
        },
        claims: true,
        accepted: true,
        config: None,
        conditions: context.conditions(owner.generation()),
        attached_routes: 0,
    }
}

fn key(owner: Owner<'_>, name: &str) -> ListenerKey {
    let (namespace, parent_name) = (owner.namespace(), owner.name());
    let parent = NamespacedName::new(namespace, parent_name);
    let parent = match owner {
        Owner::Gateway(_) => ListenerParent::Gateway(parent),
        Owner::ListenerSet(_) => ListenerParent::ListenerSet(parent),
    };
    ListenerKey { parent, name: name.into() }
}

fn read_protocol(view: &mut ListenerView<'_>, out: &mut Output) {
    use portway_api::listener::ProtocolType;

    let mode = view.spec.tls.as_ref().map(|tls| tls.mode);
    view.protocol = match (&view.spec.protocol, mode) {
        (ProtocolType::Http, _) => Some(Protocol::Http),
        (ProtocolType::Https, _) => Some(Protocol::Https),
        (ProtocolType::Tls, Some(TlsMode::Passthrough)) => Some(Protocol::TlsPassthrough),
        (ProtocolType::Tls, _) => Some(Protocol::TlsTerminate),
        (ProtocolType::Tcp, _) => Some(Protocol::Tcp),
        (ProtocolType::Udp, _) => Some(Protocol::Udp),
        (ProtocolType::Other(name), _) => {
            let error = view
                .error(FindingCode::UnsupportedValue, "protocol", format!("protocol {name} is not supported"))
                .with_help("use HTTP, HTTPS, TLS, TCP or UDP");
            view.refuse(Reason::UnsupportedProtocol, error, out);
            view.claims = false;
            None
        }
    };
}

fn read_port(view: &mut ListenerView<'_>, out: &mut Output) {
    match u16::try_from(view.spec.port) {
        Ok(port) if port != 0 => view.port = port,
        _ => {
            let message = format!("{} is not a port", view.spec.port);
            let error = view
                .error(FindingCode::InvalidValue, "port", message)
                .with_help("use a number from 1 to 65535");
            view.refuse(Reason::PortUnavailable, error, out);
            view.claims = false;
        }
    }
}

/// Refuses a port that another Gateway has at an address that both share.
fn check_port_is_free(context: &Context<'_>, view: &mut ListenerView<'_>, out: &mut Output) {
    let Some(cluster) = &context.options.cluster else { return };
    let Some(taken) = cluster.taken_ports.get(&view.owner.gateway()) else { return };
    let transport = match view.protocol {
        Some(Protocol::Udp) => TransportProtocol::Udp,
        _ => TransportProtocol::Tcp,
    };
    let Some(why) = taken.get(&(transport, view.port)) else { return };
    let error = view
        .error(FindingCode::ListenerConflict, "port", why.as_str())
        .with_help("use another port, or ask for another address in `spec.addresses` of the Gateway");
    view.refuse(Reason::PortUnavailable, error, out);
}

fn read_hostname(view: &mut ListenerView<'_>, out: &mut Output) {
    let Some(text) = view.spec.hostname() else { return };
    if matches!(view.protocol, Some(Protocol::Tcp | Protocol::Udp)) {
        let message = format!("protocol {} has no hostnames; the field is ignored", view.spec.protocol);
        let finding = view.finding(Severity::Warning, FindingCode::NoEffect, "hostname", message);
        out.find(finding.with_help("remove it"));
        return;
    }
    match hostname::parse(text) {
        Ok(hostname) => view.hostname = hostname,
        Err(fault) => {
            let error = view
                .error(FindingCode::InvalidValue, "hostname", format!("`{text}` {fault}"))
                .with_help("use a name such as foo.example.com or *.example.com, or none for all");
            view.refuse(Reason::Invalid, error, out);
            view.claims = false;
        }
    }
}

fn check_tls(view: &mut ListenerView<'_>, out: &mut Output) {
    let (Some(protocol), name) = (view.protocol, view.spec.protocol.to_string()) else { return };
    let terminates = matches!(protocol, Protocol::Https | Protocol::TlsTerminate);
    let error = match &view.spec.tls {
        Some(_) if matches!(protocol, Protocol::Http | Protocol::Tcp | Protocol::Udp) => view
            .error(
                FindingCode::InvalidValue,
                "tls",
                format!("protocol {name} is in clear text, but TLS is asked for"),
            )
            .with_help("use protocol HTTPS or TLS, or remove `tls`"),
        Some(tls) if protocol == Protocol::Https && tls.mode == TlsMode::Passthrough => view
            .error(
                FindingCode::UnsupportedValue,
                "tls.mode",
                "protocol HTTPS ends TLS here, so it cannot pass it through",
            )
            .with_help("use protocol TLS, or mode Terminate"),
        Some(tls) if terminates && tls.certificate_refs.is_empty() => view
            .error(
                FindingCode::InvalidValue,
                "tls.certificateRefs",
                "TLS ends here, but no certificate is named",
            )
            .with_help("name a Secret of type kubernetes.io/tls"),
        None if protocol == Protocol::Https || protocol == Protocol::TlsTerminate => view
            .error(
                FindingCode::InvalidValue,
                "tls",
                format!("protocol {name} needs TLS settings, but there are none"),
            )
            .with_help("name a Secret of type kubernetes.io/tls in `tls.certificateRefs`"),
        tls => {
            let tls = tls.as_ref();
            if tls.is_some_and(|tls| !tls.certificate_refs.is_empty()) && !terminates {
                note_ignored_certificates(view, out);
            }
            return note_ignored_options(view, out);
        }
    };
    let reason = match error.code {
        FindingCode::UnsupportedValue => Reason::UnsupportedValue,
        _ => Reason::Invalid,
    };
    view.refuse(reason, error, out);
}

fn note_ignored_certificates(view: &ListenerView<'_>, out: &mut Output) {
    let message = "TLS is passed through, so the certificates are not used";
    let finding = view.finding(Severity::Warning, FindingCode::NoEffect, "tls.certificateRefs", message);
    out.find(finding.with_help("remove them, or use mode Terminate"));
}

fn note_ignored_options(view: &ListenerView<'_>, out: &mut Output) {
    for name in view.spec.tls.iter().flat_map(|tls| tls.options.keys()) {
        let message = format!("option {name} is not known; it has no effect");
        let finding = view.finding(Severity::Warning, FindingCode::NoEffect, "tls.options", message);
        out.find(finding.with_help("remove it"));
    }
}

fn check_filters(view: &mut ListenerView<'_>, out: &mut Output) {
    if view.spec.filters.is_none() || matches!(view.protocol, None | Some(Protocol::Http | Protocol::Https)) {
        return;
    }
    let message = format!("protocol {} has no requests to filter", view.spec.protocol);
    let error = view
        .error(FindingCode::InvalidValue, "filters", message)
        .with_help("use protocol HTTP or HTTPS, or remove the filters");
    view.refuse(Reason::Invalid, error, out);
}

fn check_namespaces(view: &ListenerView<'_>, out: &mut Output) {
    let Some(choice) = view.spec.allowed_routes.as_ref().and_then(|it| it.namespaces.as_ref()) else {
        return;
    };
    let (field, message, help) = match (choice.from, &choice.selector) {
        (Some(From::None), _) => (
            "allowedRoutes.namespaces.from",
            "`None` is for ListenerSets; no route can attach",
            "use All, Same or Selector",
        ),
        (Some(From::Selector), None) => (
            "allowedRoutes.namespaces.selector",
            "there is no selector, so no route can attach",
            "give the labels of the namespaces",
        ),
        (from, Some(_)) if from != Some(From::Selector) => (
            "allowedRoutes.namespaces.selector",
            "the selector is ignored, because `from` is not Selector",
            "set `from: Selector`, or remove the selector",
        ),
        _ => return,
    };
    out.find(view.finding(Severity::Warning, FindingCode::NoEffect, field, message).with_help(help));
}

/// Two listeners of one name cannot be told apart by routes, nor in the status.
fn refuse_same_names(views: &mut [ListenerView<'_>], out: &mut Output) {
    let mut names = BTreeMap::new();
    for view in &*views {
        *names.entry(view.name().clone()).or_insert(0_usize) += 1;
    }
    for view in views {
        if names.get(view.name()).is_some_and(|count| *count > 1) {
            let message = format!("another listener is named `{}` too", view.name());
            let error = view
                .error(FindingCode::InvalidValue, "name", message)
                .with_help("give each listener a name of its own");
            view.refuse(Reason::Invalid, error, out);
        }
    }
}
