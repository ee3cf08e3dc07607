//! Texts in which the jobs that they name are links, and times are relative.

use domain::job::{JobId, Timestamp};

use super::format::Moment;

const ID_CHARACTERS: usize = 36;

/// A part of a text.
#[derive(Debug, Clone, PartialEq, Eq)]
pub(super) enum Segment {
    /// Plain text.
    Text(String),
    /// A job, with its name in the text.
    Job(String, JobId),
    /// A time.
    Time(Moment),
}

/// Splits a text with parts like `job 7 (a261713a-9514-43f9-a7e5-50e7a9fa1d48)`, which become links
/// with the text `job 7`, and like `at 2026-11-20T16:30:00Z`, which becomes `in 5 h`.
pub(super) fn linked(text: &str, now: Timestamp) -> Vec<Segment> {
    let mut segments = Vec::new();
    let mut rest = text;
    while let Some((before, job, after)) = next_job(rest) {
        let name = before.rfind("job ").unwrap_or(before.len());
        add_times(&before[..name], now, &mut segments);
        segments.push(Segment::Job(before[name..].to_owned(), job));
        rest = after;
    }
    add_times(rest, now, &mut segments);
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

/// Adds a text without jobs.
fn add_times(text: &str, now: Timestamp, segments: &mut Vec<Segment>) {
    let mut rest = text;
    while let Some((before, at, after)) = next_time(rest) {
        add_text(before, segments);
        segments.push(Segment::Time(Moment::new(at, now)));
        rest = after;
    }
    add_text(rest, segments);
}

fn add_text(text: &str, segments: &mut Vec<Segment>) {
    if !text.is_empty() {
        segments.push(Segment::Text(text.to_owned()));
    }
}

/// Finds the first time after `at `; returns the text before, the time and the text after.
fn next_time(text: &str) -> Option<(&str, Timestamp, &str)> {
    const AT: &str = "at ";
    text.match_indices(AT).map(|(start, _)| start).find_map(|start| {
        let word = &text[start + AT.len()..];
        let end = word.find('Z')? + 1;
        Some((&text[..start], word[..end].parse().ok()?, &word[end..]))
    })
}

#[cfg(test)]
mod tests {
    use super::*;

    const ID: &str = "a261713a-9514-43f9-a7e5-50e7a9fa1d48";

    fn check(text: &str, expected: &str) {
        let show = |segment: Segment| match segment {
            Segment::Job(name, _) => format!("[{name}]"),
            Segment::Time(moment) => format!("<{}>", moment.relative),
            Segment::Text(text) => text,
        };
        let now = "2026-11-20T16:30:00Z".parse().unwrap();
        assert_eq!(linked(text, now).into_iter().map(show).collect::<String>(), expected);
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

    #[test]
    fn a_time_in_a_text_is_relative() {
        check("due at 2026-11-20T18:30:00.250Z", "due <in 2 h>");
        check(
            "at 2026-11-20T16:29:30Z; it expires at 2026-11-20T17:30:00Z",
            "<30 s ago>; it expires <in 1 h>",
        );
        check("at Z, at 2026, at é Z at", "at Z, at 2026, at é Z at");
    }
}
