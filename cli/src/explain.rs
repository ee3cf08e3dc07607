//! `capstan explain`: what a code means and what to do about it.

use clap::Args;
use client::command::{CommandError, CommandOutcome, CommandResult, print};
use domain::explanation::{ERRORS, WAIT_REASONS, explanation};

/// The arguments of `explain`.
#[derive(Debug, Args)]
pub(crate) struct ExplainArguments {
    /// Code of an error or of the reason why a job waits; without it, all codes are listed
    code: Option<String>,
}

/// Prints the explanation.
pub(crate) fn run(arguments: &ExplainArguments) -> CommandResult {
    let Some(code) = &arguments.code else {
        print(all())?;
        return Ok(CommandOutcome::Success);
    };
    let found = explanation(code);
    let found =
        found.ok_or_else(|| CommandError::Usage(format!("unknown code {code:?}\n{}", all())));
    let found = found?;
    print(format_args!("{}\n\n{}\n{}", found.code, found.meaning, found.remedy))?;
    Ok(CommandOutcome::Success)
}

fn all() -> String {
    let codes = |list: &[domain::explanation::Explanation]| {
        list.iter().map(|one| one.code).collect::<Vec<_>>().join("\n  ")
    };
    format!(
        "Reasons why a job waits:\n  {}\n\nErrors of the API:\n  {}",
        codes(WAIT_REASONS),
        codes(ERRORS)
    )
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn an_unknown_code_is_a_usage_error_that_lists_the_codes() {
        let error = run(&ExplainArguments { code: Some("nothing".to_owned()) }).unwrap_err();
        assert_eq!(error.exit_code(), 2);
        let text = error.to_string();
        assert!(text.starts_with("unknown code \"nothing\"\n"), "{text}");
        assert!(text.contains("\n  capacity\n") && text.contains("\n  NO_SUCH_JOB\n"), "{text}");
    }
}
