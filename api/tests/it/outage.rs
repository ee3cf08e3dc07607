//! Redis is unavailable, full or slow, becomes available, or drops a connection.

use domain::job::{JobId, WorkerId};
use reqwest::Method;
use serde_json::{Value, json};
use store::{JobFilter, Store, StoreConfig};
use tokio::task::JoinSet;

use crate::env::{TestEnv, eventually, free_address, send, with_env, with_env_on};
use crate::redis_proxy::Proxy;
use crate::redis_server::Redis;

/// The routes that answer without a store: they say what is wrong.
const STATUS: &str = "/status";
const VERDICT: &str = "/verdict";
const CRON: &str = "some-cron";
const CLASS: &str = "scan=1";
const ACTION: &str = "some-action";

/// Returns every route that uses the store, as method, path and body.
fn every_route(id: JobId) -> Vec<(Method, String, &'static str)> {
    let noop = r#"{"action": "noop"}"#;
    let routes = [
        ("GET", "/jobs", ""),
        ("GET", "/jobs?action=noop&status=done", ""),
        ("GET", "/quotas", ""),
        ("GET", "/metrics/series?metric=wait", ""),
        ("GET", "/failures", ""),
        ("GET", "/jobs?fingerprint=00ff00ff00ff00ab", ""),
        ("GET", STATUS, ""),
        ("GET", "/scaling?capacity=scan=1", ""),
        ("GET", VERDICT, ""),
        ("GET", "/waiting", ""),
        ("GET", "/jobs/{id}/timeline", ""),
        ("POST", "/jobs", noop),
        ("POST", "/jobs/batch", r#"{"jobs": [{"action": "noop"}]}"#),
        ("POST", "/jobs/cancel?all=true", ""),
        ("GET", "/bulk", ""),
        ("POST", "/bulk", r#"{"operation": "retry", "filter": {"all": true}}"#),
        ("GET", "/bulk/{id}", ""),
        ("POST", "/bulk/{id}/stop", ""),
        ("GET", "/jobs/{id}", ""),
        ("DELETE", "/jobs/{id}", ""),
        ("POST", "/jobs/{id}/cancel", ""),
        ("POST", "/jobs/{id}/retry", ""),
        ("POST", "/jobs/{id}/signals/{name}", "1"),
        ("POST", "/jobs/{id}/signals/{name}/link", ""),
        ("POST", "/signals/{link}", "1"),
        ("GET", "/jobs/{id}/logs", ""),
        ("GET", "/jobs/{id}/logs?stream=true", ""),
        ("GET", "/workers", ""),
        ("GET", "/workers/0123456789ab", ""),
        ("POST", "/workers/0123456789ab/capacity", r#"{"capacityMap": {"scan": 1}}"#),
        ("PATCH", "/workers/0123456789ab/capacity", r#"{"capacityMap": {"scan": 1}}"#),
        ("POST", "/workers/0123456789ab/drain", ""),
        ("POST", "/workers/0123456789ab/resume", ""),
        ("GET", "/crons", ""),
        ("POST", "/crons", r#"{"action": "noop", "schedule": "@hourly"}"#),
        ("GET", "/crons/{name}", ""),
        ("PATCH", "/crons/{name}", r#"{"overlap": "skip"}"#),
        ("DELETE", "/crons/{name}", ""),
        ("POST", "/crons/{name}/run", ""),
        ("POST", "/crons/{name}/pause", ""),
        ("POST", "/crons/{name}/resume", ""),
        ("GET", "/crons/{name}/next", ""),
        ("GET", "/subscriptions", ""),
        ("POST", "/subscriptions", r#"{"name": "ops", "url": "http://a"}"#),
        ("GET", "/subscriptions/{name}", ""),
        ("DELETE", "/subscriptions/{name}", ""),
        ("POST", "/subscriptions/{name}/pause", ""),
        ("POST", "/subscriptions/{name}/resume", ""),
        ("POST", "/subscriptions/{name}/test", ""),
        ("PATCH", "/jobs/{id}", r#"{"priority": "low"}"#),
        ("GET", "/limits", ""),
        ("POST", "/limits", r#"{"name": "a", "rate": 2, "per": "1s"}"#),
        ("GET", "/limits/{name}", ""),
        ("DELETE", "/limits/{name}", ""),
        ("GET", "/locks", ""),
        ("POST", "/locks", r#"{"name": "a", "permits": 2}"#),
        ("GET", "/locks/{name}", ""),
        ("DELETE", "/locks/{name}", ""),
        ("GET", "/queues", ""),
        ("DELETE", "/queues/{class}", ""),
        ("POST", "/queues/{class}/pause", ""),
        ("POST", "/queues/{class}/resume", ""),
        ("POST", "/actions/{action}/pause", ""),
        ("POST", "/actions/{action}/resume", ""),
        ("GET", "/events", ""),
        ("GET", "/action_configs", ""),
        ("POST", "/action_configs", noop),
        ("GET", "/action_configs/{action}", ""),
        ("PATCH", "/action_configs/{action}", r#"{"retries": 1}"#),
        ("DELETE", "/action_configs/{action}", ""),
        ("GET", "/meta/settings", ""),
        ("GET", "/audit", ""),
        ("POST", "/meta/settings", r#"{"jobHistoryToKeep": 1}"#),
    ];
    let filled = |(method, path, body): (&str, &str, _)| {
        (
            method.parse().unwrap(),
            path.replace("{id}", &id.to_string())
                .replace("{name}", CRON)
                .replace("{class}", CLASS)
                .replace("{action}", ACTION),
            body,
        )
    };
    routes.into_iter().map(filled).collect()
}

/// Requests every route at the same time; each must answer 503 before the client gives up, or 200
/// with the reason.
async fn every_route_is_unavailable(env: &TestEnv) {
    let mut requests = JoinSet::new();
    for (method, path, body) in every_route(JobId::random()) {
        let request = env.client.request(method.clone(), env.at(&path)).body(body);
        requests.spawn(async move { (format!("{method} {path}"), send(request).await) });
    }
    for (route, answer) in requests.join_all().await {
        if route.ends_with(STATUS) {
            assert_eq!(answer.status, 200, "{}", answer.text);
            assert_eq!(answer.json()["store"]["why"], "the store does not answer");
            continue;
        }
        if route.ends_with(VERDICT) {
            let text = "Nothing is known of the fleet: the store does not answer.";
            assert_eq!(answer.json()["verdict"], text);
            continue;
        }
        assert_eq!(answer.code(), "503 UNAVAILABLE", "{route}");
        assert_eq!(answer.header("retry-after"), Some("1"), "{route}");
    }
}

#[tokio::test]
async fn these_tests_cover_every_route() {
    with_env(async |env| {
        let document = env.get("/docs.json").await.json();
        let covered: Vec<String> = every_route(JobId::random())
            .into_iter()
            .map(|(method, path, _)| {
                let path = path.split('?').next().unwrap_or_default();
                let parts = path.split('/').map(|part| {
                    let id = part.parse::<JobId>().is_ok() || part.parse::<WorkerId>().is_ok();
                    match part {
                        CRON => "{name}",
                        CLASS => "{class}",
                        ACTION => "{action}",
                        _ if id => "{id}",
                        part => part,
                    }
                });
                format!("{method} /api/v0{}", parts.collect::<Vec<_>>().join("/"))
            })
            .collect();
        for (path, methods) in document["paths"].as_object().unwrap() {
            for method in methods.as_object().unwrap().keys() {
                let route = format!("{} {path}", method.to_uppercase());
                assert!(path.ends_with("docs.json") || covered.contains(&route), "{route}");
            }
        }
    })
    .await;
}

#[tokio::test]
async fn every_route_answers_503_while_redis_is_unreachable() {
    let redis = format!("redis://{}", free_address());
    with_env_on(&redis, async |env| {
        every_route_is_unavailable(env).await;
        assert_eq!(env.get("/docs.json").await.status, 200);
        assert_eq!(env.post("/jobs", &json!({})).await.code(), "400 INVALID_PARAMETERS");
        assert_eq!(env.command("/jobs/cancel").await.code(), "400 INVALID_PARAMETERS");
        let ready = send(env.client.get(format!("{}/readyz", env.admin))).await;
        assert_eq!(ready.status, 503, "{}", ready.text);
        assert_eq!(send(env.client.get(format!("{}/livez", env.admin))).await.status, 200);
    })
    .await;
}

#[tokio::test]
async fn every_route_answers_503_while_redis_accepts_connections_but_does_not_answer() {
    let redis = Redis::start().await;
    with_env_on(&redis.url(), async |env| {
        env.submit(&json!({"action": "noop"})).await;
        redis.freeze().await;
        every_route_is_unavailable(env).await;
        // The connections have been dropped by now, and new ones do not answer either.
        every_route_is_unavailable(env).await;
        redis.thaw().await;
        let submitting = async || env.post("/jobs", &json!({"action": "noop"})).await;
        eventually(submitting, |answer| answer.status == 202).await;
    })
    .await;
}

#[tokio::test]
async fn with_a_full_redis_jobs_are_refused_but_can_be_cancelled_and_deleted() {
    let redis = Redis::start().await;
    with_env_on(&redis.url(), async |env| {
        let finished = env.submit(&json!({"action": "noop"})).await;
        assert_eq!(env.command(&format!("/jobs/{finished}/cancel")).await.status, 204);
        let waiting = env.submit(&json!({"action": "noop"})).await;
        let other = env.submit(&json!({"action": "other"})).await;
        redis.fill().await;
        let writes = [
            ("/jobs".to_owned(), json!({"action": "noop"})),
            ("/jobs/batch".to_owned(), json!({"jobs": [{"action": "noop"}]})),
            ("/jobs/batch".to_owned(), json!({"jobs": vec![json!({"action": "noop"}); 200]})),
            (format!("/jobs/{finished}/retry"), json!({})),
            ("/meta/settings".to_owned(), json!({"jobHistoryToKeep": 1})),
        ];
        for (path, body) in writes {
            let answer = env.post(&path, &body).await;
            assert_eq!(answer.code(), "503 UNAVAILABLE", "{path}");
            assert_eq!(answer.header("retry-after"), Some("1"), "{path}");
        }
        assert_eq!(env.command(&format!("/jobs/{waiting}/cancel")).await.status, 204);
        let bulk = env.command("/jobs/cancel?action=other").await;
        assert_eq!((bulk.status, bulk.json()), (202, json!({"cancelled": 1, "more": false})));
        assert_eq!(env.show(other).await["status"], "cancel");
        assert_eq!(env.delete(&format!("/jobs/{finished}")).await.status, 204);
        assert_eq!(env.show(finished).await["status"], "deleted");
        for path in ["/jobs", "/workers", "/meta/settings"] {
            assert_eq!(env.get(path).await.status, 200, "{path}");
        }
        let answer = env.command("/workers/0123456789ab/drain").await;
        assert_eq!(answer.code(), "404 NO_SUCH_WORKER");
    })
    .await;
}

#[tokio::test]
async fn the_api_is_not_ready_while_redis_answers_reads_only() {
    let redis = Redis::start().await;
    with_env_on(&redis.url(), async |env| {
        let ready = async || send(env.client.get(format!("{}/readyz", env.admin))).await;
        let submitting = async || env.post("/jobs", &json!({"action": "noop"})).await;
        eventually(ready, |answer| answer.status == 200).await;
        redis.demote().await;
        assert_eq!(submitting().await.code(), "503 UNAVAILABLE");
        let unready = eventually(ready, |answer| answer.status == 503).await;
        assert!(unready.text.contains("read only replica"), "{}", unready.text);
        assert_eq!(env.get("/jobs").await.status, 200);
        redis.promote().await;
        eventually(submitting, |answer| answer.status == 202).await;
        eventually(ready, |answer| answer.status == 200).await;
    })
    .await;
}

#[tokio::test]
async fn with_a_nearly_full_redis_jobs_are_refused_and_everything_else_works() {
    let redis = Redis::start().await;
    with_env_on(&redis.url(), async |env| {
        let waiting = env.submit(&json!({"action": "noop"})).await;
        let change = async |priority: &str| {
            env.patch(&format!("/jobs/{waiting}"), &json!({"priority": priority})).await
        };
        // Redis keeps its scripts in the same memory. This one is loaded now.
        assert_eq!(change("low").await.status, 202);
        let store = StoreConfig::new(redis.url(), "any");
        let used = Store::new(&store).unwrap().memory_use().await.unwrap().used_bytes;
        redis.limit_memory(used + used / 12).await;
        let submit = async || env.post("/jobs", &json!({"action": "noop"})).await;
        let refused = eventually(submit, |answer| answer.status != 202).await;
        assert_eq!(refused.code(), "503 UNAVAILABLE");
        assert!(refused.text.contains("the store is full"), "{}", refused.text);
        let batch = env.post("/jobs/batch", &json!({"jobs": [{"action": "noop"}]})).await;
        assert_eq!((batch.code(), batch.header("retry-after")), (refused.code(), Some("1")));
        assert_eq!(change("high").await.status, 202);
        let settings = json!({"jobHistoryToKeep": 1});
        assert_eq!(env.post("/meta/settings", &settings).await.status, 202);
        redis.limit_memory(0).await;
        eventually(submit, |answer| answer.status == 202).await;
    })
    .await;
}

#[tokio::test]
async fn requests_succeed_as_soon_as_redis_is_available() {
    let address = free_address();
    with_env_on(&format!("redis://{address}"), async |env| {
        assert_eq!(env.get("/jobs").await.code(), "503 UNAVAILABLE");
        let _proxy = Proxy::open(address, u64::MAX).await;
        eventually(async || env.get("/jobs").await, |answer| answer.status == 200).await;
        env.submit(&json!({"action": "noop"})).await;
        let ready = async || send(env.client.get(format!("{}/readyz", env.admin))).await;
        eventually(ready, |answer| answer.status == 200).await;
    })
    .await;
}

#[tokio::test]
async fn a_batch_whose_connection_to_redis_breaks_is_stored_completely_and_once() {
    let address = free_address();
    let proxy = Proxy::open(address, 400_000).await;
    with_env_on(&format!("redis://{address}"), async |env| {
        let job = |at: u32| json!({"action": "noop", "parameters": {"at": at}});
        let jobs: Vec<Value> = (0..5_000).map(job).collect();
        let answer = env.post("/jobs/batch", &json!({"jobs": jobs})).await;
        assert_eq!(answer.status, 202, "{}", answer.text);
        assert!(proxy.has_cut());
        let answered = answer.json();
        assert_eq!(answered["jobs"].as_array().unwrap().len(), 5_000);
        let kept = env.store.jobs(&JobFilter::default(), 0, 0).await.unwrap().total;
        assert_eq!(kept, 5_000);
    })
    .await;
}
