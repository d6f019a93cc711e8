//! Gateway, ListenerSet and GatewayClass.

use super::{
    check::{Check, Validate},
    listener::{self, LONGEST_OPTION},
    syntax,
};
use crate::{
    gateway::{
        FrontendTlsValidation, GatewayInfrastructure, GatewaySpec, GatewaySpecAddress, GatewayTlsConfig,
        HOSTNAME_ADDRESS, IP_ADDRESS, TlsConfig, TlsPortConfig,
    },
    gateway_class::GatewayClassSpec,
    listener_set::{ListenerSetSpec, ParentGatewayReference},
    manifest::problem::Severity,
};

/// How many addresses a Gateway may ask for.
const MAX_ADDRESSES: usize = 16;

/// How many labels, and how many annotations, a Gateway may have for what is provisioned.
const MAX_LABELS: usize = 8;
const MAX_ANNOTATIONS: usize = 16;

/// For how many ports a Gateway may set TLS apart.
const MAX_TLS_PORTS: usize = 64;

/// How many references to CA certificates a port may have.
const MAX_CA_REFS: usize = 16;

impl Validate for GatewayClassSpec {
    fn validate(&self, check: &mut Check<'_>) {
        check.within("controllerName", |check| controller_name(&self.controller_name, check));
        check.optional_text("description", self.description.as_ref(), &syntax::any_text(64));
        check.optional("parametersRef", self.parameters_ref.as_ref());
    }
}

/// A name without a path is only warned of: published examples have such names, and they work here, where every class
/// is served.
fn controller_name(name: &str, check: &mut Check<'_>) {
    let form = &syntax::CONTROLLER_NAME;
    if (syntax::DNS_NAME.fits)(name) && name.len() <= form.longest {
        let message = format!("\"{name}\" has no path: an API server would refuse it");
        check.note(Severity::Warning, message, Some(format!("allowed is: {}", form.looks)));
    } else {
        check.form(name, form);
    }
}

impl Validate for GatewaySpec {
    fn validate(&self, check: &mut Check<'_>) {
        check.text("gatewayClassName", &self.gateway_class_name, &syntax::OBJECT_NAME);
        listener::listeners(&self.listeners, check);
        check.list("addresses", &self.addresses, 0..=MAX_ADDRESSES);
        self.addresses_are_distinct(check);
        check.optional("infrastructure", self.infrastructure.as_ref());
        check.optional("tls", self.tls.as_ref());
        if let Some(allowed) = &self.allowed_listeners {
            check.within("allowedListeners", |check| {
                check.optional("namespaces", allowed.namespaces.as_ref());
            });
        }
    }
}

impl GatewaySpec {
    fn addresses_are_distinct(&self, check: &mut Check<'_>) {
        let named = |address: &GatewaySpecAddress| {
            let may_not_repeat = matches!(address.kind(), IP_ADDRESS | HOSTNAME_ADDRESS);
            address.value.clone().filter(|_| may_not_repeat).map(|value| (address.kind().to_owned(), value))
        };
        for (index, address) in self.addresses.iter().enumerate().take(MAX_ADDRESSES) {
            let Some(own) = named(address) else { continue };
            if let Some(first) =
                self.addresses[..index].iter().position(|other| named(other).as_ref() == Some(&own))
            {
                let message = format!("the address {} stands here twice: see item [{first}]", own.1);
                check.within("addresses", |check| check.refuse_field(index, message, "keep one of the two"));
            }
        }
    }
}

impl Validate for GatewaySpecAddress {
    fn validate(&self, check: &mut Check<'_>) {
        check.optional_text("type", self.kind.as_ref(), &syntax::ADDRESS_TYPE);
        check.optional_text("value", self.value.as_ref(), &syntax::any_text(253));
        check.optional_text("routability", self.routability.as_ref(), &syntax::ROUTABILITY);
        match (self.kind(), self.value()) {
            (IP_ADDRESS, Some(value)) if value.parse::<std::net::IpAddr>().is_err() => {
                check.refuse_field(
                    "value",
                    format!("\"{value}\" is not an IP address"),
                    "write one, or set `type: Hostname` or `type: NamedAddress`",
                );
            }
            (HOSTNAME_ADDRESS, Some(value)) => check.text("value", value, &syntax::HOSTNAME),
            _ => {}
        }
    }
}

impl Validate for GatewayInfrastructure {
    fn validate(&self, check: &mut Check<'_>) {
        check.map("labels", &self.labels, MAX_LABELS, Some(&syntax::LABEL_KEY), &syntax::LABEL_VALUE);
        let annotation = syntax::any_text(LONGEST_OPTION);
        check.map("annotations", &self.annotations, MAX_ANNOTATIONS, Some(&syntax::LABEL_KEY), &annotation);
        check.optional("parametersRef", self.parameters_ref.as_ref());
    }
}

impl Validate for GatewayTlsConfig {
    fn validate(&self, check: &mut Check<'_>) {
        if let Some(backend) = &self.backend {
            check.within("backend", |check| {
                check.optional("clientCertificateRef", backend.client_certificate_ref.as_ref());
            });
        }
        if let Some(frontend) = &self.frontend {
            check.within("frontend", |check| {
                check.value("default", &frontend.default);
                check.list("perPort", &frontend.per_port, 0..=MAX_TLS_PORTS);
                check.unique("perPort", "port", &frontend.per_port, |port| port.port);
            });
        }
    }
}

impl Validate for TlsPortConfig {
    fn validate(&self, check: &mut Check<'_>) {
        check.port("port", Some(self.port));
        check.value("tls", &self.tls);
    }
}

impl Validate for TlsConfig {
    fn validate(&self, check: &mut Check<'_>) {
        check.optional("validation", self.validation.as_ref());
    }
}

impl Validate for FrontendTlsValidation {
    fn validate(&self, check: &mut Check<'_>) {
        check.items("caCertificateRefs", &self.ca_certificate_refs, 1..=MAX_CA_REFS, |check, reference| {
            reference.validate(check);
            let is_bundle =
                reference.group == "certificates.k8s.io" && reference.kind == "ClusterTrustBundle";
            if is_bundle && reference.namespace.is_some() {
                check.refuse_field("namespace", "a ClusterTrustBundle stands in no namespace", "remove it");
            }
        });
    }
}

impl Validate for ListenerSetSpec {
    fn validate(&self, check: &mut Check<'_>) {
        check.value("parentRef", &self.parent_ref);
        listener::listeners(&self.listeners, check);
    }
}

impl Validate for ParentGatewayReference {
    fn validate(&self, check: &mut Check<'_>) {
        check.optional_text("group", self.group.as_ref(), &syntax::GROUP);
        check.optional_text("kind", self.kind.as_ref(), &syntax::KIND);
        check.text("name", &self.name, &syntax::OBJECT_NAME);
        check.optional_text("namespace", self.namespace.as_ref(), &syntax::DNS_LABEL);
    }
}
