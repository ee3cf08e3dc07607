//! Publishing to queues and consuming from them.

use std::time::Duration;

use broker::{Offer, Publisher};
use domain::job::{JobId, Timestamp};
use domain::queue::QueueName;
use testkit::TestEnv;

fn queue(class: &str) -> QueueName {
    format!("{class}.normal").parse().unwrap()
}

fn offer() -> Offer {
    Offer::new(Timestamp::from_ms(1), 1, vec![JobId::random(), JobId::random()])
}

/// Calls `sys:suspend` or `sys:resume` for the process that leads a queue. Suspended, it answers
/// nothing, as when RabbitMQ is overloaded.
async fn call_sys(env: &TestEnv, function: &str, queue: &QueueName) {
    let leader = process_of(env, queue);
    env.rabbitmqctl(&["eval", &format!("sys:{function}({{{leader}, node()}}).")]).await;
}

/// The name of the process that leads a quorum queue, as an Erlang expression.
fn process_of(env: &TestEnv, queue: &QueueName) -> String {
    format!("binary_to_atom(<<\"%2F_{}.{queue}\">>, utf8)", env.store_config().namespace)
}

#[tokio::test]
async fn a_consumer_that_closes_returns_its_unacknowledged_offers() {
    let env = TestEnv::new().await;
    let (queue, sent) = (queue("scan=1"), offer());
    let mut publisher = Publisher::new(env.broker().await).await.unwrap();
    publisher.publish(&[(queue.clone(), sent.clone())], broker::CALL_LIMIT).await.unwrap();
    let broker = env.broker().await;
    assert_eq!(broker.depth(&queue).await.unwrap(), Some(1));
    let mut consumer = broker.consume(&queue, 1).await.unwrap();
    let first = consumer.next().await.unwrap().unwrap();
    assert_eq!((first.offer.unwrap(), first.redelivered), (sent.clone(), false));
    // A busy fleet returns an offer more often than RabbitMQ 4 allows by default, which is 20
    // times.
    for _ in 0..25 {
        consumer.close().await;
        consumer = broker.consume(&queue, 1).await.unwrap();
        consumer.next().await.unwrap().unwrap();
    }
    consumer.close().await;
    let mut consumer = broker.consume(&queue, 1).await.unwrap();
    let again = consumer.next().await.unwrap().unwrap();
    assert_eq!((again.offer.unwrap(), again.redelivered), (sent, true));
    again.receipt.ack().await;
    consumer.close().await;
    env.eventually("the queue is empty", async || broker.depth(&queue).await.unwrap() == Some(0))
        .await;
    broker.delete(&queue).await.unwrap();
    assert_eq!(broker.depth(&queue).await.unwrap(), None);
    env.close().await;
}

#[tokio::test]
async fn a_consumer_holds_no_more_than_its_prefetch() {
    let env = TestEnv::new().await;
    let queue = queue("scan=2");
    let mut publisher = Publisher::new(env.broker().await).await.unwrap();
    let offers: Vec<_> = (0..10).map(|_| (queue.clone(), offer())).collect();
    publisher.publish(&offers, broker::CALL_LIMIT).await.unwrap();
    let broker = env.broker().await;
    let mut consumer = broker.consume(&queue, 3).await.unwrap();
    let first = consumer.next().await.unwrap().unwrap();
    for _ in 0..2 {
        consumer.next().await.unwrap().unwrap();
    }
    assert_eq!(broker.depth(&queue).await.unwrap(), Some(7));
    first.receipt.ack().await;
    consumer.next().await.unwrap().unwrap();
    assert_eq!(broker.depth(&queue).await.unwrap(), Some(6));
    consumer.close().await;
    broker.delete(&queue).await.unwrap();
    env.close().await;
}

/// RabbitMQ 3.10 may keep the process of a deleted queue, and then answers `cluster_not_formed`.
#[tokio::test]
async fn a_queue_whose_name_is_taken_by_a_process_that_remained_is_created_as_a_classic_one() {
    let env = TestEnv::new().await;
    let (queue, sent) = (queue("scan=9"), offer());
    let process = process_of(&env, &queue);
    let waits = "spawn(fun() -> receive stop -> ok end end)";
    env.rabbitmqctl(&["eval", &format!("register({process}, {waits}).")]).await;
    let mut publisher = Publisher::new(env.broker().await).await.unwrap();
    let offers = [(queue.clone(), sent.clone())];
    assert!(publisher.publish(&offers, broker::CALL_LIMIT).await.unwrap().is_empty());
    let broker = env.broker().await;
    let mut consumer = broker.consume(&queue, 1).await.unwrap();
    let received = consumer.next().await.unwrap().unwrap();
    assert_eq!(received.offer.unwrap(), sent);
    received.receipt.ack().await;
    consumer.close().await;
    env.rabbitmqctl(&["eval", &format!("{process} ! stop.")]).await;
    broker.delete(&queue).await.unwrap();
    env.close().await;
}

#[tokio::test]
async fn publishing_to_a_deleted_queue_fails_once_and_then_creates_the_queue() {
    let env = TestEnv::new().await;
    let queue = queue("scan=3");
    let mut publisher = Publisher::new(env.broker().await).await.unwrap();
    publisher.publish(&[(queue.clone(), offer())], broker::CALL_LIMIT).await.unwrap();
    publisher.broker().delete(&queue).await.unwrap();
    let failed = publisher.publish(&[(queue.clone(), offer())], broker::CALL_LIMIT).await.unwrap();
    assert_eq!(
        failed[&queue].to_string(),
        "rabbitmq did not accept an offer for queue scan=3.normal"
    );
    assert!(
        publisher
            .publish(&[(queue.clone(), offer())], broker::CALL_LIMIT)
            .await
            .unwrap()
            .is_empty()
    );
    publisher.broker().delete(&queue).await.unwrap();
    env.close().await;
}

#[tokio::test]
async fn the_outcome_of_other_queues_is_known_when_one_confirms_nothing() {
    const LIMIT: Duration = Duration::from_secs(2);
    let env = TestEnv::new().await;
    let (hangs, answers) = (queue("scan=6"), queue("scan=7"));
    let mut publisher = Publisher::new(env.broker().await).await.unwrap();
    publisher.publish(&[(hangs.clone(), offer())], broker::CALL_LIMIT).await.unwrap();
    call_sys(&env, "suspend", &hangs).await;
    // Enough for RabbitMQ to stop reading from the connection.
    let mut offers = vec![(answers.clone(), offer())];
    offers.resize_with(5_000, || (hangs.clone(), offer()));
    let failed = publisher.publish(&offers, LIMIT).await.unwrap();
    assert_eq!(failed.keys().collect::<Vec<_>>(), [&hangs]);
    assert!(!publisher.is_usable());
    let mut publisher = Publisher::new(env.broker().await).await.unwrap();
    assert!(publisher.publish(&[(answers.clone(), offer())], LIMIT).await.unwrap().is_empty());
    assert!(publisher.is_usable());
    call_sys(&env, "resume", &hangs).await;
    for queue in [&hangs, &answers] {
        publisher.broker().delete(queue).await.unwrap();
    }
    env.close().await;
}

#[tokio::test]
async fn a_queue_that_does_not_answer_in_time_is_neither_broken_nor_empty() {
    let env = TestEnv::new().await;
    let queue = queue("scan=5");
    let mut publisher = Publisher::new(env.broker().await).await.unwrap();
    let offers: Vec<_> = (0..3).map(|_| (queue.clone(), offer())).collect();
    assert!(publisher.publish(&offers, broker::CALL_LIMIT).await.unwrap().is_empty());
    let broker = env.broker().await;
    call_sys(&env, "suspend", &queue).await;
    assert_eq!(broker.depth(&queue).await.unwrap(), Some(0), "RabbitMQ answers before it knows");
    let (published, is_empty, deleted) = tokio::join!(
        publisher.publish(&offers[..1], broker::CALL_LIMIT),
        broker.is_empty(&queue, false),
        broker.delete_if_broken(&queue),
    );
    assert_eq!(
        published.unwrap()[&queue].to_string(),
        "rabbitmq did not confirm an offer for queue scan=5.normal within 10s"
    );
    assert!(is_empty.unwrap_err().is_timeout());
    assert!(deleted.unwrap_err().is_timeout());
    call_sys(&env, "resume", &queue).await;
    broker.close().await;
    let broker = env.broker().await;
    // RabbitMQ may still accept the late offer.
    let holds_all = async || broker.depth(&queue).await.unwrap() >= Some(3);
    env.eventually("the queue holds its offers", holds_all).await;
    assert!(!broker.delete_if_broken(&queue).await.unwrap());
    assert_eq!(broker.is_empty(&queue, false).await.unwrap(), Some(false));
    broker.delete(&queue).await.unwrap();
    env.close().await;
}

#[tokio::test]
async fn a_queue_without_a_leader_is_deleted_and_one_that_only_refuses_offers_is_not() {
    let env = TestEnv::new().await;
    let (broken, full) = (queue("scan=6"), queue("scan=7"));
    let broker = env.broker().await;
    assert!(broker.declare(&[broken.clone(), full.clone()].into()).await.is_empty());
    let namespace = env.store_config().namespace.clone();
    let member = format!("{{binary_to_atom(<<\"%2F_{namespace}.{broken}\">>, utf8), node()}}");
    let kill_member = format!("ra:force_delete_server(quorum_queues, {member}).");
    env.rabbitmqctl(&["eval", &kill_member]).await;
    assert!(broker.delete_if_broken(&broken).await.unwrap());
    assert_eq!(broker.depth(&broken).await.unwrap(), None);
    // A policy makes the queue refuse every offer, and it is empty.
    let pattern = format!("^{namespace}\\.scan=7\\.");
    let nothing = r#"{"max-length":0,"overflow":"reject-publish"}"#;
    env.rabbitmqctl(&["set_policy", "--apply-to", "queues", &namespace, &pattern, nothing]).await;
    assert!(!broker.delete_if_broken(&full).await.unwrap());
    assert_eq!(broker.is_empty(&full, false).await.unwrap(), Some(true));
    env.rabbitmqctl(&["clear_policy", &namespace]).await;
    broker.delete(&full).await.unwrap();
    env.close().await;
}

#[tokio::test]
async fn a_consumer_ends_when_its_queue_is_deleted() {
    let env = TestEnv::new().await;
    let queue = queue("scan=4");
    let broker = env.broker().await;
    assert!(broker.consume(&queue, 1).await.err().unwrap().is_channel_error());
    assert!(broker.declare(&[queue.clone()].into()).await.is_empty());
    let mut consumer = broker.consume(&queue, 1).await.unwrap();
    env.broker().await.delete(&queue).await.unwrap();
    assert!(consumer.next().await.is_none());
    env.close().await;
}

#[tokio::test]
async fn a_queue_can_be_consumed_after_thousands_of_failures() {
    let env = TestEnv::new().await;
    let (missing, existing) = (queue("gpu=1"), queue("scan=1"));
    let mut broker = env.broker().await;
    assert!(broker.declare(&[existing.clone()].into()).await.is_empty());
    // A connection has 2,047 channels, and their numbers are used in turn.
    for _ in 0..2_100 {
        if !broker.is_connected() {
            let error = broker.consume(&existing, 1).await.err().unwrap();
            assert!(!error.is_channel_error(), "the caller makes a new connection: {error}");
            broker.close().await;
            broker = env.broker().await;
        }
        assert!(broker.consume(&missing, 1).await.err().unwrap().is_channel_error());
    }
    broker.consume(&existing, 1).await.unwrap().close().await;
    broker.delete(&existing).await.unwrap();
    env.close().await;
}
