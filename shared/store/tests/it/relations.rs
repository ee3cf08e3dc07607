//! Dependencies, parents and children, and jobs of unknown actions.

use domain::job::{Cancellation, DependencyCondition, JobId, NewJob, Outcome, Status, WorkerId};
use store::{ClaimAnswer, InvalidRelation, JobFilter, RelationProblem, StoreError, WaitPosition};
use testkit::{TestEnv, assert_consistent, job};
use uuid::Uuid;

use crate::calls::{claim, claimed, dump, end, failed, finish, lose, status, submit, worker};

fn after(ids: &[JobId]) -> NewJob {
    let mut job = job("noop", "");
    job.spec.depends_on = ids.to_vec();
    job
}

fn child(parent: JobId) -> NewJob {
    let mut job = job("noop", "");
    job.spec.parent = Some(parent);
    job
}

async fn run(env: &TestEnv, worker: &WorkerId, id: JobId, outcome: Outcome) {
    let run = claimed(env, worker, id).await;
    finish(env, &end(id, run.token, outcome)).await;
}

async fn propagated(env: &TestEnv) {
    while env.store().propagate().await.unwrap() != (0, 0) {}
    assert_consistent(env.store()).await;
}

#[tokio::test]
async fn a_job_runs_when_all_its_dependencies_are_done() {
    let env = TestEnv::new().await;
    let worker = worker(&env).await;
    let (a, b) = (submit(&env, &job("noop", "")).await, submit(&env, &job("noop", "")).await);
    let last = submit(&env, &after(&[a, b])).await;
    assert!(matches!(claim(&env, &worker, last).await, ClaimAnswer::Refused(Status::Waiting)));
    let store = env.store();
    assert_eq!(store.job(a).await.unwrap().unwrap().next, Some(last));
    run(&env, &worker, a, Outcome::Done(None)).await;
    let position = store.wait_position(&store.job(last).await.unwrap().unwrap()).await.unwrap();
    assert_eq!(position, WaitPosition::Dependencies(1));
    run(&env, &worker, b, Outcome::Done(None)).await;
    // The script that ends a run lets its dependents go on at once.
    run(&env, &worker, last, Outcome::Done(None)).await;
    let late = submit(&env, &after(&[a, last])).await;
    run(&env, &worker, late, Outcome::Done(None)).await;
    assert_consistent(store).await;
    env.close().await;
}

#[tokio::test]
async fn a_dependent_waits_through_retries_and_lost_workers_for_the_last_follow_up() {
    let env = TestEnv::new().await;
    let (worker, doomed) = (worker(&env).await, worker(&env).await);
    let mut first = job("noop", "");
    first.spec.retries = 1;
    first.spec.backoff = serde_json::from_str(r#"{"base":"1ms","max":"1ms"}"#).unwrap();
    let first = submit(&env, &first).await;
    let last = submit(&env, &after(&[first])).await;
    let run_first = claimed(&env, &worker, first).await;
    let ended = end(first, run_first.token, failed());
    finish(&env, &ended).await;
    assert_eq!(status(&env, last).await, Status::Waiting);
    env.eventually("the retry is due", async || env.store().due().await.unwrap().moved > 0).await;
    claimed(&env, &doomed, ended.follow_up).await;
    lose(&env, &doomed).await;
    assert_consistent(env.store()).await;
    let third = env.store().job(ended.follow_up).await.unwrap().unwrap().follow_up.unwrap();
    run(&env, &worker, third, Outcome::Done(None)).await;
    run(&env, &worker, last, Outcome::Done(None)).await;
    assert_consistent(env.store()).await;
    env.close().await;
}

#[tokio::test]
async fn a_job_that_does_not_succeed_ends_the_whole_chain_of_its_dependents() {
    let env = TestEnv::new().await;
    let worker = worker(&env).await;
    let store = env.store();
    for (outcome, expected) in [(failed(), Status::Error), (Outcome::Cancel, Status::Cancel)] {
        let first = submit(&env, &job("noop", "")).await;
        let second = submit(&env, &after(&[first])).await;
        let third = submit(&env, &after(&[second])).await;
        let mut cleanup = after(&[third]);
        cleanup.spec.when = DependencyCondition::Finished;
        let cleanup = submit(&env, &cleanup).await;
        if expected == Status::Cancel {
            store.cancel(&[first], &Cancellation::default()).await.unwrap();
        } else {
            run(&env, &worker, first, outcome).await;
        }
        propagated(&env).await;
        assert_eq!(status(&env, second).await, expected);
        assert_eq!(status(&env, third).await, expected);
        let third_job = store.job(third).await.unwrap().unwrap();
        let why = third_job.exception.map(|exception| exception.kind);
        assert_eq!(why.as_deref(), (expected == Status::Error).then_some("DependencyFailed"));
        run(&env, &worker, cleanup, Outcome::Done(None)).await;
        // A job that depends on one that has failed already ends as well.
        let late = submit(&env, &after(&[first])).await;
        propagated(&env).await;
        assert_eq!(status(&env, late).await, expected);
    }
    env.close().await;
}

#[tokio::test]
async fn a_submission_that_names_a_job_it_must_not_name_is_refused_whole() {
    let env = TestEnv::new().await;
    let worker = worker(&env).await;
    let over = submit(&env, &job("noop", "")).await;
    run(&env, &worker, over, Outcome::Done(None)).await;
    let parent = submit(&env, &job("noop", "")).await;
    let stranger = submit(&env, &job("noop", "")).await;
    let unknown = JobId::random();
    let mut foreign = child(parent);
    foreign.spec.depends_on = vec![over, stranger];
    let mut own = child(parent);
    own.spec.depends_on = vec![parent];
    let before = dump(&env).await;
    for (job, kind, id) in [
        (after(&[over, unknown]), RelationProblem::UnknownDependency, unknown),
        (child(over), RelationProblem::ParentOver, over),
        (child(unknown), RelationProblem::UnknownParent, unknown),
        (foreign, RelationProblem::ForeignDependency, stranger),
        (own, RelationProblem::ForeignDependency, parent),
    ] {
        let refused = env.store().submit(&[testkit::job("noop", ""), job]).await;
        let Err(StoreError::Relation(bad)) = refused else { panic!("{refused:?}") };
        assert_eq!(bad, InvalidRelation { kind, index: 1, id });
        assert_eq!(dump(&env).await, before);
    }
    env.close().await;
}

#[tokio::test]
async fn a_parent_waits_for_its_children_without_a_worker_and_succeeds_if_they_do() {
    let env = TestEnv::new().await;
    let (keeper, doomed) = (worker(&env).await, worker(&env).await);
    let store = env.store();
    for fails in [false, true] {
        let mut parent = job("noop", "");
        parent.spec.locks = "a=1".parse().unwrap();
        let parent = submit(&env, &parent).await;
        // Its first worker dies after the first child was created: its follow-up is the parent
        // then.
        claimed(&env, &doomed, parent).await;
        let early = submit(&env, &child(parent)).await;
        let new = worker(&env).await;
        lose(&env, &doomed).await;
        let second = store.job(parent).await.unwrap().unwrap().follow_up.unwrap();
        let token = claimed(&env, &new, second).await.token;
        let late = submit(&env, &child(parent)).await;
        let result = serde_json::json!({"spread": 2});
        finish(&env, &end(second, token, Outcome::Await(Some(result.clone())))).await;
        assert_eq!(status(&env, second).await, Status::Waiting);
        assert_eq!(store.lock(&"a".parse().unwrap()).await.unwrap().held, 0);
        let position =
            store.wait_position(&store.job(second).await.unwrap().unwrap()).await.unwrap();
        assert_eq!(position, WaitPosition::Children(2));
        assert_eq!(
            store.leave(&new).await.unwrap(),
            store::LeaveAnswer::Left,
            "the worker runs no jobs"
        );
        assert_consistent(store).await;
        let of = JobFilter { parent: Some(parent), ..JobFilter::default() };
        assert_eq!(store.jobs(&of, 0, 10).await.unwrap().total, 2);
        run(&env, &keeper, early, Outcome::Done(None)).await;
        assert_eq!(status(&env, second).await, Status::Waiting);
        run(&env, &keeper, late, if fails { failed() } else { Outcome::Done(None) }).await;
        let over = store.job(second).await.unwrap().unwrap();
        assert_eq!(over.status, if fails { Status::Error } else { Status::Done });
        assert_eq!(over.result, Some(result));
        let why = over.exception.map(|exception| exception.kind);
        assert_eq!(why.as_deref(), fails.then_some("ChildrenFailed"));
        assert_consistent(store).await;
        if !fails {
            lose(&env, &keeper).await;
            break;
        }
    }
    env.close().await;
}

#[tokio::test]
async fn a_cancelled_parent_stops_its_children() {
    let env = TestEnv::new().await;
    let worker = worker(&env).await;
    let parent = submit(&env, &job("noop", "")).await;
    let run_parent = claimed(&env, &worker, parent).await;
    let (waiting, running) =
        (submit(&env, &child(parent)).await, submit(&env, &child(parent)).await);
    let token = claimed(&env, &worker, running).await.token;
    finish(&env, &end(parent, run_parent.token, Outcome::Await(None))).await;
    env.store().cancel(&[parent], &Cancellation::default()).await.unwrap();
    assert_eq!(status(&env, parent).await, Status::Cancel);
    propagated(&env).await;
    assert_eq!(status(&env, waiting).await, Status::Cancel);
    assert_eq!(status(&env, running).await, Status::CancelRequest);
    finish(&env, &end(running, token, Outcome::Cancel)).await;
    propagated(&env).await;
    env.close().await;
}

#[tokio::test]
async fn ten_thousand_children_are_stopped_in_bounded_steps() {
    let env = TestEnv::new().await;
    let worker = worker(&env).await;
    let store = env.store();
    let parent = submit(&env, &job("noop", "")).await;
    let token = claimed(&env, &worker, parent).await.token;
    let children: Vec<NewJob> = (0..10_000).map(|_| child(parent)).collect();
    store.submit_batch(Uuid::new_v4(), &children).await.unwrap();
    finish(&env, &end(parent, token, Outcome::Await(None))).await;
    let ids: Vec<JobId> = children.iter().map(|job| job.id).collect();
    store.cancel(&[parent], &Cancellation::default()).await.unwrap();
    loop {
        let (moved, left) = store.propagate().await.unwrap();
        assert!(moved <= 100, "a step is bounded");
        if left == 0 {
            break;
        }
    }
    assert_eq!(status(&env, ids[9_999]).await, Status::Cancel);
    let counts = store.counts().await.unwrap();
    assert!(counts.contains(&(Status::Cancel, 10_001)), "{counts:?}");
    env.close().await;
}
