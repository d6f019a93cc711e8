//! One address, as one node sees it.

use std::sync::Arc;
use std::time::Duration;

use crate::heartbeat::Claim;
use crate::limits::{CALM, GRATUITOUS, GRATUITOUS_AGAIN, HOLDER_SILENCE};
use crate::rank::score;

#[derive(Debug)]
pub(super) enum Contest {
    /// It is another's, or nobody's yet.
    Waiting(Waiting),
    /// It is this node's.
    Holding(Holding),
}

#[derive(Debug)]
pub(super) struct Waiting {
    /// Who was last heard to have it.
    pub(super) holder: Option<Arc<str>>,
    /// The highest that was heard.
    pub(super) term: u32,
    /// When it was last heard of; at first when this node began to listen.
    pub(super) heard: Duration,
    /// Since when its holder offers it.
    pub(super) offered: Option<Duration>,
    /// Whether this node's kernel answers for it all the same: an agent before this one had it.
    pub(super) answers: bool,
}

#[derive(Debug)]
pub(super) struct Holding {
    pub(super) term: u32,
    pub(super) since: Duration,
    /// Since when it is offered to others.
    pub(super) offered: Option<Duration>,
    pub(super) may_offer_from: Duration,
    /// How often neighbours have been told.
    told_neighbours: usize,
    /// When they were last told.
    told_at: Duration,
}

impl Contest {
    /// Whether this node's kernel answers for the address.
    pub(super) fn answers(&self) -> bool {
        match self {
            Self::Waiting(it) => it.answers,
            Self::Holding(_) => true,
        }
    }
}

impl Waiting {
    pub(super) fn since(now: Duration) -> Self {
        Self { holder: None, term: 0, heard: now, offered: None, answers: false }
    }

    pub(super) fn hear(&mut self, node: &Arc<str>, claim: &Claim, now: Duration) {
        let is_news = match &self.holder {
            Some(holder) if holder != node => {
                let theirs = (claim.term, score(claim.address, node));
                theirs > (self.term, score(claim.address, holder)) || self.heard + HOLDER_SILENCE <= now
            }
            _ => true,
        };
        // One that does not know yet that another has taken it.
        if !is_news {
            return;
        }
        let is_same = self.holder.as_ref() == Some(node);
        let offered = self.offered.filter(|_| is_same).unwrap_or(now);
        self.offered = claim.is_offered.then_some(offered);
        (self.holder, self.term, self.heard) = (Some(Arc::clone(node)), self.term.max(claim.term), now);
    }
}

impl Holding {
    /// Taken from another, or from nobody.
    pub(super) fn after(waiting: &Waiting, now: Duration) -> Self {
        Self {
            term: waiting.term.saturating_add(1),
            since: now,
            offered: None,
            may_offer_from: now + CALM,
            // Who takes it tells them.
            told_neighbours: 1,
            told_at: now,
        }
    }

    /// When neighbours are to be told again.
    pub(super) fn gratuitous_at(&self) -> Duration {
        let again = || self.told_at + GRATUITOUS_AGAIN;
        GRATUITOUS.get(self.told_neighbours).map_or_else(again, |it| self.since + *it)
    }

    /// Whether neighbours are to be told now, which counts as done.
    pub(super) fn next_gratuitous(&mut self, now: Duration) -> bool {
        let is_due = self.gratuitous_at() <= now;
        if is_due {
            (self.told_neighbours, self.told_at) = (self.told_neighbours.saturating_add(1), now);
        }
        is_due
    }
}
