//! Jobs and workers as users refer to them: by number, id, id prefix or name.

mod job;
mod worker;

pub(crate) use job::{JobReference, resolve_jobs};
pub(crate) use worker::{WorkerReference, resolve_workers};

/// The minimum length of an id prefix.
const SHORTEST_PREFIX: usize = 4;
/// How many candidates an error lists.
const MOST_CANDIDATES: usize = 5;

/// Returns the error message for an ambiguous id prefix.
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
