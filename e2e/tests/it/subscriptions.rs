//! Webhook subscriptions in a whole fleet: every event is delivered once although services die,
//! deliveries generate no events, and secrets stay where they are kept.

use std::collections::{BTreeMap, BTreeSet};
use std::sync::Arc;
use std::sync::atomic::{AtomicBool, Ordering};

use domain::job::{Job, Status};
use domain::subscription::{SigningSecret, SubscriptionName};
use e2e::{SHORT_LEASE, StartServices};
use scheduler::{Metrics, Notifier};
use serde_json::{Value, json};
use store::{Dumped, JobFilter, SetSubscription, Subscription, SubscriptionSet};
use testkit::{Receiver, Reply, TestEnv, assert_consistent, job, jobs};

/// Allows webhooks to this machine.
const ALLOW: &str = "--subscription-allow=127.0.0.1";

/// Creates a subscription and returns its generated secret.
async fn subscribe(env: &TestEnv, name: &str, url: &str, filter: Value) -> SigningSecret {
    let backoff = json!({"base": "10ms", "max": "100ms"});
    let spec = json!({"url": url, "filter": filter, "retries": 20, "backoff": backoff});
    let (name, spec) = (name.parse().unwrap(), serde_json::from_value(spec).unwrap());
    let change = SetSubscription { name, spec, secret: None, paused: None };
    let set = env.store().set_subscription(&change).await.unwrap();
    let secret = if let SubscriptionSet::Created(secret) = set { secret } else { None };
    secret.unwrap()
}

async fn subscription(env: &TestEnv, name: &str) -> Subscription {
    let name: SubscriptionName = name.parse().unwrap();
    env.store().subscription(&name).await.unwrap().unwrap()
}

async fn jobs_of(env: &TestEnv, action: &str) -> Vec<Job> {
    let filter = JobFilter { action: Some(action.parse().unwrap()), ..JobFilter::default() };
    env.store().jobs(&filter, 0, 1000).await.unwrap().jobs
}

/// The job and the type of each message that was received.
fn received(receiver: &Receiver, path: &str) -> Vec<(String, String)> {
    let text = |value: &Value| value.as_str().unwrap_or_default().to_owned();
    let all = receiver.at(path).into_iter().map(|one| one.json());
    all.map(|body| (text(&body["data"]["jobID"]), text(&body["type"]))).collect()
}

#[tokio::test(flavor = "multi_thread")]
async fn every_event_is_delivered_once_while_schedulers_come_and_go() {
    const JOBS: usize = 150;
    let (env, receiver) = (TestEnv::new().await, Receiver::new().await);
    subscribe(&env, "all", &receiver.url("/all"), json!({"kinds": ["job"]})).await;
    let errors = json!({"statuses": ["error"]});
    subscribe(&env, "errors", &receiver.url("/errors"), errors).await;
    let worker = env.worker_with(&["--capacity=cpu=8", ALLOW]);
    let (first, second) = (env.scheduler(), env.scheduler());
    let mut all = jobs(JOBS, "noop", "cpu=1");
    all.extend(jobs(3, "false", "cpu=1"));
    env.store().submit(&all[..JOBS / 2]).await.unwrap();
    let some = async || !receiver.at("/all").is_empty();
    env.eventually("a message is received", some).await;
    first.kill().await;
    let third = env.scheduler();
    env.store().submit(&all[JOBS / 2..]).await.unwrap();

    let expected: BTreeSet<(String, String)> = all
        .iter()
        .flat_map(|job| {
            let end = if job.spec.action.as_str() == "noop" { "job.done" } else { "job.error" };
            let types = ["job.waiting", "job.running", end];
            types.map(|kind| (job.id.to_string(), kind.to_owned()))
        })
        .collect();
    let arrived =
        async || received(&receiver, "/all").into_iter().collect::<BTreeSet<_>>() == expected;
    env.eventually("all messages are received", arrived).await;
    let quiet = async || subscription(&env, "all").await.record.waiting == 0;
    env.eventually("no delivery is pending", quiet).await;

    // Each once, and none about the deliveries themselves.
    assert_eq!(received(&receiver, "/all").len(), expected.len());
    let ids: BTreeSet<String> = receiver.at("/all").iter().map(|one| one.id().to_owned()).collect();
    assert_eq!(ids.len(), expected.len());
    let quiet = async || subscription(&env, "errors").await.record.waiting == 0;
    env.eventually("no delivery of the other subscription is pending", quiet).await;
    assert_eq!(received(&receiver, "/errors").len(), 3);
    let delivers = jobs_of(&env, "deliver").await;
    assert_eq!(delivers.len(), expected.len() + 3);
    assert!(delivers.iter().all(|job| job.status == Status::Done));
    assert_consistent(env.store()).await;
    for service in [second, third, worker] {
        service.stop().await;
    }
    env.close().await;
}

#[tokio::test(flavor = "multi_thread")]
async fn a_delivery_whose_worker_is_killed_is_repeated_under_its_message_id() {
    let (env, answers) = (TestEnv::new().await, Arc::new(AtomicBool::new(false)));
    let asked = Arc::clone(&answers);
    let receiver = Receiver::replying(move |_| {
        if asked.load(Ordering::SeqCst) { Reply::Status(200) } else { Reply::Never }
    });
    let receiver = receiver.await;
    let wanted = json!({"action": "noop", "statuses": ["waiting"]});
    let secret = subscribe(&env, "ops", &receiver.url("/"), wanted).await;
    let scheduler = env.scheduler_with(&[SHORT_LEASE]);
    let killed = env.worker_with(&[ALLOW, SHORT_LEASE]);
    let noop = job("noop", "");
    env.store().submit(std::slice::from_ref(&noop)).await.unwrap();
    let is_received = async || receiver.at("/").len() == 1;
    env.eventually("the message is received", is_received).await;
    killed.kill().await;
    answers.store(true, Ordering::SeqCst);
    let other = env.worker_with(&[ALLOW]);
    let delivered = async || subscription(&env, "ops").await.record.delivered == 1;
    env.eventually("the message is delivered", delivered).await;

    let sent = receiver.at("/");
    assert_eq!(sent.len(), 2);
    assert_eq!((sent[0].id(), &sent[0].body), (sent[1].id(), &sent[1].body));
    assert!(sent.iter().all(|one| one.is_signed_with(&secret.reveal())));
    let finished = async || jobs_of(&env, "deliver").await.iter().all(|job| job.status.is_final());
    env.eventually("all deliveries have finished", finished).await;
    let mut statuses: Vec<Status> =
        jobs_of(&env, "deliver").await.iter().map(|job| job.status).collect();
    statuses.sort();
    assert_eq!(statuses, [Status::Done, Status::WorkerDead], "no retry is used up");
    for service in [other, scheduler] {
        service.stop().await;
    }
    env.close().await;
}

#[tokio::test(flavor = "multi_thread")]
async fn a_secret_and_a_key_in_a_url_are_stored_only_with_their_subscription() {
    let (env, receiver) = (TestEnv::new().await, Receiver::new().await);
    let url = receiver.url("/hook-hunter2");
    let secret = subscribe(&env, "ops", &url, json!({"action": "noop"})).await;
    let gone = "http://127.0.0.1:9/hook-hunter2";
    subscribe(&env, "broken", gone, json!({"action": "noop", "statuses": ["done"]})).await;
    let (scheduler, worker) = (env.scheduler(), env.worker_with(&[ALLOW]));
    let noop = job("noop", "");
    env.store().submit(std::slice::from_ref(&noop)).await.unwrap();
    let delivered = async || {
        let failed = subscription(&env, "broken").await.record.failed > 0;
        failed && subscription(&env, "ops").await.record.delivered == 3
    };
    env.eventually("all deliveries are tried", delivered).await;
    for service in [worker, scheduler] {
        service.stop().await;
    }

    let world: BTreeMap<String, Dumped> = env.store().dump().await.unwrap();
    let found = |hidden: &str| -> Vec<&String> {
        let holds = |value: &Dumped| format!("{value:?}").contains(hidden);
        world.iter().filter(|(_, value)| holds(value)).map(|(key, _)| key).collect()
    };
    assert_eq!(found(&secret.reveal()), ["subscription:ops"]);
    assert_eq!(found("hunter2"), ["subscription:broken", "subscription:ops"]);
    let shown = format!("{:?}", subscription(&env, "ops").await);
    assert!(!shown.contains("hunter2") && !shown.contains(&secret.reveal()), "{shown}");
    env.close().await;
}

#[tokio::test(flavor = "multi_thread")]
async fn a_notifier_that_falls_behind_records_the_gap_and_continues_with_the_kept_events() {
    let env = TestEnv::new().await;
    subscribe(&env, "ops", "http://127.0.0.1:9", json!({"action": "false"})).await;
    let notifier = Notifier::new(env.store().clone(), Metrics::default());
    for _ in 0..110 {
        env.store().submit(&jobs(100, "noop", "")).await.unwrap();
    }
    let last = job("false", "");
    env.store().submit(std::slice::from_ref(&last)).await.unwrap();
    env.redis("xtrim", "events", &["MAXLEN", "350"]).await;
    let (mut made, mut cuts, mut steps) = (0, 0, 0);
    loop {
        let step = notifier.once().await.unwrap();
        made += step.created;
        cuts += usize::from(step.cut);
        steps += 1;
        if !step.more {
            break;
        }
    }
    assert_eq!((made, cuts), (1, 1));
    assert!(steps > 10, "{steps} steps: each must be bounded");
    let record = subscription(&env, "ops").await.record;
    let (after, before) = record.last_cut.unwrap();
    assert!(record.cuts == 1 && after < before, "{after} {before}");
    env.close().await;
}

#[tokio::test(flavor = "multi_thread")]
async fn deliveries_beyond_the_limit_of_pending_ones_are_dropped_and_counted() {
    const LIMIT: u64 = store::MAX_DELIVERIES as u64;
    let env = TestEnv::new().await;
    subscribe(&env, "ops", "http://127.0.0.1:9", json!({"action": "noop"})).await;
    let notifier = Notifier::new(env.store().clone(), Metrics::default());
    let mut dropped = 0;
    for _ in 0..LIMIT / 100 + 1 {
        env.store().submit(&jobs(100, "noop", "")).await.unwrap();
        while let step = notifier.once().await.unwrap()
            && step.more
        {
            dropped += step.dropped;
            assert!(!step.cut);
        }
    }
    let record = subscription(&env, "ops").await.record;
    assert_eq!((record.waiting, record.dropped, dropped), (LIMIT, 100, 100));
    env.close().await;
}
