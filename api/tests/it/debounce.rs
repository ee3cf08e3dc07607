//! Debounced submissions.

use domain::job::Timestamp;
use serde_json::{Value, json};

use crate::env::with_env;

fn debounced(n: u32) -> Value {
    json!({
        "action": "noop", "parameters": {"n": n}, "uniqueKey": "k", "debounce": "1h",
        "debounceMax": "90m",
    })
}

/// How long after its first submission a job is due.
fn put_off_ms(job: &Value) -> i64 {
    let ms = |field: &str| job[field].as_str().unwrap().parse::<Timestamp>().unwrap().ms();
    ms("scheduledAt") - ms("createdAt")
}

#[tokio::test]
async fn a_repeat_within_the_time_is_answered_with_the_same_job_replaced_and_put_off() {
    with_env(async |env| {
        let answer = env.post("/jobs", &debounced(1)).await;
        let first = answer.json();
        assert_eq!((answer.status, &first["replaced"]), (202, &json!(0)));
        assert_eq!(put_off_ms(&first), 3_600_000);
        let answer = env.post("/jobs", &debounced(2)).await;
        let second = answer.json();
        assert_eq!((answer.status, &second["id"]), (200, &first["id"]));
        assert_eq!((&second["replaced"], &second["parameters"]), (&json!(1), &json!({"n": 2})));
        assert!(put_off_ms(&second) >= 3_600_000);

        let mut last = debounced(3);
        last["debounce"] = json!("90m");
        let batch = json!({"jobs": [{"action": "noop"}, last]});
        let answered = env.post("/jobs/batch", &batch).await.json();
        let third = &answered["jobs"][1];
        assert_eq!((&third["id"], &third["replaced"]), (&first["id"], &json!(2)));
        assert_eq!(put_off_ms(third), 5_400_000);
        assert_eq!((&third["debounce"], &third["debounceMax"]), (&json!("90m"), &json!("90m")));
    })
    .await;
}

#[tokio::test]
async fn a_debounced_submission_that_nothing_identifies_or_times_twice_is_refused() {
    with_env(async |env| {
        let cases = [
            (json!({"uniqueKey": null}), "debounce", "it requires uniqueKey"),
            (json!({"debounce": null}), "debounceMax", "it requires debounce"),
            (json!({"debounce": "0s"}), "debounceMax", "it requires debounce"),
            (json!({"debounce": "91m"}), "debounceMax", "it must not be less than debounce"),
            (json!({"debounce": "-1s"}), "debounce", "is not a valid duration"),
            (json!({"debounce": "9999999999h"}), "debounce", "is not a valid duration"),
            (json!({"debounceMax": "8761h"}), "debounceMax", "is not a valid duration"),
            (json!({"debounce": 5}), "debounce", "invalid type"),
            (
                json!({"scheduledAt": "2100-01-01T00:00:00Z"}),
                "debounce",
                "it cannot be combined with scheduledAt",
            ),
            (
                json!({"expiresAt": "2100-01-01T00:00:00Z"}),
                "debounce",
                "it cannot be combined with expiresAt",
            ),
            (
                json!({"parent": "193c061a-c52c-448a-884a-719adc253497"}),
                "debounce",
                "it cannot be combined with parent",
            ),
            (
                json!({"dependsOn": ["193c061a-c52c-448a-884a-719adc253497"]}),
                "debounce",
                "it cannot be combined with dependsOn",
            ),
        ];
        for (change, field, why) in cases {
            let mut body = debounced(1);
            for (name, value) in change.as_object().unwrap() {
                body[name] = value.clone();
            }
            let answer = env.post("/jobs", &body).await;
            let error = &answer.json()["errors"][0];
            assert_eq!((answer.status, &error["detail"]["field"]), (400, &json!(field)), "{body}");
            assert!(error["message"].as_str().unwrap().contains(why), "{error}");
        }
        assert_eq!(env.get("/jobs").await.json()["jobs"], json!([]));
    })
    .await;
}
