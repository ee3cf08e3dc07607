//! `capstan verdict`: the state of the fleet as a sentence, with what explains it.

use clap::Args;
use client::command::{CommandOutcome, CommandResult, print};
use client::wire::Verdict;
use client::{ApiClient, ClientError};
use domain::spans::span;
use serde::Deserialize;
use serde_json::Value;

use crate::flags::OutputFlags;

/// The arguments of `verdict`.
#[derive(Debug, Args)]
pub(crate) struct VerdictArguments {
    #[command(flatten)]
    output: OutputFlags,
}

/// Runs the command.
pub(crate) async fn run(api: &ApiClient, arguments: &VerdictArguments) -> CommandResult {
    let document: Value = api.get("/verdict").await?;
    if !arguments.output.print_one(&document, "verdict")? {
        let verdict =
            Verdict::deserialize(&document).map_err(|error| ClientError::unreadable(&error))?;
        print(layout(&verdict))?;
    }
    Ok(CommandOutcome::Success)
}

fn layout(verdict: &Verdict) -> String {
    let mut lines = vec![verdict.verdict.clone()];
    lines.extend(verdict.because.iter().map(|text| format!("  {text}")));
    match verdict.drains_in_ms {
        Some(0) => {}
        Some(ms) => lines.push(format!("  The backlog starts within about {}.", span(ms as i64))),
        None => lines.push("  No job has started recently.".to_owned()),
    }
    if !verdict.ruled_out.is_empty() {
        lines.push(String::new());
        lines.push("Ruled out:".to_owned());
        lines.extend(verdict.ruled_out.iter().map(|text| format!("  {text}")));
    }
    lines.join("\n")
}

#[cfg(test)]
mod tests {
    use super::*;
    use expect_test::expect;
    use serde_json::json;

    #[test]
    fn the_sentence_comes_first() {
        let documents = [
            json!({
                "verdict": "13 jobs wait for lock a.", "because": ["2 jobs wait: x is paused."],
                "ruledOut": ["A live worker starts jobs."], "drainsInMs": 65_000,
            }),
            json!({"verdict": "All is well.", "drainsInMs": 0}),
            json!({"verdict": "1 job waits, and no worker is live.", "drainsInMs": null}),
        ];
        let texts = documents
            .map(|one| layout(&serde_json::from_value::<Verdict>(one).unwrap()) + "\n--\n");
        expect![[r#"
            13 jobs wait for lock a.
              2 jobs wait: x is paused.
              The backlog starts within about 1 min 5 s.

            Ruled out:
              A live worker starts jobs.
            --
            All is well.
            --
            1 job waits, and no worker is live.
              No job has started recently.
            --
        "#]]
        .assert_eq(&texts.concat());
    }
}
