//! The status of the fleet: what it counts, what it warns of, and what it says without a store.

use domain::job::Timestamp;
use serde_json::{Value, json};

use crate::env::{TestEnv, eventually, free_address, with_env, with_env_on};

const VERSION: &str = env!("CARGO_PKG_VERSION");

async fn status(env: &TestEnv) -> Value {
    let answer = env.get("/status").await;
    assert_eq!(answer.status, 200, "{}", answer.text);
    answer.json()
}

fn kinds(status: &Value) -> Vec<&str> {
    let services = status["services"].as_array().unwrap().iter();
    services.map(|service| service["kind"].as_str().unwrap()).collect()
}

#[tokio::test]
async fn the_status_counts_jobs_and_warns_of_what_is_missing() {
    with_env(async |env| {
        let first = eventually(async || status(env).await, |status| kinds(status) == ["api"]).await;
        let api = &first["services"][0];
        assert_eq!((&first["version"], &api["version"]), (&json!(VERSION), &json!(VERSION)));
        // They come from different clocks: the service's and that of Redis.
        for moment in ["startedAt", "lastSeen"] {
            assert!(api[moment].as_str().unwrap().parse::<Timestamp>().is_ok(), "{api}");
        }
        assert_eq!(first["store"]["ok"], true);
        assert!(first["store"]["usedBytes"].as_u64().unwrap() > 0);
        assert!(first["store"]["appendOnly"].is_boolean(), "{first}");
        assert_eq!(first["oldestReadyMs"], Value::Null);
        let why = "only a scheduler knows, and none is running";
        assert_eq!(first["broker"], json!({"ok": false, "why": why}));
        let no_scheduler = "no scheduler is running, so no job is offered to workers";
        assert_eq!(first["warnings"], json!([no_scheduler, "no worker is live, so no job starts"]));

        env.announce_scheduler().await;
        let worker = env.worker("default=16", &["noop"]).await;
        let jobs = vec![json!({"action": "noop"}); 5];
        let answer = env.post("/jobs/batch", &json!({"jobs": jobs})).await.json();
        let id = |at: usize| answer["jobs"][at]["id"].as_str().unwrap().parse().unwrap();
        let tokens = [env.claim(&worker, id(0)).await, env.claim(&worker, id(1)).await];
        env.claim(&worker, id(2)).await;
        env.finish(id(0), tokens[0], None).await;
        env.fail(id(1), tokens[1]).await;
        let status = status(env).await;
        assert_eq!(kinds(&status), ["api", "scheduler"]);
        assert_eq!(status["workers"], json!({"live": 1, "draining": 0}));
        assert_eq!(status["broker"], json!({"ok": true, "why": null}));
        for (word, count) in [("waiting", 2), ("running", 1), ("done", 1), ("error", 1)] {
            assert_eq!(status["jobs"][word], count, "{word}");
        }
        let rates = json!({"started": 3, "ended": 2, "failed": 1, "periodMs": 60_000});
        assert_eq!(status["rates"], rates);
        assert!(status["oldestReadyMs"].is_u64(), "{status}");
        let versions = format!("services and workers have different versions: {VERSION}, 1.2.3");
        assert_eq!(status["warnings"], json!([versions]));
    })
    .await;
}

#[tokio::test]
async fn the_status_names_paused_classes_and_actions_for_which_jobs_wait() {
    with_env(async |env| {
        let paused = async || {
            let status = status(env).await;
            let warnings = status["warnings"].as_array().unwrap().clone();
            let texts = warnings.iter().map(|warning| warning.as_str().unwrap().to_owned());
            texts.filter(|text| text.contains("paused")).collect::<Vec<_>>()
        };
        let worker = env.worker("default=16", &["noop"]).await;
        env.command("/queues/default=1/pause").await;
        env.command("/actions/noop/pause").await;
        assert_eq!(paused().await, Vec::<String>::new(), "no job waits");
        let id = env.submit(&json!({"action": "noop"})).await;
        assert_eq!(paused().await, ["class default=1 is paused, and jobs wait for it"]);
        env.command("/queues/default=1/resume").await;
        env.park(&worker, id).await;
        assert_eq!(paused().await, ["action noop is paused, and jobs wait for it"]);
    })
    .await;
}

#[tokio::test]
async fn the_rates_are_those_of_a_shorter_period_if_more_happened_than_is_read() {
    with_env(async |env| {
        let add = "for _ = 1, 1100 do redis.call('XADD', KEYS[1], '*', 'worker', 'w') end";
        env.redis_script(add, "events").await;
        let rates = status(env).await["rates"].clone();
        assert_eq!(rates["started"], 0);
        assert!(rates["periodMs"].as_u64().unwrap() < 60_000, "{rates}");
    })
    .await;
}

#[tokio::test]
async fn the_status_is_answered_without_a_store() {
    with_env_on(&format!("redis://{}", free_address()), async |env| {
        let status = status(env).await;
        assert_eq!((&status["version"], &status["services"]), (&json!(VERSION), &json!([])));
        let why = "the store does not answer";
        assert_eq!((&status["store"]["ok"], &status["store"]["why"]), (&json!(false), &json!(why)));
        assert_eq!((&status["jobs"], &status["rates"]), (&json!({}), &Value::Null));
        assert_eq!(status["warnings"], json!([format!("{why}, so nothing else is known")]));
    })
    .await;
}
