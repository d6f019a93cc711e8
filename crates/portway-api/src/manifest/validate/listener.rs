//! Listeners of Gateways and ListenerSets.

use k8s_openapi::apimachinery::pkg::apis::meta::v1::LabelSelector;

use super::{
    check::{Check, Validate},
    filter::MAX_FILTERS,
    syntax,
};
use crate::listener::{
    AllowedRoutes, From, FromNamespaces, Listener, ListenerFilter, ListenerFilterType, ListenerTlsConfig,
    ProtocolType, RouteGroupKind, TlsMode,
};

/// How many listeners a Gateway or a ListenerSet may have.
const MAX_LISTENERS: usize = 64;

/// How many certificates a listener may have.
const MAX_CERTIFICATES: usize = 64;

/// How many kinds of routes a listener may name.
const MAX_KINDS: usize = 8;

/// How many entries `options` may have.
pub(super) const MAX_OPTIONS: usize = 16;

/// How long a value in `options` or an annotation may be.
pub(super) const LONGEST_OPTION: usize = 4096;

/// The listeners, alone and beside each other.
pub(super) fn listeners(listeners: &[Listener], check: &mut Check<'_>) {
    check.list("listeners", listeners, 1..=MAX_LISTENERS);
    check.unique("listeners", "listener", listeners, |listener| listener.name.clone());
    check.unique("listeners", "combination", listeners, |listener| match &listener.hostname {
        Some(hostname) => format!("port {}, {} and {hostname}", listener.port, listener.protocol),
        None => format!("port {} and {} without hostname", listener.port, listener.protocol),
    });
}

impl Validate for Listener {
    fn validate(&self, check: &mut Check<'_>) {
        use ProtocolType::{Http, Https, Other, Tcp, Tls, Udp};
        check.text("name", &self.name, &syntax::DNS_NAME);
        check.optional_text("hostname", self.hostname.as_ref(), &syntax::HOSTNAME);
        check.port("port", Some(self.port));
        check.optional("tls", self.tls.as_ref());
        check.optional("allowedRoutes", self.allowed_routes.as_ref());
        if let Some(filters) = &self.filters {
            check.within("filters", |check| check.list("requests", &filters.requests, 0..=MAX_FILTERS));
        }
        match &self.protocol {
            Other(name) => check.text("protocol", name, &syntax::PROTOCOL),
            Http | Tcp | Udp if self.tls.is_some() => {
                let message = format!("a listener of protocol {} has no TLS settings", self.protocol);
                check.refuse_field("tls", message, "remove them, or choose the protocol HTTPS or TLS");
            }
            Tls if self.tls.is_none() => {
                check.require("tls", "a listener of protocol TLS must say its TLS mode");
            }
            Https if self.tls.as_ref().is_some_and(|tls| tls.mode != TlsMode::Terminate) => {
                check.within("tls", |check| {
                    let message = "a listener of protocol HTTPS terminates TLS";
                    check.refuse_field("mode", message, "write Terminate, or choose the protocol TLS");
                });
            }
            _ => {}
        }
        if self.hostname().is_some() && matches!(self.protocol, Tcp | Udp) {
            let message = format!("a listener of protocol {} has no hostname", self.protocol);
            check.refuse_field("hostname", message, "remove it: nothing in the connection tells a hostname");
        }
        if self.filters.is_some() && !matches!(self.protocol, Http | Https) {
            let message = format!("a listener of protocol {} has no filters", self.protocol);
            check.refuse_field("filters", message, "remove them: filters need HTTP or HTTPS");
        }
    }
}

impl Validate for ListenerTlsConfig {
    fn validate(&self, check: &mut Check<'_>) {
        check.list("certificateRefs", &self.certificate_refs, 0..=MAX_CERTIFICATES);
        check.map("options", &self.options, MAX_OPTIONS, None, &syntax::any_text(LONGEST_OPTION));
        if self.mode == TlsMode::Terminate && self.certificate_refs.is_empty() && self.options.is_empty() {
            check.require("certificateRefs", "TLS can be terminated only with a certificate");
        }
    }
}

impl Validate for AllowedRoutes {
    fn validate(&self, check: &mut Check<'_>) {
        check.list("kinds", &self.kinds, 0..=MAX_KINDS);
        check.optional("namespaces", self.namespaces.as_ref());
        if self.namespaces.as_ref().and_then(|namespaces| namespaces.from) == Some(From::None) {
            check.within("namespaces", |check| {
                check.within("from", |check| check.one_of("None", &["All", "Selector", "Same"]));
            });
        }
    }
}

impl Validate for RouteGroupKind {
    fn validate(&self, check: &mut Check<'_>) {
        check.optional_text("group", self.group.as_ref(), &syntax::GROUP);
        check.text("kind", &self.kind, &syntax::KIND);
    }
}

impl Validate for FromNamespaces {
    fn validate(&self, check: &mut Check<'_>) {
        check.optional("selector", self.selector.as_ref());
    }
}

/// The API takes any selector, and one that breaks these rules then selects nothing.
impl Validate for LabelSelector {
    fn validate(&self, check: &mut Check<'_>) {
        if let Some(labels) = &self.match_labels {
            check.map("matchLabels", labels, usize::MAX, Some(&syntax::LABEL_KEY), &syntax::LABEL_VALUE);
        }
        let requirements = self.match_expressions.as_deref().unwrap_or_default();
        check.items("matchExpressions", requirements, 0..=usize::MAX, |check, requirement| {
            check.text("key", &requirement.key, &syntax::LABEL_KEY);
            let values = requirement.values.as_deref().unwrap_or_default();
            match requirement.operator.as_str() {
                operator @ ("In" | "NotIn") if values.is_empty() => {
                    check.require("values", format!("the operator is {operator}, so values are required"));
                }
                operator @ ("Exists" | "DoesNotExist") if !values.is_empty() => {
                    let message = format!("the operator is {operator}, so values mean nothing here");
                    check.refuse_field("values", message, "remove them, or choose In or NotIn");
                }
                operator => check.within("operator", |check| {
                    check.one_of(operator, &["In", "NotIn", "Exists", "DoesNotExist"]);
                }),
            }
        });
    }
}

impl Validate for ListenerFilter {
    fn validate(&self, check: &mut Check<'_>) {
        let chosen = match self.kind {
            ListenerFilterType::ExternalAuth => "ExternalAuth",
            ListenerFilterType::ExtensionRef => "ExtensionRef",
        };
        check.union(
            chosen,
            &[
                ("ExternalAuth", "externalAuth", self.external_auth.is_some()),
                ("ExtensionRef", "extensionRef", self.extension_ref.is_some()),
            ],
        );
        check.optional("externalAuth", self.external_auth.as_ref());
        check.optional("extensionRef", self.extension_ref.as_ref());
    }
}
