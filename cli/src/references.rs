//! Jobs and workers as people name them: by number, id, beginning of an id, or name.

mod job;
mod worker;

pub(crate) use job::{JobReference, resolve_jobs};
pub(crate) use worker::{WorkerReference, resolve_workers};

/// The least number of characters of the beginning of an id.
const SHORTEST_PREFIX: usize = 4;
/// How many candidates an error lists.
const MOST_CANDIDATES: usize = 5;

/// Returns what to say about a beginning of an id that several things have.
fn ambiguous(text: &str, what: &str, candidates: &[String]) -> String {
    let shown = candidates.iter().take(MOST_CANDIDATES).cloned().collect::<Vec<_>>().join(", ");
    let more = match candidates.len().saturating_sub(MOST_CANDIDATES) {
        0 => String::new(),
        more => format!(" and {more} more"),
    };
    format!("{text:?} could be several {what}: {shown}{more}; type more characters")
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn at_most_five_candidates_are_listed() {
        let candidates = ["a", "b", "c", "d", "e", "f", "g"].map(str::to_owned);
        let expected = r#""x" could be several jobs: a, b; type more characters"#;
        assert_eq!(ambiguous("x", "jobs", &candidates[..2]), expected);
        let expected =
            r#""x" could be several jobs: a, b, c, d, e and 2 more; type more characters"#;
        assert_eq!(ambiguous("x", "jobs", &candidates), expected);
    }
}
