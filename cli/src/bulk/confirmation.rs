//! The confirmation before jobs are changed, with their number.

use std::io::{BufRead, IsTerminal, stdin};

use client::command::{CommandError, note};
use client::wire::BulkPreview;

use super::verb::Verb;

/// Describes what an operation would do.
pub(super) fn describe(verb: Verb, preview: &BulkPreview) -> String {
    let BulkPreview { eligible, refused, more } = preview;
    let at_least = if *more { "at least " } else { "" };
    let can = format!("{at_least}{} can be {}", jobs(*eligible), verb.participle());
    if refused.is_empty() {
        return can;
    }
    format!("{can}, {} cannot: {}", refused.values().sum::<u64>(), reasons(preview.refused.iter()))
}

/// Lists reasons with their numbers, like `2 finished, 1 alreadyRetried`.
pub(super) fn reasons<'a>(counts: impl Iterator<Item = (&'a String, &'a u64)>) -> String {
    counts.map(|(reason, count)| format!("{count} {reason}")).collect::<Vec<_>>().join(", ")
}

/// `1 job` or `17 jobs`.
pub(super) fn jobs(count: u64) -> String {
    if count == 1 { "1 job".to_owned() } else { format!("{count} jobs") }
}

/// Asks for confirmation, with the number of jobs. Fails if standard input is not a terminal.
pub(super) fn confirm(verb: Verb, preview: &BulkPreview) -> Result<bool, CommandError> {
    let question = question(verb, preview);
    if !stdin().is_terminal() {
        let text = format!("{question} Pass --yes: there is no terminal to ask on");
        return Err(CommandError::Usage(text));
    }
    note(format!("{question} [y/N]"));
    let mut answer = String::new();
    stdin().lock().read_line(&mut answer)?;
    Ok(is_yes(&answer))
}

fn question(verb: Verb, preview: &BulkPreview) -> String {
    let at_least = if preview.more { "at least " } else { "" };
    format!("{} {at_least}{}?", verb.imperative(), jobs(preview.eligible))
}

fn is_yes(answer: &str) -> bool {
    ["y", "yes"].contains(&answer.trim().to_ascii_lowercase().as_str())
}

#[cfg(test)]
mod tests {
    use super::*;

    fn preview(eligible: u64, refused: &[(&str, u64)], more: bool) -> BulkPreview {
        let refused = refused.iter().map(|(reason, count)| ((*reason).to_owned(), *count));
        BulkPreview { eligible, refused: refused.collect(), more }
    }

    #[test]
    fn the_question_repeats_the_number_of_jobs() {
        let some = preview(17, &[("alreadyRetried", 2), ("notFinished", 1)], false);
        let expected = "17 jobs can be retried, 3 cannot: 2 alreadyRetried, 1 notFinished";
        assert_eq!(describe(Verb::Retry, &some), expected);
        assert_eq!(question(Verb::Retry, &some), "Retry 17 jobs?");
        let one = preview(1, &[], true);
        assert_eq!(describe(Verb::Cancel, &one), "at least 1 job can be cancelled");
        assert_eq!(question(Verb::Cancel, &one), "Cancel at least 1 job?");
    }

    #[test]
    fn only_an_explicit_yes_confirms() {
        for answer in ["y\n", "YES\n", " yes "] {
            assert!(is_yes(answer), "{answer:?}");
        }
        for answer in ["", "\n", "n\n", "17\n", "yep\n"] {
            assert!(!is_yes(answer), "{answer:?}");
        }
    }
}
