//! Sorted sets of jobs read as one list, by rank. A page costs what it returns, however far down
//! the list it is, because no read skips over what comes before. The scores have no meaning here.

use std::collections::VecDeque;

use crate::connection::Connection;
use crate::error::StoreError;
use crate::store::Store;
use domain::job::JobId;

/// How many entries of a set one read returns at most.
pub(super) const STEP: u64 = 500;
/// How many scores one round trip tries while it looks for the start of a page.
const PROBES: i64 = 15;
/// Up to this rank it is cheaper to read what comes before the page.
const NEAR: u64 = 1000;

/// The range of scores, both ends included; `None` is no limit.
#[derive(Debug, Clone, Copy, Default)]
pub(super) struct Bounds {
    pub(super) since: Option<i64>,
    pub(super) until: Option<i64>,
}

/// Sets that have no member in common, as one list, ordered by score and then by id, as within a
/// set.
pub(super) struct Merged {
    connection: Connection,
    descending: bool,
    parts: Vec<Part>,
}

/// One set. Ranks count from the end at which the list begins.
struct Part {
    key: String,
    // Its ranks within the bounds: from `first` to before `end`.
    first: u64,
    end: u64,
    // The rank to read next, and the entries that are read and not returned yet.
    at: u64,
    ready: VecDeque<(JobId, i64)>,
}

impl Merged {
    /// Opens the list at its beginning, and counts its entries.
    pub(super) async fn open(
        store: &Store,
        keys: Vec<String>,
        descending: bool,
        bounds: Bounds,
    ) -> Result<Merged, StoreError> {
        let since = bounds.since.map_or("-inf".to_owned(), |score| score.to_string());
        let until = bounds.until.map_or("+inf".to_owned(), |score| score.to_string());
        let mut pipe = redis::pipe();
        for key in &keys {
            pipe.zcount(key, &since, &until);
            match (descending, bounds.until, bounds.since) {
                (true, Some(last), _) => pipe.zcount(key, format!("({last}"), "+inf"),
                (false, _, Some(first)) => pipe.zcount(key, "-inf", format!("({first}")),
                (true, None, _) | (false, _, None) => pipe.zcount(key, "(+inf", "+inf"),
            };
        }
        let mut connection = store.connection.clone();
        let counts: Vec<(u64, u64)> = match keys.is_empty() {
            true => Vec::new(),
            false => pairs(&pipe.query_async::<Vec<u64>>(&mut connection).await?),
        };
        let some = keys.into_iter().zip(counts).filter(|(_, (count, _))| *count > 0);
        let parts = some.map(|(key, (count, first))| {
            let end = first + count;
            Part { key, first, end, at: first, ready: VecDeque::new() }
        });
        Ok(Merged { connection, descending, parts: parts.collect() })
    }

    /// How many entries the list has.
    pub(super) fn total(&self) -> u64 {
        self.parts.iter().map(|part| part.end - part.first).sum()
    }

    /// Moves from the beginning to the `start`-th entry.
    pub(super) async fn seek(&mut self, start: u64) -> Result<(), StoreError> {
        if start >= self.total() {
            self.parts.iter_mut().for_each(|part| part.at = part.end);
        } else if let [only] = &mut self.parts[..] {
            only.at = only.first + start;
        } else if start > NEAR {
            self.seek_far(start).await?;
        } else {
            self.pass(start).await?;
        }
        Ok(())
    }

    /// How many entries are left.
    pub(super) fn left(&self) -> u64 {
        self.parts.iter().map(|part| part.end - part.at).sum()
    }

    /// Moves to the first entry after this one, which may have left the list. Halves the range of
    /// ranks in all sets at once.
    pub(super) async fn seek_after(&mut self, (id, at): (JobId, i64)) -> Result<(), StoreError> {
        let last = (self.order(at), id);
        let mut ranges: Vec<(u64, u64)> =
            self.parts.iter().map(|part| (part.first, part.end)).collect();
        while ranges.iter().any(|(low, high)| low < high) {
            let mut pipe = redis::pipe();
            for (part, (low, high)) in self.parts.iter().zip(&ranges) {
                let middle = low + (high - low) / 2;
                range(&mut pipe, &part.key, (middle, middle), self.descending);
            }
            let found: Vec<Vec<(String, f64)>> = pipe.query_async(&mut self.connection).await?;
            for ((low, high), entry) in ranges.iter_mut().zip(found) {
                let middle = *low + (*high - *low) / 2;
                let entry = entry.first().and_then(|(id, at)| Some((id.parse().ok()?, *at as i64)));
                let is_before = entry.is_some_and(|(id, at)| !self.is_after((id, at), last));
                if *low < *high && is_before {
                    *low = middle + 1;
                } else {
                    *high = middle.max(*low);
                }
            }
        }
        self.parts.iter_mut().zip(ranges).for_each(|(part, (low, _))| part.at = low);
        Ok(())
    }

    /// Whether an entry comes after the one with this order and id.
    fn is_after(&self, (id, at): (JobId, i64), (order, last): (i64, JobId)) -> bool {
        let ids = if self.descending { last.cmp(&id) } else { id.cmp(&last) };
        (self.order(at), ids) > (order, std::cmp::Ordering::Equal)
    }

    /// Reads the next entries and drops them.
    async fn pass(&mut self, mut count: u64) -> Result<(), StoreError> {
        while count > 0 {
            let passed = self.next(count.min(STEP)).await?.len() as u64;
            if passed == 0 {
                break;
            }
            count -= passed;
        }
        Ok(())
    }

    /// The next entries, at most `most`; none at the end.
    pub(super) async fn next(&mut self, most: u64) -> Result<Vec<(JobId, i64)>, StoreError> {
        let mut found = Vec::new();
        while (found.len() as u64) < most {
            self.fill(most - found.len() as u64).await?;
            let heads = self.parts.iter().enumerate();
            let heads = heads.filter_map(|(at, part)| Some((part.ready.front()?, at)));
            let first = heads.min_by(|((id_a, a), _), ((id_b, b), _)| {
                let order = (a, id_a).cmp(&(b, id_b));
                if self.descending { order.reverse() } else { order }
            });
            let Some((_, first)) = first else { break };
            found.extend(self.parts[first].ready.pop_front());
        }
        Ok(found)
    }

    /// Reads more of each set of which no entry is ready.
    async fn fill(&mut self, most: u64) -> Result<(), StoreError> {
        let descending = self.descending;
        let empty = |part: &&mut Part| part.ready.is_empty() && part.at < part.end;
        let mut pipe = redis::pipe();
        let mut count = 0;
        for part in self.parts.iter_mut().filter(empty) {
            let last = part.end.min(part.at + most.min(STEP)) - 1;
            range(&mut pipe, &part.key, (part.at, last), descending);
            count += 1;
        }
        if count == 0 {
            return Ok(());
        }
        let found: Vec<Vec<(String, f64)>> = pipe.query_async(&mut self.connection).await?;
        for (part, found) in self.parts.iter_mut().filter(empty).zip(found) {
            part.at += found.len() as u64;
            // Counted entries may be removed by now.
            if found.is_empty() {
                part.end = part.at;
            }
            let entries =
                found.into_iter().filter_map(|(id, score)| Some((id.parse().ok()?, score)));
            part.ready.extend(entries.map(|(id, score): (JobId, f64)| (id, score as i64)));
        }
        Ok(())
    }

    /// The order of a score in the list: what is smaller comes first.
    fn order(&self, score: i64) -> i64 {
        if self.descending { -score } else { score }
    }

    /// Moves to the last score that has at most `start` entries before it; tries several scores at
    /// a time.
    async fn seek_far(&mut self, start: u64) -> Result<(), StoreError> {
        let (mut low, mut high) = self.edges().await?;
        while low < high {
            // The last of these is `high` and the first is after `low`, so that each round narrows
            // the range.
            let step = (high - low).div_euclid(PROBES).max(1);
            let tried = (0..PROBES - 1).map(|i| low + 1 + i * step).chain([high]);
            let mut tried: Vec<i64> = tried.filter(|order| *order <= high).collect();
            tried.dedup();
            let counts = self.before(&tried).await?;
            let fits = |counts: &Vec<u64>| counts.iter().sum::<u64>() <= start;
            let enough = counts.iter().take_while(|counts| fits(counts)).count();
            if let Some(too_far) = tried.get(enough) {
                high = too_far - 1;
            }
            if enough > 0 {
                low = tried[enough - 1];
            }
        }
        let before = self.before(&[low]).await?.pop().unwrap_or_default();
        for (part, before) in self.parts.iter_mut().zip(&before) {
            part.at = part.first + before;
        }
        // The entries that are left have one score; there are few of them.
        self.pass(start.saturating_sub(before.iter().sum())).await
    }

    /// The orders of the first and the last entry of all.
    async fn edges(&mut self) -> Result<(i64, i64), StoreError> {
        let mut pipe = redis::pipe();
        for part in self.parts.iter().filter(|part| part.first < part.end) {
            range(&mut pipe, &part.key, (part.first, part.first), self.descending);
            range(&mut pipe, &part.key, (part.end - 1, part.end - 1), self.descending);
        }
        let found: Vec<Vec<(String, f64)>> = pipe.query_async(&mut self.connection).await?;
        let orders = found.iter().flatten().map(|(_, score)| self.order(*score as i64));
        let orders: Vec<i64> = orders.collect();
        let (low, high) = (orders.iter().min(), orders.iter().max());
        Ok((low.copied().unwrap_or(0), high.copied().unwrap_or(0)))
    }

    /// For each order, how many entries of each set come before it.
    async fn before(&mut self, orders: &[i64]) -> Result<Vec<Vec<u64>>, StoreError> {
        let mut pipe = redis::pipe();
        for order in orders {
            for part in &self.parts {
                let score = self.order(*order);
                match self.descending {
                    true => pipe.zcount(&part.key, format!("({score}"), "+inf"),
                    false => pipe.zcount(&part.key, "-inf", format!("({score}")),
                };
            }
        }
        let counts: Vec<u64> = pipe.query_async(&mut self.connection).await?;
        let within =
            |(part, count): (&Part, &u64)| (*count).clamp(part.first, part.end) - part.first;
        let rows = counts.chunks(self.parts.len().max(1));
        Ok(rows.map(|row| self.parts.iter().zip(row).map(within).collect()).collect())
    }
}

fn range(pipe: &mut redis::Pipeline, key: &str, (first, last): (u64, u64), descending: bool) {
    let command = pipe.cmd("ZRANGE").arg(key).arg(first).arg(last);
    if descending {
        command.arg("REV");
    }
    command.arg("WITHSCORES");
}

fn pairs(counts: &[u64]) -> Vec<(u64, u64)> {
    counts.chunks_exact(2).map(|pair| (pair[0], pair[1])).collect()
}
