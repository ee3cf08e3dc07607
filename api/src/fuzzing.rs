//! Properties that hold for any input of the parsers; see [`domain::fuzzing`].

use domain::fuzzing::Check;

pub use crate::v0::fuzzing::{list_query, submission};
pub use crate::v1::fuzzing::filter;

/// The checks by name.
pub const CHECKS: [Check; 3] =
    [("filter", filter), ("list_query", list_query), ("submission", submission)];

#[cfg(test)]
mod tests {
    #[test]
    fn seeds_and_earlier_findings_hold() {
        domain::fuzzing::run_seeds(&super::CHECKS);
    }
}
