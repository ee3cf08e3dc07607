//! The message: the ids of jobs of one queue. Only the ids count; the claim checks the state of
//! each job.

use std::collections::HashSet;

use domain::job::{JobId, Timestamp};
use serde::{Deserialize, Serialize};

/// The most jobs in one offer.
pub const MAX_OFFER_JOBS: usize = 64;

/// Bounds the error of the JSON parser, which repeats parts of the message.
const MAX_ERROR_CHARACTERS: usize = 256;
/// The version of the format. A worker discards offers of other versions; the scheduler offers
/// their jobs again.
const VERSION: u32 = 2;

/// Jobs of one queue that are ready to run.
#[derive(Debug, Clone, PartialEq, Eq, Serialize, Deserialize)]
#[serde(rename_all = "camelCase")]
pub struct Offer {
    #[serde(rename = "v")]
    version: u32,
    /// When the first of the jobs was due. Workers admit offers in this order.
    pub scheduled_at: Timestamp,
    /// The number of that job, which orders those of one moment.
    pub number: u64,
    /// The jobs, in the order in which to claim them.
    pub jobs: Vec<JobId>,
}

/// A message that is not a valid offer.
#[derive(Debug, Clone, PartialEq, Eq, thiserror::Error)]
pub enum InvalidOffer {
    /// It cannot be parsed.
    #[error("the message is not a valid offer: {0}")]
    Unreadable(String),
    /// Its format has another version.
    #[error("the offer has format version {0}; this worker supports {VERSION}")]
    UnknownVersion(u32),
    /// It contains too many jobs.
    #[error("the offer contains {0} jobs; the maximum is {MAX_OFFER_JOBS}")]
    TooLong(usize),
}

impl Offer {
    /// Returns an offer of these jobs; the first was due at `scheduled_at` and has this number.
    #[must_use]
    pub fn new(scheduled_at: Timestamp, number: u64, jobs: Vec<JobId>) -> Offer {
        Offer { version: VERSION, scheduled_at, number, jobs }
    }

    pub(crate) fn encode(&self) -> Vec<u8> {
        serde_json::to_vec(self).unwrap_or_default()
    }

    pub(crate) fn decode(bytes: &[u8]) -> Result<Offer, InvalidOffer> {
        #[derive(Deserialize)]
        struct Head {
            v: u32,
        }
        let unreadable = |error: serde_json::Error| {
            InvalidOffer::Unreadable(error.to_string().chars().take(MAX_ERROR_CHARACTERS).collect())
        };
        let head: Head = serde_json::from_slice(bytes).map_err(unreadable)?;
        if head.v != VERSION {
            return Err(InvalidOffer::UnknownVersion(head.v));
        }
        let mut offer: Offer = serde_json::from_slice(bytes).map_err(unreadable)?;
        if offer.jobs.len() > MAX_OFFER_JOBS {
            Err(InvalidOffer::TooLong(offer.jobs.len()))
        } else {
            // A job that is listed twice must not be claimed twice.
            let mut seen = HashSet::new();
            offer.jobs.retain(|id| seen.insert(*id));
            Ok(offer)
        }
    }
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn an_offer_decodes_back_and_other_messages_are_refused() {
        let offer = Offer::new(Timestamp::from_ms(1), 1, vec![JobId::random(), JobId::random()]);
        assert_eq!(Offer::decode(&offer.encode()), Ok(offer));
        assert_eq!(Offer::decode(br#"{"v":1,"other":1}"#), Err(InvalidOffer::UnknownVersion(1)));
        let long = Offer::new(Timestamp::from_ms(1), 1, vec![JobId::random(); 65]);
        assert_eq!(Offer::decode(&long.encode()), Err(InvalidOffer::TooLong(65)));
        let id = JobId::random();
        let doubled = Offer::new(Timestamp::from_ms(1), 1, vec![id, id]);
        assert_eq!(Offer::decode(&doubled.encode()).unwrap().jobs, [id]);
        for bytes in [
            &b""[..],
            b"\xff",
            b"[]",
            br#"{"v":2}"#,
            br#"{"v":2,"scheduledAt":"x","number":1,"jobs":[]}"#,
        ] {
            assert!(matches!(Offer::decode(bytes), Err(InvalidOffer::Unreadable(_))));
        }
    }
}
