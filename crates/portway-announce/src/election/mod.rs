//! What a node makes of the heartbeats of others.

mod contest;

use std::collections::{BTreeMap, BTreeSet};
use std::net::IpAddr;
use std::sync::Arc;
use std::time::Duration;

use self::contest::{Contest, Holding, Waiting};
use crate::heartbeat::{Claim, Heartbeat};
use crate::limits::{
    CALM, HOLDER_INTERVAL, HOLDER_SILENCE, OFFER_PATIENCE, RANK_STEP, RANKS, STANDBY_INTERVAL,
    STANDBY_SILENCE,
};
use crate::rank::score;

/// One node's part in the election of all addresses. Times are since a moment of the caller's choice.
#[derive(Debug)]
pub struct Election {
    node: Arc<str>,
    is_eligible: bool,
    is_leaving: bool,
    /// Of each address that this node can announce.
    contests: BTreeMap<IpAddr, Contest>,
    /// The other nodes that were heard lately.
    peers: BTreeMap<Arc<str>, Peer>,
    /// When the last heartbeat was sent.
    told: Option<Duration>,
    /// Whether there is something that the others should hear at once.
    has_news: bool,
    /// When the next tick was asked for.
    expected: Option<Duration>,
}

#[derive(Debug)]
struct Peer {
    is_eligible: bool,
    heard: Duration,
    /// Since when it is there, and thinks the same of being eligible.
    since: Duration,
}

/// What is to be done.
#[derive(Clone, Debug, PartialEq, Eq)]
pub enum Effect {
    /// From now on this node answers for the address, and tells all neighbours.
    Take {
        /// The address.
        address: IpAddr,
        /// How often it has changed hands.
        term: u32,
    },
    /// All neighbours are to be told again whose the address is, by gratuitous ARP or an unsolicited neighbour advertisement.
    Announce {
        /// The address.
        address: IpAddr,
    },
    /// This node no longer answers for the address.
    Release {
        /// The address.
        address: IpAddr,
    },
}

/// An address, and who announces it.
#[derive(Clone, Debug, PartialEq, Eq)]
pub struct Held {
    /// The address.
    pub address: IpAddr,
    /// Who announces it; nobody may be known yet.
    pub holder: Option<Arc<str>>,
    /// How often it has changed hands.
    pub term: u32,
}

impl Election {
    /// Of a node that has been told of no address yet, and is eligible.
    pub fn new(node: impl Into<Arc<str>>) -> Self {
        Self {
            node: node.into(),
            is_eligible: true,
            is_leaving: false,
            contests: BTreeMap::new(),
            peers: BTreeMap::new(),
            told: None,
            has_news: true,
            expected: None,
        }
    }

    /// Which addresses this node can announce: it serves them, and is in their networks.
    pub fn serve(&mut self, addresses: &BTreeSet<IpAddr>, now: Duration) -> Vec<Effect> {
        let mut effects = Vec::new();
        self.contests.retain(|address, contest| {
            let stays = addresses.contains(address);
            if !stays && contest.answers() {
                effects.push(Effect::Release { address: *address });
            }
            stays
        });
        for address in addresses {
            // It may be another's already: that is heard before the silence is over.
            self.contests.entry(*address).or_insert_with(|| Contest::Waiting(Waiting::since(now)));
        }
        effects
    }

    /// The node's kernel answers for these already, as an agent before this one has left it. It goes on until another node is
    /// heard to have them.
    pub fn resume(&mut self, answered: &BTreeSet<IpAddr>) {
        for address in answered {
            if let Some(Contest::Waiting(waiting)) = self.contests.get_mut(address) {
                waiting.answers = waiting.holder.is_none();
            }
        }
    }

    /// Whether this node should have addresses. One that should not keeps those that nobody else can have.
    pub fn set_eligible(&mut self, is_eligible: bool, now: Duration) {
        if self.is_eligible != is_eligible {
            (self.is_eligible, self.has_news) = (is_eligible, true);
            self.holdings().for_each(|it| it.may_offer_from = now);
        }
    }

    /// Offers everything to the others, and takes nothing any more.
    pub fn leave(&mut self, now: Duration) {
        (self.is_leaving, self.is_eligible, self.has_news) = (true, false, true);
        self.holdings().for_each(|it| it.offered = Some(now));
    }

    /// Takes note of what another node tells.
    pub fn hear(&mut self, heartbeat: &Heartbeat, now: Duration) -> Vec<Effect> {
        let Heartbeat { node, is_eligible, claims } = heartbeat;
        if *node == self.node {
            return Vec::new();
        }
        let new = || Peer { is_eligible: *is_eligible, heard: now, since: now };
        let peer = self.peers.entry(Arc::clone(node)).or_insert_with(new);
        peer.heard = now;
        if peer.is_eligible != *is_eligible {
            *peer = new();
        }
        claims.iter().filter_map(|claim| self.hear_claim(node, claim, now)).collect()
    }

    fn hear_claim(&mut self, node: &Arc<str>, claim: &Claim, now: Duration) -> Option<Effect> {
        let Claim { address, term, is_offered } = *claim;
        let contest = self.contests.get_mut(&address)?;
        match contest {
            Contest::Waiting(waiting) => {
                waiting.hear(node, claim, now);
                std::mem::take(&mut waiting.answers).then_some(Effect::Release { address })
            }
            Contest::Holding(holding) => {
                let theirs = (term, score(address, node));
                if theirs > (holding.term, score(address, &self.node)) {
                    let mut waiting = Waiting::since(now);
                    waiting.hear(node, claim, now);
                    *contest = Contest::Waiting(waiting);
                    self.has_news = true;
                    return Some(Effect::Release { address });
                }
                // Neighbours may believe the other, who will step down. One that has offered it will hear that it is taken.
                (!is_offered).then_some(Effect::Announce { address })
            }
        }
    }

    /// Does what time brings. All that has come by then must have been heard.
    pub fn tick(&mut self, now: Duration) -> Vec<Effect> {
        self.excuse_deafness(now);
        self.peers.retain(|_, it| now < it.heard + STANDBY_SILENCE);
        let addresses: Vec<_> = self.contests.keys().copied().collect();
        addresses.into_iter().flat_map(|it| self.tick_one(it, now)).collect()
    }

    fn tick_one(&mut self, address: IpAddr, now: Duration) -> Vec<Effect> {
        let takes_at = self.takes_at(address);
        let wants_to_offer = self.wants_to_offer(address, now);
        let (is_leaving, patience) = (self.is_leaving, if self.is_eligible { CALM } else { OFFER_PATIENCE });
        match self.contests.get_mut(&address) {
            Some(Contest::Waiting(waiting)) if takes_at.is_some_and(|at| at <= now) => {
                let holding = Holding::after(waiting, now);
                let term = holding.term;
                self.contests.insert(address, Contest::Holding(holding));
                self.has_news = true;
                vec![Effect::Take { address, term }]
            }
            Some(Contest::Holding(holding)) => {
                if !is_leaving && holding.offered.is_some_and(|at| at + OFFER_PATIENCE <= now) {
                    // Whoever was meant to take it does not know it.
                    (holding.offered, holding.may_offer_from) = (None, now + patience);
                }
                if holding.offered.is_none() && wants_to_offer && holding.may_offer_from <= now {
                    (holding.offered, self.has_news) = (Some(now), true);
                }
                holding.next_gratuitous(now).then_some(Effect::Announce { address }).into_iter().collect()
            }
            _ => Vec::new(),
        }
    }

    /// When this node takes an address that is not its own, if nothing is heard until then.
    fn takes_at(&self, address: IpAddr) -> Option<Duration> {
        let Some(Contest::Waiting(waiting)) = self.contests.get(&address).filter(|_| !self.is_leaving) else {
            return None;
        };
        let holder = waiting.holder.as_deref();
        let own = (self.is_eligible, score(address, &self.node));
        let before_us = self.peers.iter().filter(|(node, peer)| {
            Some(&***node) != holder && (peer.is_eligible, score(address, node)) > own
        });
        // A handful of nodes.
        let rank = (before_us.count() as u32).min(RANKS);
        let by_silence = waiting.heard + HOLDER_SILENCE;
        let offered = waiting.offered.filter(|_| {
            // It is offered to those who should rather have it.
            let giver = holder.and_then(|it| Some((self.peers.get(it)?.is_eligible, score(address, it))));
            giver.is_none_or(|it| it < own)
        });
        Some(offered.unwrap_or(by_silence).min(by_silence) + RANK_STEP * rank)
    }

    /// Whether an address that is this node's own should be another's.
    fn wants_to_offer(&self, address: IpAddr, now: Duration) -> bool {
        let Some(Contest::Holding(holding)) = self.contests.get(&address) else {
            return false;
        };
        let mut eligible = self.peers.iter().filter(|(_, it)| it.is_eligible);
        if !self.is_eligible {
            return eligible.next().is_some();
        }
        let own = score(address, &self.node);
        let best = eligible.max_by_key(|(node, _)| score(address, node));
        holding.since + CALM <= now
            && best.is_some_and(|(node, peer)| peer.since + CALM <= now && score(address, node) > own)
    }

    /// A node that was not awake in time has not listened either: what it did not hear tells nothing.
    fn excuse_deafness(&mut self, now: Duration) {
        let late = self.expected.map_or(Duration::ZERO, |it| now.saturating_sub(it));
        if late < HOLDER_INTERVAL {
            return;
        }
        for contest in self.contests.values_mut() {
            if let Contest::Waiting(waiting) = contest {
                waiting.heard = (waiting.heard + late).min(now);
            }
        }
    }

    /// The heartbeat that is to be sent now, if one is.
    pub fn heartbeat(&mut self, now: Duration) -> Option<Heartbeat> {
        if !self.has_news && now < self.told_again() {
            return None;
        }
        (self.told, self.has_news) = (Some(now), false);
        let claim = |(address, contest): (&IpAddr, &Contest)| match contest {
            Contest::Holding(it) => {
                Some(Claim { address: *address, term: it.term, is_offered: it.offered.is_some() })
            }
            Contest::Waiting(_) => None,
        };
        let claims = self.contests.iter().filter_map(claim).collect();
        Some(Heartbeat { node: Arc::clone(&self.node), is_eligible: self.is_eligible, claims })
    }

    fn told_again(&self) -> Duration {
        let interval = if self.holds_any() { HOLDER_INTERVAL } else { STANDBY_INTERVAL };
        self.told.map_or(Duration::ZERO, |it| it + interval)
    }

    /// When there is something to do again, if nothing is heard until then.
    pub fn deadline(&mut self) -> Duration {
        let of_contest = |(address, contest): (&IpAddr, &Contest)| match contest {
            Contest::Waiting(_) => self.takes_at(*address),
            Contest::Holding(it) => Some(it.gratuitous_at()),
        };
        let first = self.contests.iter().filter_map(of_contest).min();
        let told_again = if self.has_news { Duration::ZERO } else { self.told_again() };
        let deadline = first.map_or(told_again, |it| it.min(told_again));
        self.expected = Some(deadline);
        deadline
    }

    /// Whether this node announces any address by what the others know.
    pub fn holds_any(&self) -> bool {
        self.contests.values().any(|it| matches!(it, Contest::Holding(_)))
    }

    /// The addresses that this node's kernel is to answer for: its own, and those that an agent before it has left and nobody
    /// else was heard to have.
    pub fn answered(&self) -> BTreeSet<IpAddr> {
        self.contests.iter().filter(|(_, it)| it.answers()).map(|(address, _)| *address).collect()
    }

    /// Every address that this node can announce, with its holder.
    pub fn held(&self) -> Vec<Held> {
        let held = |(address, contest): (&IpAddr, &Contest)| {
            let (holder, term) = match contest {
                Contest::Waiting(it) => (it.holder.clone(), it.term),
                Contest::Holding(it) => (Some(Arc::clone(&self.node)), it.term),
            };
            Held { address: *address, holder, term }
        };
        self.contests.iter().map(held).collect()
    }

    /// The other nodes that were heard lately.
    pub fn peers(&self) -> impl Iterator<Item = &Arc<str>> {
        self.peers.keys()
    }

    fn holdings(&mut self) -> impl Iterator<Item = &mut Holding> {
        self.contests.values_mut().filter_map(|it| match it {
            Contest::Holding(it) => Some(it),
            Contest::Waiting(_) => None,
        })
    }
}

#[cfg(test)]
mod tests;
