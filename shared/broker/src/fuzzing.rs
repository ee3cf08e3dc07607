//! Properties that the decoder of offers has for every input; see [`domain::fuzzing`].

use domain::fuzzing::{Check, accepted};

use crate::offer::{MAX_OFFER_JOBS, Offer};

/// The checks of this crate.
pub const CHECKS: [Check; 1] = [("offer", offer)];

/// The body of a message.
pub fn offer(bytes: &[u8]) {
    let Some(offer) = accepted(Offer::decode(bytes)) else { return };
    let mut jobs = offer.jobs.clone();
    jobs.sort();
    jobs.dedup();
    assert!(jobs.len() == offer.jobs.len() && jobs.len() <= MAX_OFFER_JOBS);
    assert_eq!(Offer::decode(&offer.encode()), Ok(offer));
}

#[cfg(test)]
mod tests {
    #[test]
    fn all_seeds_pass() {
        domain::fuzzing::run_seeds(&super::CHECKS);
    }
}
