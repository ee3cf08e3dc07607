//! Subscriptions are set, listed, paused and tested. A secret is shown only once.

use domain::access_tokens::Role;
use domain::job::Status;
use serde_json::{Value, json};
use store::{MAX_SUBSCRIPTIONS, SetSubscription};

use crate::env::{TestEnv, eventually, id_of, send, with_env};
use crate::token_files::with_tokens;

const SECRET: &str = "whsec_MfKQ9r8GKYqrTwjUPD8ILPZIo2LaLaSw";

async fn set(env: &TestEnv, body: &Value) -> Value {
    let answer = env.post("/subscriptions", body).await;
    assert_eq!(answer.status, 202, "{}", answer.text);
    answer.json()
}

#[tokio::test]
async fn a_subscription_is_set_shown_listed_changed_and_deleted() {
    with_env(async |env| {
        assert_eq!(env.get("/subscriptions").await.json(), json!({"subscriptions": []}));
        let created = set(env, &json!({"name": "ops", "url": "https://example.org/x"})).await;
        let secret = created["secret"].as_str().unwrap().to_owned();
        assert!(secret.starts_with("whsec_"), "{secret}");
        let mut shown = json!({
            "id": created["id"], "name": "ops", "url": "https://example.org/x", "events": [],
            "filter": {"action": null, "job": null, "status": []}, "retries": 10,
            "backoff": {"base": "10s", "max": "1h"}, "paused": false, "waiting": 0,
            "delivered": 0, "failed": 0, "dropped": 0, "gaps": 0, "lastDelivered": null,
            "lastFailure": null, "lastGap": null, "createdAt": created["createdAt"],
            "lastUpdated": created["lastUpdated"],
        });
        assert_eq!(env.get("/subscriptions/ops").await.json(), shown);
        shown["secret"] = json!(secret);
        assert_eq!(created, shown);

        let all_fields = json!({
            "name": "ops", "url": "https://example.org/y", "events": ["worker", "job"],
            "filter": {"action": "scan", "status": ["error", "done"], "job": null},
            "retries": 0, "backoff": {"base": "2s", "max": "1m"}, "paused": true,
        });
        let changed = set(env, &all_fields).await;
        assert_eq!((&changed["id"], changed.get("secret")), (&created["id"], None));
        for field in ["url", "retries", "backoff", "paused"] {
            assert_eq!(changed[field], all_fields[field], "{field}");
        }
        assert_eq!(changed["events"], json!(["job", "worker"]));
        assert_eq!(changed["filter"]["status"], json!(["done", "error"]));
        let resumed = env.command("/subscriptions/ops/resume").await;
        assert_eq!((resumed.status, &resumed.json()["paused"]), (202, &json!(false)));
        assert_eq!(env.command("/subscriptions/ops/pause").await.json()["paused"], true);
        let again = set(env, &json!({"name": "ops", "url": "https://example.org/y"})).await;
        assert_eq!(again["paused"], true, "it stays paused");

        let short =
            json!({"name": "a", "url": "http://a", "secret": SECRET, "backoff": {"max": "5s"}});
        let short = set(env, &short).await;
        assert_eq!(short["backoff"], json!({"base": "5s", "max": "5s"}));
        assert_eq!(short.get("secret"), None, "a secret that the client sent is not returned");
        let list = env.get("/subscriptions/").await.json();
        let names: Vec<&Value> =
            list["subscriptions"].as_array().unwrap().iter().map(|one| &one["name"]).collect();
        assert_eq!(names, ["a", "ops"]);
        assert_eq!(env.delete("/subscriptions/ops").await.status, 204);
        for path in ["ops", "a%20b", "%ff"] {
            let path = format!("/subscriptions/{path}");
            assert_eq!(env.delete(&path).await.code(), "404 NO_SUCH_SUBSCRIPTION");
            assert_eq!(env.get(&path).await.code(), "404 NO_SUCH_SUBSCRIPTION");
            for what in ["pause", "resume", "test"] {
                let answer = env.command(&format!("{path}/{what}")).await;
                assert_eq!(answer.code(), "404 NO_SUCH_SUBSCRIPTION", "{what}");
            }
        }
        let recreated = set(env, &json!({"name": "ops", "url": "http://b"})).await;
        assert_ne!((&recreated["id"], &recreated["secret"]), (&created["id"], &created["secret"]));
    })
    .await;
}

#[tokio::test]
async fn an_invalid_subscription_is_refused_without_repeating_its_secrets() {
    with_env(async |env| {
        let long = format!("http://a/{}", "x".repeat(2048));
        let cases = [
            (json!({}), "name", "it is required"),
            (json!({"name": "a"}), "url", "it is required"),
            (json!({"name": "a b", "url": "http://a"}), "name", "not a valid subscription name"),
            (json!({"name": "a", "url": "hunter2"}), "url", "not a valid URL"),
            (json!({"name": "a", "url": "ftp://hunter2"}), "url", "http://"),
            (
                json!({"name": "a", "url": "http://me:hunter2@a"}),
                "url",
                "must not contain a user name or password",
            ),
            (json!({"name": "a", "url": long}), "url", "longer than 2048"),
            (json!({"name": "a", "url": "http://a", "secret": "hunter2"}), "secret", "whsec_"),
            (
                json!({"name": "a", "url": "http://a", "secret": "whsec_aHVudGVyMg=="}),
                "secret",
                "24 to 64",
            ),
            (
                json!({"name": "a", "url": "http://a", "events": ["jobs"]}),
                "events[0]",
                "unknown variant",
            ),
            (
                json!({"name": "a", "url": "http://a", "events": ["other"]}),
                "events[0]",
                "unknown variant",
            ),
            (
                json!({"name": "a", "url": "http://a", "filter": {"status": ["fine"]}}),
                "filter.status[0]",
                "",
            ),
            (
                json!({"name": "a", "url": "http://a", "filter": {"worker": "w"}}),
                "filter.worker",
                "unknown field",
            ),
            (json!({"name": "a", "url": "http://a", "filter": {"job": "x"}}), "filter.job", ""),
            (json!({"name": "a", "url": "http://a", "retries": 101}), "retries", "from 0 to 100"),
            (
                json!({"name": "a", "url": "http://a", "backoff": {"base": "2h"}}),
                "backoff.base",
                "1h by default",
            ),
            (json!({"name": "a", "url": "http://a", "paused": 1}), "paused", ""),
        ];
        for (body, field, why) in cases {
            let answer = env.post("/subscriptions", &body).await;
            assert_eq!(answer.code(), "400 INVALID_PARAMETERS", "{body}");
            assert_eq!(answer.detail()["field"], field, "{body}: {}", answer.text);
            assert!(answer.text.contains(why), "{body}: {}", answer.text);
            assert!(!answer.text.contains("hunter2"), "{}", answer.text);
        }
        assert_eq!(env.get("/subscriptions").await.json(), json!({"subscriptions": []}));
    })
    .await;
}

#[tokio::test]
async fn the_number_of_subscriptions_is_limited() {
    with_env(async |env| {
        let spec = json!({"url": "http://a", "filter": {}, "retries": 0, "backoff": {}});
        for number in 0..MAX_SUBSCRIPTIONS {
            let (name, spec) = (format!("s{number}"), serde_json::from_value(spec.clone()));
            let (name, spec) = (name.parse().unwrap(), spec.unwrap());
            let subscription = SetSubscription { name, spec, secret: None, paused: None };
            env.store.set_subscription(&subscription).await.unwrap();
        }
        let more = json!({"name": "more", "url": "http://a"});
        assert_eq!(env.post("/subscriptions", &more).await.code(), "409 CONFLICT");
        set(env, &json!({"name": "s7", "url": "http://b"})).await;
    })
    .await;
}

#[tokio::test]
async fn an_operator_can_send_a_test_message_and_the_secret_is_not_shown_again() {
    with_tokens(async |env, tokens| {
        let [vera, otto, anna] = Role::ALL.map(|role| tokens.of(role));
        let body = json!({"name": "ops", "url": "http://a/hunter2", "secret": SECRET});
        let refused = send(env.request_as("POST", "/subscriptions", otto).json(&body)).await;
        assert_eq!(refused.code(), "403 NOT_AUTHORIZED");
        let created = send(env.request_as("POST", "/subscriptions", anna).json(&body)).await;
        assert_eq!(created.status, 202, "{}", created.text);
        for path in ["/subscriptions", "/subscriptions/ops"] {
            assert_eq!(env.send_as("GET", path, otto).await.code(), "403 NOT_AUTHORIZED", "{path}");
        }
        let refused = env.send_as("POST", "/subscriptions/ops/test", vera).await;
        assert_eq!(refused.code(), "403 NOT_AUTHORIZED");
        let tested = env.send_as("POST", "/subscriptions/ops/test", otto).await;
        assert_eq!(tested.status, 202, "{}", tested.text);
        let job = tested.json();
        assert_eq!(
            (&job["action"], &job["scheduledBy"]),
            (&json!("deliver"), &json!("subscription ops"))
        );
        assert_eq!(job["parameters"]["body"]["type"], "subscription.test");
        let kept = env.store.job(id_of(&job)).await.unwrap().unwrap();
        assert_eq!((kept.status, kept.retries_left), (Status::Waiting, 10));

        let audit = async || env.send_as("GET", "/audit", anna).await.text;
        let audit = eventually(audit, |text| text.contains("/subscriptions/ops/test")).await;
        let shown = [
            created.text,
            audit,
            env.send_as("GET", "/subscriptions", anna).await.text,
            env.send_as("GET", "/subscriptions/ops", anna).await.text,
            env.send_as("GET", "/jobs", vera).await.text,
        ];
        for text in &shown {
            assert!(!text.contains(SECRET), "{text}");
        }
        assert!(!shown[1].contains("hunter2") && !shown[4].contains("hunter2"));
    })
    .await;
}
