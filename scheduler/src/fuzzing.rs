//! What must hold for any file of crons; see [`domain::fuzzing`].

use domain::fuzzing::{Check, assert_json_round_trip};

/// The checks by their names.
pub const CHECKS: [Check; 1] = [("crons_file", crons_file)];

/// A file of crons.
pub fn crons_file(bytes: &[u8]) {
    let Ok(text) = std::str::from_utf8(bytes) else { return };
    for cron in crate::declared::parse(text).into_iter().flatten() {
        assert!(cron.declared);
        assert_json_round_trip(&cron.spec);
    }
}

#[cfg(test)]
mod tests {
    #[test]
    fn seeds_and_what_was_found_before_hold() {
        domain::fuzzing::run_seeds(&super::CHECKS);
    }
}
