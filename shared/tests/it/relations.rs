//! Jobs that wait for others, parents that wait for their children, and shares of those who submit.

use std::time::{Duration, Instant};

use e2e::{House, assert_consistent, job, jobs};
use shared::job::{Cancelled, JobId, NewJob, Outcome, Status, Timestamp, When, WorkerId};
use shared::store::{BadRelation, ClaimAnswer, Dumped, Filter, Place, Relation, StoreError};
use uuid::Uuid;

use crate::world::{claim, claimed, dump, end, failed, finish, lose, status, submit, worker};

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

async fn run(house: &House, worker: &WorkerId, id: JobId, outcome: Outcome) {
    let run = claimed(house, worker, id).await;
    finish(house, &end(id, run.token, outcome)).await;
}

async fn settled(house: &House) {
    while house.store().settle().await.unwrap() != (0, 0) {}
    assert_consistent(house.store()).await;
}

#[tokio::test]
async fn a_job_runs_when_all_that_it_depends_on_are_done() {
    let house = House::new().await;
    let worker = worker(&house).await;
    let (a, b) = (submit(&house, &job("noop", "")).await, submit(&house, &job("noop", "")).await);
    let last = submit(&house, &after(&[a, b])).await;
    assert!(matches!(claim(&house, &worker, last).await, ClaimAnswer::Refused(Status::Waiting)));
    let store = house.store();
    assert_eq!(store.job(a).await.unwrap().unwrap().next, Some(last));
    run(&house, &worker, a, Outcome::Done(None)).await;
    let place = store.place(&store.job(last).await.unwrap().unwrap()).await.unwrap();
    assert_eq!(place, Place::Dependent(1));
    run(&house, &worker, b, Outcome::Done(None)).await;
    // What ends a run lets those go on at once that wait for it.
    run(&house, &worker, last, Outcome::Done(None)).await;
    let late = submit(&house, &after(&[a, last])).await;
    run(&house, &worker, late, Outcome::Done(None)).await;
    assert_consistent(store).await;
    house.close().await;
}

#[tokio::test]
async fn a_dependency_is_followed_through_retries_and_lost_workers_to_its_end() {
    let house = House::new().await;
    let (worker, doomed) = (worker(&house).await, worker(&house).await);
    let mut first = job("noop", "");
    first.spec.retries = 1;
    first.spec.backoff = serde_json::from_str(r#"{"base":"1ms","max":"1ms"}"#).unwrap();
    let first = submit(&house, &first).await;
    let last = submit(&house, &after(&[first])).await;
    let run_first = claimed(&house, &worker, first).await;
    let told = end(first, run_first.token, failed());
    finish(&house, &told).await;
    assert_eq!(status(&house, last).await, Status::Waiting);
    house.eventually("it is due", async || house.store().due().await.unwrap().moved > 0).await;
    claimed(&house, &doomed, told.follow_up).await;
    lose(&house, &doomed).await;
    assert_consistent(house.store()).await;
    let third = house.store().job(told.follow_up).await.unwrap().unwrap().follow_up.unwrap();
    run(&house, &worker, third, Outcome::Done(None)).await;
    run(&house, &worker, last, Outcome::Done(None)).await;
    // What failed for good and is tried again by hand has nobody left who waits for it.
    assert_consistent(house.store()).await;
    house.close().await;
}

#[tokio::test]
async fn what_can_not_succeed_ends_all_that_depend_on_it_down_the_chain() {
    let house = House::new().await;
    let worker = worker(&house).await;
    let store = house.store();
    for (how, word) in [(failed(), Status::Error), (Outcome::Cancel, Status::Cancel)] {
        let first = submit(&house, &job("noop", "")).await;
        let second = submit(&house, &after(&[first])).await;
        let third = submit(&house, &after(&[second])).await;
        let mut cleanup = after(&[third]);
        cleanup.spec.when = When::Finished;
        let cleanup = submit(&house, &cleanup).await;
        if word == Status::Cancel {
            store.cancel(&[first], &Cancelled::default()).await.unwrap();
        } else {
            run(&house, &worker, first, how).await;
        }
        settled(&house).await;
        assert_eq!(status(&house, second).await, word);
        assert_eq!(status(&house, third).await, word);
        let third_is = store.job(third).await.unwrap().unwrap();
        let why = third_is.exception.map(|exception| exception.kind);
        assert_eq!(why.as_deref(), (word == Status::Error).then_some("DependencyFailed"));
        run(&house, &worker, cleanup, Outcome::Done(None)).await;
        // Too late: it has failed already.
        let late = submit(&house, &after(&[first])).await;
        settled(&house).await;
        assert_eq!(status(&house, late).await, word);
    }
    house.close().await;
}

#[tokio::test]
async fn a_submission_that_names_what_it_must_not_name_is_refused_whole() {
    let house = House::new().await;
    let worker = worker(&house).await;
    let over = submit(&house, &job("noop", "")).await;
    run(&house, &worker, over, Outcome::Done(None)).await;
    let parent = submit(&house, &job("noop", "")).await;
    let stranger = submit(&house, &job("noop", "")).await;
    let nobody = JobId::random();
    let mut foreign = child(parent);
    foreign.spec.depends_on = vec![over, stranger];
    let mut own = child(parent);
    own.spec.depends_on = vec![parent];
    let before = dump(&house).await;
    for (job, kind, id) in [
        (after(&[over, nobody]), Relation::UnknownDependency, nobody),
        (child(over), Relation::ParentOver, over),
        (child(nobody), Relation::ParentOver, nobody),
        (foreign, Relation::ForeignDependency, stranger),
        (own, Relation::ForeignDependency, parent),
    ] {
        let refused = house.store().submit(&[e2e::job("noop", ""), job]).await;
        let Err(StoreError::Relation(bad)) = refused else { panic!("{refused:?}") };
        assert_eq!(bad, BadRelation { kind, place: 1, id });
        assert_eq!(dump(&house).await, before);
    }
    house.close().await;
}

#[tokio::test]
async fn a_parent_waits_for_its_children_without_a_worker_and_ends_as_they_do() {
    let house = House::new().await;
    let (keeper, doomed) = (worker(&house).await, worker(&house).await);
    let store = house.store();
    for fails in [false, true] {
        let mut parent = job("noop", "");
        parent.spec.locks = "a=1".parse().unwrap();
        let parent = submit(&house, &parent).await;
        // Its first worker dies after it has begun to spread: the next run's record is the parent then.
        claimed(&house, &doomed, parent).await;
        let early = submit(&house, &child(parent)).await;
        let new = worker(&house).await;
        lose(&house, &doomed).await;
        let second = store.job(parent).await.unwrap().unwrap().follow_up.unwrap();
        let token = claimed(&house, &new, second).await.token;
        let late = submit(&house, &child(parent)).await;
        let result = serde_json::json!({"spread": 2});
        finish(&house, &end(second, token, Outcome::Await(Some(result.clone())))).await;
        assert_eq!(status(&house, second).await, Status::Waiting);
        assert_eq!(store.lock(&"a".parse().unwrap()).await.unwrap().held, 0);
        let place = store.place(&store.job(second).await.unwrap().unwrap()).await.unwrap();
        assert_eq!(place, Place::Awaiting(2));
        assert_eq!(store.leave(&new).await.unwrap(), shared::store::Left::Done, "it holds nothing");
        assert_consistent(store).await;
        let of = Filter { parent: Some(parent), ..Filter::default() };
        assert_eq!(store.jobs(&of, 0, 10).await.unwrap().total, 2);
        run(&house, &keeper, early, Outcome::Done(None)).await;
        assert_eq!(status(&house, second).await, Status::Waiting);
        run(&house, &keeper, late, if fails { failed() } else { Outcome::Done(None) }).await;
        let over = store.job(second).await.unwrap().unwrap();
        assert_eq!(over.status, if fails { Status::Error } else { Status::Done });
        assert_eq!(over.result, Some(result));
        let why = over.exception.map(|exception| exception.kind);
        assert_eq!(why.as_deref(), fails.then_some("ChildrenFailed"));
        assert_consistent(store).await;
        if !fails {
            lose(&house, &keeper).await;
            break;
        }
    }
    house.close().await;
}

#[tokio::test]
async fn a_parent_that_is_cancelled_stops_its_children() {
    let house = House::new().await;
    let worker = worker(&house).await;
    let parent = submit(&house, &job("noop", "")).await;
    let run_parent = claimed(&house, &worker, parent).await;
    let (waiting, running) =
        (submit(&house, &child(parent)).await, submit(&house, &child(parent)).await);
    let token = claimed(&house, &worker, running).await.token;
    finish(&house, &end(parent, run_parent.token, Outcome::Await(None))).await;
    house.store().cancel(&[parent], &Cancelled::default()).await.unwrap();
    assert_eq!(status(&house, parent).await, Status::Cancel);
    settled(&house).await;
    assert_eq!(status(&house, waiting).await, Status::Cancel);
    assert_eq!(status(&house, running).await, Status::CancelRequest);
    finish(&house, &end(running, token, Outcome::Cancel)).await;
    settled(&house).await;
    house.close().await;
}

#[tokio::test]
async fn ten_thousand_children_hold_up_nobody() {
    let house = House::new().await;
    let worker = worker(&house).await;
    let store = house.store();
    let parent = submit(&house, &job("noop", "")).await;
    let token = claimed(&house, &worker, parent).await.token;
    let children: Vec<NewJob> = (0..10_000).map(|_| child(parent)).collect();
    store.submit_batch(Uuid::new_v4(), &children).await.unwrap();
    finish(&house, &end(parent, token, Outcome::Await(None))).await;
    let ids: Vec<JobId> = children.iter().map(|job| job.id).collect();
    store.cancel(&[parent], &Cancelled::default()).await.unwrap();
    let mut longest = Duration::ZERO;
    loop {
        let began = Instant::now();
        let (moved, left) = store.settle().await.unwrap();
        longest = longest.max(began.elapsed());
        assert!(moved <= 100, "a step is bounded");
        if left == 0 {
            break;
        }
    }
    println!("the longest of the steps took {longest:?}");
    assert_eq!(status(&house, ids[9_999]).await, Status::Cancel);
    let counts = store.counts().await.unwrap();
    assert!(counts.contains(&(Status::Cancel, 10_001)), "{counts:?}");
    house.close().await;
}

#[tokio::test]
async fn a_job_of_an_action_that_a_worker_does_not_know_is_put_off_for_longer_and_longer() {
    let house = House::new().await;
    let worker = worker(&house).await;
    let id = submit(&house, &job("unheard-of", "")).await;
    let mut last = 0;
    for _ in 0..3 {
        assert!(matches!(claim(&house, &worker, id).await, ClaimAnswer::Refused(Status::Waiting)));
        let Some(Dumped::Sorted(due)) = dump(&house).await.remove("due") else {
            panic!("it is due")
        };
        let now = house.store().job(id).await.unwrap().unwrap().created_at.ms();
        let wait = due[&id.to_string()] as i64 - now;
        assert!(wait > last, "{wait} ms after {last}");
        last = wait;
        assert_consistent(house.store()).await;
        house
            .eventually("it is offered", async || house.store().due().await.unwrap().moved > 0)
            .await;
    }
    house.close().await;
}

#[tokio::test]
async fn whoever_submits_thousands_has_no_more_than_a_window_in_front_of_others() {
    let house = House::new().await;
    let worker = worker(&house).await;
    let store = house.store();
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
    let Some(Dumped::Stream(outbox)) = dump(&house).await.remove("outbox") else { panic!() };
    let order: Vec<&str> = outbox.iter().map(|entry| entry["job"].as_str()).collect();
    assert_eq!(order.len(), 64 + 10);
    assert!(few.iter().all(|job| order.contains(&job.id.to_string().as_str())));
    let last = store.job(many[999].id).await.unwrap().unwrap();
    assert_eq!(store.place(&last).await.unwrap(), Place::Behind(999), "it is the last");
    // Each that starts lets the next one of its share in; in the end all have been offered.
    for (number, job) in many.iter().enumerate() {
        claimed(&house, &worker, job.id).await;
        if number % 100 == 0 {
            assert_consistent(store).await;
        }
    }
    let Some(Dumped::Stream(outbox)) = dump(&house).await.remove("outbox") else { panic!() };
    assert_eq!(outbox.len(), 1_010);
    assert_consistent(store).await;
    let far = Some(Timestamp::from_ms(253_402_300_000_000));
    let mut later = of("many", 70);
    later.iter_mut().for_each(|job| job.scheduled_at = far);
    store.submit_batch(Uuid::new_v4(), &later).await.unwrap();
    assert_consistent(store).await;
    house.close().await;
}
