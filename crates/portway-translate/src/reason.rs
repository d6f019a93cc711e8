//! Types and reasons of conditions, in the words of the Gateway API.
//!
//! Source: `apis/v1/*_types.go` of v1.7.0. A word that several kinds of objects share stands here
//! once. The order of [`ConditionType`] is the order in which conditions are written.

use std::fmt;

macro_rules! words {
    ($(#[$meta:meta])* $name:ident { $($(#[$doc:meta])* $word:ident,)+ }) => {
        $(#[$meta])*
        #[derive(Clone, Copy, Debug, PartialEq, Eq, PartialOrd, Ord, Hash)]
        pub enum $name {
            $($(#[$doc])* $word,)+
        }

        impl $name {
            /// The word, as it stands in a condition.
            pub fn as_str(self) -> &'static str {
                match self {
                    $(Self::$word => stringify!($word),)+
                }
            }

            /// Whether a word is one of these.
            pub fn is_known(word: &str) -> bool {
                [$(stringify!($word)),+].contains(&word)
            }
        }

        impl fmt::Display for $name {
            fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
                f.write_str(self.as_str())
            }
        }
    };
}

words! {
    /// Type of a condition.
    ConditionType {
        /// The object is valid, and somebody serves it (all kinds).
        Accepted,
        /// The data plane serves it, or will very soon (Gateway, ListenerSet, listener).
        Programmed,
        /// All references lead to something usable (Gateway, listener, route, policy).
        ResolvedRefs,
        /// The listener cannot be told from another (listener). Abnormal-true.
        Conflicted,
        /// The listener shares hostnames or certificates with another of its port (GEP-3567). Abnormal-true.
        OverlappingTLSConfig,
        /// Some rules of the route are not served (route). Abnormal-true.
        PartiallyInvalid,
        /// Every address asked for is assigned (Gateway, GEP-5093).
        AddressesAssigned,
        /// Clients without a valid certificate are let through (Gateway, GEP-91). Abnormal-true.
        InsecureFrontendValidationMode,
        /// The version of the CRDs is one that we know (GatewayClass).
        SupportedVersion,
    }
}

words! {
    /// Reason of a condition.
    Reason {
        /// Accepted, true.
        Accepted,
        /// Programmed, true.
        Programmed,
        /// ResolvedRefs, true.
        ResolvedRefs,
        /// Conflicted, false (listener).
        NoConflicts,
        /// SupportedVersion, true.
        SupportedVersion,
        /// SupportedVersion, false.
        UnsupportedVersion,
        /// Accepted or Programmed, false: the object makes no sense, or what it should serve does not.
        Invalid,
        /// Not decided yet.
        Pending,

        /// Accepted, false (GatewayClass, Gateway): `parametersRef` leads to nothing usable.
        InvalidParameters,
        /// Accepted, false (GatewayClass): of no use to this controller.
        Unsupported,

        /// Accepted (Gateway, ListenerSet): some listener is not valid. With status true others are served.
        ListenersNotValid,
        /// Accepted, false (Gateway): an address of a type that cannot be served.
        UnsupportedAddress,
        /// Programmed, false (Gateway): no address could be assigned.
        AddressNotAssigned,
        /// Programmed, false (Gateway): an address cannot be used.
        AddressNotUsable,
        /// Programmed, false (Gateway): too few resources in the infrastructure.
        NoResources,
        /// AddressesAssigned, true.
        AddressesAssigned,
        /// AddressesAssigned, false: some are.
        PartiallyAssigned,
        /// AddressesAssigned, false: none is.
        NotAssigned,
        /// ResolvedRefs, false (Gateway): the backend client certificate cannot be used.
        InvalidClientCertificateRef,
        /// ResolvedRefs, false (Gateway): that of some listener is.
        ListenersNotResolved,
        /// InsecureFrontendValidationMode, true.
        ConfigurationChanged,

        /// Conflicted, true (listener): same hostname.
        HostnameConflict,
        /// Conflicted, true (listener): incompatible protocols on one port.
        ProtocolConflict,
        /// Conflicted, true (listener of a ListenerSet): with a listener of higher precedence.
        ListenerConflict,
        /// Accepted, false (listener): the port cannot be used.
        PortUnavailable,
        /// Accepted, false (listener); ResolvedRefs, false (route: `appProtocol` of a backend).
        UnsupportedProtocol,
        /// Accepted, false (listener, route): a field's value cannot be served.
        UnsupportedValue,
        /// Accepted, false (listener): no trust anchor is left to validate clients by. Accepted, false (BackendTLSPolicy): likewise.
        NoValidCACertificate,
        /// Accepted, false (listener): the filters cannot be run in this order (GEP-5224).
        InvalidListenerFilterOrder,
        /// Accepted, false (listener): a filter makes no sense (GEP-5224).
        InvalidListenerFilter,
        /// ResolvedRefs, false (listener): a filter refers to nothing usable (GEP-5224).
        InvalidListenerFilterRef,
        /// Accepted, false (listener of a ListenerSet): the Gateway has too many.
        TooManyListeners,
        /// ResolvedRefs, false (listener): a certificate cannot be used.
        InvalidCertificateRef,
        /// ResolvedRefs, false (listener): kinds of routes that the protocol cannot serve.
        InvalidRouteKinds,
        /// ResolvedRefs, false (all): a reference crosses namespaces without a grant.
        RefNotPermitted,
        /// ResolvedRefs, false (listener, BackendTLSPolicy): a trust anchor cannot be used.
        InvalidCACertificateRef,
        /// ResolvedRefs, false (listener): a trust anchor of a kind that cannot be used.
        InvalidCACertificateKind,
        /// OverlappingTLSConfig, true: by hostname.
        OverlappingHostnames,
        /// OverlappingTLSConfig, true: by certificate.
        OverlappingCertificates,

        /// Accepted, false (ListenerSet): the Gateway does not allow it.
        NotAllowed,
        /// Accepted, false (ListenerSet): the Gateway is not accepted.
        ParentNotAccepted,
        /// Programmed, false (ListenerSet): the Gateway is not programmed.
        ParentNotProgrammed,

        /// Accepted, false (route): no listener allows the route's kind or namespace.
        NotAllowedByListeners,
        /// Accepted, false (route): no listener has a hostname in common with it.
        NoMatchingListenerHostname,
        /// Accepted, false (route): no listener of this name or port.
        NoMatchingParent,
        /// Accepted, false (route): filters that exclude one another.
        IncompatibleFilters,
        /// ResolvedRefs, false (route): a backend or filter of a kind that cannot be used.
        InvalidKind,
        /// ResolvedRefs, false (route): a backend does not exist.
        BackendNotFound,
        /// ResolvedRefs, false (route): the BackendTLSPolicy of a backend is invalid, so that no connection may be made.
        InvalidBackendTLSPolicy,

        /// Accepted, false (policy): another policy wins.
        Conflicted,
        /// Accepted, false (policy): its target does not exist.
        TargetNotFound,
    }
}
