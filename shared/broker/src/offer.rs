//! The message: ids of jobs of one class. A hint, no more; what it says is checked when a job is claimed.

use std::collections::HashSet;

use serde::{Deserialize, Serialize};

use domain::job::{JobId, Timestamp};

/// How many ids one offer carries at most.
pub const MAX_OFFER_JOBS: usize = 64;

/// How much of why a message cannot be read is told: it repeats what stands there.
const MOST_CHARACTERS: usize = 256;
/// The only format so far; a newer one is thrown away, and its jobs are offered again when they are found.
const VERSION: u32 = 1;

/// Jobs of one class that are ready.
#[derive(Debug, Clone, PartialEq, Eq, Serialize, Deserialize)]
#[serde(rename_all = "camelCase")]
pub struct Offer {
    #[serde(rename = "v")]
    version: u32,
    /// When the first of them was due; offers are admitted in this order.
    pub scheduled_at: Timestamp,
    /// The jobs, in the order they are to be claimed.
    pub jobs: Vec<JobId>,
}

/// A message that is no offer of this format.
#[derive(Debug, Clone, PartialEq, Eq, thiserror::Error)]
pub enum InvalidOffer {
    /// It cannot be read at all.
    #[error("the message is no offer: {0}")]
    Unreadable(String),
    /// It is of a newer version.
    #[error("the offer is of version {0}, newer than this worker")]
    Newer(u32),
    /// It carries more than an offer may.
    #[error("the offer carries {0} ids")]
    TooLong(usize),
}

impl Offer {
    /// An offer of these jobs.
    #[must_use]
    pub fn new(scheduled_at: Timestamp, jobs: Vec<JobId>) -> Offer {
        Offer { version: VERSION, scheduled_at, jobs }
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
            InvalidOffer::Unreadable(error.to_string().chars().take(MOST_CHARACTERS).collect())
        };
        let head: Head = serde_json::from_slice(bytes).map_err(unreadable)?;
        if head.v != VERSION {
            return Err(InvalidOffer::Newer(head.v));
        }
        let mut offer: Offer = serde_json::from_slice(bytes).map_err(unreadable)?;
        if offer.jobs.len() > MAX_OFFER_JOBS {
            Err(InvalidOffer::TooLong(offer.jobs.len()))
        } else {
            // One that is named twice must not be claimed, and run, twice.
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
    fn an_offer_reads_back_and_garbage_is_told_apart() {
        let offer = Offer::new(Timestamp::from_ms(1), vec![JobId::random(), JobId::random()]);
        assert_eq!(Offer::decode(&offer.encode()), Ok(offer));
        assert_eq!(Offer::decode(br#"{"v":2,"other":1}"#), Err(InvalidOffer::Newer(2)));
        let long = Offer::new(Timestamp::from_ms(1), vec![JobId::random(); 65]);
        assert_eq!(Offer::decode(&long.encode()), Err(InvalidOffer::TooLong(65)));
        let id = JobId::random();
        let doubled = Offer::new(Timestamp::from_ms(1), vec![id, id]);
        assert_eq!(Offer::decode(&doubled.encode()).unwrap().jobs, [id]);
        for bytes in
            [&b""[..], b"\xff", b"[]", br#"{"v":1}"#, br#"{"v":1,"scheduledAt":"x","jobs":[]}"#]
        {
            assert!(matches!(Offer::decode(bytes), Err(InvalidOffer::Unreadable(_))));
        }
    }
}
