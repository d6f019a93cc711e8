//! Listening sockets and connections, down to the point where requests begin.
//!
//! A connection's way: [`accept`] takes it from its socket; [`serve`] looks up what its port speaks, and
//! hands it to HTTP, to [`handshake`] for TLS, or to a [`tunnel`] for a byte stream. UDP has sessions
//! instead ([`udp`]).

mod accept;
mod bind;
mod drain;
mod ebb;
mod group;
mod handshake;
mod record;
mod relay;
mod replay;
mod serve;
mod split;
mod tunnel;
mod udp;

pub use bind::{BindError, BindFailure};
pub use drain::{DrainSignal, DrainTrigger};

pub(crate) use accept::{Owner, Port, accept_loop};
pub(crate) use bind::{BoundSocket, bind};
pub(crate) use group::Group;
pub(crate) use serve::Downstream;
pub(crate) use split::{Split, Target};
pub(crate) use udp::datagram_loop;
