//! Jobs that wait for others, parents that wait for their children, and shares of those who submit.

use std::time::{Duration, Instant};

use domain::job::{
    Cancellation, DependencyCondition, JobId, NewJob, Outcome, Status, Timestamp, WorkerId,
};
use store::{
    ClaimAnswer, Dumped, InvalidRelation, JobFilter, RelationProblem, StoreError, WaitPosition,
};
use testkit::{TestEnv, assert_consistent, job, jobs};
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

async fn settled(env: &TestEnv) {
    while env.store().propagate().await.unwrap() != (0, 0) {}
    assert_consistent(env.store()).await;
}

#[tokio::test]
async fn a_job_runs_when_all_that_it_depends_on_are_done() {
    let env = TestEnv::new().await;
    let worker = worker(&env).await;
    let (a, b) = (submit(&env, &job("noop", "")).await, submit(&env, &job("noop", "")).await);
    let last = submit(&env, &after(&[a, b])).await;
    assert!(matches!(claim(&env, &worker, last).await, ClaimAnswer::Refused(Status::Waiting)));
    let store = env.store();
    assert_eq!(store.job(a).await.unwrap().unwrap().next, Some(last));
    run(&env, &worker, a, Outcome::Done(None)).await;
    let place = store.wait_position(&store.job(last).await.unwrap().unwrap()).await.unwrap();
    assert_eq!(place, WaitPosition::Dependencies(1));
    run(&env, &worker, b, Outcome::Done(None)).await;
    // What ends a run lets those go on at once that wait for it.
    run(&env, &worker, last, Outcome::Done(None)).await;
    let late = submit(&env, &after(&[a, last])).await;
    run(&env, &worker, late, Outcome::Done(None)).await;
    assert_consistent(store).await;
    env.close().await;
}

#[tokio::test]
async fn a_dependency_is_followed_through_retries_and_lost_workers_to_its_end() {
    let env = TestEnv::new().await;
    let (worker, doomed) = (worker(&env).await, worker(&env).await);
    let mut first = job("noop", "");
    first.spec.retries = 1;
    first.spec.backoff = serde_json::from_str(r#"{"base":"1ms","max":"1ms"}"#).unwrap();
    let first = submit(&env, &first).await;
    let last = submit(&env, &after(&[first])).await;
    let run_first = claimed(&env, &worker, first).await;
    let told = end(first, run_first.token, failed());
    finish(&env, &told).await;
    assert_eq!(status(&env, last).await, Status::Waiting);
    env.eventually("it is due", async || env.store().due().await.unwrap().moved > 0).await;
    claimed(&env, &doomed, told.follow_up).await;
    lose(&env, &doomed).await;
    assert_consistent(env.store()).await;
    let third = env.store().job(told.follow_up).await.unwrap().unwrap().follow_up.unwrap();
    run(&env, &worker, third, Outcome::Done(None)).await;
    run(&env, &worker, last, Outcome::Done(None)).await;
    // What failed for good and is tried again by hand has nobody left who waits for it.
    assert_consistent(env.store()).await;
    env.close().await;
}

#[tokio::test]
async fn what_can_not_succeed_ends_all_that_depend_on_it_down_the_chain() {
    let env = TestEnv::new().await;
    let worker = worker(&env).await;
    let store = env.store();
    for (how, word) in [(failed(), Status::Error), (Outcome::Cancel, Status::Cancel)] {
        let first = submit(&env, &job("noop", "")).await;
        let second = submit(&env, &after(&[first])).await;
        let third = submit(&env, &after(&[second])).await;
        let mut cleanup = after(&[third]);
        cleanup.spec.when = DependencyCondition::Finished;
        let cleanup = submit(&env, &cleanup).await;
        if word == Status::Cancel {
            store.cancel(&[first], &Cancellation::default()).await.unwrap();
        } else {
            run(&env, &worker, first, how).await;
        }
        settled(&env).await;
        assert_eq!(status(&env, second).await, word);
        assert_eq!(status(&env, third).await, word);
        let third_is = store.job(third).await.unwrap().unwrap();
        let why = third_is.exception.map(|exception| exception.kind);
        assert_eq!(why.as_deref(), (word == Status::Error).then_some("DependencyFailed"));
        run(&env, &worker, cleanup, Outcome::Done(None)).await;
        // Too late: it has failed already.
        let late = submit(&env, &after(&[first])).await;
        settled(&env).await;
        assert_eq!(status(&env, late).await, word);
    }
    env.close().await;
}

#[tokio::test]
async fn a_submission_that_names_what_it_must_not_name_is_refused_whole() {
    let env = TestEnv::new().await;
    let worker = worker(&env).await;
    let over = submit(&env, &job("noop", "")).await;
    run(&env, &worker, over, Outcome::Done(None)).await;
    let parent = submit(&env, &job("noop", "")).await;
    let stranger = submit(&env, &job("noop", "")).await;
    let nobody = JobId::random();
    let mut foreign = child(parent);
    foreign.spec.depends_on = vec![over, stranger];
    let mut own = child(parent);
    own.spec.depends_on = vec![parent];
    let before = dump(&env).await;
    for (job, kind, id) in [
        (after(&[over, nobody]), RelationProblem::UnknownDependency, nobody),
        (child(over), RelationProblem::ParentOver, over),
        (child(nobody), RelationProblem::ParentOver, nobody),
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
async fn a_parent_waits_for_its_children_without_a_worker_and_ends_as_they_do() {
    let env = TestEnv::new().await;
    let (keeper, doomed) = (worker(&env).await, worker(&env).await);
    let store = env.store();
    for fails in [false, true] {
        let mut parent = job("noop", "");
        parent.spec.locks = "a=1".parse().unwrap();
        let parent = submit(&env, &parent).await;
        // Its first worker dies after it has begun to spread: the next run's record is the parent then.
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
        let place = store.wait_position(&store.job(second).await.unwrap().unwrap()).await.unwrap();
        assert_eq!(place, WaitPosition::Children(2));
        assert_eq!(store.leave(&new).await.unwrap(), store::LeaveAnswer::Left, "it holds nothing");
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
async fn a_parent_that_is_cancelled_stops_its_children() {
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
    settled(&env).await;
    assert_eq!(status(&env, waiting).await, Status::Cancel);
    assert_eq!(status(&env, running).await, Status::CancelRequest);
    finish(&env, &end(running, token, Outcome::Cancel)).await;
    settled(&env).await;
    env.close().await;
}

#[tokio::test]
async fn ten_thousand_children_hold_up_nobody() {
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
    let mut longest = Duration::ZERO;
    loop {
        let began = Instant::now();
        let (moved, left) = store.propagate().await.unwrap();
        longest = longest.max(began.elapsed());
        assert!(moved <= 100, "a step is bounded");
        if left == 0 {
            break;
        }
    }
    println!("the longest of the steps took {longest:?}");
    assert_eq!(status(&env, ids[9_999]).await, Status::Cancel);
    let counts = store.counts().await.unwrap();
    assert!(counts.contains(&(Status::Cancel, 10_001)), "{counts:?}");
    env.close().await;
}

#[tokio::test]
async fn a_job_of_an_action_that_a_worker_does_not_know_is_put_off_for_longer_and_longer() {
    let env = TestEnv::new().await;
    let worker = worker(&env).await;
    let id = submit(&env, &job("unheard-of", "")).await;
    let mut last = 0;
    for _ in 0..3 {
        assert!(matches!(claim(&env, &worker, id).await, ClaimAnswer::Refused(Status::Waiting)));
        let Some(Dumped::Sorted(due)) = dump(&env).await.remove("due") else { panic!("it is due") };
        let now = env.store().job(id).await.unwrap().unwrap().created_at.ms();
        let wait = due[&id.to_string()] as i64 - now;
        assert!(wait > last, "{wait} ms after {last}");
        last = wait;
        assert_consistent(env.store()).await;
        env.eventually("it is offered", async || env.store().due().await.unwrap().moved > 0).await;
    }
    env.close().await;
}

#[tokio::test]
async fn whoever_submits_thousands_has_no_more_than_a_window_in_front_of_others() {
    let env = TestEnv::new().await;
    let worker = worker(&env).await;
    let store = env.store();
    let of = |key: &str, count| {
        let mut jobs = jobs(count, "noop", "");
        jobs.iter_mut().for_each(|job| job.spec.fairness_key = Some(key.to_owned()));
        jobs
    };
    let mut many = of("many", 1_000);
    for (at, job) in many.iter_mut().enumerate() {
        job.scheduled_at = Some(Timestamp::from_ms(at as i64));
    }
    store.submit_batch(Uuid::new_v4(), &many).await.unwrap();
    let few = of("few", 10);
    store.submit_batch(Uuid::new_v4(), &few).await.unwrap();
    assert_consistent(store).await;
    let Some(Dumped::Stream(outbox)) = dump(&env).await.remove("outbox") else { panic!() };
    let order: Vec<&str> = outbox.iter().map(|entry| entry["job"].as_str()).collect();
    assert_eq!(order.len(), 64 + 10);
    assert!(few.iter().all(|job| order.contains(&job.id.to_string().as_str())));
    let last = store.job(many[999].id).await.unwrap().unwrap();
    assert_eq!(
        store.wait_position(&last).await.unwrap(),
        WaitPosition::Backlog(999),
        "it is the last"
    );
    // Each that starts lets the next one of its share in; in the end all have been offered.
    for (number, job) in many.iter().enumerate() {
        claimed(&env, &worker, job.id).await;
        if number % 100 == 0 {
            assert_consistent(store).await;
        }
    }
    let Some(Dumped::Stream(outbox)) = dump(&env).await.remove("outbox") else { panic!() };
    assert_eq!(outbox.len(), 1_010);
    assert_consistent(store).await;
    let far = Some(Timestamp::from_ms(253_402_300_000_000));
    let mut later = of("many", 70);
    later.iter_mut().for_each(|job| job.scheduled_at = far);
    store.submit_batch(Uuid::new_v4(), &later).await.unwrap();
    assert_consistent(store).await;
    env.close().await;
}
