//! Crons are set, listed, run, paused and deleted.

use reqwest::Method;
use serde_json::{Value, json};

use crate::env::{Answer, TestEnv, send, with_env};

async fn delete(env: &TestEnv, path: &str) -> Answer {
    send(env.client.request(Method::DELETE, env.at(path))).await
}

async fn command(env: &TestEnv, path: &str) -> Answer {
    send(env.client.post(env.at(path))).await
}

#[tokio::test]
async fn a_cron_has_the_fields_of_dtr_and_further_ones() {
    with_env(async |env| {
        assert_eq!(env.get("/crons").await.json(), json!({"crons": []}));
        let create = json!({
            "action": "gc", "schedule": "0 0 1 * * 6", "retries": 2, "capacityMap": {},
            "parameters": {}, "deadline": "15m", "stopTimeout": "30s",
        });
        let answer = env.post("/crons", &create).await;
        assert_eq!(answer.status, 202, "{}", answer.text);
        let cron = answer.json();
        for (field, value) in create.as_object().unwrap() {
            assert_eq!(cron[field], *value, "{field}");
        }
        let more = json!({
            "name": "gc", "timeZone": "UTC", "misfire": "once", "overlap": "allow", "jitter": "",
            "paused": false, "declared": false, "lastRun": null, "lastJobID": null, "fired": 0,
            "skipped": 0, "held": 0, "lastSkip": null, "priority": "normal", "locks": {},
        });
        for (field, value) in more.as_object().unwrap() {
            assert_eq!(cron[field], *value, "{field}");
        }
        assert!(cron["nextRun"].as_str().unwrap().ends_with("T01:00:00Z"));
        assert_eq!(env.get("/crons/gc").await.json(), cron);
        let list = env.get("/crons").await;
        assert_eq!(list.header("x-total-count"), Some("1"));
        assert_eq!(list.json(), json!({"crons": [cron]}));
        // Clients of DTR send only these fields.
        let answer = env.post("/crons", &json!({"action": "x", "schedule": "57 54 3 * * *"})).await;
        let cron = answer.json();
        assert_eq!((&cron["capacityMap"], &cron["parameters"]), (&Value::Null, &Value::Null));
        assert!(cron["nextRun"].as_str().unwrap().ends_with("T03:54:57Z"));
    })
    .await;
}

#[tokio::test]
async fn an_action_can_have_several_crons_and_setting_a_name_again_changes_its_cron() {
    with_env(async |env| {
        for name in ["b", "a"] {
            let create = json!({"action": "scan", "name": name, "schedule": "@daily"});
            assert_eq!(env.post("/crons", &create).await.status, 202);
        }
        let first = env.get("/crons/a").await.json();
        let create = json!({"action": "scan", "name": "a", "schedule": "@hourly", "paused": true});
        let changed = env.post("/crons", &create).await.json();
        assert_eq!((&changed["id"], &changed["nextRun"]), (&first["id"], &Value::Null));
        let names = |answer: Answer| -> Vec<Value> {
            answer.json()["crons"].as_array().unwrap().iter().map(|c| c["name"].clone()).collect()
        };
        assert_eq!(names(env.get("/crons").await), ["a", "b"]);
        assert_eq!(names(env.get("/crons?start=1&limit=5").await), ["b"]);
        assert_eq!(delete(env, "/crons/a").await.status, 204);
        assert_eq!(delete(env, "/crons/a").await.code(), "404 NO_SUCH_CRON");
        assert_eq!(names(env.get("/crons/").await), ["b"]);
    })
    .await;
}

#[tokio::test]
async fn a_cron_is_run_paused_and_resumed_and_its_job_names_it() {
    with_env(async |env| {
        let create = json!({"action": "noop", "name": "a", "schedule": "0 0 4 1 1 *"});
        env.post("/crons", &create).await;
        let answer = command(env, "/crons/a/pause").await;
        assert_eq!((answer.status, &answer.json()["paused"]), (202, &json!(true)));
        let run = command(env, "/crons/a/run").await;
        assert_eq!(run.status, 202);
        let job = run.json();
        assert_eq!((&job["cron"], &job["action"]), (&json!("a"), &json!("noop")));
        assert_eq!(
            (&job["firing"]["cause"], &job["scheduledBy"]),
            (&json!("run"), &json!("cron a"))
        );
        let shown = env.get(&format!("/jobs/{}", job["id"].as_str().unwrap())).await.json();
        assert_eq!(shown["firing"], job["firing"]);
        let cron = command(env, "/crons/a/resume").await.json();
        assert_eq!((&cron["paused"], &cron["lastJobID"]), (&json!(false), &job["id"]));
        for action in ["run", "pause", "resume"] {
            assert_eq!(
                command(env, &format!("/crons/b/{action}")).await.code(),
                "404 NO_SUCH_CRON"
            );
        }
        let job = env.submit(&json!({"action": "noop"})).await;
        let shown = env.get(&format!("/jobs/{job}")).await.json();
        assert_eq!((&shown["cron"], &shown["firing"]), (&Value::Null, &Value::Null));
    })
    .await;
}

#[tokio::test]
async fn the_locks_of_a_cron_can_use_its_parameters_and_apply_to_its_jobs() {
    with_env(async |env| {
        let create = json!({"action": "noop", "name": "a", "schedule": "@yearly",
            "parameters": {"host": "sw1"}, "locks": {"device-{{host}}": 1, "all": 1}});
        let cron = env.post("/crons", &create).await.json();
        let locks = json!({"all": 1, "device-sw1": 1});
        assert_eq!(cron["locks"], locks);
        assert_eq!(env.get("/crons/a").await.json()["locks"], locks);
        assert_eq!(command(env, "/crons/a/run").await.json()["locks"], locks);
    })
    .await;
}

#[tokio::test]
async fn the_next_ticks_follow_the_time_zone_of_the_cron() {
    with_env(async |env| {
        let zone = "Europe/Berlin";
        let create = json!({"action": "a", "schedule": "0 30 2 29 3 *", "timeZone": zone});
        env.post("/crons", &create).await;
        let next = env.get("/crons/a/next?count=3").await.json();
        let next: Vec<&str> =
            next["next"].as_array().unwrap().iter().flat_map(Value::as_str).collect();
        assert_eq!(next.len(), 3);
        // In some years summer time begins on 29 March: the tick is then right after the gap.
        let ends = ["03-29T00:30:00Z", "03-29T01:00:00Z", "03-29T01:30:00Z"];
        assert!(next.iter().all(|tick| ends.iter().any(|end| tick.ends_with(end))), "{next:?}");
        assert_eq!(env.get("/crons/a/next").await.json()["next"].as_array().unwrap().len(), 10);
        command(env, "/crons/a/pause").await;
        assert_eq!(env.get("/crons/a/next?count=1").await.json()["next"][0], next[0]);
        assert_eq!(env.get("/crons/a/next?count=1001").await.code(), "400 INVALID_PARAMETERS");
        assert_eq!(env.get("/crons/b/next").await.code(), "404 NO_SUCH_CRON");
    })
    .await;
}

#[tokio::test]
async fn an_invalid_cron_is_refused_with_the_name_of_the_field() {
    with_env(async |env| {
        let cases = [
            (json!({"schedule": "@daily"}), "action", "it is required"),
            (json!({"action": "a"}), "schedule", "it is required"),
            (json!({"action": "a", "schedule": "0 61 * * * *"}), "schedule", "minutes \"61\""),
            (json!({"action": "a", "schedule": "0 0 0 30 2 *"}), "schedule", "never fires"),
            (json!({"action": "a", "schedule": ""}), "schedule", "0 fields"),
            (json!({"action": "a", "schedule": 5}), "schedule", "expected a string"),
            (json!({"timeZone": "Mars/Olympus"}), "timeZone", "such as UTC or Europe/Berlin"),
            (json!({"misfire": "twice"}), "misfire", "unknown variant"),
            (json!({"overlap": "maybe"}), "overlap", "unknown variant"),
            (json!({"jitter": "5"}), "jitter", "is not a valid duration"),
            (json!({"name": "a b"}), "name", "is not a valid cron name"),
            (json!({"retries": 101}), "retries", "from 0 to 100"),
            (json!({"shedule": "@daily"}), "shedule", "did you mean schedule"),
            (json!({"paused": "yes"}), "paused", "expected a boolean"),
            (json!({"locks": "a"}), "locks", "it must be a list of names"),
            (json!({"locks": ["a-{{host}}"]}), "locks", "parameter \"host\""),
            (json!({"locks": ["action:a"]}), "locks", "must not begin with action:"),
        ];
        for (mut create, field, why) in cases {
            if field != "action" && field != "schedule" {
                create["action"] = json!("a");
                create["schedule"] = json!("@daily");
            }
            let answer = env.post("/crons", &create).await;
            assert_eq!(answer.code(), "400 INVALID_PARAMETERS", "{create}");
            assert_eq!(answer.json()["errors"][0]["detail"]["field"], field, "{create}");
            assert!(answer.text.contains(&why.replace('"', "\\\"")), "{create}: {}", answer.text);
        }
        let long = "x".repeat(2_000);
        for name in ["%ff", "%00", "a%20b", "ä", &long] {
            assert_eq!(env.get(&format!("/crons/{name}")).await.code(), "404 NO_SUCH_CRON");
        }
    })
    .await;
}

#[tokio::test]
async fn a_change_of_a_cron_leaves_what_it_does_not_name() {
    with_env(async |env| {
        let create = json!({
            "name": "a", "action": "gc", "schedule": "0 0 4 1 1 *", "timeZone": "Europe/Berlin",
            "overlap": "skip", "misfire": "all", "parameters": {"depth": 3}, "retries": 2,
            "deadline": "15m", "locks": ["devices"], "capacityMap": {"scan": 1}, "paused": false,
        });
        let before = env.post("/crons", &create).await.json();
        let patch = async |path: &str, change: Value| {
            send(env.client.patch(env.at(path)).json(&change)).await
        };
        let changed = patch("/crons/a", json!({"schedule": "0 30 5 * * *"})).await;
        assert_eq!(changed.status, 202, "{}", changed.text);
        let (mut expected, changed) = (before.clone(), changed.json());
        assert_ne!(changed["nextRun"], before["nextRun"]);
        for field in ["schedule", "nextRun", "lastUpdated"] {
            expected[field] = changed[field].clone();
        }
        assert_eq!(changed, expected);
        let change = json!({
            "deadline": "", "locks": ["{{site}}"], "parameters": {"site": "x"}, "paused": true,
        });
        let changed = patch("/crons/a", change).await.json();
        assert_eq!((&changed["deadline"], &changed["nextRun"]), (&json!(""), &Value::Null));
        assert_eq!((&changed["locks"], &changed["retries"]), (&json!({"x": 1}), &json!(2)));
        for (change, code) in [
            (json!({"name": "b"}), "400 INVALID_PARAMETERS"),
            (json!({"schedule": "often"}), "400 INVALID_PARAMETERS"),
            (json!({"locks": ["{{host}}"]}), "400 INVALID_PARAMETERS"),
            (json!({"retries": 101}), "400 INVALID_PARAMETERS"),
        ] {
            assert_eq!(patch("/crons/a", change).await.code(), code);
        }
        assert_eq!(env.get("/crons/a").await.json(), changed);
        assert_eq!(patch("/crons/b", json!({})).await.code(), "404 NO_SUCH_CRON");
    })
    .await;
}

#[tokio::test]
async fn concurrent_changes_of_a_cron_are_all_kept() {
    with_env(async |env| {
        env.post("/crons", &json!({"name": "a", "action": "gc", "schedule": "@yearly"})).await;
        let fields = [
            json!({"schedule": "0 30 5 * * *"}),
            json!({"overlap": "skip"}),
            json!({"retries": 3}),
            json!({"deadline": "15m"}),
        ];
        let send_one = |change: &Value| send(env.client.patch(env.at("/crons/a")).json(change));
        let answers = futures_util::future::join_all(fields.iter().map(send_one)).await;
        assert!(answers.iter().all(|answer| answer.status == 202));
        let cron = env.get("/crons/a").await.json();
        for field in fields {
            for (name, value) in field.as_object().unwrap() {
                assert_eq!(cron[name], *value, "{name}");
            }
        }
    })
    .await;
}
