//! Texts in which the jobs that they name are links.

use domain::job::JobId;

const ID_CHARACTERS: usize = 36;

/// A part of a text.
#[derive(Debug, Clone, PartialEq, Eq)]
pub(super) struct Segment {
    /// The text.
    pub(super) text: String,
    /// The job that it names.
    pub(super) job: Option<JobId>,
}

/// Splits a text with parts like `job 7 (a261713a-9514-43f9-a7e5-50e7a9fa1d48)`, which become links
/// with the text `job 7`.
pub(super) fn linked(text: &str) -> Vec<Segment> {
    let plain = |text: &str| Segment { text: text.to_owned(), job: None };
    let mut segments = Vec::new();
    let mut rest = text;
    while let Some((before, job, after)) = next_job(rest) {
        let name = before.rfind("job ").unwrap_or(before.len());
        segments.push(plain(&before[..name]));
        segments.push(Segment { text: before[name..].to_owned(), job: Some(job) });
        rest = after;
    }
    segments.push(plain(rest));
    segments.retain(|segment| !segment.text.is_empty());
    segments
}

/// Finds the first id in parentheses; returns the text before, the id and the text after.
fn next_job(text: &str) -> Option<(&str, JobId, &str)> {
    let mut opens = text.match_indices(" (").map(|(at, _)| at);
    opens.find_map(|at| {
        let id = text.get(at + 2..at + 2 + ID_CHARACTERS)?.parse().ok()?;
        let after = text.get(at + 2 + ID_CHARACTERS..)?.strip_prefix(')')?;
        Some((&text[..at], id, after))
    })
}

#[cfg(test)]
mod tests {
    use super::*;

    const ID: &str = "a261713a-9514-43f9-a7e5-50e7a9fa1d48";

    fn check(text: &str, expected: &str) {
        let show = |segment: Segment| match segment.job {
            Some(_) => format!("[{}]", segment.text),
            None => segment.text,
        };
        assert_eq!(linked(text).into_iter().map(show).collect::<String>(), expected);
    }

    #[test]
    fn a_job_in_a_text_is_a_link() {
        check("3 ahead of it", "3 ahead of it");
        check("", "");
        check(
            &format!("lock x is held by job 7 ({ID}), job 8 ({ID}) and 1 more"),
            "lock x is held by [job 7], [job 8] and 1 more",
        );
        check("a (b) (c", "a (b) (c");
        check(&format!("({ID}"), &format!("({ID}"));
    }
}
