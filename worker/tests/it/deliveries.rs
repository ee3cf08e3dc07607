//! Deliveries to subscriptions, with a receiver on this machine: what is sent, what is tried again,
//! and what is dropped.

use domain::job::{Job, Status};
use domain::subscription::{EventDelivery, SigningSecret, SubscriptionName};
use serde_json::{Value, json};
use store::{JobFilter, SetSubscription, Subscription, SubscriptionSet};
use testkit::{Receiver, Reply, Service, job, with_parameters};

use crate::env::WorkerEnv;

impl WorkerEnv {
    /// Starts a worker whose webhooks may reach this machine.
    fn delivering_worker(&self) -> Service {
        self.worker_with(&["--capacity=cpu=8", "--webhook-allow=127.0.0.1"])
    }

    /// Subscribes to jobs of `noop` that succeed. Returns the generated secret, if there is one.
    async fn subscribe(
        &self,
        name: &str,
        url: &str,
        secret: Option<&SigningSecret>,
    ) -> Option<SigningSecret> {
        let spec = json!({"url": url, "retries": 3, "backoff": {"base": "10ms", "max": "20ms"},
            "filter": {"kinds": ["job"], "action": "noop", "statuses": ["done"]}});
        let (name, spec) = (name.parse().unwrap(), serde_json::from_value(spec).unwrap());
        let wanted = SetSubscription { name, spec, secret: secret.cloned(), paused: None };
        match self.store().set_subscription(&wanted).await.unwrap() {
            SubscriptionSet::Created(made) => made,
            SubscriptionSet::Changed | SubscriptionSet::Unchanged | SubscriptionSet::TooMany => {
                None
            }
        }
    }

    async fn subscription(&self, name: &str) -> Subscription {
        let name: SubscriptionName = name.parse().unwrap();
        self.store().subscription(&name).await.unwrap().unwrap()
    }

    /// Waits until there are `count` delivery jobs and all are over. Returns them, the oldest
    /// first.
    async fn deliveries(&self, count: usize) -> Vec<Job> {
        let filter = JobFilter { action: Some("deliver".parse().unwrap()), ..JobFilter::default() };
        let ask = async || self.store().jobs(&filter, 0, 100).await.unwrap().jobs;
        let over = async || {
            let all = ask().await;
            all.len() >= count && all.iter().all(|job| job.status.is_final())
        };
        self.eventually("every delivery is over", over).await;
        let mut all = ask().await;
        all.sort_by_key(|job| job.number);
        assert_eq!(all.len(), count, "{all:#?}");
        all
    }

    /// Sends a test message. Returns the job of the last try.
    async fn send_test(&self, name: &str) -> Job {
        let one = self.subscription(name).await;
        let now = self.store().now().await.unwrap();
        let job = EventDelivery::test((&one.name, one.id), now).job(&one.spec);
        self.store().submit(std::slice::from_ref(&job)).await.unwrap();
        let mut last = self.finished(job.id).await;
        while let Some(next) = last.follow_up {
            last = self.finished(next).await;
        }
        last
    }
}

#[tokio::test(flavor = "multi_thread")]
async fn a_message_is_signed_and_tried_again_under_its_id_until_it_is_accepted() {
    let (env, mut failures) = (WorkerEnv::new().await, 2);
    let receiver = Receiver::replying(move |_| {
        failures -= 1;
        if failures >= 0 { Reply::Status(503) } else { Reply::Status(204) }
    });
    let (receiver, worker) = (receiver.await, env.delivering_worker());
    let secret = env.subscribe("ops", &receiver.url("/hook?key=hunter2"), None).await.unwrap();
    let noop = env.succeed("noop", &json!({})).await;
    let jobs = env.deliveries(3).await;
    let statuses: Vec<Status> = jobs.iter().map(|job| job.status).collect();
    assert_eq!(statuses, [Status::Error, Status::Error, Status::Done]);
    assert_eq!(jobs[1].retry_from, jobs[0].id);

    let received = receiver.at("/hook");
    assert_eq!(received.len(), 3);
    for one in &received {
        assert_eq!(one.id(), jobs[0].id.to_string(), "every try has the id of the first");
        assert!(one.is_signed_with(&secret.reveal()), "{one:?}");
        assert!(!one.is_signed_with("whsec_MfKQ9r8GKYqrTwjUPD8ILPZIo2LaLaSw"));
    }
    let body = received[0].json();
    assert_eq!(body, received[2].json());
    assert_eq!(body["type"], "job.done");
    assert_eq!(body["timestamp"], body["data"]["at"]);
    let data = |field: &str| body["data"][field].clone();
    assert_eq!((data("kind"), data("status")), (json!("job"), json!("done")));
    assert_eq!((data("jobID"), data("number")), (json!(noop.id), json!(noop.number)));

    let record = env.subscription("ops").await.record;
    assert_eq!((record.delivered, record.failed, record.waiting), (1, 2, 0));
    let failure = record.last_failure.unwrap();
    assert_eq!(failure.message, "the receiver answered 503 Service Unavailable");
    assert_eq!(record.last_delivered.unwrap().0, failure.event);
    for job in jobs {
        let visible = format!("{job:?}{:?}", env.log(job.id).await);
        for hidden in [&secret.reveal(), "hunter2"] {
            assert!(!visible.contains(hidden), "{visible}");
        }
    }
    worker.stop().await;
    env.close().await;
}

#[tokio::test(flavor = "multi_thread")]
async fn a_message_is_signed_with_both_secrets_after_a_rotation() {
    let (env, receiver) = (WorkerEnv::new().await, Receiver::new().await);
    let worker = env.delivering_worker();
    let url = receiver.url("/");
    let first = env.subscribe("ops", &url, None).await.unwrap();
    let second = SigningSecret::random().unwrap();
    assert_eq!(env.subscribe("ops", &url, Some(&second)).await, None);
    assert_eq!(env.send_test("ops").await.status, Status::Done);
    let sent = &receiver.at("/")[0];
    assert!(sent.is_signed_with(&first.reveal()) && sent.is_signed_with(&second.reveal()));
    assert_eq!(sent.json()["type"], "subscription.test");
    assert_eq!(sent.json()["data"], json!({"subscription": "ops"}));
    worker.stop().await;
    env.close().await;
}

#[tokio::test(flavor = "multi_thread")]
async fn a_message_is_dropped_when_its_receiver_is_gone_or_its_subscription_paused_or_deleted() {
    let env = WorkerEnv::new().await;
    let receiver = Receiver::replying(|all| match all.last().unwrap().path.as_str() {
        "/gone" => Reply::Status(410),
        "/no" => Reply::Status(404),
        _ => Reply::Status(200),
    });
    let receiver = receiver.await;
    for name in ["gone", "paused", "deleted", "recreated"] {
        env.subscribe(name, &receiver.url(&format!("/{name}")), None).await;
    }
    // This worker runs `noop` and no delivery, so that all four messages wait.
    let idle = env.worker_with(&["--capacity=cpu=1,default=0"]);
    let store = env.store();
    let noop = job("noop", "cpu=1");
    store.submit(std::slice::from_ref(&noop)).await.unwrap();
    env.finished(noop.id).await;
    let waiting = async || {
        let all = store.subscriptions().await.unwrap();
        all.iter().all(|one| one.record.waiting == 1)
    };
    env.eventually("every subscription has a message that waits", waiting).await;
    store.pause_subscription(&"paused".parse().unwrap(), true, None).await.unwrap();
    for name in ["deleted", "recreated"] {
        store.delete_subscription(&name.parse().unwrap()).await.unwrap();
    }
    env.subscribe("recreated", &receiver.url("/recreated"), None).await;
    let worker = env.delivering_worker();

    let mut results: Vec<(String, Value)> = Vec::new();
    for job in env.deliveries(4).await {
        assert_eq!(job.status, Status::Done);
        let parameters = job.spec.parameters.unwrap();
        let name = parameters["subscription"].as_str().unwrap().to_owned();
        results.push((name, job.result.unwrap()["why"].clone()));
    }
    results.sort_by(|one, other| one.0.cmp(&other.0));
    let deleted = "the subscription is deleted";
    let expected = [
        ("deleted", deleted),
        ("gone", "the receiver is gone, so the subscription was paused"),
        ("paused", "the subscription is paused"),
        ("recreated", deleted),
    ];
    assert_eq!(results, expected.map(|(name, why)| (name.to_owned(), json!(why))));
    assert_eq!(receiver.at("/gone").len(), 1);
    for path in ["/paused", "/deleted", "/recreated"] {
        assert_eq!(receiver.at(path).len(), 0, "{path}");
    }
    let gone = env.subscription("gone").await;
    assert_eq!((gone.paused, gone.record.waiting), (true, 0));
    assert_eq!(gone.record.last_failure.unwrap().message, "the receiver answered 410 Gone");

    // A test is sent to a paused subscription. Other refusals are failures and are tried again.
    assert_eq!(env.send_test("paused").await.status, Status::Done);
    assert_eq!(receiver.at("/paused").len(), 1);
    env.subscribe("no", &receiver.url("/no"), None).await;
    let failed = env.send_test("no").await;
    assert_eq!((failed.status, failed.retries_left), (Status::Error, 0));
    assert_eq!(receiver.at("/no").len(), 4);
    for service in [idle, worker] {
        service.stop().await;
    }
    env.close().await;
}

#[tokio::test(flavor = "multi_thread")]
async fn a_forged_delivery_is_refused_and_a_private_address_is_not_reached() {
    let (env, receiver) = (WorkerEnv::new().await, Receiver::new().await);
    let worker = env.worker_with(&["--capacity=cpu=1"]);
    env.subscribe("ops", &receiver.url("/"), None).await;
    let one = env.subscription("ops").await;
    let now = env.store().now().await.unwrap();
    let message = json!(EventDelivery::test((&one.name, one.id), now));
    for author in [None, Some("otto"), Some("ops")] {
        let mut forged = with_parameters(job("deliver", ""), &message);
        forged.spec.scheduled_by = author.map(str::to_owned);
        env.store().submit(std::slice::from_ref(&forged)).await.unwrap();
        let refused = env.finished(forged.id).await;
        assert_eq!(refused.exception.unwrap().kind, "NotADelivery", "{author:?}");
    }
    let (kind, why) = env.fail("deliver", &json!({"url": "http://a"})).await;
    assert_eq!(kind, "BadParameter", "{why}");
    let refused = env.send_test("ops").await.exception.unwrap();
    assert_eq!(refused.kind, "ForbiddenAddress", "127.0.0.1 is private");
    assert_eq!(receiver.at("/").len(), 0);
    worker.stop().await;
    env.close().await;
}

#[tokio::test(flavor = "multi_thread")]
async fn what_subscriptions_may_reach_is_closed_to_webhooks() {
    let (env, receiver) = (WorkerEnv::new().await, Receiver::new().await);
    let worker = env.worker_with(&["--capacity=cpu=8", "--subscription-allow=127.0.0.1"]);
    env.subscribe("ops", &receiver.url("/subscribed"), None).await;
    assert_eq!(env.send_test("ops").await.status, Status::Done);
    assert_eq!(receiver.at("/subscribed").len(), 1);
    let (kind, why) = env.fail("webhook", &json!({"url": receiver.url("/submitted")})).await;
    assert_eq!(kind, "ForbiddenAddress", "{why}");
    assert!(why.contains("CAPSTAN_WEBHOOK_ALLOW"), "{why}");
    assert_eq!(receiver.at("/submitted").len(), 0);
    worker.stop().await;
    env.close().await;
}
