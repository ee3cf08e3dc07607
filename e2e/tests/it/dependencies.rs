//! Dependencies between jobs in a whole fleet, judged by the event stream.

use domain::job::{Cancellation, JobId, NewJob, Status};
use e2e::{SHORT_LEASE, StartServices};
use serde_json::json;
use store::Event;
use testkit::{TestEnv, assert_consistent, job, with_parameters};

/// A graph of `layers` × 5 jobs. Each job depends on two or three jobs of the layer before.
fn layered_graph(layers: usize) -> Vec<NewJob> {
    let mut graph: Vec<NewJob> = Vec::new();
    for layer in 0..layers {
        for index in 0..5 {
            let mut new = with_parameters(job("sleep", "scan=1"), &json!({"seconds": 0.001}));
            if layer > 0 {
                let in_layer_before = |at: usize| graph[(layer - 1) * 5 + at % 5].id;
                let count = 2 + layer % 2;
                new.spec.depends_on = (index..index + count).map(in_layer_before).collect();
            }
            graph.push(new);
        }
    }
    graph
}

#[tokio::test(flavor = "multi_thread")]
async fn no_job_of_a_graph_starts_before_its_dependencies_are_done() {
    let env = TestEnv::new().await;
    let store = env.store();
    let services = [env.scheduler(), env.worker("scan=4"), env.worker("scan=4")];
    let graph = layered_graph(20);
    store.submit(&graph).await.unwrap();
    env.until_done(100).await;
    let changes = store.event_list("", 100_000).await.unwrap();
    let position = |id: JobId, status: &str| {
        let matches = |change: &Event| {
            change.fields.get("job") == Some(&id.to_string())
                && change.fields.get("status").is_some_and(|to| to == status)
        };
        changes.iter().position(matches).unwrap()
    };
    for job in &graph {
        let start = position(job.id, "running");
        for on in &job.spec.depends_on {
            assert!(position(*on, "done") < start, "{} started before {on} was done", job.id);
        }
    }
    for service in services {
        service.stop().await;
    }
    assert_consistent(store).await;
    env.close().await;
}

#[tokio::test(flavor = "multi_thread")]
async fn a_failed_job_fails_all_that_depend_on_it_directly_or_not() {
    let env = TestEnv::new().await;
    let store = env.store();
    let (scheduler, worker) = (env.scheduler(), env.worker("scan=1"));
    let mut fails = job("false", "scan=1");
    fails.spec.retries = 1;
    fails.spec.backoff = serde_json::from_str(r#"{"base":"1ms","max":"1ms"}"#).unwrap();
    let mut direct = job("noop", "scan=1");
    direct.spec.depends_on = vec![fails.id];
    let mut indirect = job("noop", "scan=1");
    indirect.spec.depends_on = vec![direct.id];
    store.submit(&[fails, direct.clone(), indirect.clone()]).await.unwrap();
    for id in [direct.id, indirect.id] {
        assert_eq!(env.finished(id).await.exception.unwrap().kind, "DependencyFailed");
    }
    worker.stop().await;
    scheduler.stop().await;
    assert_consistent(store).await;
    env.close().await;
}

#[tokio::test(flavor = "multi_thread")]
async fn a_dependent_waits_for_the_follow_up_of_a_job_whose_worker_died() {
    let env = TestEnv::new().await;
    let store = env.store();
    let scheduler = env.scheduler_with(&[SHORT_LEASE]);
    let worker = env.worker_with(&["--capacity=scan=1", SHORT_LEASE]);
    let slow = with_parameters(job("sleep", "scan=1"), &json!({"seconds": 3600}));
    let mut dependent = job("noop", "scan=1");
    dependent.spec.depends_on = vec![slow.id];
    store.submit(&[slow.clone(), dependent.clone()]).await.unwrap();
    let runs = async || env.job(slow.id).await.status == Status::Running;
    env.eventually("the slow job runs", runs).await;
    worker.kill().await;
    let has_follow_up = async || env.job(slow.id).await.follow_up.is_some();
    env.eventually("the slow job has a follow-up", has_follow_up).await;
    assert_eq!(env.job(dependent.id).await.status, Status::Waiting);
    let follow_up = env.job(slow.id).await.follow_up.unwrap();
    store.cancel(&[follow_up], &Cancellation::default()).await.unwrap();
    assert_eq!(env.finished(dependent.id).await.status, Status::Cancel);
    scheduler.stop().await;
    assert_consistent(store).await;
    env.close().await;
}
