//! A job that fails and is retried: the scan of a layer that the garbage collector has deleted.
//! Once the layer is pushed again, a retry succeeds.

use std::fmt::Write;

use client::ClientError;
use client::wire::Job;
use domain::job::{JobId, Status};
use serde_json::json;

use crate::fleet::Fleet;
use crate::job_table::{Column, job_table};
use crate::registry::{Images, PACKAGES, TOOLS, push};
use crate::section::Section;

const TITLE: &str =
    "A scan of a deleted layer fails; after the layer is pushed again, a retry succeeds";

/// Runs the section.
pub(crate) async fn run(fleet: &Fleet, images: &Images) -> Result<Section, ClientError> {
    let mut section = Section::new(TITLE);
    let Some(layer) = images.layers.last() else { return Ok(section) };
    let push_without = fleet.run(&push(TOOLS, PACKAGES.len() - 1)).await?;
    let parameters = json!({"min_age_seconds": 0});
    let collection = json!({"action": "gc", "parameters": parameters, "locks": ["layout"]});
    let collection = fleet.run(&collection).await?;
    let log = fleet.log(collection.id).await?;
    let deletion = format!("deleting {}", layer.digest);
    section.check(log.iter().any(|line| line.contains(&deletion)), || {
        format!("gc {} did not delete layer {}", collection.id, layer.digest)
    });

    let scan = json!({
        "action": "scan_check_single", "parameters": {"SHA256SUM": layer.digest},
        "retries": 5, "backoff": {"base": "2s", "max": "2s"},
    });
    let first = first_attempt(fleet, fleet.submit(&scan).await?.id).await?;
    section.check(first.status == Status::Error, || format!("the scan ended as {}", first.status));
    let push_again = fleet.run(&push(TOOLS, PACKAGES.len())).await?;
    let attempts = follow(fleet, first).await?;

    check_attempts(&mut section, &attempts);
    for job in attempts.last().into_iter().chain([&push_without, &collection, &push_again]) {
        section.check_done(job);
    }
    let reason = fleet.log(attempts[0].id).await?.pop().unwrap_or_default();
    section.check(reason.contains(&layer.digest), || {
        format!("the log of {} ends with {reason:?}", attempts[0].id)
    });
    let mut jobs: Vec<&Job> =
        attempts.iter().chain([&push_without, &collection, &push_again]).collect();
    jobs.sort_by_key(|job| job.started_at);
    section.jobs = jobs.len();
    section.table = attempt_table(jobs);
    let _ = write!(section.table, "\n\nLog of the first attempt: {reason}");
    Ok(section)
}

async fn first_attempt(fleet: &Fleet, id: JobId) -> Result<Job, ClientError> {
    let failed = async || {
        let job = fleet.job(id).await?;
        Ok((job.status.is_final() && job.follow_up_id.is_some()).then_some(job))
    };
    fleet.poll_until("waiting for the scan of a deleted layer to fail", failed).await
}

/// Waits for every retry of a job; returns all attempts.
async fn follow(fleet: &Fleet, first: Job) -> Result<Vec<Job>, ClientError> {
    let mut attempts = vec![first];
    while let Some(next) = attempts.last().and_then(|job| job.follow_up_id) {
        let over = async || Ok(Some(fleet.job(next).await?).filter(|job| job.status.is_final()));
        attempts.push(fleet.poll_until("waiting for a retry to finish", over).await?);
    }
    Ok(attempts)
}

fn check_attempts(section: &mut Section, attempts: &[Job]) {
    for (earlier, later) in attempts.iter().zip(&attempts[1..]) {
        section.check(later.retry_from_id == Some(earlier.id), || {
            format!("{} retries {:?}, not {}", later.id, later.retry_from_id, earlier.id)
        });
    }
}

fn attempt_table(jobs: Vec<&Job>) -> String {
    let columns = [
        Column::Action,
        Column::Attempt,
        Column::Status,
        Column::Worker,
        Column::Started,
        Column::Ended,
        Column::Error,
    ];
    job_table(jobs, &columns)
}
