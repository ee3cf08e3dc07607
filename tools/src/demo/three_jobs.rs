//! DTR's own example. Of three jobs on a worker with `scan=1,scanCheck=1`, jobs 0 and 2 run at the
//! same time, and job 1 waits unclaimed until job 0 has finished. The other workers are drained
//! meanwhile.

use client::ClientError;
use client::command::note;
use client::wire::Job;
use domain::job::{Status, Timestamp};
use serde_json::json;

use crate::fleet::{Fleet, POLL_INTERVAL};
use crate::job_table::{Column, job_table};
use crate::section::Section;
use crate::workers::with_one_scanner;

const TITLE: &str =
    "Three jobs on a worker that offers scan=1,scanCheck=1, with the other workers drained";
const NEEDS: [&str; 3] = ["scan", "scan", "scanCheck"];
const SLEEP_SECONDS: u32 = 3;

/// Runs the section.
pub(crate) async fn run(fleet: &Fleet) -> Result<Section, ClientError> {
    with_one_scanner(fleet, async |scanner| run_on(fleet, scanner).await).await
}

async fn run_on(fleet: &Fleet, scanner: &str) -> Result<Section, ClientError> {
    let mut observer = Observer::default();
    let observed = tokio::time::timeout(fleet.time_left(), async {
        wait_for_free_capacity(fleet).await?;
        observer.jobs = submit(fleet).await?;
        while !observer.has_finished() {
            tokio::time::sleep(POLL_INTERVAL).await;
            let jobs = read(fleet, &observer.jobs).await?;
            observer.observe(jobs);
        }
        Ok::<(), ClientError>(())
    });
    let problems = match observed.await {
        Ok(observed) => {
            observed?;
            observer.problems(scanner)
        }
        Err(_) => vec!["timed out: waiting for the three jobs to finish".to_owned()],
    };
    let (jobs, table) = (observer.jobs.len(), example_table(&observer.jobs));
    Ok(Section { table, jobs, problems, ..Section::new(TITLE) })
}

/// Waits for jobs that an earlier run may have left.
async fn wait_for_free_capacity(fleet: &Fleet) -> Result<(), ClientError> {
    let active = [("status", "waiting,running,cancel_request".to_owned())];
    let mut has_noted = false;
    loop {
        let jobs = fleet.jobs(&active).await?;
        let count = jobs.iter().filter(|job| is_in_the_way(job)).count();
        if count == 0 {
            return Ok(());
        }
        if !has_noted {
            note(format!("demo: waiting for {count} earlier jobs that need scan or scanCheck"));
            has_noted = true;
        }
        tokio::time::sleep(POLL_INTERVAL * 4).await;
    }
}

fn is_in_the_way(job: &Job) -> bool {
    let soon = chrono::Utc::now().timestamp_millis() + 60_000;
    let needs_scanner = ["scan", "scanCheck"].iter().any(|name| job.capacity_map.of(name) > 0);
    needs_scanner && job.scheduled_at.ms() < soon
}

async fn submit(fleet: &Fleet) -> Result<Vec<Job>, ClientError> {
    let mut jobs = Vec::new();
    for (number, need) in NEEDS.iter().enumerate() {
        let job = json!({
            "action": "sleep",
            "parameters": {"seconds": SLEEP_SECONDS},
            "capacityMap": {*need: 1},
            "comment": format!("capstan demo: job {number} of the three"),
        });
        jobs.push(fleet.submit(&job).await?);
    }
    Ok(jobs)
}

/// Reads job 1 before job 0: if job 0 has not finished, it had not when job 1 was read either.
async fn read(fleet: &Fleet, jobs: &[Job]) -> Result<Vec<Job>, ClientError> {
    let mut read = jobs.to_vec();
    for number in [1, 0, 2] {
        read[number] = fleet.job(jobs[number].id).await?;
    }
    Ok(read)
}

/// What was observed of the three jobs.
#[derive(Default)]
struct Observer {
    /// The three jobs as last read.
    jobs: Vec<Job>,
    /// Jobs 0 and 2 were running at once.
    ran_together: bool,
    /// The first state of job 1 other than waiting and unclaimed while job 0 had not finished.
    early_start: Option<String>,
}

impl Observer {
    fn has_finished(&self) -> bool {
        self.jobs.iter().all(|job| job.status.is_final())
    }

    fn observe(&mut self, jobs: Vec<Job>) {
        if let [first, second, third] = &jobs[..] {
            let running = |job: &Job| job.status == Status::Running;
            self.ran_together |= running(first) && running(third);
            let waiting = second.status == Status::Waiting && second.worker_id.is_empty();
            if !first.status.is_final() && !waiting && self.early_start.is_none() {
                let worker = &second.worker_id;
                self.early_start = Some(format!("{} with worker {worker:?}", second.status));
            }
        }
        self.jobs = jobs;
    }

    /// What is wrong, once all jobs have finished: by observation and by the jobs' own times.
    fn problems(&self, scanner: &str) -> Vec<String> {
        let mut section = Section::default();
        for (number, job) in self.jobs.iter().enumerate() {
            section.check(job.status == Status::Done, || {
                format!("job {number} ended as {}, not as done", job.status)
            });
            section.check(job.worker_id == scanner, || {
                format!("job {number} ran on {:?}, not on {scanner}", job.worker_id)
            });
        }
        section.check(self.ran_together, || {
            "jobs 0 and 2 were never observed running at the same time".to_owned()
        });
        if let Some(state) = &self.early_start {
            section.problems.push(format!("job 1 was {state} before job 0 had finished"));
        }
        let times: Option<Vec<(Timestamp, Timestamp)>> =
            self.jobs.iter().map(|job| Some((job.started_at?, job.finished_at?))).collect();
        if let Some([first, second, third]) = times.as_deref() {
            section.check(first.0.max(third.0) < first.1.min(third.1), || {
                "jobs 0 and 2 did not overlap, by their times".to_owned()
            });
            section.check(second.0 >= first.1, || {
                "job 1 started before job 0 ended, by their times".to_owned()
            });
        } else {
            section.problems.push("a job has no startedAt or finishedAt".to_owned());
        }
        section.problems
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
    use domain::job::JobId;
    use expect_test::{Expect, expect};

    /// Status, worker, start and end in seconds.
    type State = (&'static str, &'static str, Option<u32>, Option<u32>);

    fn jobs(states: [State; 3]) -> Vec<Job> {
        let time = |s: Option<u32>| s.map(|s| format!("2026-11-20T16:30:{s:02}Z"));
        let job = |(need, (status, worker, start, end)): (&&str, State)| {
            let document = json!({
                "id": JobId::random(), "action": "sleep", "capacityMap": {*need: 1},
                "status": status, "workerID": worker,
                "startedAt": time(start), "finishedAt": time(end),
                "scheduledAt": time(Some(0)), "createdAt": time(Some(0)),
            });
            serde_json::from_value(document).unwrap()
        };
        NEEDS.iter().zip(states).map(job).collect()
    }

    fn check(observations: &[[State; 3]], expected: &Expect) {
        let mut observer = Observer::default();
        for states in observations {
            observer.observe(jobs(*states));
        }
        assert!(observer.has_finished());
        expected.assert_eq(&observer.problems("aa").join("\n"));
    }

    const WAITING: State = ("waiting", "", None, None);
    const RUNNING: State = ("running", "aa", Some(0), None);
    const FIRST: State = ("done", "aa", Some(0), Some(3));
    const NEXT: State = ("done", "aa", Some(3), Some(6));

    #[test]
    fn the_example_of_the_reference_has_no_problems() {
        let observations = [
            [WAITING, WAITING, WAITING],
            [RUNNING, WAITING, RUNNING],
            [FIRST, ("running", "aa", Some(3), None), FIRST],
            [FIRST, NEXT, FIRST],
        ];
        check(&observations, &expect![""]);
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
        let claimed = ("waiting", "aa", None, None);
        let observations =
            [[RUNNING, claimed, WAITING], [FIRST, FIRST, ("error", "bb", Some(3), Some(4))]];
        check(
            &observations,
            &expect![[r#"
                job 2 ended as error, not as done
                job 2 ran on "bb", not on aa
                jobs 0 and 2 were never observed running at the same time
                job 1 was waiting with worker "aa" before job 0 had finished
                jobs 0 and 2 did not overlap, by their times
                job 1 started before job 0 ended, by their times"#]],
        );
        let unclaimed = ("cancel", "", None, None);
        check(
            &[[RUNNING, WAITING, RUNNING], [FIRST, unclaimed, FIRST]],
            &expect![[r#"
                job 1 ended as cancel, not as done
                job 1 ran on "", not on aa
                a job has no startedAt or finishedAt"#]],
        );
    }
}
