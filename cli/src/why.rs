//! `capstan why`: why a job waits and when it will probably start, or where its time went.

use clap::Args;
use client::command::{CommandOutcome, CommandResult, print, table};
use client::wire::{ExpectedStart, Job, Timeline, Wait};
use client::{ApiClient, ClientError};
use domain::spans::span;
use serde::Deserialize;
use serde_json::Value;

use crate::flags::OutputFlags;
use crate::references::JobReference;

/// The arguments of `why`.
#[derive(Debug, Args)]
pub(crate) struct WhyArguments {
    /// Number or ID of the job
    job: JobReference,

    #[command(flatten)]
    output: OutputFlags,
}

/// Runs the command.
pub(crate) async fn run(api: &ApiClient, arguments: &WhyArguments) -> CommandResult {
    let id = arguments.job.resolve(api).await?;
    let document: Value = api.get(&format!("/jobs/{id}/timeline")).await?;
    if arguments.output.print(&document, &[&Value::String(id.to_string())])? {
        return Ok(CommandOutcome::Success);
    }
    let job: Job = api.get(&format!("/jobs/{id}")).await?;
    let timeline =
        Timeline::deserialize(&document).map_err(|error| ClientError::unreadable(&error))?;
    print(layout(&job, &timeline))?;
    Ok(CommandOutcome::Success)
}

fn layout(job: &Job, timeline: &Timeline) -> String {
    let mut lines = vec![format!("job {} ({}) is {}", job.number, job.action, job.status)];
    if let Some(reason) = &job.waiting_for {
        lines.push(format!("It waits ({}): {}", reason.code, reason.message));
    }
    lines.extend(timeline.expected_start.as_ref().map(expected));
    lines.push(String::new());
    lines.push(spans(timeline));
    let rows = timeline.steps.iter().map(|step| {
        let attempt = step.attempt.to_string();
        vec![step.at.clone(), attempt, step.what.clone(), step.who.clone(), step.why.clone()]
    });
    lines.extend([String::new(), table(&["TIME", "ATTEMPT", "STEP", "WHO", "WHY"], rows)]);
    lines.join("\n")
}

fn expected(start: &ExpectedStart) -> String {
    match &start.at {
        Some(at) => format!("Expected start: {at} ({})", start.why),
        None => format!("Expected start: unknown ({})", start.why),
    }
}

/// Where the time went, without what took none.
fn spans(timeline: &Timeline) -> String {
    let Wait { due, dependency, lock, rate, queue, children, signal } = timeline.wait;
    let all = [
        ("due", due),
        ("dependency", dependency),
        ("lock", lock),
        ("rate", rate),
        ("queue", queue),
        ("run", timeline.run_ms),
        ("children", children),
        ("signal", signal),
    ];
    let some = all.into_iter().filter(|(_, ms)| *ms > 0);
    let texts: Vec<String> = some.map(|(name, ms)| format!("{name} {}", span(ms as i64))).collect();
    let attempts = match timeline.attempts {
        0 | 1 => String::new(),
        attempts => format!(" over {attempts} attempts"),
    };
    match texts.is_empty() {
        true => "It has taken no time yet.".to_owned(),
        false => format!("Time{attempts}: {}", texts.join(", ")),
    }
}

#[cfg(test)]
mod tests {
    use super::*;
    use expect_test::expect;
    use serde_json::json;

    const ID: &str = "a261713a-9514-43f9-a7e5-50e7a9fa1d48";

    #[test]
    fn a_waiting_job_has_a_reason_and_an_ended_one_has_spans() {
        let step = |what: &str, who: &str, why: &str| {
            json!({"at": "2026-11-20T16:54:34Z", "what": what, "who": who, "why": why,
                "jobID": ID, "attempt": 1})
        };
        let waits = json!({"id": ID, "number": 7, "action": "scan", "status": "waiting",
            "scheduledAt": "2026-11-20T16:54:34Z",
            "waitingFor": {"code": "lock", "message": "lock a is held by job 6"}});
        let timeline = json!({"steps": [step("submitted", "me", "")], "attempts": 1,
            "wait": {"queue": 2500, "lock": 65_000},
            "expectedStart": {"at": null, "why": "it depends on how long others hold the lock"}});
        let done = json!({"id": ID, "number": 7, "action": "scan", "status": "done",
            "scheduledAt": "2026-11-20T16:54:34Z"});
        let ended = json!({"steps": [step("started", "worker f97ebb52f0f6", "fencing token 1"),
            step("done", "", "")], "wait": {}, "runMs": 8000, "attempts": 2});
        let texts = [(waits, timeline), (done, ended)].map(|(job, timeline)| {
            let job: Job = serde_json::from_value(job).unwrap();
            layout(&job, &serde_json::from_value(timeline).unwrap()) + "\n--\n"
        });
        expect![[r#"
            job 7 (scan) is waiting
            It waits (lock): lock a is held by job 6
            Expected start: unknown (it depends on how long others hold the lock)

            Time: lock 1 min 5 s, queue 2.5 s

            TIME                  ATTEMPT  STEP       WHO  WHY
            2026-11-20T16:54:34Z  1        submitted  me
            --
            job 7 (scan) is done

            Time over 2 attempts: run 8.0 s

            TIME                  ATTEMPT  STEP     WHO                  WHY
            2026-11-20T16:54:34Z  1        started  worker f97ebb52f0f6  fencing token 1
            2026-11-20T16:54:34Z  1        done
            --
        "#]]
        .assert_eq(&texts.concat());
    }
}
