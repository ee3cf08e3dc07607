//! The reasons why a job waits for a worker that knows its action, or for a queue.

use std::time::Duration;

use domain::job::JobId;
use serde_json::{Value, json};

use super::reason;
use crate::env::with_env;

#[tokio::test]
async fn the_reason_counts_the_live_workers_and_those_that_know_the_action() {
    with_env(async |env| {
        env.worker("default=16", &["noop"]).await;
        let push = |number: usize| json!({"action": "push", "comment": number.to_string()});
        let first = env.submit(&push(1)).await;
        let message = "action: the only live worker does not know action push";
        assert_eq!(reason(env, first).await, message);
        let other = env.worker("default=16", &["noop"]).await;
        let message = "action: none of the 2 live workers knows action push";
        assert_eq!(reason(env, first).await, message);

        env.worker("scan=1,default=0", &["push"]).await;
        let message = "1 of 3 live workers knows action push, but it does not offer default=1";
        assert_eq!(reason(env, first).await, format!("action: {message}"));
        let able = env.worker("default=16", &["push"]).await;
        let few = "action: 2 of 4 live workers know action push";
        let second = env.submit(&push(2)).await;
        let third = env.submit(&push(3)).await;
        assert_eq!(reason(env, first).await, format!("{few}; no jobs ahead of it"));
        assert_eq!(reason(env, second).await, format!("{few}; 1 job ahead of it"));
        assert_eq!(reason(env, third).await, format!("{few}; 2 jobs ahead of it"));
        let urgent = env.submit(&json!({"action": "push", "priority": "high"})).await;
        assert_eq!(reason(env, urgent).await, format!("{few}; no jobs ahead of it"));
        assert_eq!(reason(env, first).await, format!("{few}; 1 job ahead of it"));

        env.command(&format!("/workers/{able}/drain")).await;
        let message = "draining: every live worker that offers default=1 for push is draining";
        assert_eq!(reason(env, first).await, message);
        env.command(&format!("/workers/{able}/resume")).await;
        env.heartbeat(&other, "default=16", &["noop", "push"]).await;
        let few = "action: 3 of 4 live workers know action push";
        assert_eq!(reason(env, first).await, format!("{few}; 1 job ahead of it"));
    })
    .await;
}

#[tokio::test]
async fn a_job_whose_action_all_live_workers_know_by_now_waits_for_the_jobs_ahead() {
    with_env(async |env| {
        let worker = env.worker("default=16", &["noop", "push"]).await;
        let other = env.worker("default=16", &["noop"]).await;
        let by_action = env.submit(&json!({"action": "push"})).await;
        let shared = env.submit(&json!({"action": "noop"})).await;
        let few = "action: 1 of 2 live workers knows action push; no jobs ahead of it";
        assert_eq!(reason(env, by_action).await, few);
        env.heartbeat(&other, "default=16", &["noop", "push"]).await;
        assert_eq!(reason(env, by_action).await, "queue: 0 ahead of it");
        assert_eq!(reason(env, shared).await, "queue: 0 ahead of it");
        // It stays in the queue of its action, which both workers consume now.
        env.claim(&worker, by_action).await;
    })
    .await;
}

#[tokio::test]
async fn a_job_whose_action_few_workers_know_counts_the_jobs_of_its_fairness_group() {
    with_env(async |env| {
        env.worker("default=16", &["noop"]).await;
        env.worker("default=16", &["push"]).await;
        let jobs = vec![json!({"action": "push", "fairnessKey": "a"}); 66];
        let jobs = env.post("/jobs/batch", &json!({"jobs": jobs})).await.json();
        let id = |at: usize| jobs["jobs"][at]["id"].as_str().unwrap().parse::<JobId>().unwrap();
        let few = "action: 1 of 2 live workers knows action push";
        assert_eq!(reason(env, id(63)).await, format!("{few}; 63 jobs ahead of it"));
        let last = format!("{few}; 65 jobs of its fairness group ahead of it");
        assert_eq!(reason(env, id(65)).await, last);
    })
    .await;
}

#[tokio::test]
async fn a_lock_is_the_reason_before_the_workers_that_know_the_action() {
    with_env(async |env| {
        env.worker("default=16", &["noop"]).await;
        let worker = env.worker("default=16", &["push"]).await;
        let push = json!({"action": "push", "locks": ["devices"]});
        let (runs, waits) = (env.submit(&push).await, env.submit(&push).await);
        env.claim(&worker, runs).await;
        let held = format!("lock: lock devices is held by job 1 ({runs})");
        assert_eq!(reason(env, waits).await, held);
    })
    .await;
}

#[tokio::test]
async fn a_job_for_whose_queue_there_is_no_room_says_so() {
    with_env(async |env| {
        let worker = env.worker("default=16", &["noop"]).await;
        let first = env.submit(&json!({"action": "noop"})).await;
        let needs = |name: String| json!({"action": "noop", "capacityMap": {name: 1}});
        let mut waits = needs("x".to_owned());
        waits["dependsOn"] = json!([first]);
        let waits = env.submit(&waits).await;
        // The queue was in use when the job was submitted, and is retired before it is ready.
        let queue = "x=1.normal".parse().unwrap();
        assert!(env.store.retire_queue(&queue, Duration::ZERO).await.unwrap());
        let others: Vec<Value> = (0..255).map(|at| needs(format!("t{at}"))).collect();
        let answer = env.post("/jobs/batch", &json!({"jobs": others})).await;
        assert_eq!(answer.status, 202, "{}", answer.text);
        let token = env.claim(&worker, first).await;
        env.finish(first, token, None).await;
        let message = "the namespace has as many queues as it may have; the job is tried again";
        assert_eq!(reason(env, waits).await, format!("queue: {message} every 5 s"));
    })
    .await;
}
