//! Subscriptions: which events they receive, that each event is delivered once, and that a refusal
//! changes nothing.

use std::time::Duration;

use domain::job::{Cancellation, Status, WorkerId};
use domain::subscription::{EventDelivery, SigningSecret, SubscriptionName};
use serde_json::json;
use store::{
    DeliveryAnswer, DeliveryAttempt, DeliveryPlan, Dumped, EventId, MAX_SUBSCRIPTIONS,
    PendingEvents, SetSubscription, Subscription, SubscriptionSet,
};
use testkit::{TestEnv, assert_consistent, job, jobs};

use crate::calls::{claimed, dump, end, failed, finish, heartbeat, submit};

fn name(text: &str) -> SubscriptionName {
    text.parse().unwrap()
}

fn wanted(text: &str) -> SetSubscription {
    let spec = json!({"url": "http://127.0.0.1:9/hook", "filter": {}, "retries": 1,
        "backoff": {"base": "1ms"}});
    let spec = serde_json::from_value(spec).unwrap();
    SetSubscription { name: name(text), spec, secret: None, paused: None }
}

async fn set(env: &TestEnv, wanted: &SetSubscription) -> SubscriptionSet {
    env.store().set_subscription(wanted).await.unwrap()
}

async fn look(env: &TestEnv, text: &str) -> Subscription {
    env.store().subscription(&name(text)).await.unwrap().unwrap()
}

async fn pending(env: &TestEnv) -> Option<PendingEvents> {
    env.store().pending_events(1000).await.unwrap()
}

/// A plan to deliver every pending event to every subscription.
fn plan(pending: &PendingEvents) -> DeliveryPlan<'_> {
    let messages = |event| {
        let message = move |one: &Subscription| EventDelivery::of((&one.name, one.id), event);
        pending.subscriptions.iter().map(move |one| (one, message(one)))
    };
    DeliveryPlan {
        cursor: pending.cursor,
        next: pending.events.last().map_or(pending.cursor, |event| event.id),
        cut: None,
        messages: pending.events.iter().flat_map(messages).collect(),
    }
}

async fn deliver(env: &TestEnv, plan: &DeliveryPlan<'_>) -> DeliveryAnswer {
    env.store().create_deliveries(plan).await.unwrap()
}

#[tokio::test]
async fn a_subscription_receives_the_events_after_it_and_the_last_one_leaves_nothing_behind() {
    let env = TestEnv::new().await;
    submit(&env, &job("noop", "")).await;
    assert!(pending(&env).await.is_none(), "there are no subscriptions");
    assert!(matches!(set(&env, &wanted("a")).await, SubscriptionSet::Created(Some(_))));
    assert!(pending(&env).await.unwrap().events.is_empty(), "earlier events are not delivered");
    let id = submit(&env, &job("noop", "")).await;
    let first = pending(&env).await.unwrap();
    assert_eq!(first.events[0].fields["job"], id.to_string());

    // A second one receives the events after it, wherever the cursor is.
    set(&env, &wanted("b")).await;
    assert_eq!(look(&env, "b").await.since, first.events[0].id);
    assert_eq!(look(&env, "a").await.since, first.cursor);
    assert_consistent(env.store()).await;
    for (text, there) in [("a", true), ("a", false), ("b", true)] {
        assert_eq!(env.store().delete_subscription(&name(text)).await.unwrap(), there);
        assert_consistent(env.store()).await;
    }
    assert!(pending(&env).await.is_none());
    let late = plan(&first);
    assert_eq!(deliver(&env, &late).await, DeliveryAnswer::Conflict, "the cursor is removed");
    let left = dump(&env).await;
    assert!(!left.keys().any(|key| key.contains("subscription")), "{left:?}");
    env.close().await;
}

#[tokio::test]
async fn a_second_scheduler_that_delivers_the_same_events_changes_nothing() {
    let env = TestEnv::new().await;
    set(&env, &wanted("a")).await;
    set(&env, &wanted("b")).await;
    let id = submit(&env, &job("noop", "")).await;
    let (mine, theirs) = (pending(&env).await.unwrap(), pending(&env).await.unwrap());
    assert_eq!(deliver(&env, &plan(&mine)).await, DeliveryAnswer::Created(2, 0));
    let delivered = dump(&env).await;
    assert_eq!(deliver(&env, &plan(&theirs)).await, DeliveryAnswer::Conflict);
    assert_eq!(dump(&env).await, delivered);
    assert_consistent(env.store()).await;

    let message = EventDelivery::of((&name("a"), look(&env, "a").await.id), &mine.events[0]);
    let made = env.store().job(message.message).await.unwrap().unwrap();
    assert_eq!((made.spec.action.as_str(), made.retries_left), ("deliver", 1));
    assert_eq!(made.spec.scheduled_by.as_deref(), Some("subscription a"));
    assert_eq!(made.spec.parameters.unwrap()["body"]["data"]["jobID"], id.to_string());
    assert_eq!(look(&env, "a").await.record.waiting, 1);

    // An event that is delivered again, as if the cursor had gone back, has its job already.
    let again = DeliveryPlan { cursor: plan(&mine).next, ..plan(&mine) };
    assert_eq!(deliver(&env, &again).await, DeliveryAnswer::Created(0, 0));
    env.close().await;
}

#[tokio::test]
async fn a_subscription_that_was_deleted_paused_or_recreated_meanwhile_receives_nothing() {
    let env = TestEnv::new().await;
    let [gone, recreated, paused] = ["gone", "recreated", "paused"].map(wanted);
    for one in [&gone, &recreated, &paused] {
        set(&env, one).await;
    }
    submit(&env, &job("noop", "")).await;
    let seen = pending(&env).await.unwrap();
    for one in [&gone, &recreated] {
        assert!(env.store().delete_subscription(&one.name).await.unwrap());
    }
    set(&env, &recreated).await;
    assert!(env.store().pause_subscription(&paused.name, true, None).await.unwrap());
    assert_eq!(deliver(&env, &plan(&seen)).await, DeliveryAnswer::Created(0, 0));
    assert_consistent(env.store()).await;

    // Events that occur while it is paused are not delivered when it is resumed, read or not.
    let id = submit(&env, &job("noop", "")).await;
    assert!(env.store().pause_subscription(&paused.name, false, None).await.unwrap());
    let changes = pending(&env).await.unwrap().events;
    assert_eq!(changes[0].fields["job"], id.to_string());
    assert_eq!(look(&env, "paused").await.since, changes[0].id);
    env.close().await;
}

#[tokio::test]
async fn a_subscription_keeps_its_secret_until_another_is_set_and_both_are_used_for_a_while() {
    let env = TestEnv::new().await;
    let SubscriptionSet::Created(Some(first)) = set(&env, &wanted("a")).await else { panic!() };
    assert_eq!(look(&env, "a").await.secrets, std::slice::from_ref(&first));
    assert_eq!(set(&env, &wanted("a")).await, SubscriptionSet::Unchanged);
    let second = SigningSecret::random().unwrap();
    let given = SetSubscription { secret: Some(second.clone()), ..wanted("a") };
    assert_eq!(set(&env, &given).await, SubscriptionSet::Changed);
    assert_eq!(look(&env, "a").await.secrets, [second.clone(), first]);
    let id = look(&env, "a").await.id;
    let mut other = wanted("a");
    other.spec.retries = 7;
    assert_eq!(set(&env, &other).await, SubscriptionSet::Changed);
    let now = look(&env, "a").await;
    assert_eq!((now.id, now.spec.retries, &now.secrets[0]), (id, 7, &second));
    let new = SetSubscription { secret: Some(second), ..wanted("b") };
    assert_eq!(set(&env, &new).await, SubscriptionSet::Created(None));

    // A receiver that is gone pauses the subscription it was sent by, and not a newer one.
    let seen = look(&env, "a").await;
    set(&env, &wanted("a")).await;
    assert!(env.store().pause_subscription(&seen.name, true, Some(&seen)).await.unwrap());
    assert!(!look(&env, "a").await.paused);
    let seen = look(&env, "a").await;
    assert!(env.store().pause_subscription(&seen.name, true, Some(&seen)).await.unwrap());
    assert!(look(&env, "a").await.paused);
    assert!(!env.store().pause_subscription(&name("none"), true, None).await.unwrap());
    env.close().await;
}

#[tokio::test]
async fn the_number_of_subscriptions_is_bounded() {
    let env = TestEnv::new().await;
    for number in 0..MAX_SUBSCRIPTIONS {
        let made = set(&env, &wanted(&format!("s{number}"))).await;
        assert!(matches!(made, SubscriptionSet::Created(_)));
    }
    let before = dump(&env).await;
    assert_eq!(set(&env, &wanted("more")).await, SubscriptionSet::TooMany);
    assert_eq!(dump(&env).await, before);
    env.close().await;
}

#[tokio::test]
async fn events_lost_before_they_are_read_are_counted_at_the_subscriptions_they_concern() {
    let env = TestEnv::new().await;
    for text in ["listens", "sleeps"] {
        set(&env, &wanted(text)).await;
    }
    env.store().pause_subscription(&name("sleeps"), true, None).await.unwrap();
    let cursor = pending(&env).await.unwrap().cursor;
    for _ in 0..3 {
        env.store().submit(&jobs(100, "noop", "")).await.unwrap();
    }
    env.redis("xtrim", "events", &["maxlen", "5"]).await;
    set(&env, &wanted("late")).await;
    let seen = pending(&env).await.unwrap();
    let kept = seen.kept.expect("some events are lost");
    assert_eq!(kept, seen.events[0].id);
    let names = seen.subscriptions.iter().filter(|one| one.since < kept).map(|one| &one.name);
    let cut = Some((kept, names.collect()));
    let next = seen.events.last().unwrap().id;
    let plan = DeliveryPlan { cursor: seen.cursor, next, cut, messages: Vec::new() };
    assert_eq!(deliver(&env, &plan).await, DeliveryAnswer::Created(0, 0));
    let listens = look(&env, "listens").await.record;
    assert_eq!((listens.cuts, listens.last_cut), (1, Some((cursor, kept))));
    for other in ["sleeps", "late"] {
        assert_eq!(look(&env, other).await.record.cuts, 0, "{other}");
    }
    assert!(pending(&env).await.unwrap().kept.is_none());
    env.close().await;
}

#[tokio::test]
async fn a_delivery_is_counted_once_and_a_message_that_failed_for_good_is_forgotten() {
    let env = TestEnv::new().await;
    set(&env, &wanted("a")).await;
    for _ in 0..2 {
        submit(&env, &job("noop", "")).await;
    }
    let seen = pending(&env).await.unwrap();
    assert_eq!(deliver(&env, &plan(&seen)).await, DeliveryAnswer::Created(2, 0));
    let one = look(&env, "a").await;
    let [first, second] =
        [0, 1].map(|at: usize| EventDelivery::of((&one.name, one.id), &seen.events[at]));
    let record = async |message: &EventDelivery, attempt: DeliveryAttempt<'_>| {
        env.store().record_attempt(&one, message, attempt).await.unwrap();
        look(&env, "a").await.record
    };
    let counts = record(&first, DeliveryAttempt::Failed("the receiver answered 500")).await;
    assert_eq!((counts.waiting, counts.failed, counts.delivered), (2, 1, 0));
    assert_eq!(counts.last_failure.unwrap().event, first.event);
    for _ in 0..2 {
        let counts = record(&first, DeliveryAttempt::Delivered).await;
        assert_eq!((counts.waiting, counts.delivered), (1, 1));
        assert_eq!(counts.last_delivered.unwrap().0, first.event);
    }

    // The other message fails, is tried again, and fails for good.
    let worker = WorkerId::random();
    let mut report = heartbeat(&worker, Duration::from_secs(60));
    report.actions = vec!["deliver".parse().unwrap()];
    env.store().heartbeat(&report).await.unwrap();
    let run = claimed(&env, &worker, second.message).await;
    finish(&env, &end(run.id, run.token, failed())).await;
    assert_eq!(env.store().forget_deliveries().await.unwrap(), 0);
    let again = env.store().job(second.message).await.unwrap().unwrap().follow_up.unwrap();
    assert_eq!(look(&env, "a").await.record.waiting, 1, "it is tried again");
    env.store().cancel(&[again], &Cancellation::default()).await.unwrap();
    assert_eq!(env.store().job(again).await.unwrap().unwrap().status, Status::Cancel);
    assert_eq!(env.store().forget_deliveries().await.unwrap(), 1);
    assert_eq!(look(&env, "a").await.record.waiting, 0);

    env.store().delete_subscription(&one.name).await.unwrap();
    env.store().record_attempt(&one, &first, DeliveryAttempt::Delivered).await.unwrap();
    assert!(env.store().subscription(&one.name).await.unwrap().is_none(), "nothing is written");
    assert_consistent(env.store()).await;
    env.close().await;
}

#[tokio::test]
async fn the_cursor_is_kept_in_the_form_of_an_event_id() {
    let env = TestEnv::new().await;
    set(&env, &wanted("a")).await;
    assert_eq!(pending(&env).await.unwrap().cursor, EventId::default(), "there is no stream yet");
    let world = env.store().dump().await.unwrap();
    assert_eq!(world["subscriptions:cursor"], Dumped::Text("0-0".to_owned()));
    let id = submit(&env, &job("noop", "")).await;
    let seen = pending(&env).await.unwrap();
    assert_eq!(seen.events[0].fields["job"], id.to_string());
    deliver(&env, &plan(&seen)).await;
    assert_eq!(pending(&env).await.unwrap().cursor, seen.events[0].id);
    env.close().await;
}
