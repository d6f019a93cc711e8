//! Gateways: which are ours, what they listen on, and what we say of them.

pub(crate) mod address;
mod client_certificate;
mod infrastructure;
mod status;

use std::collections::BTreeMap;
use std::sync::Arc;

use portway_api::listener::From;
use portway_api::object::ObjectRef;
use portway_api::{Gateway, ListenerSet, ObjectKey};
use portway_config::configuration::Settings;
use portway_config::{Configuration, NamespacedName};

use crate::context::{Context, Output};
use crate::finding::{Finding, FindingCode, Severity};
use crate::frontend_validation::FrontendValidation;
use crate::gateway_class::{self, ClassView};
use crate::listener::finish::Summary;
use crate::listener::{self, AllowedNamespaces, GatewayView, Owner};
use crate::listener_set;
use crate::parameters;
use crate::reason::{ConditionType, Reason};

pub(crate) use status::finish;

/// The Gateways of our classes with their listeners. Puts a configuration, without listeners yet,
/// into `out` for each that is accepted.
pub(crate) fn views<'a>(context: &Context<'a>, out: &mut Output) -> BTreeMap<ObjectKey, GatewayView<'a>> {
    let classes = gateway_class::translate(context, out);
    let sets = listener_set::by_gateway(context, out);
    let mut views = BTreeMap::new();
    for (key, gateway) in &context.snapshot.gateways {
        let name = gateway.spec.gateway_class_name.as_str();
        if let Some(class) = classes.get(name) {
            let sets = sets.get(key).map(Vec::as_slice).unwrap_or_default();
            let view = view(context, gateway, *class, sets, out);
            if view.accepted {
                out.configurations.insert(key.clone(), configuration(context, &view));
            }
            views.insert(key.clone(), view);
        } else if !context.snapshot.gateway_classes.contains_key(name) {
            let message = format!("GatewayClass {name} does not exist, so nobody serves this Gateway");
            let error = error(gateway, FindingCode::ReferenceNotFound, "spec.gatewayClassName", message);
            out.find(error.with_help("create it, or name another"));
        }
    }
    views
}

fn view<'a>(
    context: &Context<'a>,
    gateway: &'a Gateway,
    class: ClassView<'a>,
    sets: &[&'a ListenerSet],
    out: &mut Output,
) -> GatewayView<'a> {
    let mut view = GatewayView {
        key: gateway.key(),
        gateway,
        class: class.class,
        accepted: true,
        listeners: listener::read::listeners(context, Owner::Gateway(gateway), out),
        listener_sets: sets.iter().map(|set| listener_set::admit(context, gateway, set, out)).collect(),
        addresses: address::assign(gateway, context.options),
        client_certificate: None,
        conditions: context.conditions(gateway.generation()),
    };
    for set in view.listener_sets.iter().filter(|it| it.allowed) {
        view.listeners.extend(listener::read::listeners(context, Owner::ListenerSet(set.set), out));
    }
    refuse_by_class(&mut view, class);
    address::check(&mut view, out);
    infrastructure::check(context, &mut view, out);
    client_certificate::resolve(context, &mut view, out);
    listener::conflict::refuse(&mut view.listeners, out);
    serve_listeners(context, &mut view, out);
    view
}

fn refuse_by_class(view: &mut GatewayView<'_>, class: ClassView<'_>) {
    if !class.accepted {
        let message = format!("GatewayClass {} is not accepted; see its status.", class.class.name());
        view.refuse(Reason::InvalidParameters, message);
    }
}

/// Decides which listeners are served, and by that whether the Gateway is accepted.
fn serve_listeners(context: &Context<'_>, view: &mut GatewayView<'_>, out: &mut Output) {
    let frontend = FrontendValidation::read(context, view.gateway, out);
    if frontend.is_insecure() {
        view.conditions.set(
            ConditionType::InsecureFrontendValidationMode,
            true,
            Reason::ConfigurationChanged,
            "Clients without a valid certificate are let through: mode AllowInsecureFallback. Set mode AllowValidOnly.",
        );
    }
    for listener in &mut view.listeners {
        let filters = listener::filters::translate(context, listener, out);
        let protocol = listener::tls::protocol(context, listener, &frontend, out);
        listener.config = protocol.map(|protocol| portway_config::Listener {
            key: listener.key.clone(),
            port: listener.port,
            hostname: listener.hostname.clone(),
            protocol,
            filters,
        });
    }
    refuse_without_listeners(view, out);
    if !view.accepted || !view.addresses.may_serve() {
        for listener in &mut view.listeners {
            listener.config = None;
        }
    }
    listener::overlap::mark(context, &mut view.listeners);
}

/// "At least one distinct Listener MUST be present, or else the Gateway … must be rejected."
fn refuse_without_listeners(view: &mut GatewayView<'_>, out: &mut Output) {
    let own: Vec<_> = view.own_listeners().collect();
    if own.iter().any(|it| it.accepted) {
        return;
    }
    if !own.is_empty() {
        let message = Summary::of(&own).message();
        view.refuse(Reason::ListenersNotValid, message);
        return;
    }
    // The CRD asks for one at least. But with ListenerSets a Gateway need not have its own (GEP-1713).
    let choice = view.gateway.spec.allowed_listeners.as_ref().and_then(|it| it.namespaces.as_ref());
    if matches!(AllowedNamespaces::new(choice, From::None, view.gateway.namespace()), AllowedNamespaces::None)
    {
        let error = error(view.gateway, FindingCode::InvalidValue, "spec.listeners", "there is no listener")
            .with_help("add one, or allow ListenerSets to");
        view.refuse(Reason::Invalid, error.sentence());
        out.find(error);
    }
}

fn configuration(context: &Context<'_>, view: &GatewayView<'_>) -> Configuration {
    let name = NamespacedName::new(view.gateway.namespace(), view.gateway.name());
    let mut configuration = Configuration::empty(name);
    let trusted_hops = parameters::merged(context.snapshot, view.gateway).trusted_hops;
    configuration.settings = Settings { trusted_hops: trusted_hops.unwrap_or(context.options.trusted_hops) };
    let listeners = view.listeners.iter().filter_map(|it| it.config.as_ref());
    let terminations: Vec<_> = listeners.filter_map(|it| it.protocol.termination()).collect();
    let certificates = terminations.iter().flat_map(|it| &it.certificates).chain(&view.client_certificate);
    for certificate in certificates.filter_map(|key| context.tls.served(key)) {
        configuration.certificates.insert(certificate.key.clone(), certificate);
    }
    let trust = terminations.iter().flat_map(|it| &it.client_validation).flat_map(|it| &it.trust);
    for bundle in trust.filter_map(|key| context.tls.trust(key).ok()) {
        configuration.trust_bundles.insert(bundle.bundle.key.clone(), Arc::clone(&bundle.bundle));
    }
    configuration
}

/// A finding about a Gateway's field.
fn error(
    gateway: &Gateway,
    code: FindingCode,
    field: impl Into<String>,
    message: impl Into<String>,
) -> Finding {
    Finding::new(Severity::Error, code, ObjectRef::of(gateway), field, message)
}
