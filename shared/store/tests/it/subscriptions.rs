//! Subscriptions in the store: from when on they hear, what is told twice is told once, and what a refusal leaves alone.

use std::time::Duration;

use domain::job::{Cancellation, Status, WorkerId};
use domain::subscription::{EventDelivery, SigningSecret, SubscriptionName};
use serde_json::json;
use store::{
    DeliveryAnswer, DeliveryAttempt, DeliveryPlan, Dumped, EventId, MAX_SUBSCRIPTIONS,
    PendingEvents, SetSubscription, Subscription, SubscriptionSet,
};
use testkit::{TestEnv, assert_consistent, job, jobs};

use crate::calls::{beat, claimed, dump, end, failed, finish, submit};

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

async fn news(env: &TestEnv) -> Option<PendingEvents> {
    env.store().pending_events(1000).await.unwrap()
}

/// All of the news, told to everybody.
fn everything(news: &PendingEvents) -> DeliveryPlan<'_> {
    let told = |change| {
        let message = move |one: &Subscription| EventDelivery::of((&one.name, one.id), change);
        news.subscriptions.iter().map(move |one| (one, message(one)))
    };
    DeliveryPlan {
        cursor: news.cursor,
        next: news.events.last().map_or(news.cursor, |event| event.id),
        cut: None,
        messages: news.events.iter().flat_map(told).collect(),
    }
}

async fn notify(env: &TestEnv, notice: &DeliveryPlan<'_>) -> DeliveryAnswer {
    env.store().create_deliveries(notice).await.unwrap()
}

#[tokio::test]
async fn the_first_hears_of_what_comes_after_it_and_with_the_last_nothing_is_left() {
    let env = TestEnv::new().await;
    submit(&env, &job("noop", "")).await;
    assert!(news(&env).await.is_none(), "nobody has subscribed");
    assert!(matches!(set(&env, &wanted("a")).await, SubscriptionSet::Created(Some(_))));
    assert!(news(&env).await.unwrap().events.is_empty(), "what was before is not told");
    let id = submit(&env, &job("noop", "")).await;
    let heard = news(&env).await.unwrap();
    assert_eq!(heard.events[0].fields["job"], id.to_string());

    // A second one hears of what comes after it, wherever the first is.
    set(&env, &wanted("b")).await;
    assert_eq!(look(&env, "b").await.since, heard.events[0].id);
    assert_eq!(look(&env, "a").await.since, heard.cursor);
    assert_consistent(env.store()).await;
    for (text, there) in [("a", true), ("a", false), ("b", true)] {
        assert_eq!(env.store().delete_subscription(&name(text)).await.unwrap(), there);
        assert_consistent(env.store()).await;
    }
    assert!(news(&env).await.is_none());
    let late = everything(&heard);
    assert_eq!(notify(&env, &late).await, DeliveryAnswer::Conflict, "and nobody is told any more");
    let left = dump(&env).await;
    assert!(!left.keys().any(|key| key.contains("subscription")), "{left:?}");
    env.close().await;
}

#[tokio::test]
async fn who_tells_the_same_news_second_finds_them_told_and_changes_nothing() {
    let env = TestEnv::new().await;
    set(&env, &wanted("a")).await;
    set(&env, &wanted("b")).await;
    let id = submit(&env, &job("noop", "")).await;
    let (mine, theirs) = (news(&env).await.unwrap(), news(&env).await.unwrap());
    assert_eq!(notify(&env, &everything(&mine)).await, DeliveryAnswer::Created(2, 0));
    let told = dump(&env).await;
    assert_eq!(notify(&env, &everything(&theirs)).await, DeliveryAnswer::Conflict);
    assert_eq!(dump(&env).await, told);
    assert_consistent(env.store()).await;

    let message = EventDelivery::of((&name("a"), look(&env, "a").await.id), &mine.events[0]);
    let made = env.store().job(message.message).await.unwrap().unwrap();
    assert_eq!((made.spec.action.as_str(), made.retries_left), ("deliver", 1));
    assert_eq!(made.spec.scheduled_by.as_deref(), Some("subscription a"));
    assert_eq!(made.spec.parameters.unwrap()["body"]["data"]["jobID"], id.to_string());
    assert_eq!(look(&env, "a").await.record.waiting, 1);

    // An event that would be told again, as if the place had gone back, has its job already.
    let again = DeliveryPlan { cursor: everything(&mine).next, ..everything(&mine) };
    assert_eq!(notify(&env, &again).await, DeliveryAnswer::Created(0, 0));
    env.close().await;
}

#[tokio::test]
async fn one_that_was_deleted_paused_or_made_anew_meanwhile_is_not_told() {
    let env = TestEnv::new().await;
    let [gone, anew, paused] = ["gone", "anew", "paused"].map(wanted);
    for one in [&gone, &anew, &paused] {
        set(&env, one).await;
    }
    submit(&env, &job("noop", "")).await;
    let seen = news(&env).await.unwrap();
    for one in [&gone, &anew] {
        assert!(env.store().delete_subscription(&one.name).await.unwrap());
    }
    set(&env, &anew).await;
    assert!(env.store().pause_subscription(&paused.name, true, None).await.unwrap());
    assert_eq!(notify(&env, &everything(&seen)).await, DeliveryAnswer::Created(0, 0));
    assert_consistent(env.store()).await;

    // What comes while it is paused is not told when it is resumed, read or not.
    let id = submit(&env, &job("noop", "")).await;
    assert!(env.store().pause_subscription(&paused.name, false, None).await.unwrap());
    let changes = news(&env).await.unwrap().events;
    assert_eq!(changes[0].fields["job"], id.to_string());
    assert_eq!(look(&env, "paused").await.since, changes[0].id);
    env.close().await;
}

#[tokio::test]
async fn it_keeps_its_secret_until_another_is_given_and_both_are_good_for_a_while() {
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

    // A receiver that is gone pauses what it was sent by, and nothing newer.
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
async fn there_are_never_more_than_may_be() {
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
async fn events_that_are_gone_before_they_are_read_are_counted_by_whom_they_concern() {
    let env = TestEnv::new().await;
    for text in ["listens", "sleeps"] {
        set(&env, &wanted(text)).await;
    }
    env.store().pause_subscription(&name("sleeps"), true, None).await.unwrap();
    let heard = news(&env).await.unwrap().cursor;
    for _ in 0..110 {
        env.store().submit(&jobs(100, "noop", "")).await.unwrap();
    }
    set(&env, &wanted("late")).await;
    let seen = news(&env).await.unwrap();
    let kept = seen.kept.expect("some are gone");
    assert_eq!(kept, seen.events[0].id);
    let names = seen.subscriptions.iter().filter(|one| one.since < kept).map(|one| &one.name);
    let cut = Some((kept, names.collect()));
    let next = seen.events.last().unwrap().id;
    let notice = DeliveryPlan { cursor: seen.cursor, next, cut, messages: Vec::new() };
    assert_eq!(notify(&env, &notice).await, DeliveryAnswer::Created(0, 0));
    let listens = look(&env, "listens").await.record;
    assert_eq!((listens.cuts, listens.last_cut), (1, Some((heard, kept))));
    for other in ["sleeps", "late"] {
        assert_eq!(look(&env, other).await.record.cuts, 0, "{other}");
    }
    assert!(news(&env).await.unwrap().kept.is_none());
    env.close().await;
}

#[tokio::test]
async fn how_a_message_went_is_counted_once_and_one_that_failed_for_good_is_forgotten() {
    let env = TestEnv::new().await;
    set(&env, &wanted("a")).await;
    for _ in 0..2 {
        submit(&env, &job("noop", "")).await;
    }
    let seen = news(&env).await.unwrap();
    assert_eq!(notify(&env, &everything(&seen)).await, DeliveryAnswer::Created(2, 0));
    let one = look(&env, "a").await;
    let [first, second] =
        [0, 1].map(|at: usize| EventDelivery::of((&one.name, one.id), &seen.events[at]));
    let tell = async |message: &EventDelivery, tried: DeliveryAttempt<'_>| {
        env.store().record_attempt(&one, message, tried).await.unwrap();
        look(&env, "a").await.record
    };
    let record = tell(&first, DeliveryAttempt::Failed("the receiver answered 500")).await;
    assert_eq!((record.waiting, record.failed, record.delivered), (2, 1, 0));
    assert_eq!(record.last_failure.unwrap().event, first.event);
    for _ in 0..2 {
        let record = tell(&first, DeliveryAttempt::Delivered).await;
        assert_eq!((record.waiting, record.delivered), (1, 1));
        assert_eq!(record.last_delivered.unwrap().0, first.event);
    }

    // The other fails, is tried again, and fails for good.
    let worker = WorkerId::random();
    let mut here = beat(&worker, Duration::from_secs(60));
    here.actions = vec!["deliver".parse().unwrap()];
    env.store().heartbeat(&here).await.unwrap();
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
    assert!(env.store().subscription(&one.name).await.unwrap().is_none(), "nothing is noted");
    assert_consistent(env.store()).await;
    env.close().await;
}

#[tokio::test]
async fn the_place_is_kept_as_the_stream_writes_it() {
    let env = TestEnv::new().await;
    set(&env, &wanted("a")).await;
    assert_eq!(news(&env).await.unwrap().cursor, EventId::default(), "there is no stream yet");
    let world = env.store().dump().await.unwrap();
    assert_eq!(world["subscriptions:cursor"], Dumped::Text("0-0".to_owned()));
    let id = submit(&env, &job("noop", "")).await;
    let seen = news(&env).await.unwrap();
    assert_eq!(seen.events[0].fields["job"], id.to_string());
    notify(&env, &everything(&seen)).await;
    assert_eq!(news(&env).await.unwrap().cursor, seen.events[0].id);
    env.close().await;
}
