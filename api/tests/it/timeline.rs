//! The time line of a job: its steps, and where its time went.

use domain::job::{JobId, Outcome};
use serde_json::{Value, json};
use store::ClaimAnswer;

use crate::env::{TestEnv, eventually, with_env};

async fn timeline(env: &TestEnv, id: JobId) -> Value {
    let answer = env.get(&format!("/jobs/{id}/timeline")).await;
    assert_eq!(answer.status, 200, "{}", answer.text);
    answer.json()
}

fn steps(timeline: &Value) -> Vec<&str> {
    let steps = timeline["steps"].as_array().unwrap().iter();
    steps.map(|step| step["what"].as_str().unwrap()).collect()
}

fn sum(timeline: &Value) -> u64 {
    let wait = timeline["wait"].as_object().unwrap().values();
    wait.map(|ms| ms.as_u64().unwrap()).sum::<u64>() + timeline["runMs"].as_u64().unwrap()
}

/// Moves times of a job into the past, by so many milliseconds from now.
async fn set_back(env: &TestEnv, id: JobId, fields: &[(&str, i64)]) {
    let now = env.store.now().await.unwrap().ms();
    let times = fields.iter().flat_map(|(name, ms)| [(*name).to_owned(), (now - ms).to_string()]);
    let times: Vec<String> = times.collect();
    let times: Vec<&str> = times.iter().map(String::as_str).collect();
    env.redis("HSET", &format!("job:{id}"), &times).await;
}

#[tokio::test]
async fn a_job_that_waited_for_others_and_for_a_lock() {
    with_env(async |env| {
        let worker = env.worker("default=16", &["noop"]).await;
        let lock = json!({"action": "noop", "locks": ["sw1"]});
        let (needed, holder) =
            (env.submit(&json!({"action": "noop"})).await, env.submit(&lock).await);
        let job = json!({"action": "noop", "locks": ["sw1"], "dependsOn": [needed]});
        let id = env.submit(&job).await;
        let tokens = [env.claim(&worker, needed).await, env.claim(&worker, holder).await];
        assert_eq!(steps(&timeline(env, id).await), ["submitted"]);
        env.finish(needed, tokens[0], None).await;
        env.park(&worker, id).await;
        let submitted = [("createdAt", 100_000), ("scheduledAt", 100_000)];
        let passed = [("unblockedAt", 70_000), ("parkedAt", 60_000)];
        set_back(env, id, &[submitted, passed].concat()).await;
        let waits = timeline(env, id).await;
        assert_eq!(steps(&waits), ["submitted", "unblocked", "parked"]);
        let why = "it depends on how long others hold the lock";
        assert_eq!(waits["expectedStart"], json!({"at": null, "why": why}));

        env.finish(holder, tokens[1], None).await;
        let token = env.claim(&worker, id).await;
        env.finish(id, token, None).await;
        let done = timeline(env, id).await;
        let expected = ["submitted", "unblocked", "parked", "granted", "started", "done"];
        assert_eq!(steps(&done), expected, "{done:#}");
        assert_eq!(done["expectedStart"], Value::Null);
        let wait = |name: &str| done["wait"][name].as_u64().unwrap();
        let least = [("dependency", 30_000), ("queue", 10_000), ("lock", 60_000)];
        assert!(least.iter().all(|(name, ms)| wait(name) >= *ms), "{done:#}");
        let job = env.store.job(id).await.unwrap().unwrap();
        let whole = job.finished_at.unwrap().ms() - job.created_at.ms();
        assert_eq!(sum(&done), whole as u64, "the spans add up: {done:#}");
        let started = &done["steps"][4];
        assert_eq!(started["who"], format!("worker {worker}"));
        assert_eq!(started["why"], format!("fencing token {}", token.0));
    })
    .await;
}

#[tokio::test]
async fn a_retry_and_a_cancel_are_steps_of_the_same_job() {
    with_env(async |env| {
        let worker = env.worker("default=16", &["noop"]).await;
        let job = json!({"action": "noop", "retries": 1, "backoff": {"base": "1ms", "max": "1ms"}});
        let first = env.submit(&job).await;
        let token = env.claim(&worker, first).await;
        env.fail(first, token).await;
        let second = env.store.job(first).await.unwrap().unwrap().follow_up.unwrap();
        let claim = async || {
            env.store.due().await.unwrap();
            env.try_claim(&worker, second).await
        };
        let claimed = eventually(claim, |one| matches!(one, ClaimAnswer::Claimed(_))).await;
        let ClaimAnswer::Claimed(claimed) = claimed else { panic!("{claimed:?}") };
        let token = claimed.token;
        env.command(&format!("/jobs/{second}/cancel")).await;
        env.finish_cancelled(second, token).await;
        let both = timeline(env, first).await;
        let what: Vec<&str> = steps(&both).into_iter().filter(|what| *what != "due").collect();
        let expected =
            ["submitted", "started", "error", "retried", "started", "cancel_requested", "cancel"];
        assert_eq!(what, expected, "{both:#}");
        let retried = both["steps"].as_array().unwrap().iter().find(|one| one["what"] == "retried");
        assert_eq!(retried.unwrap()["why"], "attempt 1 failed");
        assert_eq!((&both["attempts"], &both["more"]), (&json!(2), &json!(0)));
        assert_eq!(both, timeline(env, second).await, "each attempt has the same time line");
    })
    .await;
}

#[tokio::test]
async fn a_parent_runs_and_then_waits_for_its_children() {
    with_env(async |env| {
        let worker = env.worker("default=16", &["noop"]).await;
        let parent = env.submit(&json!({"action": "noop"})).await;
        let token = env.claim(&worker, parent).await;
        let child = env.submit(&json!({"action": "noop", "parent": parent})).await;
        env.end(parent, token, Outcome::Await(None)).await;
        let submitted = [("createdAt", 60_000), ("scheduledAt", 60_000)];
        let ran = [("startedAt", 60_000), ("ranUntil", 50_000)];
        set_back(env, parent, &[submitted, ran].concat()).await;
        let token = env.claim(&worker, child).await;
        env.finish(child, token, None).await;
        let done = timeline(env, parent).await;
        assert_eq!(steps(&done), ["submitted", "started", "awaits_children", "done"]);
        assert!(done["wait"]["children"].as_u64().unwrap() >= 50_000, "{done:#}");
        assert!(done["runMs"].as_u64().unwrap() <= 10_000, "{done:#}");
    })
    .await;
}

#[tokio::test]
async fn a_start_is_expected_from_the_rate_of_the_queue() {
    with_env(async |env| {
        let worker = env.worker("default=16", &["noop"]).await;
        let mut ids = Vec::new();
        for _ in 0..6 {
            ids.push(env.submit(&json!({"action": "noop"})).await);
        }
        let unknown = "no job of its queue has started in the last 5 minutes";
        assert_eq!(timeline(env, ids[5]).await["expectedStart"]["why"], unknown);
        for id in &ids[..3] {
            env.claim(&worker, *id).await;
        }
        let expected = timeline(env, ids[5]).await["expectedStart"].clone();
        assert_eq!(expected["why"], "2 ahead of it, and 3 started in the last 300 s");
        assert!(expected["at"].is_string(), "{expected}");
        assert_eq!(env.get(&format!("/jobs/{}/timeline", JobId::random())).await.status, 404);
    })
    .await;
}
