//! Why a route is not attached to a parent, told to the person who wrote the route.

use std::fmt::Write;

use portway_api::reference::ParentReference;
use portway_config::{HostnamePattern, RouteKind};

use super::parent::Parent;
use super::view::RouteView;
use crate::context::Context;
use crate::listener::{AllowedNamespaces, ListenerView};
use crate::reason::Reason;

/// Why a route is not attached to a parent.
#[derive(Clone, Debug, PartialEq, Eq)]
pub(crate) struct Refusal {
    /// Reason of the condition `Accepted`.
    pub(crate) reason: Reason,
    /// What happened: a sentence without full stop.
    pub(crate) message: String,
    /// What to do: likewise.
    pub(crate) help: Option<String>,
}

impl Refusal {
    /// The Gateway itself is not served.
    pub(crate) fn parent_not_accepted(parent: &Parent<'_>) -> Self {
        let message = format!("Gateway {} is not accepted, so nothing of it is served", parent.gateway);
        let help = "see the conditions of the Gateway".to_owned();
        Self { reason: Reason::ParentNotAccepted, message, help: Some(help) }
    }

    /// No listener has the name and port that the reference asks for. `present` are those of the parent.
    pub(crate) fn no_matching_parent(
        reference: &ParentReference,
        parent: &Parent<'_>,
        present: &[&ListenerView<'_>],
    ) -> Self {
        let mut wanted = String::new();
        if let Some(name) = reference.section_name.as_deref().filter(|name| !name.is_empty()) {
            let _ = write!(wanted, " named {name}");
        }
        if let Some(port) = reference.port {
            let _ = write!(wanted, " with port {port}");
        }
        let present: Vec<_> =
            present.iter().map(|it| format!("{} (port {})", it.name(), it.spec.port)).collect();
        let object = &parent.object;
        let message = if present.is_empty() {
            format!("{object} has no listener that is attached to Gateway {}", parent.gateway)
        } else {
            format!("{object} has no listener{wanted}; it has {}", present.join(", "))
        };
        let help = present.is_empty().then(|| format!("see the conditions of {object}"));
        Self { reason: Reason::NoMatchingParent, message, help }
    }

    /// No listener allows the route. `refusing` are those that the reference selects.
    pub(crate) fn not_allowed(
        context: &Context<'_>,
        route: &RouteView<'_>,
        parent: &Parent<'_>,
        refusing: &[&ListenerView<'_>],
    ) -> Self {
        let mut causes: Vec<(Cause<'_>, Vec<&str>)> = Vec::new();
        for listener in refusing {
            let cause = Cause::of(route.kind, listener);
            match causes.iter_mut().find(|(other, _)| *other == cause) {
                Some((_, names)) => names.push(listener.name()),
                None => causes.push((cause, vec![listener.name()])),
            }
        }
        let told: Vec<_> =
            causes.iter().map(|(cause, names)| cause.tell(context, route, &listeners(names))).collect();
        let mut helps: Vec<_> = causes.iter().map(|(cause, _)| cause.help(route)).collect();
        helps.dedup();
        let message =
            format!("{} may not attach to {}: {}", route.object_ref(), parent.object, told.join("; "));
        Self { reason: Reason::NotAllowedByListeners, message, help: Some(helps.join("; ")) }
    }

    /// No listener that allows the route has a hostname in common with it.
    pub(crate) fn no_matching_hostname(
        route: &RouteView<'_>,
        hostnames: &[HostnamePattern],
        parent: &Parent<'_>,
        allowing: &[&ListenerView<'_>],
    ) -> Self {
        let own: Vec<_> = hostnames.iter().map(ToString::to_string).collect();
        let theirs: Vec<_> =
            allowing.iter().map(|it| format!("listener {} has {}", it.name(), it.hostname)).collect();
        let message = format!(
            "None of the hostnames of {} ({}) matches one of {}: {}",
            route.object_ref(),
            own.join(", "),
            parent.object,
            theirs.join(", ")
        );
        Self { reason: Reason::NoMatchingListenerHostname, message, help: None }
    }

    /// Message and help as a condition tells them.
    pub(crate) fn sentence(&self) -> String {
        match &self.help {
            Some(help) => format!("{}. To mend it, {help}.", self.message),
            None => format!("{}.", self.message),
        }
    }
}

/// `listener a`, `listeners a and b`.
fn listeners(names: &[&str]) -> String {
    match names {
        [one] => format!("listener {one}"),
        [first @ .., last] => format!("listeners {} and {last}", first.join(", ")),
        [] => "no listener".to_owned(),
    }
}

/// Why a listener does not allow a route.
#[derive(Clone, Debug, PartialEq, Eq)]
enum Cause<'a> {
    /// Its protocol is one that is not served.
    Protocol(String),
    /// It takes these kinds of routes only.
    Kind(Vec<RouteKind>),
    /// It takes routes of its own namespace only.
    Same(&'a str),
    /// It takes routes of namespaces with certain labels only.
    Selector,
    /// It takes routes of no namespace.
    None,
}

impl<'a> Cause<'a> {
    fn of(kind: RouteKind, listener: &ListenerView<'a>) -> Self {
        if listener.protocol.is_none() {
            return Self::Protocol(listener.spec.protocol.to_string());
        }
        if !listener.allows_kind(kind) {
            return Self::Kind(listener.allowed.kinds.clone());
        }
        match listener.allowed.namespaces {
            AllowedNamespaces::Same(own) => Self::Same(own),
            AllowedNamespaces::Selector(_) => Self::Selector,
            // `All` refuses nothing for its namespace.
            AllowedNamespaces::None | AllowedNamespaces::All => Self::None,
        }
    }

    /// What `who` (`listener a`) says to the route.
    fn tell(&self, context: &Context<'_>, route: &RouteView<'_>, who: &str) -> String {
        let namespace = route.namespace();
        match self {
            Self::Protocol(protocol) => format!("{who} has the protocol {protocol}, which is not supported"),
            Self::Kind(kinds) if kinds.is_empty() => {
                format!("{who} takes no kind of route that its protocol can serve")
            }
            Self::Kind(kinds) => {
                let kinds: Vec<_> = kinds.iter().map(|kind| kind.as_str()).collect();
                format!("{who} takes {} only", kinds.join(" and "))
            }
            Self::Same(own) => format!(
                "{who} takes routes from its own namespace {own} only (allowedRoutes.namespaces.from: Same), \
                 and the route is in namespace {namespace}"
            ),
            Self::Selector if !is_known(context, namespace) => format!(
                "{who} takes routes from namespaces with certain labels (allowedRoutes.namespaces.from: Selector), \
                 and namespace {namespace} does not exist"
            ),
            Self::Selector => format!(
                "{who} takes routes from namespaces with certain labels (allowedRoutes.namespaces.from: Selector), \
                 and namespace {namespace} does not have them"
            ),
            Self::None => {
                format!("{who} takes routes from no namespace (allowedRoutes.namespaces.from: None)")
            }
        }
    }

    /// What to do about it.
    fn help(&self, route: &RouteView<'_>) -> String {
        let namespace = route.namespace();
        match self {
            Self::Protocol(_) | Self::Kind(_) => {
                let protocols = match route.kind {
                    RouteKind::Http | RouteKind::Grpc => "HTTP or HTTPS",
                    RouteKind::Tls => "TLS",
                    RouteKind::Tcp => "TCP",
                    RouteKind::Udp => "UDP",
                };
                let kind = route.kind.as_str();
                format!(
                    "attach the {kind} to a listener with protocol {protocols} whose allowedRoutes.kinds allow it"
                )
            }
            Self::Same(own) => format!(
                "either set allowedRoutes.namespaces.from of the listener to All, or to Selector with labels of \
                 namespace {namespace}; or move the route to namespace {own}"
            ),
            Self::Selector => format!(
                "either give namespace {namespace} the labels that allowedRoutes.namespaces.selector of the \
                 listener asks for, or change the selector"
            ),
            Self::None => {
                "set allowedRoutes.namespaces.from of the listener to Same, All or Selector".to_owned()
            }
        }
    }
}

fn is_known(context: &Context<'_>, namespace: &str) -> bool {
    context.options.implied_namespaces || context.snapshot.namespaces.contains_key(namespace)
}
