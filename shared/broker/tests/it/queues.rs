//! The broker: what is published is confirmed and comes; what is not acked comes again.

use broker::{Offer, Publisher};
use domain::job::{JobId, Timestamp};
use domain::queue::QueueName;
use testkit::TestEnv;

fn queue(class: &str) -> QueueName {
    format!("{class}.normal").parse().unwrap()
}

fn offer() -> Offer {
    Offer::new(Timestamp::from_ms(1), vec![JobId::random(), JobId::random()])
}

#[tokio::test]
async fn an_offer_that_is_not_acked_is_returned_when_its_consumer_closes() {
    let env = TestEnv::new().await;
    let (queue, sent) = (queue("scan=1"), offer());
    let mut publisher = Publisher::new(env.broker().await).await.unwrap();
    publisher.publish(&[(queue.clone(), sent.clone())]).await.unwrap();
    let broker = env.broker().await;
    assert_eq!(broker.depth(&queue).await.unwrap(), Some(1));
    let mut consumer = broker.consume(&queue, 1).await.unwrap();
    let first = consumer.next().await.unwrap().unwrap();
    assert_eq!((first.offer.unwrap(), first.redelivered), (sent.clone(), false));
    // A busy fleet returns an offer many times: more often than RabbitMQ 4's default limit of 20.
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
    env.eventually("it is gone", async || broker.depth(&queue).await.unwrap() == Some(0)).await;
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
    publisher.publish(&offers).await.unwrap();
    let broker = env.broker().await;
    let mut consumer = broker.consume(&queue, 3).await.unwrap();
    for _ in 0..3 {
        consumer.next().await.unwrap().unwrap();
    }
    assert_eq!(broker.depth(&queue).await.unwrap(), Some(7));
    let more = tokio::time::timeout(std::time::Duration::from_millis(100), consumer.next()).await;
    assert!(more.is_err(), "a fourth came without an ack");
    consumer.close().await;
    broker.delete(&queue).await.unwrap();
    env.close().await;
}

#[tokio::test]
async fn a_publisher_whose_queue_was_deleted_says_so() {
    let env = TestEnv::new().await;
    let queue = queue("scan=3");
    let mut publisher = Publisher::new(env.broker().await).await.unwrap();
    publisher.publish(&[(queue.clone(), offer())]).await.unwrap();
    publisher.broker().delete(&queue).await.unwrap();
    let failed = publisher.publish(&[(queue.clone(), offer())]).await.unwrap();
    assert_eq!(
        failed[&queue].to_string(),
        "rabbitmq did not take an offer for queue scan=3.normal"
    );
    assert!(publisher.publish(&[(queue.clone(), offer())]).await.unwrap().is_empty());
    publisher.broker().delete(&queue).await.unwrap();
    env.close().await;
}

#[tokio::test]
async fn a_consumer_whose_queue_was_deleted_ends() {
    let env = TestEnv::new().await;
    let queue = queue("scan=4");
    let broker = env.broker().await;
    assert!(broker.consume(&queue, 1).await.err().unwrap().is_soft());
    assert!(broker.declare(&[queue.clone()].into()).await.is_empty());
    let mut consumer = broker.consume(&queue, 1).await.unwrap();
    env.broker().await.delete(&queue).await.unwrap();
    assert!(consumer.next().await.is_none());
    env.close().await;
}
