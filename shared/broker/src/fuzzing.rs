//! Properties of the decoder of offers, checked for arbitrary input; see [`domain::fuzzing`].

use domain::fuzzing::{Check, accepted};

use crate::{MAX_OFFER_JOBS, Offer};

/// Every check of this crate.
pub const CHECKS: [Check; 1] = [("offer", offer)];

/// An offer, as a message carries it.
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
    fn seeds_and_earlier_finds_pass() {
        domain::fuzzing::run_seeds(&super::CHECKS);
    }
}
