//! Unique keys and idempotency keys.

use domain::access_tokens::Role;
use serde_json::{Value, json};
use store::{JobFilter, Sweep};
use tokio::task::JoinSet;

use crate::env::{Answer, TestEnv, id_of, send, with_env};
use crate::token_files::with_tokens;

async fn keyed(env: &TestEnv, path: &str, key: &str, body: &Value) -> Answer {
    let request = env.client.post(env.at(path)).json(body);
    send(request.header("Idempotency-Key", key)).await
}

async fn count(env: &TestEnv) -> u64 {
    env.store.jobs(&JobFilter::default(), 0, 0).await.unwrap().total
}

#[tokio::test]
async fn a_submission_with_a_taken_unique_key_returns_the_job_that_has_it() {
    with_env(async |env| {
        let worker = env.worker("default=16", &["noop"]).await;
        let first = json!({"action": "noop", "uniqueKey": "nightly {x} ü"});
        let id = env.submit(&first).await;
        let token = env.claim(&worker, id).await;

        let other = json!({"action": "gc", "uniqueKey": "nightly {x} ü", "comment": "other"});
        let answer = env.post("/jobs", &other).await;
        assert_eq!(answer.status, 200);
        let job = answer.json();
        assert_eq!((&job["id"], &job["status"]), (&json!(id), &json!("running")));
        assert_eq!((&job["action"], &job["workerID"]), (&json!("noop"), &json!(worker)));

        let jobs = json!({"jobs": [other, {"action": "noop"}, other]});
        let answered = env.post("/jobs/batch", &jobs).await.json();
        assert_eq!(
            (&answered["jobs"][0]["id"], &answered["jobs"][2]["id"]),
            (&json!(id), &json!(id))
        );
        assert_eq!(count(env).await, 2);

        env.finish(id, token, None).await;
        assert_ne!(env.submit(&other).await, id);
    })
    .await;
}

#[tokio::test]
async fn concurrent_submissions_with_one_unique_key_create_one_job() {
    with_env(async |env| {
        let mut requests = JoinSet::new();
        for _ in 0..50 {
            let body = json!({"action": "noop", "uniqueKey": "u"});
            requests.spawn(send(env.client.post(env.at("/jobs")).json(&body)));
        }
        let answers = requests.join_all().await;
        let created = answers.iter().filter(|answer| answer.status == 202).count();
        let taken = answers.iter().filter(|answer| answer.status == 200).count();
        assert_eq!((created, taken, count(env).await), (1, 49, 1));
    })
    .await;
}

#[tokio::test]
async fn a_repeated_idempotency_key_returns_the_same_job_in_its_current_state() {
    with_env(async |env| {
        let worker = env.worker("default=16", &["noop"]).await;
        let body = json!({"action": "noop"});
        let first = keyed(env, "/jobs", "order 17", &body).await;
        assert_eq!(first.status, 202);
        let id = id_of(&first.json());
        let token = env.claim(&worker, id).await;
        env.finish(id, token, Some(json!(42))).await;

        let repeat = keyed(env, "/jobs", "order 17", &body).await;
        assert_eq!(repeat.status, 202);
        let job = repeat.json();
        assert_eq!((&job["id"], &job["status"]), (&json!(id), &json!("done")));
        assert_eq!((&job["action"], &job["result"]), (&json!("noop"), &json!(42)));
        assert_ne!(id_of(&keyed(env, "/jobs", "order 18", &body).await.json()), id);
        assert_eq!(count(env).await, 2);

        assert_eq!(env.delete(&format!("/jobs/{id}")).await.status, 204);
        let deleted = keyed(env, "/jobs", "order 17", &body).await;
        assert_eq!((deleted.status, &deleted.json()["status"]), (202, &json!("deleted")));
    })
    .await;
}

#[tokio::test]
async fn an_idempotency_key_whose_job_has_been_removed_creates_no_other() {
    with_env(async |env| {
        let body = json!({"action": "noop"});
        let id = id_of(&keyed(env, "/jobs", "k", &body).await.json());
        let batch = json!({"jobs": [body, body]});
        let batch_of = async || keyed(env, "/jobs/batch", "k", &batch).await;
        let second = id_of(&batch_of().await.json()["jobs"][1]);
        for id in [id, second] {
            assert_eq!(env.command(&format!("/jobs/{id}/cancel")).await.status, 204);
        }
        let none = json!({"jobHistoryMaxAge": "1ns"});
        assert_eq!(env.post("/meta/settings", &none).await.status, 202);
        env.store.trim(&env.store.settings().await.unwrap(), &mut Sweep::default()).await.unwrap();

        let repeat = keyed(env, "/jobs", "k", &body).await;
        let message = "Idempotency-Key: the job that was created with this key has been removed";
        assert_eq!(repeat.refusal(), format!("409 CONFLICT {message}"));
        let detail = json!({"id": id, "field": "Idempotency-Key"});
        assert_eq!(repeat.json()["errors"][0]["detail"], detail);
        let repeat = batch_of().await;
        let detail = json!({"id": second, "field": "Idempotency-Key", "index": 1});
        assert_eq!(repeat.json()["errors"][0]["detail"], detail);
        assert_eq!(count(env).await, 1);
    })
    .await;
}

#[tokio::test]
async fn a_repeated_batch_returns_the_same_jobs() {
    with_env(async |env| {
        for jobs in [3, 250] {
            let of = |action: &str| json!({"jobs": vec![json!({"action": action}); jobs]});
            let key = format!("batch of {jobs}");
            let first = keyed(env, "/jobs/batch", &key, &of("noop")).await;
            assert_eq!(first.status, 202, "{}", first.text);
            let repeat = keyed(env, "/jobs/batch", &key, &of("noop")).await;
            assert_eq!((repeat.status, repeat.json()), (202, first.json()));
            let other = keyed(env, "/jobs/batch", &key, &of("other")).await;
            assert_eq!(other.code(), "422 IDEMPOTENCY_MISMATCH");
            assert_eq!(other.detail()["id"], first.json()["jobs"][0]["id"]);
            let longer = json!({"jobs": vec![json!({"action": "noop"}); jobs + 1]});
            let longer = keyed(env, "/jobs/batch", &key, &longer).await;
            assert_eq!(longer.code(), "422 IDEMPOTENCY_MISMATCH");
        }
        assert_eq!(count(env).await, 253);
    })
    .await;
}

#[tokio::test]
async fn an_idempotency_key_keeps_returning_the_job_of_a_taken_unique_key() {
    with_env(async |env| {
        let unique = json!({"action": "noop", "uniqueKey": "u"});
        let holder = env.submit(&unique).await;
        for _ in 0..2 {
            let taken = keyed(env, "/jobs", "k", &unique).await;
            assert_eq!((taken.status, id_of(&taken.json())), (200, holder));
        }
        assert_eq!(env.command(&format!("/jobs/{holder}/cancel")).await.status, 204);
        let again = keyed(env, "/jobs", "k", &unique).await;
        assert_eq!((again.status, id_of(&again.json())), (200, holder), "no job is created");
        let created = keyed(env, "/jobs", "another", &unique).await;
        assert_eq!(created.status, 202, "{}", created.text);
        assert_ne!(id_of(&created.json()), holder);
    })
    .await;
}

#[tokio::test]
async fn an_idempotency_key_with_another_body_is_refused() {
    with_env(async |env| {
        let body = json!({"action": "noop", "parameters": {"a": 1, "b": {"x": 1, "y": 2}}});
        let id = id_of(&keyed(env, "/jobs", "k", &body).await.json());
        let text = r#"{ "parameters":{"b":{"y":2,"x":1},"a":1},
            "action":"noop" }"#;
        let request = env.client.post(env.at("/jobs")).header("Idempotency-Key", "k").body(text);
        let repeat = send(request).await;
        assert_eq!((repeat.status, id_of(&repeat.json())), (202, id), "the order does not matter");
        let other = json!({"action": "noop", "parameters": {"a": 1, "b": {"x": 1, "y": 3}}});
        let refused = keyed(env, "/jobs", "k", &other).await;
        let message = format!(
            "422 IDEMPOTENCY_MISMATCH Idempotency-Key: it was used with another body, which job \
             {id} answers; send another key with this body"
        );
        assert_eq!(refused.refusal(), message);
        assert_eq!(refused.detail(), json!({"id": id, "field": "Idempotency-Key"}));
        // The key of a batch is another one.
        let batch = json!({"jobs": [other]});
        assert_eq!(keyed(env, "/jobs/batch", "k", &batch).await.status, 202);
        assert_eq!(count(env).await, 2);
        assert_eq!(env.delete(&format!("/jobs/{id}")).await.status, 204);
        assert_eq!(keyed(env, "/jobs", "k", &other).await.status, 422, "also when it is deleted");
    })
    .await;
}

#[tokio::test]
async fn concurrent_requests_with_one_idempotency_key_create_one_job() {
    with_env(async |env| {
        let mut requests = JoinSet::new();
        for at in 0..60 {
            let body = json!({"action": "noop", "parameters": {"at": at % 3}});
            let request = env.client.post(env.at("/jobs")).json(&body);
            let request = request.header("Idempotency-Key", "k");
            requests.spawn(async move { (at % 3, send(request).await) });
        }
        let answers = requests.join_all().await;
        let accepted = answers.iter().filter(|(_, answer)| answer.status == 202);
        let (bodies, ids): (Vec<_>, Vec<_>) =
            accepted.map(|(body, answer)| (*body, id_of(&answer.json()))).unzip();
        assert_eq!(bodies.len(), 20);
        assert!(bodies.iter().all(|one| *one == bodies[0]), "{bodies:?}");
        assert!(ids.iter().all(|one| *one == ids[0]), "{ids:?}");
        let refused = answers.iter().filter(|(_, answer)| answer.status == 422).count();
        assert_eq!((refused, count(env).await), (40, 1));
    })
    .await;
}

#[tokio::test]
async fn an_idempotency_key_belongs_to_its_caller() {
    with_tokens(async |env, tokens| {
        let body = json!({"action": "noop"});
        let submit = async |role, path: &str, body: &Value| {
            let request = env.request_as("POST", path, tokens.of(role)).json(body);
            send(request.header("Idempotency-Key", "nightly")).await
        };
        let otto = submit(Role::Operator, "/jobs", &body).await.json();
        let anna = submit(Role::Admin, "/jobs", &body).await.json();
        assert_ne!(otto["id"], anna["id"]);
        let other = submit(Role::Admin, "/jobs", &json!({"action": "gc"})).await;
        assert_eq!(other.detail()["id"], anna["id"]);
        assert_eq!(submit(Role::Operator, "/jobs", &body).await.json()["id"], otto["id"]);
        let batch = json!({"jobs": [body, body]});
        let otto = submit(Role::Operator, "/jobs/batch", &batch).await.json();
        assert_ne!(submit(Role::Admin, "/jobs/batch", &batch).await.json(), otto);
        assert_eq!(submit(Role::Operator, "/jobs/batch", &batch).await.json(), otto);
        assert_eq!(count(env).await, 6);
    })
    .await;
}
