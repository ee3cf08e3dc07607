//! Batched submissions run as few jobs, each with a list, and each submission once.

use domain::job::{JobId, NewJob, Status};
use e2e::StartServices;
use serde_json::{Value, json};
use testkit::{ActionsFile, TestEnv, assert_consistent, job, with_parameters};

const PRINT: &str = r#"[actions.print]
argv = ["cat"]
stdin = "{{batch}}"
"#;

fn batched(n: usize) -> NewJob {
    let mut new = with_parameters(job("print", ""), &json!({"n": n}));
    new.spec.begin_batch();
    (new.spec.batch_key, new.spec.batch_size) = (Some("one".to_owned()), 4);
    new.spec.batch_wait = "300ms".parse().unwrap();
    new
}

#[tokio::test(flavor = "multi_thread")]
async fn each_batched_submission_runs_once_in_the_order_of_submission() {
    let env = TestEnv::new().await;
    let scheduler = env.scheduler();
    let actions = ActionsFile::new(PRINT);
    let worker = env.worker_with(&[&actions.flag()]);
    let mut ids: Vec<JobId> = Vec::new();
    for n in 0..10 {
        let answer = env.store().submit(&[batched(n)]).await.unwrap().remove(0);
        if !ids.contains(&answer.id) {
            ids.push(answer.id);
        }
    }
    let mut printed: Vec<Value> = Vec::new();
    for id in ids {
        let done = env.finished(id).await;
        assert_eq!((done.status, done.attempt), (Status::Done, 1));
        let log = env.store().log_lines(id, 0, 10).await.unwrap();
        let list: Vec<Value> = serde_json::from_str(&log[0].text).unwrap();
        assert_eq!(list.len(), done.spec.batched());
        printed.extend(list);
    }
    let expected: Vec<Value> = (0..10).map(|n| json!({"n": n})).collect();
    assert_eq!(printed, expected);
    assert_consistent(env.store()).await;
    for service in [worker, scheduler] {
        service.stop().await;
    }
    env.close().await;
}
