//! The list to which every check adds what it finds.

use crate::history::Violation;

/// A list of violations.
pub(super) struct Violations(Vec<Violation>);

impl Violations {
    pub(super) fn new(violations: Vec<Violation>) -> Violations {
        Violations(violations)
    }

    pub(super) fn add(&mut self, invariant: &'static str, details: impl std::fmt::Display) {
        self.0.push(Violation { invariant, details: details.to_string() });
    }

    pub(super) fn into_inner(self) -> Vec<Violation> {
        self.0
    }
}
