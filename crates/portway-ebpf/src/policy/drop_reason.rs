//! Why a packet was dropped for the sake of network policy.

/// Why a packet of or for a pod was dropped. Its number is the index of its counter (`enum policy_drop_reason` in
/// `bpf/policy/layout.h`); `docs/ebpf.md` lists them.
#[derive(Clone, Copy, Debug, PartialEq, Eq, PartialOrd, Ord, Hash)]
pub enum PolicyDrop {
    /// The policies of the pod that it is for do not allow it.
    DeniedIngress,
    /// The policies of the pod that it is of do not allow it.
    DeniedEgress,
    /// It is not known yet which pod it is of or for.
    PodNotKnown,
    /// A pod sent it with an address that is not its own, or it came from outside with a pod's.
    NotItsAddress,
    /// It came by an interface that has appeared since the agent looked.
    InterfaceNotKnown,
    /// It is no IP packet, or its headers are cut short or contradict each other, and the pod is isolated.
    Unreadable,
    /// It is a fragment, and the one that has the ports was not seen before.
    NoFirstFragment,
    /// It came from outside with the address of a Service, which nobody there has.
    ServiceAddress,
}

impl PolicyDrop {
    /// All, in the order of their numbers.
    pub const ALL: [Self; 8] = [
        Self::DeniedIngress,
        Self::DeniedEgress,
        Self::PodNotKnown,
        Self::NotItsAddress,
        Self::InterfaceNotKnown,
        Self::Unreadable,
        Self::NoFirstFragment,
        Self::ServiceAddress,
    ];

    /// The code, as metrics and documentation spell it.
    pub fn as_str(self) -> &'static str {
        match self {
            Self::DeniedIngress => "denied_ingress",
            Self::DeniedEgress => "denied_egress",
            Self::PodNotKnown => "pod_not_known",
            Self::NotItsAddress => "not_its_address",
            Self::InterfaceNotKnown => "interface_not_known",
            Self::Unreadable => "unreadable",
            Self::NoFirstFragment => "no_first_fragment",
            Self::ServiceAddress => "service_address",
        }
    }

    /// Its number.
    pub fn index(self) -> u32 {
        self as u32
    }
}
