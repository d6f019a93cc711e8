//! Why the other listeners do not take a request.

use std::fmt;

use portway_config::{HostnamePattern, Listener, ListenerKey, ListenerProtocol};
use serde::Serialize;

use crate::router::{ListenerId, Router};

/// A listener that does not take the request.
#[derive(Clone, Debug, PartialEq, Eq, Serialize)]
pub struct OtherListener {
    /// The listener.
    pub listener: ListenerKey,
    /// Why not.
    pub loss: ListenerLoss,
}

/// Why a listener does not take a request.
#[derive(Clone, Debug, PartialEq, Eq, Serialize)]
pub enum ListenerLoss {
    /// It is at another port.
    Port {
        /// Its port.
        port: u16,
    },
    /// It is for TLS and the connection is not, or the other way round.
    Protocol,
    /// Its hostname does not match.
    Hostname {
        /// Its hostname.
        hostname: HostnamePattern,
        /// The host of the request, or the server name of the TLS handshake; empty where there is none.
        had: String,
    },
    /// Its hostname matches, and that of the listener that takes the request is more specific. Only
    /// the most specific listener's routes count.
    LessSpecific {
        /// Its hostname.
        hostname: HostnamePattern,
        /// The hostname of the listener that takes the request.
        winner: HostnamePattern,
    },
    /// Another listener has its port and hostname, and comes first by key.
    Conflict,
}

/// All listeners but `chosen`. `name`: the host, or the server name on a TLS connection.
pub(super) fn others(
    router: &Router,
    port: u16,
    tls: bool,
    name: &str,
    chosen: Option<ListenerId>,
) -> Vec<OtherListener> {
    let chosen = chosen.map(|id| router.listener(id));
    let others = router.listeners().iter().filter(|it| chosen.is_none_or(|chosen| chosen.key != it.key));
    let losses = others.map(|it| OtherListener {
        listener: it.key.clone(),
        loss: loss(it, port, tls, name, chosen.map(|it| &it.hostname)),
    });
    losses.collect()
}

fn loss(
    listener: &Listener,
    port: u16,
    tls: bool,
    name: &str,
    winner: Option<&HostnamePattern>,
) -> ListenerLoss {
    let hostname = listener.hostname.clone();
    let fits = if tls { listener.protocol.is_tls() } else { listener.protocol == ListenerProtocol::Http };
    if listener.port != port {
        ListenerLoss::Port { port: listener.port }
    } else if !fits {
        ListenerLoss::Protocol
    } else if !hostname.matches(name) {
        ListenerLoss::Hostname { hostname, had: name.to_owned() }
    } else {
        match winner {
            Some(winner) if *winner != hostname => {
                ListenerLoss::LessSpecific { hostname, winner: winner.clone() }
            }
            _ => ListenerLoss::Conflict,
        }
    }
}

impl fmt::Display for OtherListener {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        write!(f, "Listener {} does not take it: {}.", self.listener, self.loss)
    }
}

impl fmt::Display for ListenerLoss {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        match self {
            Self::Port { port } => write!(f, "it is at port {port}"),
            Self::Protocol => f.write_str("its protocol is not that of the connection"),
            Self::Hostname { hostname, had } if had.is_empty() => {
                write!(f, "it has hostname {hostname}, and the request names none")
            }
            Self::Hostname { hostname, had } => write!(f, "its hostname {hostname} does not match {had}"),
            Self::LessSpecific { hostname, winner } => {
                write!(f, "its hostname {hostname} is less specific than {winner}")
            }
            Self::Conflict => f.write_str("another listener has the same port and hostname"),
        }
    }
}
