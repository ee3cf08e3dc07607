//! Queues are listed, and classes and actions are paused.

use domain::job::JobId;
use serde_json::{Value, json};
use store::{ClaimAnswer, ClaimRequest};

use crate::env::{TestEnv, eventually, id_of, with_env};

async fn queue(env: &TestEnv, class: &str, priority: &str) -> Value {
    let answer = env.get("/queues").await;
    assert_eq!(answer.status, 200, "{}", answer.text);
    let queues = answer.json()["queues"].as_array().unwrap().clone();
    let of = |queue: &&Value| queue["class"] == class && queue["priority"] == priority;
    queues.iter().find(of).unwrap_or_else(|| panic!("no {class}.{priority}: {queues:?}")).clone()
}

#[tokio::test]
async fn a_queue_counts_its_jobs_by_state() {
    with_env(async |env| {
        assert_eq!(env.get("/queues").await.json(), json!({"queues": [], "pausedActions": []}));
        let worker = env.worker("default=16,scan=1", &["noop"]).await;
        env.worker("default=1", &["noop", "other"]).await;
        env.worker("scan=1,default=0", &["noop"]).await;
        let mut jobs = vec![json!({"action": "noop", "fairnessKey": "a: b"}); 70];
        jobs.extend(vec![json!({"action": "noop", "fairnessKey": "c"}); 66]);
        jobs.extend(vec![json!({"action": "noop", "locks": ["l"]}); 4]);
        jobs.push(json!({"action": "noop", "priority": "low", "capacityMap": {"scan": 1}}));
        let answer = env.post("/jobs/batch", &json!({"jobs": jobs})).await.json();
        let id = |at: usize| answer["jobs"][at]["id"].as_str().unwrap().parse().unwrap();
        for at in [136, 0] {
            env.claim(&worker, id(at)).await;
        }
        for at in [137, 138] {
            env.park(&worker, id(at)).await;
        }
        env.command(&format!("/jobs/{}/cancel", id(0))).await;

        let mut normal = queue(env, "default=1", "normal").await;
        let oldest = normal.as_object_mut().unwrap().remove("oldest").unwrap();
        assert!(oldest.is_string(), "{oldest}");
        let expected = json!({
            "class": "default=1", "action": null, "priority": "normal", "offered": 64 + 64 + 1,
            "backlog": 5 + 2, "parked": 2, "running": 2, "workers": 2, "paused": false,
            "groupCount": 3, "groups": [
                {"owner": null, "fairnessKey": "a: b", "offered": 64, "backlog": 5, "share": 0.496},
                {"owner": null, "fairnessKey": "c", "offered": 64, "backlog": 2, "share": 0.496},
                {"owner": null, "fairnessKey": null, "offered": 1, "backlog": 0, "share": 0.007},
            ],
        });
        assert_eq!(normal, expected);
        let low = queue(env, "scan=1", "low").await;
        assert_eq!((&low["offered"], &low["workers"]), (&json!(1), &json!(2)));
        assert_eq!((&low["backlog"], &low["running"]), (&json!(0), &json!(0)));
    })
    .await;
}

#[tokio::test]
async fn many_fairness_groups_and_running_jobs_are_counted_completely() {
    with_env(async |env| {
        let worker = env.worker("default=16", &["noop"]).await;
        let of = |key: usize| json!({"action": "noop", "fairnessKey": key.to_string()});
        let jobs: Vec<Value> = (0..1_200).map(of).chain((0..70).map(|_| of(5))).collect();
        let jobs = env.post("/jobs/batch", &json!({"jobs": jobs})).await.json();
        let ids: Vec<JobId> = jobs["jobs"].as_array().unwrap().iter().map(id_of).collect();
        let request = ClaimRequest { max: 1_100, ids: ids[100..1_200].to_vec() };
        let claim = async || {
            env.store.claim(&worker, std::slice::from_ref(&request)).await.unwrap();
            queue(env, "default=1", "normal").await
        };
        // Each call claims what is offered, and the next jobs of their owner are offered.
        let queue = eventually(claim, |queue| queue["running"] == 1_100).await;
        assert_eq!(queue["backlog"], 7);
        assert_eq!(queue["groupCount"], 100);
        let groups = queue["groups"].as_array().unwrap();
        assert_eq!(groups.len(), 8, "only the largest are named");
        assert_eq!((&groups[0]["fairnessKey"], &groups[0]["offered"]), (&json!("5"), &json!(64)));
        assert_eq!(queue["offered"], 100 + 63);
    })
    .await;
}

#[tokio::test]
async fn no_job_of_a_paused_class_or_action_starts_until_it_is_resumed() {
    with_env(async |env| {
        let worker = env.worker("default=16,cpu=2,scan=1", &["noop", "scan"]).await;
        let capacity = json!({"cpu": 2, "scan": 1});
        let id = env.submit(&json!({"action": "noop", "capacityMap": capacity})).await;
        let other = env.submit(&json!({"action": "scan"})).await;
        let cases = [
            ("/queues/cpu=2+scan=1", id),
            ("/queues/cpu%3D2%2Bscan%3D1", id),
            ("/actions/scan", other),
        ];
        for (path, id) in cases {
            for _ in 0..2 {
                let answer = env.command(&format!("{path}/pause")).await;
                assert_eq!((answer.status, answer.text.as_str()), (202, ""));
            }
            env.park(&worker, id).await;
            assert_eq!(env.show(id).await["waitingFor"]["code"], "paused", "{path}");
            let paused = queue(env, "cpu=2+scan=1", "normal").await["paused"].clone();
            assert_eq!(paused, json!(path.contains("queues")));
            assert_eq!(env.command(&format!("{path}/resume")).await.status, 202);
        }
        for id in [id, other] {
            let answer = env.try_claim(&worker, id).await;
            assert!(matches!(answer, ClaimAnswer::Claimed(_)), "{answer:?}");
        }
    })
    .await;
}

#[tokio::test]
async fn the_unused_queues_of_a_class_are_deleted_and_those_with_jobs_stay() {
    with_env(async |env| {
        let submit = async |priority: &str, capacity| {
            let job = json!({"action": "a", "priority": priority, "capacityMap": capacity});
            env.submit(&job).await
        };
        let unused = submit("high", json!({"gpu": 4})).await;
        let other = submit("high", json!({"gpu": 1})).await;
        submit("low", json!({"gpu": 4})).await;
        for id in [unused, other] {
            assert_eq!(env.command(&format!("/jobs/{id}/cancel")).await.status, 204);
        }
        for _ in 0..2 {
            assert_eq!(env.delete("/queues/gpu=4").await.status, 204);
        }
        let names = env.store.queue_names().await.unwrap();
        let names: Vec<String> = names.iter().map(ToString::to_string).collect();
        assert_eq!(names, ["gpu=1.high", "gpu=4.low"]);
    })
    .await;
}

#[tokio::test]
async fn an_invalid_class_or_action_is_answered_404() {
    with_env(async |env| {
        for name in ["scan", "scan=1+cpu=2", "scan=01", "%ff", "a%20b=1", "*"] {
            let answer = env.delete(&format!("/queues/{name}")).await;
            assert_eq!(answer.code(), "404 NO_SUCH_CLASS", "{name}");
            for what in ["pause", "resume"] {
                let answer = env.command(&format!("/queues/{name}/{what}")).await;
                assert_eq!(answer.code(), "404 NO_SUCH_CLASS", "{name}");
            }
        }
        for name in ["a%20b", "%ff", "scan:*", "ä"] {
            let answer = env.command(&format!("/actions/{name}/pause")).await;
            assert_eq!(answer.code(), "404 NO_SUCH_ACTION", "{name}");
        }
        // Only the audit log records the refused requests.
        assert_eq!(env.keys_of_requests().await, Vec::<String>::new());
    })
    .await;
}

#[tokio::test]
async fn the_queue_of_an_action_is_listed_with_it_and_counts_the_workers_that_know_it() {
    with_env(async |env| {
        env.worker("default=16", &["noop"]).await;
        let worker = env.worker("default=16", &["noop", "push"]).await;
        env.worker("scan=1,default=0", &["push"]).await;
        let push = json!({"action": "push", "fairnessKey": "a"});
        let jobs = env.post("/jobs/batch", &json!({"jobs": vec![push; 67]})).await.json();
        env.submit(&json!({"action": "other"})).await;
        env.claim(&worker, id_of(&jobs["jobs"][0])).await;
        let queues = env.get("/queues").await.json()["queues"].clone();
        let fields = ["class", "action", "priority", "offered", "backlog", "running", "workers"];
        let row = |queue: &Value| json!(fields.map(|field| queue[field].clone()));
        let counts: Vec<Value> = queues.as_array().unwrap().iter().map(row).collect();
        let expected = json!([
            ["default=1", "other", "normal", 1, 0, 0, 0],
            ["default=1", "push", "normal", 64, 2, 1, 1],
        ]);
        assert_eq!(json!(counts), expected);
    })
    .await;
}

#[tokio::test]
async fn a_job_for_whose_queue_there_is_no_room_is_refused_with_the_limit() {
    with_env(async |env| {
        let needs = |action: &str, at: usize| {
            json!({"action": action, "capacityMap": {format!("t{at}"): 1}})
        };
        let submit = async |action: &str, numbers: std::ops::Range<usize>| {
            let jobs: Vec<Value> = numbers.map(|at| needs(action, at)).collect();
            env.post("/jobs/batch", &json!({"jobs": jobs})).await
        };
        // While no worker lives, all queues are shared.
        assert_eq!(submit("push", 0..256).await.status, 202);
        let refused = env.post("/jobs", &needs("noop", 256)).await;
        assert_eq!(refused.code(), "409 CONFLICT");
        assert_eq!(refused.detail(), json!({"queue": "t256=1.normal"}));
        assert!(refused.refusal().contains("256 shared queues"), "{refused:?}");

        env.worker("default=16", &["noop"]).await;
        assert_eq!(submit("push", 0..1_024).await.status, 202);
        let refused = env.post("/jobs", &needs("push", 1_024)).await;
        assert_eq!(refused.code(), "409 CONFLICT");
        assert_eq!(refused.detail(), json!({"queue": "t1024=1@push.normal"}));
        assert!(refused.refusal().contains("1024 queues of single actions"), "{refused:?}");
    })
    .await;
}
