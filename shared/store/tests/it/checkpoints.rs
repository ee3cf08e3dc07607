//! Checkpoints: which runs write them, and which record of a chain has them.

use domain::job::{Cancellation, FencingToken, Job, JobId, NewJob, Outcome, WorkerId};
use serde_json::{Value, json};
use store::{AppendAnswer, Dumped, RetryAnswer};
use testkit::{TestEnv, assert_consistent, job};

use crate::calls::{claimed, dump, end, failed, finish, lose, redis_cli, submit, worker};

/// Submits and claims a job.
async fn running(env: &TestEnv, worker: &WorkerId, job: &NewJob) -> (JobId, FencingToken) {
    let id = submit(env, job).await;
    (id, claimed(env, worker, id).await.token)
}

/// Saves a checkpoint of a running job.
async fn save(env: &TestEnv, (id, token): (JobId, FencingToken), checkpoint: &str) {
    let saved = env.store().save_checkpoint(id, token, checkpoint).await.unwrap();
    assert_eq!(saved, AppendAnswer::Recorded);
}

async fn read(env: &TestEnv, id: JobId) -> Job {
    env.store().job(id).await.unwrap().unwrap()
}

/// The checkpoint of a job, as the API and as a worker read it.
async fn checkpoint(env: &TestEnv, id: JobId) -> Option<Value> {
    let job = read(env, id).await;
    let shown = env.store().checkpoint_of(&job).await.unwrap();
    let text = env.store().checkpoint(id).await.unwrap();
    assert_eq!(text.map(|text| serde_json::from_str::<Value>(&text).unwrap()), shown);
    shown
}

#[tokio::test]
async fn the_last_checkpoint_of_a_run_replaces_the_one_before_and_null_removes_it() {
    let env = TestEnv::new().await;
    let worker = worker(&env).await;
    let run = running(&env, &worker, &job("noop", "")).await;
    let before = dump(&env).await;
    save(&env, run, "null").await;
    assert_eq!(dump(&env).await, before, "there was none");
    save(&env, run, "1").await;
    save(&env, run, r#"{"at": "sw2"}"#).await;
    assert_eq!(checkpoint(&env, run.0).await, Some(json!({"at": "sw2"})));
    assert_consistent(env.store()).await;
    save(&env, run, "null").await;
    assert_eq!(dump(&env).await, before, "nothing is left of it");
    env.close().await;
}

#[tokio::test]
async fn only_the_current_run_of_a_job_writes_its_checkpoint() {
    let env = TestEnv::new().await;
    let (worker, lost) = (worker(&env).await, worker(&env).await);
    let (id, token) = running(&env, &lost, &job("noop", "")).await;
    save(&env, (id, token), "1").await;
    let refused = async |id, token| {
        let before = dump(&env).await;
        for checkpoint in ["9", "null"] {
            let answer = env.store().save_checkpoint(id, token, checkpoint).await.unwrap();
            assert_eq!(answer, AppendAnswer::Stale);
        }
        assert_eq!(dump(&env).await, before);
    };
    refused(id, FencingToken(token.0 + 1)).await;
    refused(JobId::random(), token).await;
    // The run has lost its claim; the job continues elsewhere.
    lose(&env, &lost).await;
    refused(id, token).await;
    let next = read(&env, id).await.follow_up.unwrap();
    refused(next, token).await;
    let next = (next, claimed(&env, &worker, next).await.token);
    save(&env, next, "2").await;
    refused(next.0, token).await;
    refused(id, token).await;
    // A run that was asked to stop still writes; one that is over does not.
    env.store().cancel(&[next.0], &Cancellation::default()).await.unwrap();
    save(&env, next, "3").await;
    finish(&env, &end(next.0, next.1, Outcome::Cancel)).await;
    refused(next.0, next.1).await;
    assert_eq!(checkpoint(&env, next.0).await, Some(json!(3)));
    assert_consistent(env.store()).await;
    env.close().await;
}

#[tokio::test]
async fn the_newest_record_of_a_chain_has_the_checkpoint_whatever_ended_the_run() {
    let env = TestEnv::new().await;
    let (worker, lost) = (worker(&env).await, worker(&env).await);
    let mut new = job("noop", "");
    new.spec.retries = 1;
    let (mut id, mut token) = running(&env, &lost, &new).await;
    save(&env, (id, token), "1").await;
    let mut chain = vec![id];
    for step in 2..6 {
        let next = match step {
            // Its worker dies, and it fails with a retry left.
            2 => {
                lose(&env, &lost).await;
                read(&env, id).await.follow_up.unwrap()
            }
            3 | 4 => {
                // The retry is due later.
                let outcome = if step == 3 { Outcome::Shutdown } else { failed() };
                let ended = end(id, token, outcome);
                finish(&env, &ended).await;
                ended.follow_up
            }
            _ => {
                let ended = end(id, token, failed());
                finish(&env, &ended).await;
                let retried = JobId::random();
                assert_eq!(env.store().retry(id, retried).await.unwrap(), RetryAnswer::Created);
                retried
            }
        };
        assert_eq!(checkpoint(&env, next).await, Some(json!(step - 1)));
        assert_eq!(checkpoint(&env, id).await, None, "the follow-up has it");
        assert_consistent(env.store()).await;
        if step == 4 {
            // The retry has no retry left, and waits for its back-off.
            pass_backoff(&env, next).await;
        }
        (id, token) = (next, claimed(&env, &worker, next).await.token);
        save(&env, (id, token), &step.to_string()).await;
        chain.push(id);
    }
    env.store().delete(chain[0]).await.unwrap();
    assert_eq!(checkpoint(&env, id).await, Some(json!(5)), "an earlier record does not matter");
    env.close().await;
}

/// Makes a retry due now.
async fn pass_backoff(env: &TestEnv, id: JobId) {
    let change = store::JobChange {
        scheduled_at: Some(env.store().now().await.unwrap()),
        ..store::JobChange::default()
    };
    env.store().change(id, change).await.unwrap();
}

#[tokio::test]
async fn a_retry_of_a_job_that_succeeded_starts_from_the_beginning() {
    let env = TestEnv::new().await;
    let worker = worker(&env).await;
    let (id, token) = running(&env, &worker, &job("noop", "")).await;
    save(&env, (id, token), "1").await;
    finish(&env, &end(id, token, Outcome::Done(None))).await;
    let retried = JobId::random();
    assert_eq!(env.store().retry(id, retried).await.unwrap(), RetryAnswer::Created);
    assert_eq!(checkpoint(&env, retried).await, None);
    assert_eq!(checkpoint(&env, id).await, Some(json!(1)));
    assert_consistent(env.store()).await;
    env.close().await;
}

#[tokio::test]
async fn a_checkpoint_is_removed_with_its_record() {
    let env = TestEnv::new().await;
    let worker = worker(&env).await;
    let (ended, deleted, stopped) = (
        running(&env, &worker, &job("noop", "")).await,
        running(&env, &worker, &job("noop", "")).await,
        running(&env, &worker, &job("noop", "")).await,
    );
    for run in [ended, deleted, stopped] {
        save(&env, run, "1").await;
    }
    for (id, token) in [ended, deleted] {
        finish(&env, &end(id, token, failed())).await;
    }
    env.store().delete(deleted.0).await.unwrap();
    env.store().delete(stopped.0).await.unwrap();
    finish(&env, &end(stopped.0, stopped.1, Outcome::Cancel)).await;
    let keys = async || {
        let world = dump(&env).await;
        world.into_keys().filter(|key| key.starts_with("checkpoint:")).collect::<Vec<_>>()
    };
    assert_eq!(keys().await, [format!("checkpoint:{}", ended.0)]);
    let settings = store::Settings {
        job_history_max_age: "1ms".parse().unwrap(),
        ..store::Settings::default()
    };
    let trimmed = async || {
        env.store().trim(&settings, &mut store::Sweep::default()).await.unwrap();
        env.store().job(ended.0).await.unwrap().is_none()
    };
    env.eventually("the record is removed", trimmed).await;
    assert_eq!(keys().await, [""; 0]);
    env.close().await;
}

#[tokio::test]
async fn a_follow_up_of_a_record_whose_checkpoint_is_gone_starts_from_the_beginning() {
    let env = TestEnv::new().await;
    let worker = worker(&env).await;
    let (id, token) = running(&env, &worker, &job("noop", "")).await;
    save(&env, (id, token), "1").await;
    let key = format!("{{{}}}:checkpoint:{id}", env.store_config().namespace);
    redis_cli(&env.store_config().redis_url, ["del".to_owned(), key]).await;
    let ended = end(id, token, Outcome::Shutdown);
    finish(&env, &ended).await;
    let Some(Dumped::Hash(record)) = dump(&env).await.remove(&format!("job:{}", ended.follow_up))
    else {
        panic!("there is no follow-up")
    };
    assert!(!record.contains_key("checkpointed"), "{record:?}");
    env.close().await;
}
