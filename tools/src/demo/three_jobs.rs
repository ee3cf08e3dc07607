//! The example in DTR's documentation. Of three jobs on a worker with `scan=1,scanCheck=1`, jobs 0 and 2 run at the
//! same time, and job 1 waits unclaimed until job 0 has finished. The other workers are drained
//! meanwhile.

use client::ClientError;
use client::wire::Job;
use domain::job::{JobId, Status, Timestamp};
use serde_json::json;

use crate::fleet::Fleet;
use crate::job_table::{Column, job_table};
use crate::section::Section;
use crate::workers::with_one_scanner;

const TITLE: &str =
    "Three jobs on a worker that offers scan=1,scanCheck=1, with the other workers drained";
const NEEDS: [&str; 3] = ["scan", "scan", "scanCheck"];
const SLEEP_SECONDS: u32 = 3;

/// Runs the section.
pub(crate) async fn run(fleet: &Fleet) -> Result<Section, ClientError> {
    with_one_scanner(fleet, async |scanner| {
        wait_for_free_capacity(fleet).await?;
        let jobs = fleet.finished(&submit(fleet).await?).await?;
        let mut section = Section::new(TITLE);
        check_jobs(&mut section, &jobs, scanner);
        section.jobs = jobs.len();
        section.table = example_table(&jobs);
        Ok(section)
    })
    .await
}

/// Waits for jobs that an earlier run may have left.
async fn wait_for_free_capacity(fleet: &Fleet) -> Result<(), ClientError> {
    let active = [("status", "waiting,running,cancel_request".to_owned())];
    let free = async || {
        let jobs = fleet.jobs(&active).await?;
        Ok((!jobs.iter().any(needs_scanner_soon)).then_some(()))
    };
    fleet.poll_until("waiting for earlier jobs that need scan or scanCheck", free).await
}

fn needs_scanner_soon(job: &Job) -> bool {
    let soon = chrono::Utc::now().timestamp_millis() + 60_000;
    let needs_scanner = ["scan", "scanCheck"].iter().any(|name| job.capacity_map.of(name) > 0);
    needs_scanner && job.scheduled_at.ms() < soon
}

async fn submit(fleet: &Fleet) -> Result<Vec<JobId>, ClientError> {
    let mut ids = Vec::new();
    for (number, need) in NEEDS.iter().enumerate() {
        let job = json!({
            "action": "sleep",
            "parameters": {"seconds": SLEEP_SECONDS},
            "capacityMap": {*need: 1},
            "comment": format!("capstan demo: job {number} of the three"),
        });
        ids.push(fleet.submit(&job).await?.id);
    }
    Ok(ids)
}

/// Checks the times that the jobs report: a job starts when a worker claims it.
fn check_jobs(section: &mut Section, jobs: &[Job], scanner: &str) {
    for (number, job) in jobs.iter().enumerate() {
        section.check(job.status == Status::Done, || {
            format!("job {number} ended as {}, not as done", job.status)
        });
        section.check(job.worker_id == scanner, || {
            format!("job {number} ran on {:?}, not on {scanner}", job.worker_id)
        });
    }
    let times: Option<Vec<(Timestamp, Timestamp)>> =
        jobs.iter().map(|job| Some((job.started_at?, job.finished_at?))).collect();
    if let Some([first, second, third]) = times.as_deref() {
        section.check(first.0.max(third.0) < first.1.min(third.1), || {
            "jobs 0 and 2 did not run at the same time".to_owned()
        });
        section.check(second.0 >= first.1, || "job 1 started before job 0 ended".to_owned());
    } else {
        section.problems.push("a job has no startedAt or finishedAt".to_owned());
    }
}

fn example_table(jobs: &[Job]) -> String {
    let number = |job: &Job| {
        let number = jobs.iter().position(|other| other.id == job.id);
        number.map(|number| number.to_string()).unwrap_or_default()
    };
    let columns = [
        Column::Other("JOB", &number),
        Column::Capacity,
        Column::Status,
        Column::Worker,
        Column::Started,
        Column::Ended,
    ];
    job_table(jobs, &columns)
}

#[cfg(test)]
mod tests {
    use super::*;
    use expect_test::{Expect, expect};

    /// Status, worker, start and end in seconds.
    type End = (&'static str, &'static str, Option<u32>, Option<u32>);

    const FIRST: End = ("done", "aa", Some(0), Some(3));
    const NEXT: End = ("done", "aa", Some(3), Some(6));

    fn jobs(ends: [End; 3]) -> Vec<Job> {
        let time = |s: Option<u32>| s.map(|s| format!("2026-11-20T16:30:{s:02}Z"));
        let job = |(need, (status, worker, start, end)): (&&str, End)| {
            let document = json!({
                "id": JobId::random(), "action": "sleep", "capacityMap": {*need: 1},
                "status": status, "workerID": worker,
                "startedAt": time(start), "finishedAt": time(end),
                "scheduledAt": time(Some(0)), "createdAt": time(Some(0)),
            });
            serde_json::from_value(document).unwrap()
        };
        NEEDS.iter().zip(ends).map(job).collect()
    }

    fn check(ends: [End; 3], expected: &Expect) {
        let mut section = Section::default();
        check_jobs(&mut section, &jobs(ends), "aa");
        expected.assert_eq(&section.problems.join("\n"));
    }

    #[test]
    fn the_example_of_the_reference_has_no_problems() {
        check([FIRST, NEXT, FIRST], &expect![""]);
        expect![[r#"
            JOB  CAPACITY     STATUS  WORKER  STARTED (s)  ENDED (s)
            0    scan=1       done    aa      0.000        3.000
            1    scan=1       done    aa      3.000        6.000
            2    scanCheck=1  done    aa      0.000        3.000
        "#]]
        .assert_eq(&(example_table(&jobs([FIRST, NEXT, FIRST])) + "\n"));
    }

    #[test]
    fn every_deviation_from_the_reference_is_a_problem() {
        let late = ("error", "bb", Some(3), Some(4));
        check(
            [FIRST, FIRST, late],
            &expect![[r#"
            job 2 ended as error, not as done
            job 2 ran on "bb", not on aa
            jobs 0 and 2 did not run at the same time
            job 1 started before job 0 ended"#]],
        );
        let unclaimed = ("cancel", "", None, None);
        check(
            [FIRST, unclaimed, FIRST],
            &expect![[r#"
            job 1 ended as cancel, not as done
            job 1 ran on "", not on aa
            a job has no startedAt or finishedAt"#]],
        );
    }
}
