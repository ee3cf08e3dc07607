//! The waiting jobs, grouped by reason.

use domain::job::{JobId, Outcome};
use serde_json::{Value, json};

use crate::env::{TestEnv, with_env};

async fn waiting(env: &TestEnv) -> Value {
    env.announce_scheduler().await;
    let answer = env.get("/waiting").await;
    assert_eq!(answer.status, 200, "{}", answer.text);
    answer.json()
}

/// Returns each group as a line: code, subject, count, number of the first job.
fn lines(waiting: &Value) -> Vec<String> {
    let groups = waiting["groups"].as_array().unwrap().iter();
    let text = |group: &Value, name: &str| group[name].as_str().unwrap().to_owned();
    let line = |group: &Value| {
        let (code, subject) = (text(group, "code"), text(group, "subject"));
        format!("{code} {subject} {} {}", group["count"], group["sampleNumber"])
    };
    groups.map(line).collect()
}

#[tokio::test]
async fn each_waiting_job_is_in_the_group_of_its_reason() {
    with_env(async |env| {
        let worker = env.worker("default=16", &["noop"]).await;
        let holder = env.submit(&json!({"action": "noop", "locks": ["sw1"]})).await;
        let token = env.claim(&worker, holder).await;
        for _ in 0..2 {
            let waits = env.submit(&json!({"action": "noop", "locks": ["sw1"]})).await;
            env.park(&worker, waits).await;
        }
        env.submit(&json!({"action": "train", "capacityMap": {"gpu": 4}})).await;
        env.submit(&json!({"action": "unknown"})).await;
        env.submit(&json!({"action": "noop", "scheduledAt": "2100-01-01T00:00:00Z"})).await;
        env.submit(&json!({"action": "noop", "dependsOn": [holder]})).await;
        let parent = env.submit(&json!({"action": "noop"})).await;
        let parents = env.claim(&worker, parent).await;
        env.submit(&json!({"action": "noop", "parent": parent})).await;
        env.end(parent, parents, Outcome::Await(None)).await;
        let found = waiting(env).await;
        let expected = [
            "capacity gpu=4 1 4",
            "action unknown 1 5",
            "lock sw1 2 2",
            "queue default=1.normal 1 9",
            "children  1 8",
            "dependency  1 7",
            "due  1 6",
        ];
        assert_eq!(lines(&found), expected, "{found:#}");
        assert_eq!((&found["total"], &found["truncated"]), (&json!(8), &json!(false)));
        let held = format!("lock sw1 is held by job 1 ({holder})");
        assert_eq!(found["groups"][2]["message"], held);
        assert_eq!(found["longHeld"], json!([]));

        env.finish(holder, token, None).await;
        let freed = waiting(env).await;
        assert_eq!(freed["total"], 8, "the dependent job is ready: {freed:#}");
        assert!(!lines(&freed).iter().any(|line| line.starts_with("dependency")), "{freed:#}");
    })
    .await;
}

#[tokio::test]
async fn the_numbers_are_exact_for_many_jobs() {
    with_env(async |env| {
        env.worker("default=16", &["noop"]).await;
        let mut jobs = vec![json!({"action": "noop", "fairnessKey": "a"}); 300];
        jobs.extend(vec![json!({"action": "noop", "capacityMap": {"gpu": 1}}); 150]);
        let answer = env.post("/jobs/batch", &json!({"jobs": jobs})).await;
        assert_eq!(answer.status, 202, "{}", answer.text);
        let found = waiting(env).await;
        let counts = lines(&found);
        let count = |code: &str| -> u64 {
            let lines = counts.iter().filter(|line| line.starts_with(code));
            lines.map(|line| line.split(' ').nth(2).unwrap().parse::<u64>().unwrap()).sum()
        };
        let expected = (150, 236, 64);
        assert_eq!((count("capacity"), count("fairness"), count("queue")), expected, "{found:#}");
    })
    .await;
}

#[tokio::test]
async fn a_lock_that_is_held_for_long_is_listed_while_jobs_wait_for_it() {
    with_env(async |env| {
        let worker = env.worker("default=16", &["noop"]).await;
        let job = json!({"action": "noop", "locks": ["sw1"]});
        let holder = env.submit(&job).await;
        env.claim(&worker, holder).await;
        let past = env.store.now().await.unwrap().ms() - 601_000;
        env.redis("HSET", &format!("job:{holder}"), &["startedAt", &past.to_string()]).await;
        assert_eq!(waiting(env).await["longHeld"], json!([]), "no job waits for it");
        let waits: JobId = env.submit(&job).await;
        env.park(&worker, waits).await;
        let held = waiting(env).await["longHeld"][0].clone();
        assert_eq!(held["name"], "sw1");
        assert_eq!((&held["jobID"], &held["waiting"]), (&json!(holder), &json!(1)));
    })
    .await;
}
