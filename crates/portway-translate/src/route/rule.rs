//! What becomes of the rules of a route.

use portway_config::Rules;
use portway_config::route::{Fault, FaultReason};

use crate::problem::{Problem, Problems};

/// A route's rules, translated, with all that is wrong with them.
#[derive(Debug)]
pub(crate) struct Translated {
    /// The rules that are served.
    pub(crate) rules: Rules,
    /// Number of rules that the route has.
    pub(crate) count: usize,
    /// The rules that are not served as they are written.
    pub(crate) invalid: Vec<InvalidRule>,
    /// References that lead to nothing usable, of all rules.
    pub(crate) problems: Problems,
}

impl Translated {
    /// Whether no rule is left that is served as it is written. A route without rules has none.
    pub(crate) fn is_wholly_invalid(&self) -> bool {
        self.count > 0 && self.invalid.len() == self.count
    }

    /// The rules, which are not here any more then.
    pub(crate) fn take_rules(&mut self) -> Rules {
        std::mem::replace(&mut self.rules, Rules::L4(Vec::new()))
    }
}

/// A rule that is not served as it is written.
#[derive(Debug)]
pub(crate) struct InvalidRule {
    /// Index in the route's spec.
    pub(crate) index: usize,
    /// Name, where one is given.
    pub(crate) name: Option<String>,
    /// What becomes of it.
    pub(crate) outcome: Outcome,
    /// Why; never empty.
    pub(crate) problems: Vec<Problem>,
}

/// What becomes of an invalid rule.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub(crate) enum Outcome {
    /// It is as if it were not there.
    Dropped,
    /// What it matches is known, and gets an error: a rule whose filters protect something must not
    /// hand its requests to a rule without them.
    Refused,
}

/// Gathers the rules of one route.
#[derive(Debug)]
pub(crate) struct Gatherer<R> {
    rules: Vec<R>,
    count: usize,
    invalid: Vec<InvalidRule>,
    problems: Problems,
}

impl<R> Gatherer<R> {
    /// None yet.
    pub(crate) fn new() -> Self {
        Self { rules: Vec::new(), count: 0, invalid: Vec::new(), problems: Problems::default() }
    }

    /// Adds the next rule. `translate` returns none where the rule must be dropped.
    pub(crate) fn add(&mut self, name: Option<&str>, translate: impl FnOnce(&mut Problems) -> Option<R>) {
        let index = self.count;
        self.count += 1;
        let rule = translate(&mut self.problems);
        let problems = std::mem::take(&mut self.problems.invalid);
        if !problems.is_empty() {
            let outcome = if rule.is_some() { Outcome::Refused } else { Outcome::Dropped };
            self.invalid.push(InvalidRule { index, name: name.map(str::to_owned), outcome, problems });
        }
        self.rules.extend(rule);
    }

    /// All rules.
    pub(crate) fn finish(self, rules: impl FnOnce(Vec<R>) -> Rules) -> Translated {
        let Self { rules: mut list, count, invalid, problems } = self;
        // A list that grows has room for four at once, and most routes have one rule.
        list.shrink_to_fit();
        Translated { rules: rules(list), count, invalid, problems }
    }
}

/// The fault of a rule that must be refused for these problems.
pub(crate) fn fault(problems: &[Problem]) -> Option<Fault> {
    let problem = problems.first()?;
    let message = format!("{}: {}", problem.field, problem.message).into();
    Some(Fault { reason: FaultReason::InvalidFilter, message })
}
