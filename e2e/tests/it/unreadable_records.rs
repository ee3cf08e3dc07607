//! Records that cannot be read, because of a mistake or because a newer version has written them:
//! they harm nothing but what they are about.

use domain::job::{JobId, Status, Timestamp};
use e2e::StartServices;
use store::{SetCron, WorkerStatus};
use testkit::{ActionsFile, Gate, TestEnv, assert_consistent, job, shared_queue};

/// What a newer version may ask for.
const NEWER: &str = r#"{"action": "noop", "onWorkerLost": "ask_operator"}"#;

async fn set_spec(env: &TestEnv, id: JobId, spec: &str) {
    env.redis("hset", &format!("job:{id}"), &["spec", spec]).await;
}

/// Waits until a job that cannot be read has ended in `error`.
async fn until_error(env: &TestEnv, id: JobId) {
    let ended = async || env.store().status(id).await.unwrap() == Some(Status::Error);
    env.eventually(&format!("job {id} ends in error"), ended).await;
}

#[tokio::test(flavor = "multi_thread")]
async fn a_job_that_the_worker_cannot_read_ends_in_error_and_nothing_else_happens() {
    let env = TestEnv::new().await;
    let gate = Gate::new();
    let actions = ActionsFile::new(&gate.action("gated"));
    let running = job("gated", "scan=1");
    let mut batch = vec![running.clone()];
    batch.extend([(); 5].map(|()| job("noop", "scan=1")));
    env.store().submit(&batch).await.unwrap();
    for unreadable in &batch[2..4] {
        set_spec(&env, unreadable.id, NEWER).await;
    }
    let scheduler = env.scheduler();
    // Two jobs at once, so an unreadable job that kept its capacity would hold up the last ones.
    let worker = env.worker_with(&["--capacity=scan=2", &actions.flag()]);
    for unreadable in &batch[2..4] {
        until_error(&env, unreadable.id).await;
        let key = format!("job:{}", unreadable.id);
        let exception = env.redis("hget", &key, &["exception"]).await;
        assert!(exception.contains(r#""type":"UnreadableJob""#), "{exception}");
        assert!(exception.contains("onWorkerLost: unknown variant"), "{exception}");
    }
    for readable in [&batch[1], &batch[4], &batch[5]] {
        assert_eq!(env.finished(readable.id).await.status, Status::Done);
    }
    let queue = shared_queue(&batch[1]);
    let broker = env.broker().await;
    let acknowledged = async || broker.depth(&queue).await.unwrap() == Some(0);
    env.eventually("every offer is acknowledged", acknowledged).await;
    gate.open();
    let ended = env.finished(running.id).await;
    assert_eq!((ended.status, ended.attempt), (Status::Done, 1));
    let workers = env.store().workers().await.unwrap();
    let statuses: Vec<_> = workers.iter().map(|worker| worker.status).collect();
    assert_eq!(statuses, [WorkerStatus::Running], "the worker keeps its session");
    assert_consistent(env.store()).await;
    broker.close().await;
    worker.stop().await;
    scheduler.stop().await;
    env.close().await;
}

#[tokio::test(flavor = "multi_thread")]
async fn a_job_that_cannot_be_read_is_retried_as_often_as_it_allows() {
    let env = TestEnv::new().await;
    let mut retried = job("noop", "scan=1");
    retried.spec.retries = 1;
    retried.spec.backoff = Some(serde_json::from_str(r#"{"base": "1ms"}"#).unwrap());
    env.store().submit(std::slice::from_ref(&retried)).await.unwrap();
    let newer = r#"{"action": "noop", "retries": 1, "onWorkerLost": "ask_operator"}"#;
    set_spec(&env, retried.id, newer).await;
    let (scheduler, worker) = (env.scheduler(), env.worker("scan=1"));
    until_error(&env, retried.id).await;
    let follow_up = env.redis("hget", &format!("job:{}", retried.id), &["followUpID"]).await;
    let follow_up = follow_up.trim().parse().unwrap();
    until_error(&env, follow_up).await;
    let last = env.redis("hget", &format!("job:{follow_up}"), &["followUpID"]).await;
    assert_eq!(last.trim(), "", "the retries are used up");
    worker.stop().await;
    scheduler.stop().await;
    env.close().await;
}

#[tokio::test(flavor = "multi_thread")]
async fn a_log_that_cannot_be_written_is_dropped_and_its_job_is_done() {
    let env = TestEnv::new().await;
    let actions = ActionsFile::new("[actions.talk]\nargv = ['sh', '-c', 'echo a; echo b']\n");
    let (talk, other) = (job("talk", "scan=1"), job("talk", "scan=1"));
    env.store().submit(&[talk.clone(), other.clone()]).await.unwrap();
    env.redis("set", &format!("log:{}", talk.id), &["not a log"]).await;
    let scheduler = env.scheduler();
    let worker = env.worker_with(&["--capacity=scan=1", &actions.flag()]);
    for id in [talk.id, other.id] {
        let ended = env.finished(id).await;
        assert_eq!((ended.status, ended.attempt), (Status::Done, 1));
    }
    assert_eq!(env.store().log_lines(other.id, 0, 10).await.unwrap().len(), 2);
    assert_eq!(env.store().workers().await.unwrap().len(), 1, "the worker keeps its session");
    worker.stop().await;
    scheduler.stop().await;
    env.close().await;
}

#[tokio::test(flavor = "multi_thread")]
async fn due_and_expired_jobs_go_on_while_ends_cannot_be_propagated() {
    let env = TestEnv::new().await;
    env.redis("set", "propagations", &["not a list"]).await;
    let admin = "127.93.41.7:7493";
    let scheduler = env.scheduler_with(&[&format!("--admin-listen={admin}")]);
    let soon = Timestamp::from_ms(env.store().now().await.unwrap().ms() + 50);
    let (mut due, mut expiring) = (job("noop", "scan=1"), job("unknown", "other=1"));
    due.scheduled_at = Some(soon);
    expiring.spec.expires_at = Some(soon);
    env.store().submit(&[due.clone(), expiring.clone()]).await.unwrap();
    let worker = env.worker("scan=1");
    assert_eq!(env.finished(due.id).await.status, Status::Done);
    assert_eq!(env.finished(expiring.id).await.status, Status::Error);
    let checks = async || {
        let answer = reqwest::get(format!("http://{admin}/readyz")).await.ok()?;
        let text = answer.text().await.ok()?;
        let answer: serde_json::Value = serde_json::from_str(&text).ok()?;
        let failing = answer["checks"].as_object()?.iter().filter(|(_, check)| *check != "ok");
        Some(failing.map(|(name, _)| name.clone()).collect::<Vec<_>>())
    };
    let named = async || checks().await == Some(vec!["propagation".to_owned()]);
    env.eventually("health names only the propagation", named).await;
    worker.stop().await;
    scheduler.stop().await;
    env.redis("del", "propagations", &[]).await;
    env.close().await;
}

/// A cron that fires every second.
async fn set_cron(env: &TestEnv, name: &str, action: &str) {
    let spec = serde_json::json!({"action": action, "schedule": "* * * * * *"});
    let (name, spec) = (name.parse().unwrap(), serde_json::from_value(spec).unwrap());
    let cron = SetCron { name, spec, paused: None, declared: false };
    env.store().set_cron(&cron).await.unwrap();
}

#[tokio::test(flavor = "multi_thread")]
async fn a_scheduler_is_ready_and_goes_on_although_a_cron_a_config_and_a_batch_are_unreadable() {
    let env = TestEnv::new().await;
    for (cron, action) in [("good", "noop"), ("newer", "noop"), ("limited", "gc")] {
        set_cron(&env, cron, action).await;
    }
    env.redis("hset", "cron:newer", &["spec", r#"{"action": "noop", "schedule": "@dawn"}"#]).await;
    env.redis("hset", "action_configs", &["gc", "not a config"]).await;
    env.redis("zadd", "batches", &["1", "b7"]).await;
    env.redis("set", "batch:b7", &["not jobs"]).await;
    let admin = "127.93.41.8:7493";
    let scheduler = env.scheduler_with(&[&format!("--admin-listen={admin}")]);
    let get = async |path: &str| {
        let answer = reqwest::get(format!("http://{admin}{path}")).await.ok()?;
        Some((answer.status().as_u16(), answer.text().await.ok()?))
    };
    let fired = async || {
        let cron = env.store().cron(&"good".parse().unwrap()).await.unwrap();
        cron.is_some_and(|cron| cron.fired > 0)
    };
    env.eventually("the other cron fires", fired).await;
    let named = async || {
        let Some((200, text)) = get("/readyz").await else { return false };
        let parts = ["batch b7 cannot be read", "cron newer cannot be read", "config of gc cannot"];
        parts.iter().all(|part| text.contains(part))
    };
    env.eventually("the scheduler is ready and names the records", named).await;
    let (_, metrics) = get("/metrics").await.unwrap();
    let count = r#"capstan_scheduler_unreadable_records{task="batches"} 1"#;
    assert!(metrics.contains(count), "{metrics}");
    scheduler.stop().await;
    // The tick that its config held up is fired when that is gone.
    env.store().delete_action_config(&"gc".parse().unwrap()).await.unwrap();
    let scheduler = env.scheduler();
    let fired = async || {
        let cron = env.store().cron(&"limited".parse().unwrap()).await.unwrap();
        cron.is_some_and(|cron| cron.fired > 0)
    };
    env.eventually("the held up cron fires", fired).await;
    scheduler.stop().await;
    env.close().await;
}
