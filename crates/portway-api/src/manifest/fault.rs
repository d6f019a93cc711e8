//! A problem of the text itself, before it is known which source and object it belongs to.

use super::{
    limits,
    position::{Place, Source},
    problem::{Problem, ProblemCode},
};

/// What keeps a text from being read as documents, or one document from being used.
#[derive(Clone, Debug, PartialEq, Eq)]
pub(super) struct Fault {
    pub(super) code: ProblemCode,
    pub(super) place: Place,
    pub(super) message: String,
    pub(super) help: Option<String>,
}

impl Fault {
    pub(super) fn new(code: ProblemCode, place: Place, message: impl Into<String>) -> Self {
        Self { code, place, message: message.into(), help: None }
    }

    /// A key that its mapping holds already, at `first`.
    pub(super) fn duplicate_key(name: &str, place: Place, first: Place) -> Self {
        let message =
            format!("the key `{name}` stands here for the second time, first on line {}", first.line);
        Self::new(ProblemCode::DuplicateKey, place, message).help("keep one of the two")
    }

    pub(super) fn help(mut self, help: impl Into<String>) -> Self {
        self.help = Some(help.into());
        self
    }

    pub(super) fn into_problem(self, source: &Source) -> Problem {
        let problem = Problem::error(self.code, self.message).at(self.place.within(source));
        Problem { help: self.help, ..problem }
    }
}

/// What one source may still use up; see [`limits`].
#[derive(Clone, Copy, Debug)]
pub(super) struct Budget {
    nodes: usize,
    copied_nodes: usize,
    copied_bytes: usize,
}

impl Budget {
    pub(super) fn of_a_source() -> Self {
        Self {
            nodes: limits::MAX_NODES,
            copied_nodes: limits::MAX_ALIAS_NODES,
            copied_bytes: limits::MAX_ALIAS_BYTES,
        }
    }

    /// Checks how many containers are open, counted from 1.
    pub(super) fn check_depth(depth: usize, place: Place) -> Result<(), Fault> {
        if depth > limits::MAX_DEPTH {
            return Err(Self::too_deep(place));
        }
        Ok(())
    }

    /// That too many containers are open.
    pub(super) fn too_deep(place: Place) -> Fault {
        exceeded(place, format!("more than {} levels of nesting", limits::MAX_DEPTH))
    }

    /// Accounts for more values.
    pub(super) fn take_nodes(&mut self, count: usize, place: Place) -> Result<(), Fault> {
        match self.nodes.checked_sub(count) {
            Some(rest) => self.nodes = rest,
            None => {
                return Err(exceeded(place, format!("more than {} values in one file", limits::MAX_NODES)));
            }
        }
        Ok(())
    }

    /// Accounts for a copy of an anchor's value.
    pub(super) fn take_copy(&mut self, size: Size, place: Place) -> Result<(), Fault> {
        let rest = (self.copied_nodes.checked_sub(size.nodes), self.copied_bytes.checked_sub(size.bytes));
        match rest {
            (Some(nodes), Some(bytes)) => {
                self.copied_nodes = nodes;
                self.copied_bytes = bytes;
                Ok(())
            }
            _ => {
                let (nodes, bytes) = (limits::MAX_ALIAS_NODES, limits::MAX_ALIAS_BYTES);
                let message =
                    format!("the anchors and aliases repeat more than {nodes} values or {bytes} bytes");
                Err(exceeded(place, message).help("write the values out, or split the file"))
            }
        }
    }
}

/// How much there is to copy in a value.
#[derive(Clone, Copy, Debug, Default)]
pub(super) struct Size {
    pub(super) nodes: usize,
    pub(super) bytes: usize,
}

impl Size {
    pub(super) fn add(&mut self, more: Self) {
        self.nodes = self.nodes.saturating_add(more.nodes);
        self.bytes = self.bytes.saturating_add(more.bytes);
    }
}

fn exceeded(place: Place, message: String) -> Fault {
    Fault::new(ProblemCode::LimitExceeded, place, message)
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn a_budget_ends_where_its_limits_are() {
        let mut budget = Budget::of_a_source();
        assert_eq!(budget.take_nodes(limits::MAX_NODES, Place::START), Ok(()));
        assert_eq!(
            budget.take_nodes(1, Place::START).map_err(|fault| fault.message),
            Err("more than 2000000 values in one file".to_owned())
        );
        let size = Size { nodes: limits::MAX_ALIAS_NODES, bytes: limits::MAX_ALIAS_BYTES };
        assert_eq!(budget.take_copy(size, Place::START), Ok(()));
        for size in [Size { nodes: 1, bytes: 0 }, Size { nodes: 0, bytes: 1 }] {
            let fault = budget.take_copy(size, Place::START).map_err(|fault| fault.code);
            assert_eq!(fault, Err(ProblemCode::LimitExceeded));
        }
        assert_eq!(Budget::check_depth(limits::MAX_DEPTH, Place::START), Ok(()));
        assert!(Budget::check_depth(limits::MAX_DEPTH + 1, Place::START).is_err());
    }
}
