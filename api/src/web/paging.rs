//! Which part of a list a page shows, and the link to the next part.

use super::format::{count, number};

/// The part of a list that a page shows.
pub(super) struct Paging {
    /// Like `20 of 35 crons`.
    pub(super) range: String,
    /// The URL of the next page, if there is one.
    pub(super) next: Option<String>,
}

impl Paging {
    /// Describes the page at `path` with `shown` of `total` items, of which each is a `noun`.
    pub(super) fn new(
        path: &str,
        (start, limit): (usize, usize),
        shown: usize,
        (total, noun): (u64, &str),
    ) -> Paging {
        let end = start + shown;
        let has_more = (end as u64) < total && shown > 0;
        Paging {
            range: format!("{} of {}", number(shown as u64), count(total, noun)),
            next: has_more.then(|| format!("{path}?start={end}&limit={limit}")),
        }
    }
}
