//! Records that cannot be read, because of a mistake or because a newer version has written them:
//! they hide no others, affect nothing else, and can be deleted or set again.

use serde_json::{Value, json};

use crate::env::{Answer, TestEnv, eventually, send, with_env};

/// The names in a list.
fn names<'a>(list: &'a Value, key: &str, name: &str) -> Vec<&'a str> {
    let list = list[key].as_array().unwrap_or_else(|| panic!("{list}")).iter();
    list.map(|one| one[name].as_str().unwrap()).collect()
}

/// Checks that a record is refused as unreadable, by name.
fn assert_unreadable(answer: &Answer, record: &str) {
    let expected = format!("500 INTERNAL_ERROR {record} cannot be read, see the service log");
    assert!(answer.refusal().starts_with(&expected), "{}", answer.refusal());
}

#[tokio::test]
async fn an_unreadable_config_affects_only_its_action_until_it_is_set_again_or_deleted() {
    with_env(async |env| {
        for action in ["gc", "scan"] {
            let config = json!({"action": action, "retries": 2, "maxRunning": 3});
            assert_eq!(env.post("/action_configs", &config).await.status, 202);
        }
        let newer = format!(
            "{} {}",
            env.config_id("gc").await,
            r#"{"retries": {"most": 3}, "maxRunning": 3}"#
        );
        for broken in [newer.as_str(), "not a config"] {
            env.redis("hset", "action_configs", &["gc", broken]).await;
            let job = env.post("/jobs", &json!({"action": "scan"})).await;
            assert_eq!(job.json()["retriesTotal"], 2, "{}", job.text);
            let batch = json!({"jobs": [{"action": "scan"}, {"action": "other"}]});
            assert_eq!(env.post("/jobs/batch", &batch).await.status, 202);
            let cron = json!({"name": "c", "action": "scan", "schedule": "@yearly"});
            assert_eq!(env.post("/crons", &cron).await.status, 202);
            assert_eq!(env.command("/crons/c/run").await.status, 202);
            let list = env.get("/action_configs").await;
            assert_eq!(names(&list.json(), "actionConfigs", "action"), ["scan"]);

            assert_unreadable(&env.post("/jobs", &json!({"action": "gc"})).await, "config of gc");
            assert_unreadable(&env.get("/action_configs/gc").await, "config of gc");
            let again = json!({"action": "gc", "retries": 1});
            assert_eq!(env.post("/action_configs", &again).await.status, 202);
            let job = env.post("/jobs", &json!({"action": "gc"})).await;
            assert_eq!(job.json()["retriesTotal"], 1, "{}", job.text);
            let lock = env.get("/locks/action:gc").await;
            assert_eq!(lock.code(), "404 NO_SUCH_LOCK", "the unknown limit is removed");

            env.redis("hset", "action_configs", &["gc", broken]).await;
            assert_eq!(env.delete("/action_configs/gc").await.status, 204);
            assert_eq!(env.post("/jobs", &json!({"action": "gc"})).await.status, 202);
        }
    })
    .await;
}

#[tokio::test]
async fn an_unreadable_cron_is_left_out_of_the_list_and_can_be_set_again_or_deleted() {
    with_env(async |env| {
        let cron = |name| json!({"name": name, "action": "scan", "schedule": "@yearly"});
        for name in ["a", "b"] {
            assert_eq!(env.post("/crons", &cron(name)).await.status, 202);
        }
        env.redis("hset", "cron:a", &["spec", r#"{"action": "scan", "schedule": "@dawn"}"#]).await;
        let list = env.get("/crons").await;
        assert_eq!(names(&list.json(), "crons", "name"), ["b"]);
        assert_unreadable(&env.get("/crons/a").await, "cron a");
        assert_eq!(env.post("/crons", &cron("a")).await.status, 202);
        assert_eq!(names(&env.get("/crons").await.json(), "crons", "name"), ["a", "b"]);

        env.redis("del", "cron:a", &[]).await;
        env.redis("set", "cron:a", &["not a cron"]).await;
        assert_eq!(names(&env.get("/crons").await.json(), "crons", "name"), ["b"]);
        assert_eq!(env.delete("/crons/a").await.status, 204);
        assert_eq!(env.get("/crons/a").await.code(), "404 NO_SUCH_CRON");
    })
    .await;
}

#[tokio::test]
async fn an_unreadable_subscription_is_left_out_of_the_list_and_can_be_set_again_or_deleted() {
    with_env(async |env| {
        let one = |name| json!({"name": name, "url": "https://example.com/hook"});
        for name in ["a", "b"] {
            let set = env.post("/subscriptions", &one(name)).await;
            assert_eq!(set.status, 202, "{}", set.text);
        }
        env.redis("hset", "subscription:a", &["spec", r#"{"url": 5}"#]).await;
        let list = env.get("/subscriptions").await;
        assert_eq!(names(&list.json(), "subscriptions", "name"), ["b"]);
        assert_unreadable(&env.get("/subscriptions/a").await, "subscription a");
        assert_eq!(env.post("/subscriptions", &one("a")).await.status, 202);

        env.redis("del", "subscription:a", &[]).await;
        env.redis("set", "subscription:a", &["not a subscription"]).await;
        let list = env.get("/subscriptions").await;
        assert_eq!(names(&list.json(), "subscriptions", "name"), ["b"]);
        assert_eq!(env.delete("/subscriptions/a").await.status, 204);
        assert_eq!(env.get("/subscriptions/a").await.code(), "404 NO_SUCH_SUBSCRIPTION");
    })
    .await;
}

#[tokio::test]
async fn an_unreadable_job_is_left_out_of_lists_and_counted_and_can_be_deleted() {
    with_env(async |env| {
        let mut ids = Vec::new();
        for _ in 0..3 {
            ids.push(env.submit(&json!({"action": "scan"})).await);
        }
        let newer = r#"{"action": "scan", "onWorkerLost": "ask"}"#;
        env.redis("hset", &format!("job:{}", ids[1]), &["spec", newer]).await;
        let listed = async || {
            let list = env.get("/jobs").await.json();
            let mut found: Vec<String> =
                names(&list, "jobs", "id").into_iter().map(str::to_owned).collect();
            found.sort();
            found
        };
        let mut readable = vec![ids[0].to_string(), ids[2].to_string()];
        readable.sort();
        assert_eq!(listed().await, readable);
        let old = send(env.client.get(format!("{}/api/v1.0/jobs", env.url))).await;
        assert_eq!(old.status, 200, "{}", old.text);
        assert_eq!(old.json()["data"]["jobs"].as_array().unwrap().len(), 2);
        assert_unreadable(
            &env.get(&format!("/jobs/{}", ids[1])).await,
            &format!("spec of job {}", ids[1]),
        );
        let counted = async || {
            let metrics = send(env.client.get(format!("{}/metrics", env.admin))).await.text;
            let name = "capstan_api_unreadable_records_total ";
            let line = metrics.lines().find_map(|line| line.strip_prefix(name));
            line.unwrap().parse::<u64>().unwrap()
        };
        eventually(counted, |count| *count >= 2).await;
        assert_eq!(env.delete(&format!("/jobs/{}", ids[1])).await.status, 204);

        let key = format!("job:{}", ids[2]);
        env.redis("del", &key, &[]).await;
        env.redis("set", &key, &["not a job"]).await;
        assert_eq!(listed().await, [ids[0].to_string()]);
    })
    .await;
}

impl TestEnv {
    /// The id of an action's config.
    async fn config_id(&self, action: &str) -> String {
        let config = self.get(&format!("/action_configs/{action}")).await.json();
        config["id"].as_str().unwrap().to_owned()
    }
}
