//! Messages to subscriptions, with a receiver on this machine: what it is sent, when again, and when no more.

use crate::services::StartServices;
use domain::job::{Job, Status};
use domain::subscription::{Delivery, SigningSecret, SubscriptionName};
use serde_json::{Value, json};
use store::{Filter, SetSubscription, Subscription, SubscriptionSet};
use testkit::{Receiver, Reply, Service, job};

use crate::world::{World, with};

impl World {
    /// A worker that may reach this machine.
    fn messenger(&self) -> Service {
        self.house.worker_with(&["--capacity=cpu=8", "--webhook-allow=127.0.0.1"])
    }

    /// Subscribes to the end of jobs of `noop`; returns the secret that was made, if one was.
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
        match self.house.store().set_subscription(&wanted).await.unwrap() {
            SubscriptionSet::Created(made) => made,
            SubscriptionSet::Changed | SubscriptionSet::Same | SubscriptionSet::TooMany => None,
        }
    }

    async fn subscription(&self, name: &str) -> Subscription {
        let name: SubscriptionName = name.parse().unwrap();
        self.house.store().subscription(&name).await.unwrap().unwrap()
    }

    /// Every job that delivers, the oldest first, when none is to run any more.
    async fn deliveries(&self, count: usize) -> Vec<Job> {
        let filter = Filter { action: Some("deliver".parse().unwrap()), ..Filter::default() };
        let ask = async || self.house.store().jobs(&filter, 0, 100).await.unwrap().jobs;
        let over = async || {
            let all = ask().await;
            all.len() >= count && all.iter().all(|job| job.status.is_final())
        };
        self.house.eventually("all is delivered", over).await;
        let mut all = ask().await;
        all.sort_by_key(|job| job.number);
        assert_eq!(all.len(), count, "{all:#?}");
        all
    }

    /// Has a test message sent, and waits until its job is over, with all its retries.
    async fn tried(&self, name: &str) -> Job {
        let one = self.subscription(name).await;
        let now = self.house.store().now().await.unwrap();
        let job = Delivery::test((&one.name, one.id), now).job(&one.spec);
        self.house.store().submit(std::slice::from_ref(&job)).await.unwrap();
        let mut last = self.ended(job.id).await;
        while let Some(next) = last.follow_up {
            last = self.ended(next).await;
        }
        last
    }
}

#[tokio::test(flavor = "multi_thread")]
async fn an_event_is_told_signed_and_again_under_its_id_until_it_is_taken() {
    let (world, mut left) = (World::new().await, 2);
    let receiver = Receiver::replying(move |_| {
        left -= 1;
        if left >= 0 { Reply::Status(503) } else { Reply::Status(204) }
    });
    let (receiver, worker) = (receiver.await, world.messenger());
    let secret = world.subscribe("ops", &receiver.url("/hook?key=hunter2"), None).await.unwrap();
    let told = world.done("noop", &json!({})).await;
    let jobs = world.deliveries(3).await;
    let ended: Vec<Status> = jobs.iter().map(|job| job.status).collect();
    assert_eq!(ended, [Status::Error, Status::Error, Status::Done]);
    assert_eq!(jobs[1].retry_from, jobs[0].id);

    let received = receiver.at("/hook");
    assert_eq!(received.len(), 3);
    for one in &received {
        assert_eq!(one.id(), jobs[0].id.to_string(), "all tries are one message");
        assert!(one.is_signed_with(&secret.reveal()), "{one:?}");
        assert!(!one.is_signed_with("whsec_MfKQ9r8GKYqrTwjUPD8ILPZIo2LaLaSw"));
    }
    let body = received[0].json();
    assert_eq!(body, received[2].json());
    assert_eq!(body["type"], "job.done");
    assert_eq!(body["timestamp"], body["data"]["at"]);
    let data = |field: &str| body["data"][field].clone();
    assert_eq!((data("kind"), data("status")), (json!("job"), json!("done")));
    assert_eq!((data("jobID"), data("number")), (json!(told.id), json!(told.number)));

    let record = world.subscription("ops").await.record;
    assert_eq!((record.delivered, record.failed, record.waiting), (1, 2, 0));
    let failure = record.last_failure.unwrap();
    assert_eq!(failure.message, "the receiver answered 503 Service Unavailable");
    assert_eq!(record.last_delivered.unwrap().0, failure.event);
    for job in jobs {
        let seen = format!("{job:?}{:?}", world.log(job.id).await);
        for hidden in [&secret.reveal(), "hunter2"] {
            assert!(!seen.contains(hidden), "{seen}");
        }
    }
    worker.stop().await;
    world.close().await;
}

#[tokio::test(flavor = "multi_thread")]
async fn a_secret_is_changed_while_messages_go_on() {
    let (world, receiver) = (World::new().await, Receiver::new().await);
    let worker = world.messenger();
    let url = receiver.url("/");
    let first = world.subscribe("ops", &url, None).await.unwrap();
    let second = SigningSecret::random().unwrap();
    assert_eq!(world.subscribe("ops", &url, Some(&second)).await, None);
    assert_eq!(world.tried("ops").await.status, Status::Done);
    let sent = &receiver.at("/")[0];
    assert!(sent.is_signed_with(&first.reveal()) && sent.is_signed_with(&second.reveal()));
    assert_eq!(sent.json()["type"], "subscription.test");
    assert_eq!(sent.json()["data"], json!({"subscription": "ops"}));
    worker.stop().await;
    world.close().await;
}

#[tokio::test(flavor = "multi_thread")]
async fn a_receiver_that_is_gone_or_nobody_who_wants_it_ends_a_message() {
    let world = World::new().await;
    let receiver = Receiver::replying(|all| match all.last().unwrap().path.as_str() {
        "/gone" => Reply::Status(410),
        "/no" => Reply::Status(404),
        _ => Reply::Status(200),
    });
    let receiver = receiver.await;
    for name in ["gone", "paused", "deleted", "anew"] {
        world.subscribe(name, &receiver.url(&format!("/{name}")), None).await;
    }
    // All four have a message on its way before anybody carries it.
    let idle = world.house.worker_with(&["--capacity=cpu=1,default=0"]);
    let store = world.house.store();
    let noop = job("noop", "cpu=1");
    store.submit(std::slice::from_ref(&noop)).await.unwrap();
    world.ended(noop.id).await;
    let waiting = async || {
        let all = store.subscriptions().await.unwrap();
        all.iter().all(|one| one.record.waiting == 1)
    };
    world.house.eventually("all are told", waiting).await;
    store.pause_subscription(&"paused".parse().unwrap(), true, None).await.unwrap();
    for name in ["deleted", "anew"] {
        store.delete_subscription(&name.parse().unwrap()).await.unwrap();
    }
    world.subscribe("anew", &receiver.url("/anew"), None).await;
    let worker = world.messenger();

    let mut why: Vec<(String, Value)> = Vec::new();
    for job in world.deliveries(4).await {
        assert_eq!(job.status, Status::Done);
        let parameters = job.spec.parameters.unwrap();
        let name = parameters["subscription"].as_str().unwrap().to_owned();
        why.push((name, job.result.unwrap()["why"].clone()));
    }
    why.sort_by(|one, other| one.0.cmp(&other.0));
    let deleted = "the subscription is deleted";
    let told = [
        ("anew", deleted),
        ("deleted", deleted),
        ("gone", "the receiver is gone, and the subscription paused"),
        ("paused", "the subscription is paused"),
    ];
    assert_eq!(why, told.map(|(name, why)| (name.to_owned(), json!(why))));
    assert_eq!(receiver.at("/gone").len(), 1);
    for path in ["/paused", "/deleted", "/anew"] {
        assert_eq!(receiver.at(path).len(), 0, "{path}");
    }
    let gone = world.subscription("gone").await;
    assert_eq!((gone.paused, gone.record.waiting), (true, 0));
    assert_eq!(gone.record.last_failure.unwrap().message, "the receiver answered 410 Gone");

    // A test goes out to a paused one; any other answer is a failure, and tried again.
    assert_eq!(world.tried("paused").await.status, Status::Done);
    assert_eq!(receiver.at("/paused").len(), 1);
    world.subscribe("no", &receiver.url("/no"), None).await;
    let failed = world.tried("no").await;
    assert_eq!((failed.status, failed.retries_left), (Status::Error, 0));
    assert_eq!(receiver.at("/no").len(), 4);
    for service in [idle, worker] {
        service.stop().await;
    }
    world.close().await;
}

#[tokio::test(flavor = "multi_thread")]
async fn only_a_subscription_can_have_something_signed_and_only_sent_where_webhooks_may_go() {
    let (world, receiver) = (World::new().await, Receiver::new().await);
    let worker = world.house.worker("cpu=1");
    world.subscribe("ops", &receiver.url("/"), None).await;
    let one = world.subscription("ops").await;
    let now = world.house.store().now().await.unwrap();
    let message = json!(Delivery::test((&one.name, one.id), now));
    for author in [None, Some("otto"), Some("ops")] {
        let mut forged = with(job("deliver", ""), &message);
        forged.spec.scheduled_by = author.map(str::to_owned);
        world.house.store().submit(std::slice::from_ref(&forged)).await.unwrap();
        let ended = world.ended(forged.id).await;
        assert_eq!(ended.exception.unwrap().kind, "NotADelivery", "{author:?}");
    }
    let (kind, why) = world.failed("deliver", &json!({"url": "http://a"})).await;
    assert_eq!(kind, "BadParameter", "{why}");
    let refused = world.tried("ops").await.exception.unwrap();
    assert_eq!(refused.kind, "ForbiddenAddress", "127.0.0.1 is private");
    assert_eq!(receiver.at("/").len(), 0);
    worker.stop().await;
    world.close().await;
}
