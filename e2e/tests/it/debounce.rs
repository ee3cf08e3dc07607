//! A debounced job runs once, with what was submitted last.

use domain::job::{NewJob, Status};
use e2e::StartServices;
use serde_json::json;
use store::{JobFilter, Submission};
use testkit::{ActionsFile, TestEnv, assert_consistent, job, with_parameters};

const PRINT: &str = r#"[actions.print]
argv = ["echo", "{{n}}"]
"#;

fn debounced(n: usize) -> NewJob {
    let mut new = with_parameters(job("print", ""), &json!({"n": n}));
    new.spec.unique_key = Some("one".to_owned());
    new.spec.debounce = "400ms".parse().unwrap();
    new.spec.debounce_max = "2s".parse().unwrap();
    new
}

#[tokio::test(flavor = "multi_thread")]
async fn a_debounced_job_runs_once_with_what_was_submitted_last() {
    let env = TestEnv::new().await;
    let scheduler = env.scheduler();
    let actions = ActionsFile::new(PRINT);
    let worker = env.worker_with(&[&actions.flag()]);
    // How many of the submissions each job has answered, and the last of them.
    let mut jobs: Vec<(NewJob, usize)> = Vec::new();
    for n in 0..8 {
        let new = debounced(n);
        let answer = env.store().submit(std::slice::from_ref(&new)).await.unwrap().remove(0);
        match answer.outcome {
            Submission::Created => jobs.push((new, n)),
            Submission::Replaced => jobs.last_mut().unwrap().1 = n,
            // It is due, and runs with what was submitted before.
            Submission::Taken => {}
            other @ (Submission::Known | Submission::Joined | Submission::Spent) => {
                panic!("{other:?}")
            }
        }
    }
    for (new, last) in &jobs {
        let done = env.finished(new.id).await;
        assert_eq!((done.status, done.attempt), (Status::Done, 1));
        let log = env.store().log_lines(new.id, 0, 10).await.unwrap();
        let lines: Vec<&str> = log.iter().map(|line| line.text.as_str()).collect();
        assert_eq!(lines, [last.to_string()]);
    }
    let all = env.store().jobs(&JobFilter::default(), 0, 10).await.unwrap();
    assert_eq!(all.jobs.len(), jobs.len());
    assert_consistent(env.store()).await;
    for service in [worker, scheduler] {
        service.stop().await;
    }
    env.close().await;
}
