//! Limits how many requests each token may send, by GCRA: a token that has used up its requests gets
//! them back one by one. Each API counts on its own. Sessions of the web page are not counted.

use std::collections::BTreeMap;
use std::sync::{Mutex, PoisonError};
use std::time::{Duration, Instant};

use domain::access_tokens::Owner;

use crate::settings::RequestRate;

/// The requests that tokens have sent.
pub(super) struct RequestLimit {
    rate: RequestRate,
    /// When all requests of each token are restored. There are as many entries as tokens.
    restored: Mutex<BTreeMap<Owner, Instant>>,
}

impl RequestLimit {
    pub(super) fn new(rate: RequestRate) -> RequestLimit {
        RequestLimit { rate, restored: Mutex::default() }
    }

    /// Counts a request. The error is the rate, and when the next request is accepted.
    pub(super) fn count(
        &self,
        owner: &Owner,
        now: Instant,
    ) -> Result<(), (&RequestRate, Duration)> {
        let Some((count, per)) = self.rate.rate else { return Ok(()) };
        let mut restored = self.restored.lock().unwrap_or_else(PoisonError::into_inner);
        let at = restored.get(owner).copied().unwrap_or(now).max(now) + per / count;
        let used = at - now;
        if used > per {
            return Err((&self.rate, used - per));
        }
        restored.insert(owner.clone(), at);
        Ok(())
    }
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn a_token_that_has_used_up_its_requests_gets_them_back_one_by_one() {
        let limit = RequestLimit::new("3/6s".parse().unwrap());
        let (ci, other) = (Owner::example(), "other".parse().unwrap());
        let start = Instant::now();
        let at = |owner: &Owner, seconds: u64| {
            let now = start + Duration::from_secs(seconds);
            limit.count(owner, now).map_err(|(_, wait)| wait.as_secs())
        };
        assert_eq!([at(&ci, 0), at(&ci, 0), at(&ci, 0)], [Ok(()); 3]);
        assert_eq!(at(&ci, 0), Err(2));
        assert_eq!(at(&ci, 1), Err(1), "a refused request is not counted");
        assert_eq!(at(&other, 1), Ok(()), "each token has its own");
        assert_eq!([at(&ci, 2), at(&ci, 2)], [Ok(()), Err(2)]);
        assert_eq!(
            [at(&ci, 60), at(&ci, 60), at(&ci, 60), at(&ci, 60)],
            [Ok(()), Ok(()), Ok(()), Err(2)]
        );
        assert!(RequestLimit::new(RequestRate::default()).count(&ci, start).is_ok());
    }
}
