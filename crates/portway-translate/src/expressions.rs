//! Regular expressions, each compiled at most once.

use std::cell::RefCell;
use std::collections::HashMap;
use std::sync::Arc;

use portway_route::{Pattern, PatternError};

/// The expressions of all routes, as far as they have been looked at. Routes often share expressions,
/// and compiling one costs up to milliseconds; what it came to is kept, the compiled form is not.
#[derive(Debug, Default)]
pub(crate) struct Expressions {
    checked: RefCell<HashMap<Arc<str>, Result<(), PatternError>>>,
}

impl Expressions {
    /// Whether the matcher can compile an expression, within its own limits.
    ///
    /// # Errors
    ///
    /// Why it cannot.
    pub(crate) fn check(&self, expression: &str) -> Result<(), PatternError> {
        if let Some(known) = self.checked.borrow().get(expression) {
            return known.clone();
        }
        let expression: Arc<str> = expression.into();
        let result = Pattern::new(&expression).map(|_| ());
        self.checked.borrow_mut().insert(expression, result.clone());
        result
    }
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn what_was_found_stays_found() {
        let expressions = Expressions::default();
        for _ in 0..2 {
            assert_eq!(expressions.check("/item/[0-9]+"), Ok(()));
            assert!(matches!(expressions.check("(").unwrap_err(), PatternError::Syntax { .. }));
        }
        assert_eq!(expressions.checked.borrow().len(), 2);
    }
}
