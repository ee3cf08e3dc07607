//! DTR's own example: of three jobs on a worker with `scan=1,scanCheck=1`, 0 and 2 run side by
//! side, and 1 waits unclaimed until 0 is over. The other workers are drained meanwhile.

use std::time::Duration;

use serde_json::json;
use shared::job::{Status, Timestamp};

use super::{Part, Stage, fleet, seconds_since};
use crate::api::{Api, Page};
use crate::failure::Failure;
use crate::out;
use crate::wire::{Job, Jobs, units_of, units_text};

const TITLE: &str =
    "Three jobs on a worker that offers scan=1,scanCheck=1; the others are drained meanwhile";
const NEEDS: [&str; 3] = ["scan", "scan", "scanCheck"];
const SLEEP_S: u32 = 3;
const PAUSE: Duration = Duration::from_millis(50);

/// Plays it.
pub(super) async fn play(stage: &Stage<'_>) -> Result<Part, Failure> {
    fleet::with_one_scanner(stage, async |scanner| alone(stage, scanner).await).await
}

async fn alone(stage: &Stage<'_>, scanner: &str) -> Result<Part, Failure> {
    let mut watch = Watch::default();
    let timed = tokio::time::timeout(stage.left(), async {
        until_scan_is_free(stage.api).await?;
        watch.jobs = submit(stage.api).await?;
        while !watch.is_over() {
            tokio::time::sleep(PAUSE).await;
            let look = look(stage.api, &watch.jobs).await?;
            watch.see(look);
        }
        Ok::<(), Failure>(())
    });
    let in_time = timed.await.map_or(Ok(false), |ended| ended.map(|()| true))?;
    let wrong = if in_time {
        watch.judged(scanner)
    } else {
        vec!["the three jobs were not over in time".to_owned()]
    };
    Ok(Part { table: table(&watch.jobs), jobs: watch.jobs.len(), wrong, ..Part::of(TITLE) })
}

/// Waits for what an earlier demo may have left.
async fn until_scan_is_free(api: &Api) -> Result<(), Failure> {
    let query =
        [("status", "waiting,running,cancel_request".to_owned()), ("limit", "1000".to_owned())];
    let mut told = false;
    loop {
        let page: Page<Jobs> = api.page("/jobs", &query).await?;
        let count = page.body.jobs.iter().filter(|job| is_in_the_way(job)).count();
        if count == 0 {
            return Ok(());
        }
        if !told {
            out::note(format!(
                "demo: {count} jobs need scan or scanCheck already; waiting for them"
            ));
            told = true;
        }
        tokio::time::sleep(PAUSE * 4).await;
    }
}

fn is_in_the_way(job: &Job) -> bool {
    let soon = chrono::Utc::now().timestamp_millis() + 60_000;
    let needs = |name| units_of(&job.capacity_map, name) > 0;
    (needs("scan") || needs("scanCheck")) && job.scheduled_at.ms() < soon
}

async fn submit(api: &Api) -> Result<Vec<Job>, Failure> {
    let mut jobs = Vec::new();
    for (number, need) in NEEDS.iter().enumerate() {
        let submission = json!({
            "action": "sleep",
            "parameters": {"seconds": SLEEP_S},
            "capacityMap": {*need: 1},
            "comment": format!("capstan demo: job {number} of the three"),
        });
        jobs.push(api.post("/jobs", &submission).await?);
    }
    Ok(jobs)
}

/// Looks at 1 before 0: when 0 is not over in this look, it was not over either when 1 was seen.
async fn look(api: &Api, jobs: &[Job]) -> Result<Vec<Job>, Failure> {
    let mut seen = jobs.to_vec();
    for number in [1, 0, 2] {
        seen[number] = api.get(&format!("/jobs/{}", jobs[number].id)).await?;
    }
    Ok(seen)
}

/// What the looks have shown.
#[derive(Default)]
struct Watch {
    /// The three, as last seen.
    jobs: Vec<Job>,
    /// 0 and 2 were seen running in the same look.
    side_by_side: bool,
    /// How 1 was first seen otherwise than waiting, unclaimed, while 0 was not over.
    too_early: Option<String>,
}

impl Watch {
    fn is_over(&self) -> bool {
        self.jobs.iter().all(|job| job.status.is_final())
    }

    fn see(&mut self, look: Vec<Job>) {
        if let [first, second, third] = &look[..] {
            let run = |job: &Job| job.status == Status::Running;
            self.side_by_side |= run(first) && run(third);
            let waits = second.status == Status::Waiting && second.worker_id.is_empty();
            if !first.status.is_final() && !waits && self.too_early.is_none() {
                let by = &second.worker_id;
                self.too_early = Some(format!("{}, workerID {by:?}", second.status));
            }
        }
        self.jobs = look;
    }

    /// What is wrong, once all are over: by what was seen, and by the times that the jobs tell.
    fn judged(&self, scanner: &str) -> Vec<String> {
        let mut wrong = Vec::new();
        for (number, job) in self.jobs.iter().enumerate() {
            if job.status != Status::Done {
                wrong.push(format!("job {number} ended as {}, not as done", job.status));
            }
            if job.worker_id != scanner {
                let by = &job.worker_id;
                wrong
                    .push(format!("job {number} ran on {by:?}, not on {scanner} that offers scan"));
            }
        }
        if !self.side_by_side {
            wrong.push("jobs 0 and 2 were never seen running at the same time".to_owned());
        }
        if let Some(seen) = &self.too_early {
            wrong.push(format!("job 1 was seen {seen} before job 0 was over"));
        }
        let times: Option<Vec<(Timestamp, Timestamp)>> =
            self.jobs.iter().map(|job| Some((job.started_at?, job.finished_at?))).collect();
        match times.as_deref() {
            Some([first, second, third]) => {
                if first.0.max(third.0) >= first.1.min(third.1) {
                    wrong.push("jobs 0 and 2 did not overlap, by their own times".to_owned());
                }
                if second.0 < first.1 {
                    wrong.push("job 1 started before job 0 ended, by their own times".to_owned());
                }
            }
            _ => wrong.push("a job that ran has no startedAt or finishedAt".to_owned()),
        }
        wrong
    }
}

fn table(jobs: &[Job]) -> String {
    let submitted = jobs.first().map(|job| job.created_at.unwrap_or(job.scheduled_at));
    let rows = jobs.iter().enumerate().map(|(number, job)| {
        let since = |time| submitted.map(|at| seconds_since(at, time)).unwrap_or_default();
        vec![
            number.to_string(),
            units_text(&job.capacity_map),
            job.status.to_string(),
            job.worker_id.clone(),
            since(job.started_at),
            since(job.finished_at),
        ]
    });
    out::table(&["JOB", "NEEDS", "STATUS", "WORKER", "STARTED (s)", "ENDED (s)"], rows)
}

#[cfg(test)]
mod tests {
    use super::*;
    use expect_test::{Expect, expect};
    use shared::job::JobId;

    /// Status, worker, start and end in seconds.
    type Seen = (&'static str, &'static str, Option<u32>, Option<u32>);

    fn jobs(seen: [Seen; 3]) -> Vec<Job> {
        let time = |s: Option<u32>| s.map(|s| format!("2026-11-20T16:30:{s:02}Z"));
        let job = |(need, (status, worker, start, end)): (&&str, Seen)| {
            let document = json!({
                "id": JobId::random(), "action": "sleep", "capacityMap": {*need: 1},
                "status": status, "workerID": worker,
                "startedAt": time(start), "finishedAt": time(end),
                "scheduledAt": time(Some(0)), "createdAt": time(Some(0)),
            });
            serde_json::from_value(document).unwrap()
        };
        NEEDS.iter().zip(seen).map(job).collect()
    }

    fn check(looks: &[[Seen; 3]], expected: &Expect) {
        let mut watch = Watch::default();
        for look in looks {
            watch.see(jobs(*look));
        }
        assert!(watch.is_over());
        expected.assert_eq(&watch.judged("aa").join("\n"));
    }

    const WAITS: Seen = ("waiting", "", None, None);
    const RUNS: Seen = ("running", "aa", Some(0), None);
    const FIRST: Seen = ("done", "aa", Some(0), Some(3));
    const NEXT: Seen = ("done", "aa", Some(3), Some(6));

    #[test]
    fn the_example_of_the_reference_is_as_it_should_be() {
        let looks = [
            [WAITS, WAITS, WAITS],
            [RUNS, WAITS, RUNS],
            [FIRST, ("running", "aa", Some(3), None), FIRST],
            [FIRST, NEXT, FIRST],
        ];
        check(&looks, &expect![""]);
        expect![[r#"
            JOB  NEEDS        STATUS  WORKER  STARTED (s)  ENDED (s)
            0    scan=1       done    aa      0.000        3.000
            1    scan=1       done    aa      3.000        6.000
            2    scanCheck=1  done    aa      0.000        3.000
        "#]]
        .assert_eq(&(table(&jobs([FIRST, NEXT, FIRST])) + "\n"));
    }

    #[test]
    fn what_is_wrong_is_told() {
        let claimed = ("waiting", "aa", None, None);
        let looks = [[RUNS, claimed, WAITS], [FIRST, FIRST, ("error", "bb", Some(3), Some(4))]];
        check(
            &looks,
            &expect![[r#"
                job 2 ended as error, not as done
                job 2 ran on "bb", not on aa that offers scan
                jobs 0 and 2 were never seen running at the same time
                job 1 was seen waiting, workerID "aa" before job 0 was over
                jobs 0 and 2 did not overlap, by their own times
                job 1 started before job 0 ended, by their own times"#]],
        );
        let nobody = ("cancel", "", None, None);
        check(
            &[[RUNS, WAITS, RUNS], [FIRST, nobody, FIRST]],
            &expect![[r#"
                job 1 ended as cancel, not as done
                job 1 ran on "", not on aa that offers scan
                a job that ran has no startedAt or finishedAt"#]],
        );
    }
}
