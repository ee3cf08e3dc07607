//! What must hold for any text at all that the parsers of the API are given; see [`shared::fuzzing`].

use shared::fuzzing::Check;

pub use crate::v0::fuzzing::{list_query, submission};
pub use crate::v1::fuzzing::filter;

/// The checks by their names.
pub const CHECKS: [Check; 3] =
    [("filter", filter), ("list_query", list_query), ("submission", submission)];

#[cfg(test)]
mod tests {
    #[test]
    fn seeds_and_what_was_found_before_hold() {
        shared::fuzzing::recheck(&super::CHECKS);
    }
}
