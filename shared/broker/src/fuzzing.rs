//! Properties of the decoder of offers, checked for arbitrary input; see [`domain::fuzzing`].

use domain::fuzzing::{Check, told};

use crate::{MOST_IDS, Offer};

/// Every check of this crate.
pub const CHECKS: [Check; 1] = [("offer", offer)];

/// An offer, as a message carries it.
pub fn offer(bytes: &[u8]) {
    let Some(offer) = told(Offer::decode(bytes)) else { return };
    let mut jobs = offer.jobs.clone();
    jobs.sort();
    jobs.dedup();
    assert!(jobs.len() == offer.jobs.len() && jobs.len() <= MOST_IDS);
    assert_eq!(Offer::decode(&offer.encode()), Ok(offer));
}

#[cfg(test)]
mod tests {
    #[test]
    fn seeds_and_earlier_finds_pass() {
        domain::fuzzing::recheck(&super::CHECKS);
    }
}
