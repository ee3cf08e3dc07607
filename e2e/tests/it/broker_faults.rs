//! RabbitMQ loses offers, deletes queues or refuses them: no job is lost, and no service needs a
//! restart.

use std::time::Duration;

use domain::job::{JobId, Status, Timestamp, WorkerId};
use e2e::StartServices;
use store::{ClaimRequest, Claims, Dumped};
use testkit::{TestEnv, assert_consistent, heartbeat, job, jobs, shared_queue};

/// Returns how many jobs are done.
async fn done(env: &TestEnv) -> u64 {
    let counts = env.store().counts().await.unwrap().into_iter();
    counts.filter(|(status, _)| *status == Status::Done).map(|(_, count)| count).sum()
}

#[tokio::test(flavor = "multi_thread")]
async fn jobs_whose_offers_were_deleted_with_their_queue_are_offered_again() {
    let env = TestEnv::new().await;
    let scheduler = env.scheduler();
    let batch = jobs(50, "noop", "scan=1");
    env.store().submit(&batch).await.unwrap();
    let queue = shared_queue(&batch[0]);
    let broker = env.broker().await;
    let all_offered = async || {
        let dump = env.store().dump().await.unwrap();
        let outbox = dump.get("outbox");
        broker.depth(&queue).await.unwrap().unwrap_or(0) > 0
            && outbox.is_none_or(|outbox| *outbox == Dumped::Stream(Vec::new()))
    };
    env.eventually("all jobs are offered", all_offered).await;
    broker.delete(&queue).await.unwrap();
    let worker = env.worker("scan=2");
    env.until_done(50).await;
    assert_consistent(env.store()).await;
    worker.stop().await;
    scheduler.stop().await;
    env.close().await;
}

#[tokio::test(flavor = "multi_thread")]
async fn a_queue_that_is_deleted_under_load_is_declared_again_with_its_jobs() {
    let env = TestEnv::new().await;
    let (scheduler, worker) = (env.scheduler(), env.worker("scan=2"));
    let queue = shared_queue(&job("noop", "scan=1"));
    let broker = env.broker().await;
    for round in 0..5 {
        env.store().submit(&jobs(300, "noop", "scan=1")).await.unwrap();
        // Only a queue in use is deleted: RabbitMQ cannot declare a queue again that was deleted
        // during its declaration.
        let progress = async || done(&env).await > round * 300;
        env.eventually("more jobs are done", progress).await;
        broker.delete(&queue).await.unwrap();
    }
    env.until_done(1_500).await;
    assert_consistent(env.store()).await;
    worker.stop().await;
    scheduler.stop().await;
    env.close().await;
}

#[tokio::test(flavor = "multi_thread")]
async fn a_queue_that_is_broken_in_the_broker_delays_no_other_and_is_declared_again() {
    let env = TestEnv::new().await;
    let (scheduler, worker) = (env.scheduler(), env.worker("scan=1,cpu=1"));
    env.store().submit(&[job("noop", "scan=1"), job("noop", "cpu=1")]).await.unwrap();
    env.until_done(2).await;
    // The state of a queue whose RabbitMQ was killed between deleting and declaring it.
    let name = format!("{}.{}", env.store_config().namespace, shared_queue(&job("noop", "scan=1")));
    let member = format!("{{binary_to_atom(<<\"%2F_{name}\">>, utf8), node()}}");
    let kill_member = format!("ra:force_delete_server(quorum_queues, {member}).");
    env.rabbitmqctl(&["eval", &kill_member]).await;
    let second_worker = env.worker("scan=1,cpu=1");
    worker.stop().await;
    let (broken, intact) = (job("noop", "scan=1"), job("noop", "cpu=1"));
    env.store().submit(&[broken.clone(), intact.clone()]).await.unwrap();
    env.finished(intact.id).await;
    env.finished(broken.id).await;
    env.until_done(4).await;
    assert_consistent(env.store()).await;
    second_worker.stop().await;
    scheduler.stop().await;
    env.close().await;
}

/// Submits a job whose queue is in the state that an Erlang expression brings its process into. It
/// runs, because the queue is deleted and created again while that of another class answers.
async fn assert_created_again(process_into_state: impl FnOnce(&str) -> String) {
    let env = TestEnv::new().await;
    let (scheduler, worker) = (env.scheduler(), env.worker("scan=1,cpu=1"));
    env.store().submit(&[job("noop", "scan=1"), job("noop", "cpu=1")]).await.unwrap();
    env.until_done(2).await;
    let name = format!("{}.{}", env.store_config().namespace, shared_queue(&job("noop", "scan=1")));
    let process = format!("whereis(binary_to_atom(<<\"%2F_{name}\">>, utf8))");
    env.rabbitmqctl(&["eval", &process_into_state(&process)]).await;
    let waiting = job("noop", "scan=1");
    env.store().submit(std::slice::from_ref(&waiting)).await.unwrap();
    env.finished(waiting.id).await;
    env.until_done(3).await;
    assert_consistent(env.store()).await;
    worker.stop().await;
    scheduler.stop().await;
    env.close().await;
}

#[tokio::test(flavor = "multi_thread")]
async fn a_queue_that_hangs_in_the_broker_is_deleted_while_another_answers() {
    assert_created_again(|process| format!("sys:suspend({process}).")).await;
}

#[tokio::test(flavor = "multi_thread")]
async fn a_queue_that_seems_empty_but_has_no_leader_is_deleted_while_another_answers() {
    // It stays a follower, as after some restarts of RabbitMQ 3.10.
    let follower = "fun({_, Data}) -> {follower, list_to_tuple([case is_map(Part) of \
        true -> Part#{leader_id => undefined}; false -> Part end \
        || Part <- tuple_to_list(Data)])} end";
    assert_created_again(|process| format!("sys:replace_state({process}, {follower}), ok.")).await;
}

#[tokio::test(flavor = "multi_thread")]
async fn a_consumer_that_the_broker_has_forgotten_is_started_again() {
    let env = TestEnv::new().await;
    let (scheduler, worker) = (env.scheduler(), env.worker("scan=1"));
    let first = job("noop", "scan=1");
    env.store().submit(std::slice::from_ref(&first)).await.unwrap();
    env.finished(first.id).await;
    // RabbitMQ loses the queue and does not tell the consumer.
    let name = format!("{}.{}", env.store_config().namespace, shared_queue(&first));
    let forget = format!(
        "ra:force_delete_server(quorum_queues, {{binary_to_atom(<<\"%2F_{name}\">>, utf8), node()}}), \
         rabbit_amqqueue:internal_delete(rabbit_misc:r(<<\"/\">>, queue, <<\"{name}\">>), <<\"test\">>)."
    );
    env.rabbitmqctl(&["eval", &forget]).await;
    env.store().submit(&jobs(5, "noop", "scan=1")).await.unwrap();
    env.until_done(6).await;
    assert_consistent(env.store()).await;
    worker.stop().await;
    scheduler.stop().await;
    env.close().await;
}

#[tokio::test(flavor = "multi_thread")]
async fn a_queue_whose_messages_are_rejected_delays_no_other() {
    let env = TestEnv::new().await;
    let scheduler = env.scheduler();
    let namespace = env.store_config().namespace.clone();
    let pattern = format!("^{namespace}\\.scan=1\\.");
    let full = r#"{"max-length":1,"overflow":"reject-publish"}"#;
    let policy = ["set_policy", "--apply-to", "queues", &namespace, &pattern, full];
    env.rabbitmqctl(&policy).await;
    env.store().submit(&jobs(200, "noop", "scan=1")).await.unwrap();
    let worker = env.worker("cpu=2");
    for round in 1..=3 {
        env.store().submit(&jobs(100, "noop", "cpu=1")).await.unwrap();
        env.store().submit(&jobs(10, "noop", "scan=1")).await.unwrap();
        let others_done = async || done(&env).await == round * 100;
        env.eventually("the jobs of the other queue are done", others_done).await;
    }
    env.rabbitmqctl(&["clear_policy", &namespace]).await;
    let scanner = env.worker("scan=2");
    env.until_done(530).await;
    assert_consistent(env.store()).await;
    for service in [worker, scanner, scheduler] {
        service.stop().await;
    }
    env.close().await;
}

#[tokio::test(flavor = "multi_thread")]
async fn an_offer_lost_in_the_middle_of_a_backlog_is_published_again() {
    let env = TestEnv::new().await;
    let scheduler = env.scheduler();
    let queue = shared_queue(&job("noop", "scan=1"));
    let broker = env.broker().await;
    let backlog = jobs(10, "noop", "scan=1");
    for (count, job) in (1..).zip(&backlog) {
        env.store().submit(std::slice::from_ref(job)).await.unwrap();
        let is_offered = async || broker.depth(&queue).await.unwrap() == Some(count);
        env.eventually("the job is offered", is_offered).await;
    }
    // A consumer acknowledges the first offer and forgets it.
    let mut consumer = broker.consume(&queue, 1).await.unwrap();
    let forgotten = consumer.next().await.unwrap().unwrap();
    assert_eq!(forgotten.offer.unwrap().jobs[0], backlog[0].id);
    forgotten.receipt.ack().await;
    consumer.close().await;
    let all = scheduler::Search::default();
    let find_lost =
        async || scheduler::find_lost_offers(env.store(), &broker, &all).await.unwrap().jobs;
    assert_eq!(find_lost().await, 0, "no later offer was claimed yet");
    let worker = WorkerId::random();
    env.store().heartbeat(&heartbeat(&worker, Duration::from_secs(600))).await.unwrap();
    let request = ClaimRequest { max: 1, ids: vec![backlog[5].id] };
    let claims = env.store().claim(&worker, &[request]).await.unwrap();
    assert!(matches!(claims, Claims::Answered(_)));
    // While the outbox has entries, nothing is published again.
    let is_removed = async || env.store().backlogs_of_store().await.unwrap().outbox == 0;
    env.eventually("the last entry is removed", is_removed).await;
    // Offers between the lost one and the claimed one may be published twice, which is harmless.
    let found = find_lost().await;
    assert!((1..=5).contains(&found), "{found} offers were published again");
    let published = async || broker.depth(&queue).await.unwrap().unwrap_or(0) > 9;
    env.eventually("an offer is published again", published).await;
    env.store().leave(&worker).await.unwrap();
    scheduler.stop().await;
    env.close().await;
}

#[tokio::test(flavor = "multi_thread")]
async fn offers_of_unknown_jobs_and_malformed_offers_are_discarded() {
    let env = TestEnv::new().await;
    let (scheduler, worker) = (env.scheduler(), env.worker("scan=1"));
    let first = job("noop", "scan=1");
    env.store().submit(std::slice::from_ref(&first)).await.unwrap();
    env.finished(first.id).await;
    let queue = shared_queue(&first);
    let mut publisher = broker::Publisher::new(env.broker().await).await.unwrap();
    let at = Timestamp::from_ms(1);
    let unknown = |count| (0..count).map(|_| JobId::random()).collect();
    for ids in [unknown(1), unknown(65), vec![first.id; 3], Vec::new()] {
        let offer = broker::Offer::new(at, 1, ids);
        assert!(
            publisher
                .publish(&[(queue.clone(), offer)], broker::CALL_LIMIT)
                .await
                .unwrap()
                .is_empty()
        );
    }
    let last = job("noop", "scan=1");
    env.store().submit(std::slice::from_ref(&last)).await.unwrap();
    env.finished(last.id).await;
    let broker = env.broker().await;
    let is_empty = async || broker.depth(&queue).await.unwrap() == Some(0);
    env.eventually("the queue is empty", is_empty).await;
    assert_consistent(env.store()).await;
    worker.stop().await;
    scheduler.stop().await;
    env.close().await;
}
