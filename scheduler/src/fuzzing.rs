//! Properties that the parser of the crons file has for every input; see [`domain::fuzzing`].

use domain::fuzzing::{Check, assert_json_round_trip};

/// The checks of this crate.
pub const CHECKS: [Check; 1] = [("crons_file", crons_file)];

/// The contents of a crons file.
pub fn crons_file(bytes: &[u8]) {
    let Ok(text) = std::str::from_utf8(bytes) else { return };
    for cron in crate::crons_file::parse(text).into_iter().flatten() {
        assert!(cron.declared);
        assert_json_round_trip(&cron.spec);
    }
}

#[cfg(test)]
mod tests {
    #[test]
    fn all_seeds_pass() {
        domain::fuzzing::run_seeds(&super::CHECKS);
    }
}
