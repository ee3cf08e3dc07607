//! Batched submissions.

use serde_json::{Value, json};

use crate::env::with_env;

fn batched(n: u32) -> Value {
    json!({
        "action": "noop", "parameters": {"n": n}, "batchKey": "k", "batchSize": 3,
        "batchWait": "1h",
    })
}

#[tokio::test]
async fn submissions_join_one_job_until_it_is_full() {
    with_env(async |env| {
        let answer = env.post("/jobs", &batched(1)).await;
        let first = answer.json();
        assert_eq!((answer.status, &first["batched"]), (202, &json!(1)));
        assert_eq!(first["parameters"], json!({"batch": [{"n": 1}]}));
        assert_eq!(first["batchKey"], json!("k"));
        assert_eq!((&first["batchSize"], &first["batchWait"]), (&json!(3), &json!("1h")));

        let mut without = batched(2);
        without["parameters"] = json!(null);
        let answer = env.post("/jobs", &without).await;
        let second = answer.json();
        assert_eq!((answer.status, &second["id"]), (200, &first["id"]));
        assert_eq!(second["parameters"], json!({"batch": [{"n": 1}, {}]}));

        let batch = json!({"jobs": [{"action": "noop"}, batched(3), batched(4)]});
        let answered = env.post("/jobs/batch", &batch).await.json();
        let [_, third, fourth] = &answered["jobs"].as_array().unwrap()[..] else { panic!() };
        assert_eq!((&third["id"], &third["batched"]), (&first["id"], &json!(3)));
        assert_ne!(third["scheduledAt"], first["scheduledAt"]);
        assert_eq!(fourth["batched"], json!(1));
        let read = env.get(&format!("/jobs/{}", first["id"].as_str().unwrap())).await.json();
        assert_eq!((&read["batched"], &read["scheduledAt"]), (&json!(3), &third["scheduledAt"]));
        let plain = env.post("/jobs", &json!({"action": "noop"})).await.json();
        assert_eq!((&plain["batchKey"], &plain["batched"]), (&json!(null), &json!(0)));
    })
    .await;
}

#[tokio::test]
async fn a_repeated_request_is_in_the_list_once() {
    with_env(async |env| {
        let send = async |n: u32, key: &str| {
            let request = env.client.post(env.at("/jobs")).json(&batched(n));
            crate::env::send(request.header("Idempotency-Key", key)).await.json()
        };
        let first = send(1, "one").await;
        for _ in 0..2 {
            assert_eq!(send(2, "two").await["id"], first["id"]);
        }
        let again = send(1, "one").await;
        assert_eq!((&again["id"], &again["batched"]), (&first["id"], &json!(2)));
    })
    .await;
}

#[tokio::test]
async fn defaults_and_names_of_locks_are_of_each_submission() {
    with_env(async |env| {
        let config = json!({"action": "noop", "parameters": {"unit": "m"}});
        env.post("/action_configs", &config).await;
        let locked = |device: &str| {
            let mut body = batched(1);
            body["parameters"] = json!({"device": device});
            body["locks"] = json!(["device-{{device}}"]);
            body
        };
        let first = env.post("/jobs", &locked("a")).await.json();
        assert_eq!(first["parameters"], json!({"batch": [{"device": "a", "unit": "m"}]}));
        assert_eq!(first["locks"], json!({"device-a": 1}));
        let other = env.post("/jobs", &locked("b")).await.json();
        assert_eq!(other["locks"], json!({"device-b": 1}));
        let same = env.post("/jobs", &locked("a")).await.json();
        assert_eq!((&same["id"], &same["batched"]), (&first["id"], &json!(2)));
    })
    .await;
}

#[tokio::test]
async fn a_batched_submission_that_lacks_or_contradicts_a_field_is_refused() {
    with_env(async |env| {
        let id = "193c061a-c52c-448a-884a-719adc253497";
        let later = "2100-01-01T00:00:00Z";
        let cases = [
            (json!({"batchKey": null}), "batchSize", "it requires batchKey"),
            (json!({"batchKey": null, "batchSize": 0}), "batchSize", "it requires batchKey"),
            (json!({"batchKey": null, "batchSize": null}), "batchWait", "it requires batchKey"),
            (json!({"batchKey": ""}), "batchKey", "it is empty"),
            (json!({"batchKey": "x".repeat(256)}), "batchKey", "longer than 255 characters"),
            (json!({"batchSize": null}), "batchSize", "a whole number from 2 to 1000"),
            (json!({"batchSize": 1}), "batchSize", "a whole number from 2 to 1000"),
            (json!({"batchSize": 1001}), "batchSize", "a whole number from 2 to 1000"),
            (json!({"batchSize": -2}), "batchSize", "invalid value"),
            (json!({"batchSize": "3"}), "batchSize", "invalid type"),
            (json!({"batchWait": null}), "batchWait", "a duration of more than 0"),
            (json!({"batchWait": "0s"}), "batchWait", "a duration of more than 0"),
            (json!({"batchWait": "-1s"}), "batchWait", "is not a valid duration"),
            (json!({"batchWait": "8761h"}), "batchWait", "is not a valid duration"),
            (json!({"action": "webhook"}), "batchKey", "a webhook has one set of parameters"),
            (json!({"uniqueKey": "u"}), "batchKey", "it cannot be combined with uniqueKey"),
            (json!({"debounce": "1s"}), "debounce", "it requires uniqueKey"),
            (json!({"scheduledAt": later}), "batchKey", "it cannot be combined with scheduledAt"),
            (json!({"expiresAt": later}), "batchKey", "it cannot be combined with expiresAt"),
            (json!({"dependsOn": [id]}), "batchKey", "it cannot be combined with dependsOn"),
            (json!({"parent": id}), "batchKey", "it cannot be combined with parent"),
        ];
        for (change, field, why) in cases {
            let mut body = batched(1);
            for (name, value) in change.as_object().unwrap() {
                body[name] = value.clone();
            }
            let answer = env.post("/jobs", &body).await;
            let error = &answer.json()["errors"][0];
            assert_eq!(
                (answer.status, &error["detail"]["field"]),
                (400, &json!(field)),
                "{change}"
            );
            assert!(error["message"].as_str().unwrap().contains(why), "{error}");
        }
        let mut large = batched(1);
        // With the list around it, it is one byte too large.
        large["parameters"] = json!({"a": "x".repeat(64 * 1024 - 19)});
        let refused = env.post("/jobs", &large).await;
        let field = &refused.json()["errors"][0]["detail"]["field"];
        assert_eq!((refused.status, field), (413, &json!("parameters")));
        let cron = json!({"action": "noop", "schedule": "@hourly", "batchKey": "k"});
        assert_eq!(env.post("/crons", &cron).await.status, 400);
        assert_eq!(env.get("/jobs").await.json()["jobs"], json!([]));
    })
    .await;
}
