//! A job that fails and is retried: the scan of a layer that the garbage collection has taken. Then
//! somebody pushes it again, and the retry finds it.

use std::fmt::Write;

use serde_json::json;
use shared::job::Status;

use super::registry::{Images, PACKAGES, TOOLS, push, push_all};
use super::{Part, Stage, seconds_since};
use crate::failure::Failure;
use crate::out;
use crate::wire::Job;

const TITLE: &str =
    "A scan of a layer that was collected fails; when it is pushed again, a retry ends well";

/// Plays it.
pub(super) async fn play(stage: &Stage<'_>, images: &Images) -> Result<Part, Failure> {
    let mut part = Part::of(TITLE);
    let Some(layer) = images.layers.last() else { return Ok(part) };
    let without = stage.run(&push(TOOLS, PACKAGES.len() - 1)).await?;
    let parameters = json!({"min_age_seconds": 0});
    let collect = json!({"action": "gc", "parameters": parameters, "locks": ["layout"]});
    let collect = stage.run(&collect).await?;
    let log = stage.log(collect.id).await?;
    part.must(log.iter().any(|line| line.contains(&format!("deleting {}", layer.digest))), || {
        format!("gc {} did not delete layer {}", collect.id, layer.digest)
    });

    let scan = stage
        .submit(&json!({
            "action": "scan_check_single", "parameters": {"SHA256SUM": layer.digest},
            "retries": 5, "backoff": {"base": "2s", "max": "2s"},
        }))
        .await?;
    let failed = async || {
        let job = stage.job(scan.id).await?;
        Ok((job.status.is_final() && job.follow_up_id.is_some()).then_some(job))
    };
    let failed = stage.until("a scan of what is not there fails", failed).await?;
    part.must(failed.status == Status::Error, || format!("the scan ended as {}", failed.status));
    let pushed = stage.run(&push_all()).await?;
    let mut tries = vec![failed];
    while let Some(next) = tries.last().and_then(|job| job.follow_up_id) {
        let over = async || Ok(Some(stage.job(next).await?).filter(|job| job.status.is_final()));
        tries.push(stage.until("the retry is over", over).await?);
    }

    for (earlier, later) in tries.iter().zip(&tries[1..]) {
        part.must(later.retry_from_id == Some(earlier.id), || {
            format!("{} retries {:?}, not {}", later.id, later.retry_from_id, earlier.id)
        });
    }
    for job in tries.last().into_iter().chain([&without, &collect, &pushed]) {
        part.must_be_done(job);
    }
    let why = stage.log(tries[0].id).await?.pop().unwrap_or_default();
    part.must(why.contains(&layer.digest), || format!("the log of {} says {why:?}", tries[0].id));
    part.jobs = tries.len() + 3;
    part.table = table(&tries, [&without, &collect], &pushed);
    let _ = write!(part.table, "\n\nThe log of the first try: {why}");
    Ok(part)
}

fn table(tries: &[Job], before: [&Job; 2], pushed: &Job) -> String {
    let begin = before[0].created_at.unwrap_or(before[0].scheduled_at);
    let mut jobs: Vec<&Job> = tries.iter().chain(before).chain([pushed]).collect();
    jobs.sort_by_key(|job| job.started_at);
    let rows = jobs.into_iter().map(|job| {
        vec![
            job.action.clone(),
            job.attempt.to_string(),
            job.status.to_string(),
            job.worker_id.clone(),
            seconds_since(begin, job.started_at),
            seconds_since(begin, job.finished_at),
            job.exception.as_ref().map(|exception| exception.message.clone()).unwrap_or_default(),
        ]
    });
    let header = ["ACTION", "TRY", "STATUS", "WORKER", "STARTED (s)", "ENDED (s)", "WHY"];
    out::table(&header, rows)
}
