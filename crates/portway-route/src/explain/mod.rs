//! Why a request goes where it goes.
//!
//! The winner is what [`Router::route`] says. Every other match is then asked the same questions, one
//! by one and without the tables, so an explanation is slow and complete.

mod listener;
mod loss;
mod rivals;

use std::fmt;

use portway_config::{HostnamePattern, ListenerKey};
use serde::Serialize;

pub use self::listener::{ListenerLoss, OtherListener};
pub use self::loss::{Loser, Loss};
use self::rivals::{Rivals, Verdict};
use crate::candidate::Candidate;
use crate::criterion::{Criterion, Ranked};
use crate::port::{HostRefusal, TlsTarget};
use crate::request::Request;
use crate::router::{L4RuleId, ListenerId, RouteMatch, Router};

/// How a request reaches the Gateway.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub enum Connection<'a> {
    /// In clear text.
    Plain,
    /// Over TLS.
    Tls {
        /// The server name of the handshake, in lower case, where there is one.
        server_name: Option<&'a str>,
    },
}

/// Why a request goes where it goes.
#[derive(Clone, Debug, Serialize)]
pub struct Explanation {
    /// The listener that takes the connection or, in clear text, the request.
    pub listener: Option<ListenerKey>,
    /// What becomes of the request.
    pub outcome: Outcome,
    /// All other listeners.
    pub other_listeners: Vec<OtherListener>,
    /// All matches but the winner. First those that match as well, in their order of precedence, then
    /// the others of the listener, then those that are attached elsewhere.
    pub losers: Vec<Loser>,
}

impl Explanation {
    /// The match that serves the request.
    pub fn winner(&self) -> Option<&Winner> {
        match &self.outcome {
            Outcome::Routed(winner) => Some(winner),
            _ => None,
        }
    }
}

/// What becomes of a request.
#[derive(Clone, Debug, PartialEq, Eq, Serialize)]
pub enum Outcome {
    /// A rule serves it.
    Routed(Winner),
    /// The listener has no rule that matches: status 404.
    NoRoute,
    /// No listener of the port takes it: status 404, or a refused handshake.
    NoListener,
    /// No listener of the TLS port has its host: status 404.
    HostNotFound,
    /// Another listener owns its host: status 421 (GEP-3567).
    Misdirected {
        /// The other listener.
        owner: ListenerKey,
    },
    /// The connection is no HTTP here but a byte stream, which goes by server name.
    Stream {
        /// The rule of a TLSRoute; none: the connection is closed.
        rule: Option<Candidate>,
    },
}

/// The match that serves a request.
#[derive(Clone, Debug, PartialEq, Eq, Serialize)]
pub struct Winner {
    /// Its name.
    pub candidate: Candidate,
    /// The hostname under which it matches.
    pub hostname: HostnamePattern,
    /// What [`Router::route`] says.
    #[serde(skip)]
    pub found: RouteMatch,
}

impl Router {
    /// Why `request`, coming to `port` over `connection`, goes where it goes.
    pub fn explain<R: Request + ?Sized>(
        &self,
        port: u16,
        connection: Connection<'_>,
        request: &R,
    ) -> Explanation {
        let (id, fate) = self.fate(port, connection, request);
        let name = match connection {
            Connection::Plain => request.host(),
            Connection::Tls { server_name } => server_name.unwrap_or_default(),
        };
        let answered = matches!(fate, Fate::HostNotFound | Fate::Misdirected(_));
        let judged = Rivals { router: self, listener: id, request, server_name: name, answered }.judge();
        let (winner, losers) = self.part(fate, judged);
        let tls = matches!(connection, Connection::Tls { .. });
        Explanation {
            listener: id.map(|id| self.listener(id).key.clone()),
            outcome: self.outcome(fate, winner),
            other_listeners: listener::others(self, port, tls, name, id),
            losers,
        }
    }

    /// The listener, and what it does with the request.
    fn fate<R: Request + ?Sized>(
        &self,
        port: u16,
        connection: Connection<'_>,
        request: &R,
    ) -> (Option<ListenerId>, Fate) {
        let http = |id| self.route(id, request).map_or(Fate::NoRoute, Fate::Routed);
        let Connection::Tls { server_name } = connection else {
            let id = self.http_listener(port, request.host());
            return (id, id.map_or(Fate::NoListener, http));
        };
        match self.tls_target(port, server_name) {
            None => (None, Fate::NoListener),
            Some(TlsTarget::Terminate(id, rule) | TlsTarget::Passthrough(id, rule)) => {
                (Some(id), Fate::Stream(rule))
            }
            Some(TlsTarget::Https(id)) => match self.https_listener(id, request.host()) {
                Ok(id) => (Some(id), http(id)),
                Err(HostRefusal::NotFound) => (Some(id), Fate::HostNotFound),
                Err(HostRefusal::Misdirected(owner)) => (Some(id), Fate::Misdirected(owner)),
            },
        }
    }
}

impl Router {
    /// Parts the match that the router chose from all others, and tells these in order.
    fn part<'a>(
        &'a self,
        fate: Fate,
        judged: Vec<(Candidate, Verdict<'a>)>,
    ) -> (Option<(Candidate, Ranked<'a>)>, Vec<Loser>) {
        let chosen = self.chosen(fate);
        let (mut passed, mut failed, mut winner) = (Vec::new(), Vec::new(), None);
        for (candidate, verdict) in judged {
            match verdict {
                Ok(ranked) if chosen.as_ref() == Some(&candidate) => winner = Some((candidate, ranked)),
                Ok(ranked) => passed.push((candidate, ranked)),
                Err(loss) => failed.push(Loser { candidate, loss: *loss }),
            }
        }
        passed.sort_by(|(_, a), (_, b)| a.key.cmp(&b.key));
        failed.extend(self.refused().iter().filter_map(Loser::refused));
        failed.sort_by_key(|it| matches!(it.loss, Loss::AttachedElsewhere { .. }));
        let beaten = passed.into_iter().filter_map(|(candidate, ranked)| {
            let (winner, best) = winner.as_ref()?;
            let criterion = Criterion::between(&ranked, best)?;
            Some(Loser { candidate, loss: Loss::Precedence { criterion, winner: winner.clone() } })
        });
        let losers = beaten.chain(failed).collect();
        (winner, losers)
    }

    fn chosen(&self, fate: Fate) -> Option<Candidate> {
        match fate {
            Fate::Routed(found) => {
                let entry = self.rules().get(found.rule.0 as usize)?;
                Some(Candidate::of_http(&entry.route, entry.rule(), Some(found.match_index as usize)))
            }
            Fate::Stream(rule) => {
                let entry = self.l4_rules().get(rule?.0 as usize)?;
                Some(Candidate::of_stream(&entry.route, entry.rule()))
            }
            Fate::NoRoute | Fate::NoListener | Fate::HostNotFound | Fate::Misdirected(_) => None,
        }
    }

    fn outcome(&self, fate: Fate, winner: Option<(Candidate, Ranked<'_>)>) -> Outcome {
        match (fate, winner) {
            (Fate::Routed(found), Some((candidate, ranked))) => {
                Outcome::Routed(Winner { candidate, hostname: ranked.key.hostname.clone(), found })
            }
            (Fate::Stream(_), winner) => Outcome::Stream { rule: winner.map(|(candidate, _)| candidate) },
            // What the router chose passes when it is asked alone, so there is a winner in this case.
            (Fate::Routed(_), None) | (Fate::NoRoute, _) => Outcome::NoRoute,
            (Fate::NoListener, _) => Outcome::NoListener,
            (Fate::HostNotFound, _) => Outcome::HostNotFound,
            (Fate::Misdirected(owner), _) => Outcome::Misdirected { owner: self.listener(owner).key.clone() },
        }
    }
}

/// What the router does with a request, in its own identifiers.
#[derive(Clone, Copy, Debug)]
enum Fate {
    Routed(RouteMatch),
    NoRoute,
    NoListener,
    HostNotFound,
    Misdirected(ListenerId),
    Stream(Option<L4RuleId>),
}

impl fmt::Display for Outcome {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        match self {
            Self::Routed(winner) => {
                write!(f, "{} serves it, under hostname {}.", winner.candidate, winner.hostname)
            }
            Self::NoRoute => f.write_str("No rule of the listener matches, so the answer is 404."),
            Self::NoListener => f.write_str("No listener takes it."),
            Self::HostNotFound => f.write_str("No listener of the port has this host, so the answer is 404."),
            Self::Misdirected { owner } => write!(
                f,
                "The host belongs to listener {owner}, which the server name of the connection does not reach, so \
                 the answer is 421."
            ),
            Self::Stream { rule: Some(rule) } => write!(f, "{rule} takes the connection as a byte stream."),
            Self::Stream { rule: None } => {
                f.write_str("No TLSRoute has this server name, so the connection is closed.")
            }
        }
    }
}

#[cfg(test)]
mod tests;
