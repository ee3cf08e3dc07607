//! A worker that is killed (SIGKILL) in the middle of a scan, by a job that does that to its own
//! worker. Another worker scans the layer, nothing is left of the first one's processes and
//! directories, and whoever started it starts it again.

use std::time::Duration;

use serde_json::{Value, json};
use shared::job::{JobId, Status};

use super::fleet::{self, CHOSEN};
use super::registry::{Images, scan};
use super::{Part, Stage, seconds_since, short};
use crate::failure::Failure;
use crate::out;
use crate::wire::Job;

const TITLE: &str = "A worker is killed in the middle of a scan; another one scans the layer";
/// How long a layer takes: so long that the worker is dead before it is over.
const SECONDS: u32 = 6;
/// The killing job is nobody's any more when it was not wanted by then.
const EXPIRY: Duration = Duration::from_secs(90);

/// Plays it.
pub(super) async fn play(stage: &Stage<'_>, images: &Images) -> Result<Part, Failure> {
    let mut part = Part::of(TITLE);
    let fleet = fleet::live(stage).await?;
    // It waits until somebody offers what it needs.
    let killer = stage.submit(&killer()).await?;
    let parent = stage.submit(&scan(false, SECONDS)).await?;
    let runs = async || {
        let children = stage.children(parent.id).await?;
        Ok(children.into_iter().find(|job| job.status == Status::Running))
    };
    let victim = stage.until("a layer is being scanned", runs).await?;
    if let Some(worker) = fleet.iter().find(|worker| worker.id == victim.worker_id) {
        fleet::offer(stage, &worker.id, &fleet::with_chosen(worker)).await?;
    }
    let ended = stage.over(&[killer.id, parent.id]).await?;
    let children = stage.children(parent.id).await?;
    let back = async || Ok((fleet::live(stage).await?.len() >= fleet.len()).then_some(()));
    stage.until("the worker that was killed is started again", back).await?;
    let inspected = inspect(stage, &mut part, [victim.id, killer.id]).await?;

    judge(&mut part, &victim, &ended, &children, images);
    part.jobs = ended.len() + children.len() + inspected;
    part.table = table(&ended, &children);
    Ok(part)
}

fn killer() -> Value {
    json!({
        "action": "kill_worker", "capacityMap": {CHOSEN: 1}, "onWorkerLost": "fail",
        "expiresAt": (chrono::Utc::now() + EXPIRY).to_rfc3339(),
    })
}

/// On every worker, one after the other: what is left of jobs there. Returns how many jobs that
/// took.
async fn inspect(stage: &Stage<'_>, part: &mut Part, ids: [JobId; 2]) -> Result<usize, Failure> {
    let mut jobs = 0;
    for worker in fleet::live(stage).await? {
        fleet::offer(stage, &worker.id, &fleet::with_chosen(&worker)).await?;
        for id in ids {
            let left = stage
                .run(&json!({
                    "action": "left_behind", "parameters": {"job": id}, "capacityMap": {CHOSEN: 1},
                }))
                .await?;
            part.must_be_done(&left);
            part.must(left.worker_id == worker.id, || format!("{} looked elsewhere", left.id));
            let nothing = json!({"processes": 0, "directories": 0});
            part.must(left.result == nothing, || format!("left of {id}: {}", left.result));
            jobs += 1;
        }
        fleet::offer(stage, &worker.id, &worker.capacity_map).await?;
        fleet::offers(stage, &worker.id, &worker.capacity_map).await?;
    }
    Ok(jobs)
}

fn judge(part: &mut Part, victim: &Job, ended: &[Job], children: &[Job], images: &Images) {
    if let [killer, parent] = ended {
        part.must(killer.status == Status::WorkerDead && killer.follow_up_id.is_none(), || {
            format!("kill_worker {} ended as {}", killer.id, killer.status)
        });
        part.must(killer.worker_id == victim.worker_id, || {
            format!("worker {} was killed, not {}", killer.worker_id, victim.worker_id)
        });
        part.must_be_done(parent);
    }
    let first = children.iter().find(|job| job.id == victim.id);
    part.must(first.is_some_and(|job| job.status == Status::WorkerDead), || {
        format!("scan {} did not end as worker_dead", victim.id)
    });
    for layer in &images.layers[..3.min(images.layers.len())] {
        let done = children.iter().filter(|job| {
            job.status == Status::Done && job.parameters["SHA256SUM"] == layer.digest
        });
        let done: Vec<&Job> = done.collect();
        part.must(done.len() == 1, || {
            format!("layer {} was scanned {} times", layer.digest, done.len())
        });
        part.must(
            done.iter().all(|job| job.worker_id != victim.worker_id || before(job, victim)),
            || format!("a dead worker scanned layer {}", layer.digest),
        );
    }
}

/// It was over before the other one began.
fn before(job: &Job, other: &Job) -> bool {
    job.finished_at <= other.started_at
}

fn table(ended: &[Job], children: &[Job]) -> String {
    let begin = ended.iter().map(|job| job.created_at.unwrap_or(job.scheduled_at)).min();
    let rows = ended.iter().chain(children).map(|job| {
        let since = |time| begin.map(|at| seconds_since(at, time)).unwrap_or_default();
        vec![
            job.action.clone(),
            short(job.parameters["SHA256SUM"].as_str().unwrap_or_default()),
            job.attempt.to_string(),
            job.status.to_string(),
            job.worker_id.clone(),
            since(job.started_at),
            since(job.finished_at),
        ]
    });
    let header = ["ACTION", "LAYER", "TRY", "STATUS", "WORKER", "STARTED (s)", "ENDED (s)"];
    out::table(&header, rows)
}

#[cfg(test)]
mod tests {
    use super::*;
    use crate::demo::registry::Layer;
    use expect_test::{Expect, expect};

    /// A job: its number, its layer, its worker, how it ended, and when it began and ended.
    fn job((number, layer): (u32, &str), worker: &str, status: &str, times: [u32; 2]) -> Job {
        let [started, finished] = times.map(|s| format!("2026-11-20T16:30:{s:02}Z"));
        let document = json!({
            "id": format!("00000000-0000-4000-8000-{number:012}"),
            "action": "scan_check_single", "status": status,
            "workerID": worker, "scheduledAt": started, "startedAt": started,
            "finishedAt": finished, "parameters": {"SHA256SUM": layer},
        });
        serde_json::from_value(document).unwrap()
    }

    fn check(ended: &[Job; 2], children: &[Job], expected: &Expect) {
        let layers = ["l1", "l2", "l3"].map(|digest| Layer {
            digest: digest.to_owned(),
            size: 1,
            package: String::new(),
            version: String::new(),
        });
        let images = Images { layers: layers.into(), blobs: String::new(), scans: Vec::new() };
        let mut part = Part::default();
        judge(&mut part, &children[0], ended, children, &images);
        expected.assert_eq(&part.wrong.join("\n"));
    }

    #[test]
    fn what_the_killed_worker_did_must_be_done_by_another() {
        let children = [
            job((3, "l1"), "aa", "worker_dead", [2, 7]),
            job((4, "l2"), "bb", "done", [1, 8]),
            job((5, "l3"), "aa", "done", [1, 2]),
            job((6, "l1"), "bb", "done", [8, 14]),
        ];
        let killer = job((1, ""), "aa", "worker_dead", [3, 7]);
        check(&[killer, job((2, ""), "bb", "done", [1, 14])], &children, &expect![""]);
    }

    #[test]
    fn a_scan_by_the_dead_twice_or_never_is_wrong() {
        let children = [
            job((3, "l1"), "aa", "cancel", [2, 7]),
            job((4, "l2"), "bb", "done", [1, 8]),
            job((5, "l2"), "cc", "done", [1, 8]),
            job((6, "l1"), "aa", "done", [8, 14]),
        ];
        let killer = job((1, ""), "bb", "error", [3, 4]);
        check(
            &[killer, job((2, ""), "bb", "error", [1, 14])],
            &children,
            &expect![[r#"
                kill_worker 00000000-0000-4000-8000-000000000001 ended as error
                worker bb was killed, not aa
                scan_check_single 00000000-0000-4000-8000-000000000002 ended as error
                scan 00000000-0000-4000-8000-000000000003 did not end as worker_dead
                a dead worker scanned layer l1
                layer l2 was scanned 2 times
                layer l3 was scanned 0 times"#]],
        );
    }
}
