//! A worker is killed (SIGKILL) in the middle of a garbage collection. Another worker continues it
//! from its checkpoint.

use client::ClientError;
use client::wire::Job;
use domain::job::{JobId, Status};
use serde_json::{Value, json};

use crate::fleet::Fleet;
use crate::job_table::{Column, job_table};
use crate::section::Section;
use crate::workers::{self, PINNED};

const TITLE: &str = "A worker is killed in the middle of a collection; another worker continues it";
/// How long the collection takes: long enough for the worker to die before its end.
const SECONDS: u32 = 6;

/// Runs the section.
pub(crate) async fn run(fleet: &Fleet) -> Result<Section, ClientError> {
    let mut section = Section::new(TITLE);
    let before = workers::live(fleet).await?;
    let collection = fleet.submit(&collection()).await?;
    let saved = async || {
        let job: Value = fleet.api.get(&format!("/jobs/{}", collection.id)).await?;
        Ok((!job["checkpoint"].is_null()).then(|| job["workerID"].clone()))
    };
    let worker = fleet.poll_until("waiting for a checkpoint of the collection", saved).await?;
    let killer = fleet.submit(&workers::killer()).await?;
    if let Some(worker) = before.iter().find(|live| worker == live.id) {
        let pinned = worker.capacity_map.clone().with(PINNED, 1);
        workers::set_capacity(fleet, &worker.id, &pinned).await?;
    }
    let finished = fleet.finished(&[killer.id, collection.id]).await?;
    let restarted = async || Ok((workers::live(fleet).await?.len() >= before.len()).then_some(()));
    fleet.poll_until("waiting for the killed worker to be restarted", restarted).await?;
    let first = fleet.job(collection.id).await?;
    if let [_, last] = &finished[..] {
        let log = fleet.log(last.id).await?;
        check_outcome(&mut section, &first, last, &log);
    }
    section.jobs = 1 + finished.len();
    let continued_from = |job: &Job| continued_from(job, collection.id);
    let columns = [
        Column::Action,
        Column::Attempt,
        Column::Status,
        Column::Worker,
        Column::Other("CONTINUES", &continued_from),
        Column::Started,
        Column::Ended,
    ];
    let killer = finished.iter().take(1);
    section.table = job_table(killer.chain([&first]).chain(finished.iter().skip(1)), &columns);
    Ok(section)
}

fn collection() -> Value {
    let parameters = json!({"dry_run": true, "min_age_seconds": 0, "seconds": SECONDS});
    json!({"action": "gc", "parameters": parameters, "locks": ["layout"]})
}

fn continued_from(job: &Job, first: JobId) -> String {
    let continues = job.action == "gc" && job.id != first;
    if continues { "from its checkpoint".to_owned() } else { String::new() }
}

fn check_outcome(section: &mut Section, first: &Job, last: &Job, log: &[String]) {
    section.check(first.status == Status::WorkerDead, || {
        format!("the collection {} ended as {}, not as worker_dead", first.id, first.status)
    });
    section.check_done(last);
    section.check(last.worker_id != first.worker_id, || {
        format!("the dead worker {} continued the collection", last.worker_id)
    });
    let continues = log.first().is_some_and(|line| line.starts_with("continuing after "));
    section.check(continues, || format!("{} did not continue from a checkpoint", last.id));
}

#[cfg(test)]
mod tests {
    use super::*;
    use expect_test::{Expect, expect};

    fn job(number: u32, worker: &str, status: &str) -> Job {
        let document = json!({
            "id": format!("00000000-0000-4000-8000-{number:012}"), "action": "gc",
            "status": status, "workerID": worker, "scheduledAt": "2026-11-20T16:30:00Z",
        });
        serde_json::from_value(document).unwrap()
    }

    fn check(jobs: &[Job; 2], line: &str, expected: &Expect) {
        let mut section = Section::default();
        check_outcome(&mut section, &jobs[0], &jobs[1], &[line.to_owned()]);
        expected.assert_eq(&section.problems.join("\n"));
    }

    #[test]
    fn another_worker_must_continue_the_collection() {
        let jobs = [job(1, "aa", "worker_dead"), job(2, "bb", "done")];
        check(&jobs, "continuing after 0a, 3 blobs are left", &expect![""]);
        check(
            &[job(1, "aa", "error"), job(2, "aa", "error")],
            "would delete 0a",
            &expect![[r#"
                the collection 00000000-0000-4000-8000-000000000001 ended as error, not as worker_dead
                gc 00000000-0000-4000-8000-000000000002 ended as error
                the dead worker aa continued the collection
                00000000-0000-4000-8000-000000000002 did not continue from a checkpoint"#]],
        );
    }
}
