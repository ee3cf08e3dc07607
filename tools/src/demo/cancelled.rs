//! A scan is cancelled while its children scan layers. Its children are cancelled with it, both
//! those that run and those that wait.

use client::ClientError;
use client::wire::Job;
use domain::job::{JobId, Status};

use crate::fleet::Fleet;
use crate::job_table::{Column, job_table};
use crate::registry::{Images, TOOLS, scan};
use crate::section::Section;

const TITLE: &str = "A scan is cancelled, and its children with it";
/// Longer than the demo, so that no layer's scan ends by itself.
const SCAN_SECONDS: u32 = 600;

/// Runs the section.
pub(crate) async fn run(fleet: &Fleet, images: &Images) -> Result<Section, ClientError> {
    let mut section = Section::new(TITLE);
    let parent = fleet.submit(&scan(TOOLS, SCAN_SECONDS)).await?;
    let all_started = async || {
        let children = fleet.children(parent.id).await?;
        let running = children.iter().any(|job| job.status == Status::Running);
        Ok((children.len() == images.layers.len() && running).then_some(children))
    };
    let mut before = fleet.poll_until("waiting for the layers of a slow scan", all_started).await?;
    fleet.api.command(&format!("/jobs/{}/cancel", parent.id)).await?;
    before.insert(0, parent);
    let ids: Vec<JobId> = before.iter().map(|job| job.id).collect();
    let after = fleet.finished(&ids).await?;

    for job in &after {
        section.check(job.status == Status::Cancel, || {
            format!("{} {} ended as {}, not as cancel", job.action, job.id, job.status)
        });
    }
    let status_before = |after: &Job| {
        let before = before.iter().find(|job| job.id == after.id);
        before.map(|job| job.status.to_string()).unwrap_or_default()
    };
    let columns = [
        Column::Action,
        Column::Layer,
        Column::Other("BEFORE", &status_before),
        Column::Status,
        Column::Worker,
        Column::Ended,
    ];
    section.table = job_table(&after, &columns);
    section.jobs = after.len();
    Ok(section)
}
