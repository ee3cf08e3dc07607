//! Rate limits are set, listed and deleted, and jobs that they hold back say so.

use serde_json::{Value, json};

use crate::env::{TestEnv, with_env};

async fn set(env: &TestEnv, name: &str, rate: u32, per: &str, burst: u32) -> Value {
    let limit = json!({"name": name, "rate": rate, "per": per, "burst": burst});
    let answer = env.post("/limits", &limit).await;
    assert_eq!(answer.status, 202, "{}", answer.text);
    answer.json()
}

#[tokio::test]
async fn a_job_that_is_held_back_says_by_which_limit_and_until_when() {
    with_env(async |env| {
        assert_eq!(env.get("/limits").await.json(), json!({"limits": []}));
        let limit = set(env, "mail", 1, "1h", 2).await;
        assert_eq!(
            (&limit["rate"], &limit["per"], &limit["burst"], &limit["level"], &limit["waiting"]),
            (&json!(1), &json!("1h"), &json!(2), &json!(0), &json!(0))
        );
        let worker = env.worker("default=16", &["noop"]).await;
        let submission = json!({"action": "noop", "parameters": {"to": "mail"},
            "rates": {"{{to}}": 1}, "locks": ["a"]});
        let first = env.submit(&submission).await;
        let job = env.show(first).await;
        assert_eq!((&job["rates"], &job["locks"]), (&json!({"mail": 1}), &json!({"a": 1})));
        let token = env.claim(&worker, first).await;
        assert_eq!(env.show(first).await["holds"], json!({"a": 1}), "a start is not held");
        env.finish(first, token, None).await;
        let two = env.submit(&json!({"action": "noop", "rates": {"mail": 2}})).await;
        env.park(&worker, two).await;
        let last = env.submit(&json!({"action": "noop", "rates": ["mail"]})).await;
        env.park(&worker, last).await;
        let limit = env.get("/limits/mail").await.json();
        assert_eq!((&limit["level"], &limit["waiting"]), (&json!(1), &json!(2)));
        for (id, ahead) in [(two, ""), (last, "; 1 ahead of it in the wait queue")] {
            let reason = &env.show(id).await["waitingFor"];
            assert_eq!(reason["code"], "rate", "{reason}");
            let message = reason["message"].as_str().unwrap();
            assert!(message.starts_with("mail allows 1 start per 1h; it may start at "));
            assert!(message.ends_with(&format!("Z{ahead}")), "{message}");
        }
        let waiting = env.get("/waiting").await.json();
        let group = &waiting["groups"][0];
        assert_eq!((&group["code"], &group["subject"]), (&json!("rate"), &json!("mail")));
        assert_eq!(env.get("/locks").await.json()["locks"], json!([]), "it is no lock");
        assert_eq!(env.delete("/limits/mail").await.status, 204);
        assert_eq!(env.delete("/limits/mail").await.code(), "404 NO_SUCH_LIMIT");
        env.claim(&worker, two).await;
        env.claim(&worker, last).await;
    })
    .await;
}

#[tokio::test]
async fn a_job_beyond_the_quota_of_a_window_says_when_the_next_one_begins() {
    with_env(async |env| {
        let stockholm = json!({"name": "geo-*", "quota": 1, "window": "month",
            "timeZone": "Europe/Stockholm"});
        let limit = env.post("/limits", &stockholm).await.json();
        assert_eq!(limit["timeZone"], "Europe/Stockholm");
        let utc = json!({"name": "geo-1", "quota": 1, "window": "month"});
        let limit = env.post("/limits", &utc).await.json();
        let shown = (&limit["quota"], &limit["window"], &limit["timeZone"], &limit["rate"]);
        assert_eq!(shown, (&json!(1), &json!("month"), &json!("UTC"), &Value::Null));
        let worker = env.worker("default=16", &["noop"]).await;
        let submission = json!({"action": "noop", "rates": ["geo-1"]});
        let first = env.submit(&submission).await;
        env.claim(&worker, first).await;
        let second = env.submit(&submission).await;
        env.park(&worker, second).await;
        let limit = env.get("/limits/geo-1").await.json();
        let next = limit["nextAt"].as_str().unwrap();
        assert!(next.ends_with("-01T00:00:00Z"), "{next}");
        assert_eq!((&limit["level"], &limit["waiting"]), (&json!(1), &json!(1)));
        let reason = &env.show(second).await["waitingFor"];
        let message = format!("geo-1 allows 1 start per month (UTC); it may start at {next}");
        assert_eq!((&reason["code"], &reason["message"]), (&json!("rate"), &json!(message)));
    })
    .await;
}

#[tokio::test]
async fn limits_are_listed_by_name_and_one_with_a_star_has_no_state() {
    with_env(async |env| {
        set(env, "b/1", 10, "1s", 1).await;
        set(env, "a-*", 100, "1m", 5).await;
        let expected = json!({"name": "a-*", "rate": 100, "per": "1m", "burst": 5,
            "quota": null, "window": null, "timeZone": null, "level": null, "nextAt": null, "waiting": null});
        let limits = env.get("/limits").await.json();
        assert_eq!(limits["limits"][0], expected);
        assert_eq!(limits["limits"][1]["name"], "b/1");
        assert_eq!(env.get("/limits/a-*").await.json(), expected);
        assert_eq!(env.get("/limits/b%2F1").await.json()["burst"], 1);
        assert_eq!(env.get("/limits/a%20b").await.code(), "404 NO_SUCH_LIMIT");
        set(env, "b/1", 20, "1s", 3).await;
        assert_eq!(env.get("/limits/b%2F1").await.json()["rate"], 20);
    })
    .await;
}

#[tokio::test]
async fn jobs_crons_and_actions_name_rate_limits_and_the_job_itself_takes_precedence() {
    with_env(async |env| {
        let config = json!({"action": "noop", "rates": {"all": 1, "tenant-{{tenant}}": 2}});
        let answer = env.post("/action_configs", &config).await;
        assert_eq!(answer.json()["rates"], config["rates"], "{}", answer.text);
        let job = json!({"action": "noop", "parameters": {"tenant": "t7"}, "rates": {"all": 3}});
        let id = env.submit(&job).await;
        assert_eq!(env.show(id).await["rates"], json!({"all": 3, "tenant-t7": 2}));
        let refused = env.post("/jobs", &json!({"action": "noop"})).await;
        assert_eq!(refused.code(), "400 INVALID_PARAMETERS");
        assert!(refused.text.contains("tenant"), "{}", refused.text);
        let changed = env.patch("/action_configs/noop", &json!({"rates": {}})).await;
        assert_eq!(changed.json()["rates"], json!({}), "{}", changed.text);

        let cron = json!({"action": "noop", "schedule": "@daily", "locks": ["a"],
            "rates": {"night": 2}});
        let answer = env.post("/crons", &cron).await;
        assert_eq!(answer.json()["rates"], json!({"night": 2}), "{}", answer.text);
        assert_eq!(answer.json()["locks"], json!({"a": 1}));
        let changed = env.patch("/crons/noop", &json!({"locks": ["b"]})).await.json();
        assert_eq!(
            (&changed["locks"], &changed["rates"]),
            (&json!({"b": 1}), &json!({"night": 2}))
        );
    })
    .await;
}

#[tokio::test]
async fn bad_numbers_and_names_are_refused_with_their_field() {
    with_env(async |env| {
        let refused = [
            (json!({"rate": 1, "per": "1s"}), "name"),
            (json!({"name": "a b", "rate": 1, "per": "1s"}), "name"),
            (json!({"name": "a", "per": "1s"}), "rate"),
            (json!({"name": "a", "rate": 0, "per": "1s"}), "rate"),
            (json!({"name": "a", "rate": 1_000_001, "per": "1s"}), "rate"),
            (json!({"name": "a", "rate": 1}), "per"),
            (json!({"name": "a", "rate": 1, "per": "999ms"}), "per"),
            (json!({"name": "a", "rate": 1, "per": "9999999h"}), "per"),
            (json!({"name": "a", "rate": 1, "per": "1s", "burst": 0}), "burst"),
            (json!({"name": "a", "rate": 1, "per": "1s", "burst": 1_000_001}), "burst"),
            (json!({"name": "a"}), "rate"),
            (json!({"name": "a", "quota": 1}), "window"),
            (json!({"name": "a", "window": "day"}), "quota"),
            (json!({"name": "a", "timeZone": "UTC"}), "quota"),
            (json!({"name": "a", "quota": 0, "window": "day"}), "quota"),
            (json!({"name": "a", "quota": 1, "window": "year"}), "window"),
            (json!({"name": "a", "quota": 1, "window": "day", "timeZone": "Mars"}), "timeZone"),
            (json!({"name": "a", "quota": 1, "window": "day", "rate": 1, "per": "1s"}), "rate"),
            (json!({"name": "a", "quota": 1, "window": "day", "burst": 1}), "burst"),
        ];
        for (body, field) in refused {
            let answer = env.post("/limits", &body).await;
            assert_eq!(answer.code(), "400 INVALID_PARAMETERS", "{body}");
            assert_eq!(answer.detail()["field"], field, "{}", answer.text);
        }
        set(env, "mail", 1, "1s", 2).await;
        for rates in [json!(["{{to}}"]), json!({"mail": 0}), json!(["a b"]), json!({"mail": 3})] {
            let answer = env.post("/jobs", &json!({"action": "noop", "rates": rates})).await;
            assert_eq!(answer.code(), "400 INVALID_PARAMETERS", "{rates}");
            assert_eq!(answer.detail()["field"], "rates", "{}", answer.text);
        }
        let lock = env.post("/jobs", &json!({"action": "noop", "locks": ["rate:mail"]})).await;
        assert_eq!(lock.code(), "400 INVALID_PARAMETERS");
        let permits = env.post("/locks", &json!({"name": "rate:mail", "permits": 2})).await;
        assert_eq!(permits.code(), "400 INVALID_PARAMETERS");
    })
    .await;
}
