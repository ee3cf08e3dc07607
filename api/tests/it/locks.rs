//! Locks are listed, configured and cleared.

use serde_json::{Value, json};
use store::ClaimAnswer;

use crate::env::{TestEnv, send, with_env};

async fn lock(env: &TestEnv, name: &str) -> Value {
    let answer = env.get(&format!("/locks/{name}")).await;
    assert_eq!(answer.status, 200, "{}", answer.text);
    answer.json()
}

#[tokio::test]
async fn a_lock_shows_its_holders_and_its_wait_queue() {
    with_env(async |env| {
        let none = env.get("/locks").await;
        assert_eq!((none.header("x-total-count"), none.json()), (Some("0"), json!({"locks": []})));
        assert_eq!(env.get("/locks/device-sw1").await.code(), "404 NO_SUCH_LOCK");

        let worker = env.worker("default=16", &["noop"]).await;
        let submission = json!({"action": "noop", "parameters": {"hostname": "sw1"},
            "locks": ["device-{{hostname}}"]});
        let first = env.submit(&submission).await;
        let job = env.show(first).await;
        assert_eq!((&job["locks"], &job["holds"]), (&json!({"device-sw1": 1}), &json!({})));
        let token = env.claim(&worker, first).await;
        let job = env.show(first).await;
        assert_eq!(job["holds"], json!({"device-sw1": 1}));
        let second = env.submit(&submission).await;
        env.park(&worker, second).await;

        let shown = lock(env, "device-sw1").await;
        let holder = json!({"jobID": first, "number": 1, "action": "noop", "workerID": worker,
            "permits": 1, "since": job["startedAt"], "fencingToken": token, "aborting": false});
        let waiter = json!({"jobID": second, "number": 2, "action": "noop", "priority": "normal",
            "permits": 1});
        let expected = json!({"name": "device-sw1", "permits": 1, "paused": false, "held": 1,
            "holders": [holder], "waiting": 1, "waiters": [waiter]});
        assert_eq!(shown, expected);
        let list = env.get("/locks").await;
        assert_eq!(list.header("x-total-count"), Some("1"));
        assert_eq!(list.json(), json!({"locks": [expected]}));

        assert_eq!(env.command(&format!("/jobs/{first}/cancel")).await.status, 204);
        assert_eq!(lock(env, "device-sw1").await["holders"][0]["aborting"], true);
        env.finish(first, token, None).await;
        env.claim(&worker, second).await;
        assert_eq!(lock(env, "device-sw1").await["holders"][0]["jobID"], json!(second));
    })
    .await;
}

#[tokio::test]
async fn a_cleared_lock_is_granted_to_the_next_job_and_an_unknown_lock_is_answered_404() {
    with_env(async |env| {
        let worker = env.worker("default=16", &["noop"]).await;
        let name = "site/a:1@b";
        let path = "/locks/site%2Fa%3A1%40b";
        let submission = json!({"action": "noop", "locks": {(name): 1}});
        let (first, second) = (env.submit(&submission).await, env.submit(&submission).await);
        env.claim(&worker, first).await;
        env.park(&worker, second).await;
        assert_eq!(env.delete(path).await.status, 204);
        assert_eq!(lock(env, "site%2Fa:1@b").await["held"], 0);
        assert_eq!(env.delete(path).await.status, 204, "a job still waits for it");
        env.claim(&worker, second).await;
        assert_eq!(env.get(path).await.json()["holders"][0]["jobID"], json!(second));
        set(env, "spare", json!(3)).await;
        assert_eq!(env.delete("/locks/spare").await.status, 204, "a free lock can be cleared");
        assert_eq!(lock(env, "spare").await["permits"], 3, "the configuration stays");
        set(env, "spare", Value::Null).await;
        for name in ["spare", "unknown", "a%20b", "%ff", "class:what", &"x".repeat(129)] {
            for answer in [
                env.get(&format!("/locks/{name}")).await,
                env.delete(&format!("/locks/{name}")).await,
            ] {
                assert_eq!(answer.code(), "404 NO_SUCH_LOCK", "{name}");
            }
        }
    })
    .await;
}

async fn set(env: &TestEnv, name: &str, permits: Value) -> Value {
    let answer = env.post("/locks", &json!({"name": name, "permits": permits})).await;
    assert_eq!(answer.status, 202, "{}", answer.text);
    answer.json()
}

#[tokio::test]
async fn a_job_that_needs_more_permits_than_its_lock_has_is_refused() {
    with_env(async |env| {
        let worker = env.worker("default=16", &["noop"]).await;
        let needs = |need: u32| json!({"action": "noop", "locks": {"licences": need}});
        let refused = async |need: u32, message: &str| {
            let answer = env.post("/jobs", &needs(need)).await;
            let message = format!("400 INVALID_PARAMETERS locks: lock licences has {message}");
            assert_eq!((answer.refusal(), answer.detail()), (message, json!({"field": "locks"})));
        };
        refused(2, "1 permit, but the job needs 2").await;
        assert_eq!(set(env, "licences", json!(3)).await["permits"], 3);
        refused(4, "3 permits, but the job needs 4").await;
        let keyed = env.client.post(env.at("/jobs")).header("Idempotency-Key", "k");
        let keyed = keyed.json(&needs(2));
        let first = send(keyed.try_clone().unwrap()).await.json();
        let ids = [env.submit(&needs(1)).await, env.submit(&needs(1)).await];
        env.claim(&worker, first["id"].as_str().unwrap().parse().unwrap()).await;
        env.claim(&worker, ids[0]).await;
        env.park(&worker, ids[1]).await;
        let shown = lock(env, "licences").await;
        assert_eq!((&shown["held"], &shown["waiting"]), (&json!(3), &json!(1)));

        // The configuration is removed, and permits that are held stay held.
        let reset = set(env, "licences", Value::Null).await;
        assert_eq!((&reset["permits"], &reset["held"]), (&json!(1), &json!(3)));
        refused(2, "1 permit, but the job needs 2").await;
        let repeated = send(keyed).await;
        let found = (repeated.status, &repeated.json()["id"]);
        assert_eq!(found, (202, &first["id"]), "a repeated request is not refused");

        let batch = json!({"jobs": [{"action": "noop"}, needs(2)]});
        let answer = env.post("/jobs/batch", &batch).await;
        assert_eq!(answer.code(), "400 INVALID_PARAMETERS");
        assert_eq!(answer.detail(), json!({"field": "locks", "index": 1}));
    })
    .await;
}

#[tokio::test]
async fn the_limit_of_an_action_is_a_lock() {
    with_env(async |env| {
        let worker = env.worker("default=16", &["scan"]).await;
        let set_to = set(env, "action:scan", json!(1)).await;
        assert_eq!((&set_to["permits"], &set_to["held"]), (&json!(1), &json!(0)));
        let ids = [
            env.submit(&json!({"action": "scan"})).await,
            env.submit(&json!({"action": "scan"})).await,
        ];
        env.claim(&worker, ids[0]).await;
        env.park(&worker, ids[1]).await;
        assert_eq!(env.show(ids[0]).await["holds"], json!({"action:scan": 1}));
        assert_eq!(set(env, "action:scan", Value::Null).await["permits"], Value::Null);
        let answer = env.try_claim(&worker, ids[1]).await;
        assert!(matches!(answer, ClaimAnswer::Claimed(_)), "{answer:?}");
    })
    .await;
}

#[tokio::test]
async fn an_invalid_lock_is_refused_with_the_name_of_the_field() {
    with_env(async |env| {
        let cases = [
            (json!({}), "name"),
            (json!({"name": "a"}), "permits"),
            (json!({"name": "a b", "permits": 1}), "name"),
            (json!({"name": "class:what", "permits": 1}), "name"),
            (json!({"name": null, "permits": 1}), "name"),
            (json!({"name": "a", "permits": 0}), "permits"),
            (json!({"name": "a", "permits": -1}), "permits"),
            (json!({"name": "a", "permits": 1_000_001}), "permits"),
            (json!({"name": "a", "permits": "1"}), "permits"),
            (json!({"name": "a", "permits": 1, "held": 1}), "held"),
        ];
        for (body, field) in cases {
            let answer = env.post("/locks", &body).await;
            assert_eq!(answer.code(), "400 INVALID_PARAMETERS", "{body}: {}", answer.text);
            assert_eq!(answer.detail(), json!({"field": field}), "{body}");
        }
        for query in ["limit=1001", "start=-1", "name=a"] {
            assert_eq!(env.get(&format!("/locks?{query}")).await.code(), "400 INVALID_PARAMETERS");
        }
        // Only the audit log records the refused requests.
        assert_eq!(env.keys_of_requests().await, Vec::<String>::new());
    })
    .await;
}

#[tokio::test]
async fn locks_are_listed_in_pages_ordered_by_name() {
    with_env(async |env| {
        for name in ["c", "a", "b"] {
            set(env, name, json!(2)).await;
        }
        let page = env.get("/locks?start=1&limit=1").await;
        assert_eq!(page.header("x-total-count"), Some("3"));
        let locks = page.json()["locks"].as_array().unwrap().clone();
        assert_eq!((locks.len(), &locks[0]["name"]), (1, &json!("b")));
    })
    .await;
}
