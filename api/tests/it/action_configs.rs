//! Action configurations are set, and jobs get their defaults and limits.

use domain::job::ActionName;
use serde_json::{Value, json};
use store::{ActionDefaults, MAX_ACTION_CONFIGS};

use crate::env::{TestEnv, id_of, send, with_env};

async fn class_of(env: &TestEnv, job: &Value) -> String {
    env.store.job(id_of(job)).await.unwrap().unwrap().class.to_string()
}

#[tokio::test]
async fn a_configuration_is_set_shown_listed_changed_and_deleted() {
    with_env(async |env| {
        assert_eq!(
            env.get("/action_configs").await.json(),
            json!({"actionConfigs": [], "pausedActions": []})
        );
        // Clients of DTR send only these fields.
        let answer =
            env.post("/action_configs", &json!({"action": "gc", "parameters": {"a": "1"}})).await;
        assert_eq!(answer.status, 202, "{}", answer.text);
        let config = answer.json();
        let expected = json!({
            "id": config["id"], "action": "gc", "parameters": {"a": "1"}, "retries": null,
            "capacityMap": null, "deadline": "", "stopTimeout": "", "maxRunning": null,
            "maxRunningPer": null, "rates": null,
        });
        assert_eq!(config, expected);
        assert_eq!(env.get("/action_configs/gc").await.json(), config);
        let whole = json!({
            "action": "gc", "parameters": null, "retries": 2, "capacityMap": {"scan": 1},
            "deadline": "15m", "stopTimeout": "30s",
        });
        let changed = env.post("/action_configs", &whole).await.json();
        assert_eq!(changed["id"], config["id"], "the configuration keeps its id");
        for (field, value) in whole.as_object().unwrap() {
            assert_eq!(changed[field], *value, "{field}");
        }
        env.post("/action_configs", &json!({"action": "b"})).await;
        let list = env.get("/action_configs/").await.json();
        assert_eq!(list["actionConfigs"][0]["action"], "b");
        assert_eq!(list["actionConfigs"][1], changed);
        assert_eq!(env.delete("/action_configs/gc").await.status, 204);
        for path in ["gc", "a%20b", "%ff"] {
            let path = format!("/action_configs/{path}");
            assert_eq!(env.delete(&path).await.code(), "404 NO_SUCH_ACTION_CONFIG");
            assert_eq!(env.get(&path).await.code(), "404 NO_SUCH_ACTION_CONFIG");
        }
        let recreated = env.post("/action_configs", &json!({"action": "gc"})).await.json();
        assert_ne!(recreated["id"], config["id"]);
    })
    .await;
}

#[tokio::test]
async fn a_job_has_its_own_values_then_those_configured_then_those_of_the_workers() {
    with_env(async |env| {
        let action: ActionName = "gc".parse().unwrap();
        let announced: ActionDefaults = serde_json::from_value(json!({
            "capacityMap": {"cpu": 1}, "retries": 1, "deadline": "1m", "stopTimeout": "1s",
        }))
        .unwrap();
        env.store.announce(&[(action, announced)]).await.unwrap();
        let config = json!({
            "action": "gc", "parameters": {"a": 1, "b": 2}, "capacityMap": {"scan": 2},
            "retries": 0, "deadline": "2m",
        });
        env.post("/action_configs", &config).await;

        let job = env.post("/jobs", &json!({"action": "gc"})).await.json();
        assert_eq!(job["parameters"], json!({"a": 1, "b": 2}));
        assert_eq!((&job["retriesTotal"], &job["deadline"]), (&json!(0), &json!("2m")));
        assert_eq!(job["stopTimeout"], "1s", "the configuration does not set it");
        assert_eq!(job["capacityMap"], Value::Null, "the submitted value is shown");
        assert_eq!(class_of(env, &job).await, "scan=2");

        let own = json!({
            "action": "gc", "parameters": {"b": 3, "c": null}, "capacityMap": {}, "retries": 4,
            "deadline": "3m", "stopTimeout": "3s",
        });
        let batch = env.post("/jobs/batch", &json!({"jobs": [own]})).await.json();
        let job = &batch["jobs"][0];
        assert_eq!(job["parameters"], json!({"a": 1, "b": 3, "c": null}));
        assert_eq!((&job["retriesTotal"], &job["deadline"]), (&json!(4), &json!("3m")));
        assert_eq!(class_of(env, job).await, "default=1");

        // Jobs of crons have the same defaults.
        let cron = json!({
            "action": "gc", "name": "c", "schedule": "@yearly", "parameters": {"a": 9},
        });
        assert_eq!(env.post("/crons", &cron).await.status, 202);
        let job = env.command("/crons/c/run").await.json();
        assert_eq!(job["parameters"], json!({"a": 9, "b": 2}));
        assert_eq!((&job["retriesTotal"], &job["deadline"]), (&json!(0), &json!("2m")));
        assert_eq!(class_of(env, &job).await, "scan=2");

        env.delete("/action_configs/gc").await;
        let job = env.post("/jobs", &json!({"action": "gc"})).await.json();
        assert_eq!((&job["parameters"], &job["retriesTotal"]), (&Value::Null, &json!(1)));
        assert_eq!(class_of(env, &job).await, "cpu=1");
    })
    .await;
}

#[tokio::test]
async fn an_invalid_configuration_is_refused_with_the_name_of_the_field() {
    with_env(async |env| {
        let cases = [
            (json!({}), "action", "it is required"),
            (json!({"action": "a b"}), "action", "not a valid action name"),
            (json!({"action": "a", "retries": 101}), "retries", "from 0 to 100"),
            (json!({"action": "a", "retries": -1}), "retries", "whole number"),
            (json!({"action": "a", "deadline": "5"}), "deadline", "is not a valid duration"),
            (json!({"action": "a", "capacityMap": {"x": -1}}), "capacityMap", ""),
            (json!({"action": "a", "parameters": []}), "parameters", "expected an object"),
            (json!({"action": "a", "heartbeatTimeout": "5s"}), "heartbeatTimeout", "unknown field"),
        ];
        for (config, field, why) in cases {
            let answer = env.post("/action_configs", &config).await;
            assert_eq!(answer.code(), "400 INVALID_PARAMETERS", "{config}");
            assert_eq!(answer.json()["errors"][0]["detail"]["field"], field, "{config}");
            assert!(answer.text.contains(why), "{config}: {}", answer.text);
        }
        let half = json!({"x": "x".repeat(40_000)});
        let config = json!({"action": "a", "parameters": half});
        assert_eq!(env.post("/action_configs", &config).await.status, 202);
        let job = json!({"action": "a", "parameters": {"y": "y".repeat(40_000)}});
        let answer = env.post("/jobs", &job).await;
        assert_eq!(answer.code(), "413 INVALID_PARAMETERS", "the merged parameters are too large");
        assert_eq!(answer.json()["errors"][0]["detail"]["field"], "parameters");
    })
    .await;
}

#[tokio::test]
async fn the_number_of_configurations_is_limited() {
    with_env(async |env| {
        for number in 0..MAX_ACTION_CONFIGS {
            let action = format!("a{number}").parse().unwrap();
            let set = env.store.set_action_config(&action, &ActionDefaults::default()).await;
            assert!(set.unwrap().is_some());
        }
        let answer = env.post("/action_configs", &json!({"action": "more"})).await;
        assert_eq!(answer.code(), "409 CONFLICT");
        let answer = env.post("/action_configs", &json!({"action": "a7", "retries": 1})).await;
        assert_eq!((answer.status, &answer.json()["retries"]), (202, &json!(1)));
    })
    .await;
}

#[tokio::test]
async fn a_configuration_limits_the_running_jobs_of_an_action_and_of_each_key() {
    with_env(async |env| {
        let per = json!({"key": "{{tenant}}-{{zone}}", "permits": 1});
        let config = json!({"action": "scan", "parameters": {"zone": "eu"}, "maxRunning": 2,
            "maxRunningPer": per});
        let set = env.post("/action_configs", &config).await;
        assert_eq!(set.status, 202, "{}", set.text);
        assert_eq!((&set.json()["maxRunning"], &set.json()["maxRunningPer"]), (&json!(2), &per));
        let worker = env.worker("default=16", &["scan"]).await;
        let of = |tenant: &str| {
            json!({"action": "scan", "parameters": {"tenant": tenant},
                "locks": ["z-{{zone}}-{{tenant}}"]})
        };
        let (a1, a2) = (env.submit(&of("a")).await, env.submit(&of("a")).await);
        let (b1, c1) = (env.submit(&of("b")).await, env.submit(&of("c")).await);
        let expected = json!({"z-eu-a": 1, "action:scan:a-eu": 1});
        let locks = env.show(a1).await["locks"].clone();
        assert_eq!(locks, expected, "lock names can use configured parameters");
        env.claim(&worker, a1).await;
        env.park(&worker, a2).await;
        env.claim(&worker, b1).await;
        env.park(&worker, c1).await;
        let reason = env.show(c1).await["waitingFor"].clone();
        assert_eq!(reason["code"], "lock", "{reason}");
        // Without a configuration there is no limit.
        assert_eq!(env.delete("/action_configs/scan").await.status, 204);
        env.claim(&worker, c1).await;
        let lock = env.get("/locks/action:scan").await;
        assert_eq!(lock.json()["permits"], Value::Null, "{}", lock.text);

        env.post("/action_configs", &config).await;
        let keyless = env.post("/jobs", &json!({"action": "scan"})).await;
        assert_eq!(keyless.code(), "400 INVALID_PARAMETERS", "{}", keyless.text);
        assert!(keyless.text.contains("tenant"), "{}", keyless.text);
        for wrong in [
            json!({"action": "a", "maxRunning": 0}),
            json!({"action": "a", "maxRunningPer": {"key": "{{a}}", "permits": 0}}),
            json!({"action": "a", "maxRunningPer": {"key": "a", "permits": 1}}),
            json!({"action": "a", "maxRunningPer": {"key": "{{a}}"}}),
            json!({"action": "a", "maxRunningPer": {"key": "{{a}}", "permits": 1, "of": 2}}),
        ] {
            let refused = env.post("/action_configs", &wrong).await;
            assert_eq!(refused.code(), "400 INVALID_PARAMETERS", "{wrong}");
        }
    })
    .await;
}

#[tokio::test]
async fn a_change_of_a_configuration_leaves_what_it_does_not_name() {
    with_env(async |env| {
        let patch = async |change: Value| {
            send(env.client.patch(env.at("/action_configs/gc")).json(&change)).await
        };
        assert_eq!(patch(json!({"retries": 1})).await.code(), "404 NO_SUCH_ACTION_CONFIG");
        let create = json!({
            "action": "gc", "parameters": {"depth": 3}, "retries": 2, "deadline": "15m",
            "capacityMap": {"scan": 1}, "maxRunning": 3,
        });
        let before = env.post("/action_configs", &create).await.json();
        let changed = patch(json!({"retries": 5, "maxRunning": 4})).await;
        assert_eq!(changed.status, 202, "{}", changed.text);
        let mut expected = before.clone();
        (expected["retries"], expected["maxRunning"]) = (json!(5), json!(4));
        assert_eq!(changed.json(), expected);
        assert_eq!(env.get("/locks/action:gc").await.json()["permits"], 4);
        (expected["deadline"], expected["parameters"]) = (json!(""), json!({"site": "x"}));
        let changed = patch(json!({"deadline": "", "parameters": {"site": "x"}})).await;
        assert_eq!(changed.json(), expected);
        for change in [json!({"action": "b"}), json!({"maxRunning": 0}), json!({"retries": 101})] {
            assert_eq!(patch(change).await.code(), "400 INVALID_PARAMETERS");
        }
        assert_eq!(env.get("/action_configs/gc").await.json(), expected);
    })
    .await;
}
