//! A worker is killed (SIGKILL) in the middle of a scan, by a job that kills its own worker.
//! Another worker scans the layer, nothing is left of the killed worker's processes and
//! directories, and its supervisor restarts it.

use client::ClientError;
use client::wire::Job;
use domain::job::{JobId, Status};
use serde_json::json;

use crate::fleet::Fleet;
use crate::job_table::{Column, job_table};
use crate::registry::{BASE, BASE_LAYERS, Images, scan};
use crate::section::Section;
use crate::workers::{self, PINNED};

const TITLE: &str = "A worker is killed in the middle of a scan; another worker scans the layer";
/// How long the scan of a layer takes: long enough for the worker to die before its end.
const SCAN_SECONDS: u32 = 6;

/// Runs the section.
pub(crate) async fn run(fleet: &Fleet, images: &Images) -> Result<Section, ClientError> {
    let mut section = Section::new(TITLE);
    let before = workers::live(fleet).await?;
    // It waits until a worker offers the capacity that it needs.
    let killer = fleet.submit(&workers::killer()).await?;
    let parent = fleet.submit(&scan(BASE, SCAN_SECONDS)).await?;
    let running = async || {
        let children = fleet.children(parent.id).await?;
        Ok(children.into_iter().find(|job| job.status == Status::Running))
    };
    let victim = fleet.poll_until("waiting for the scan of a layer", running).await?;
    if let Some(worker) = before.iter().find(|worker| worker.id == victim.worker_id) {
        let pinned = worker.capacity_map.clone().with(PINNED, 1);
        workers::set_capacity(fleet, &worker.id, &pinned).await?;
    }
    let finished = fleet.finished(&[killer.id, parent.id]).await?;
    let children = fleet.children(parent.id).await?;
    let restarted = async || Ok((workers::live(fleet).await?.len() >= before.len()).then_some(()));
    fleet.poll_until("waiting for the killed worker to be restarted", restarted).await?;
    let inspections = inspect_workers(fleet, &mut section, [victim.id, killer.id]).await?;

    check_outcome(&mut section, &victim, &finished, &children);
    check_layers(&mut section, &victim, &children, images);
    section.jobs = finished.len() + children.len() + inspections;
    let columns = [
        Column::Action,
        Column::Layer,
        Column::Attempt,
        Column::Status,
        Column::Worker,
        Column::Started,
        Column::Ended,
    ];
    section.table = job_table(finished.iter().chain(&children), &columns);
    Ok(section)
}

/// Runs a job on every worker in turn that reports what is left of the given jobs. Returns how many
/// jobs that took.
async fn inspect_workers(
    fleet: &Fleet,
    section: &mut Section,
    ids: [JobId; 2],
) -> Result<usize, ClientError> {
    let mut jobs = 0;
    for worker in workers::live(fleet).await? {
        let pinned = worker.capacity_map.clone().with(PINNED, 1);
        workers::set_capacity(fleet, &worker.id, &pinned).await?;
        for id in ids {
            let inspection = json!({
                "action": "left_behind", "parameters": {"job": id}, "capacityMap": {PINNED: 1},
            });
            let inspection = fleet.run(&inspection).await?;
            section.check_done(&inspection);
            section.check(inspection.worker_id == worker.id, || {
                format!("{} ran on {}, not on {}", inspection.id, inspection.worker_id, worker.id)
            });
            let nothing = json!({"processes": 0, "directories": 0});
            section.check(inspection.result == nothing, || {
                format!("job {id} left something on {}: {}", worker.id, inspection.result)
            });
            jobs += 1;
        }
        workers::set_capacity(fleet, &worker.id, &worker.capacity_map).await?;
        workers::wait_for_capacity(fleet, &worker.id, &worker.capacity_map).await?;
    }
    Ok(jobs)
}

fn check_outcome(section: &mut Section, victim: &Job, finished: &[Job], children: &[Job]) {
    if let [killer, parent] = finished {
        section.check(killer.status == Status::WorkerDead && killer.follow_up_id.is_none(), || {
            format!("kill_worker {} ended as {}", killer.id, killer.status)
        });
        section.check(killer.worker_id == victim.worker_id, || {
            format!("worker {} was killed, not {}", killer.worker_id, victim.worker_id)
        });
        section.check_done(parent);
    }
    let first = children.iter().find(|job| job.id == victim.id);
    section.check(first.is_some_and(|job| job.status == Status::WorkerDead), || {
        format!("scan {} did not end as worker_dead", victim.id)
    });
}

/// Every layer must have been scanned once, and not by the dead worker unless it was alive then.
fn check_layers(section: &mut Section, victim: &Job, children: &[Job], images: &Images) {
    for layer in images.layers.iter().take(BASE_LAYERS) {
        let done: Vec<&Job> = children
            .iter()
            .filter(|job| job.status == Status::Done)
            .filter(|job| job.parameters["SHA256SUM"] == layer.digest)
            .collect();
        section.check(done.len() == 1, || {
            format!("layer {} was scanned {} times", layer.digest, done.len())
        });
        let by_live_worker =
            |job: &&Job| job.worker_id != victim.worker_id || job.finished_at <= victim.started_at;
        section.check(done.iter().all(by_live_worker), || {
            format!("a dead worker scanned layer {}", layer.digest)
        });
    }
}

#[cfg(test)]
mod tests {
    use super::*;
    use crate::registry::Layer;
    use expect_test::{Expect, expect};

    /// A job: its number and layer, its worker, how it ended, and when it started and ended.
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

    fn check(finished: &[Job; 2], children: &[Job], expected: &Expect) {
        let layers = ["l1", "l2", "l3"].map(|digest| Layer {
            digest: digest.to_owned(),
            size: 1,
            package: String::new(),
            version: String::new(),
        });
        let images = Images { layers: layers.into(), blobs: String::new(), scans: Vec::new() };
        let mut section = Section::default();
        check_outcome(&mut section, &children[0], finished, children);
        check_layers(&mut section, &children[0], children, &images);
        expected.assert_eq(&section.problems.join("\n"));
    }

    #[test]
    fn another_worker_must_do_what_the_killed_worker_did() {
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
    fn a_scan_by_a_dead_worker_twice_or_never_is_a_problem() {
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
