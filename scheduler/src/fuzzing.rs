//! What must hold for any file of crons; see [`domain::fuzzing`].

use domain::fuzzing::{Check, same_as_json};

/// The checks by their names.
pub const CHECKS: [Check; 1] = [("crons_file", crons_file)];

/// A file of crons.
pub fn crons_file(bytes: &[u8]) {
    let Ok(text) = std::str::from_utf8(bytes) else { return };
    for cron in crate::declared::parse(text).into_iter().flatten() {
        assert!(cron.declared);
        same_as_json(&cron.spec);
    }
}

#[cfg(test)]
mod tests {
    #[test]
    fn seeds_and_what_was_found_before_hold() {
        domain::fuzzing::recheck(&super::CHECKS);
    }
}
