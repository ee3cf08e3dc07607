//! A scan that is cancelled while its layers are being scanned: its children are too, those that
//! run and those that wait.

use shared::job::Status;

use super::registry::{Images, scan};
use super::{Part, Stage, seconds_since, short};
use crate::failure::Failure;
use crate::out;
use crate::wire::Job;

const TITLE: &str = "A scan that is cancelled, with its children";
/// Longer than anybody waits.
const SECONDS: u32 = 600;

/// Plays it.
pub(super) async fn play(stage: &Stage<'_>, images: &Images) -> Result<Part, Failure> {
    let mut part = Part::of(TITLE);
    let parent = stage.submit(&scan(true, SECONDS)).await?;
    let count = images.layers.len();
    let under_way = async || {
        let children = stage.children(parent.id).await?;
        let runs = |job: &Job| job.status == Status::Running;
        Ok((children.len() == count && children.iter().any(runs)).then_some(children))
    };
    let before = stage.until("the layers of a slow scan are scanned", under_way).await?;
    stage.api.command(&format!("/jobs/{}/cancel", parent.id)).await?;
    let ids: Vec<_> = before.iter().map(|job| job.id).chain([parent.id]).collect();
    let after = stage.over(&ids).await?;

    for job in &after {
        part.must(job.status == Status::Cancel, || {
            format!("{} {} ended as {}, not as cancel", job.action, job.id, job.status)
        });
    }
    part.jobs = after.len();
    let rows = before.iter().zip(&after).map(|(before, after)| {
        let layer = before.parameters["SHA256SUM"].as_str().unwrap_or_default();
        row(before, after, short(layer))
    });
    let own = after.last().map(|after| row(&parent, after, String::new()));
    let header = ["ACTION", "LAYER", "WAS", "IS", "WORKER", "ENDED (s)"];
    part.table = out::table(&header, own.into_iter().chain(rows));
    Ok(part)
}

fn row(before: &Job, after: &Job, layer: String) -> Vec<String> {
    let since = after.created_at.unwrap_or(after.scheduled_at);
    vec![
        after.action.clone(),
        layer,
        before.status.to_string(),
        after.status.to_string(),
        after.worker_id.clone(),
        seconds_since(since, after.finished_at),
    ]
}
