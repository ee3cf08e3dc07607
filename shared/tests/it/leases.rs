//! beat, leave, expire: who lives, and what becomes of the jobs of those who do not.

use std::time::Duration;

use e2e::{House, assert_consistent, job, jobs};
use shared::job::{Outcome, Status, Token, WorkerId};
use shared::store::{ClaimRequest, Claims, Expired, Left, Pulse, Verdict, WorkerStatus};

use crate::world::{beat, claimed, dump, end, finish, status, submit, worker};

const MOMENT: Duration = Duration::from_millis(1);

/// A worker whose lease is over as soon as it is given.
async fn dying_worker(house: &House, jobs: &[shared::job::NewJob]) -> (WorkerId, Vec<Token>) {
    let id = worker(house).await;
    let mut tokens = Vec::new();
    for job in jobs {
        tokens.push(claimed(house, &id, job.id).await.token);
    }
    house.store().beat(&beat(&id, MOMENT)).await.unwrap();
    house
        .eventually("its lease ends", async || {
            !house.store().ended_leases().await.unwrap().is_empty()
        })
        .await;
    (id, tokens)
}

#[tokio::test]
async fn a_beat_renews_the_lease_and_tells_what_became_of_each_job() {
    let house = House::new().await;
    let id = worker(&house).await;
    let mine = submit(&house, &job("noop", "scan=1")).await;
    let run = claimed(&house, &id, mine).await;
    let ended = submit(&house, &job("noop", "scan=1")).await;
    let ended_run = claimed(&house, &id, ended).await;
    finish(&house, &end(ended, ended_run.token, Outcome::Done(None))).await;
    let mut told = beat(&id, Duration::from_secs(60));
    told.running =
        vec![(mine, run.token), (ended, ended_run.token), (mine, Token(run.token.0 + 1))];
    let Pulse::Alive(orders) = house.store().beat(&told).await.unwrap() else { panic!() };
    let (until, verdicts) = (orders.until, orders.verdicts);
    assert_eq!(verdicts, [(ended, Verdict::Lost), (mine, Verdict::Lost)]);
    let read = house.store().worker(&id).await.unwrap().unwrap();
    assert_eq!((read.status, read.heartbeat_expiration), (WorkerStatus::Running, until));
    assert_eq!((read.jobs, read.capacity_map), (vec![mine], told.capacity_map));
    house.close().await;
}

#[tokio::test]
async fn a_worker_whose_lease_ended_unnoticed_beats_first_and_claims_then() {
    let house = House::new().await;
    let held = job("noop", "scan=1");
    submit(&house, &held).await;
    let (id, tokens) = dying_worker(&house, std::slice::from_ref(&held)).await;
    let next = submit(&house, &job("noop", "scan=1")).await;
    let request = [ClaimRequest { max: 1, ids: vec![next] }];
    let before = dump(&house).await;
    assert_eq!(house.store().claim(&id, &request).await.unwrap(), Claims::LeaseLate);
    assert_eq!(dump(&house).await, before);
    let mut told = beat(&id, Duration::from_secs(60));
    told.running = vec![(held.id, tokens[0])];
    let Pulse::Alive(orders) = house.store().beat(&told).await.unwrap() else { panic!() };
    let verdicts = orders.verdicts;
    assert_eq!(verdicts, [], "what it ran is still its own");
    claimed(&house, &id, next).await;
    house.close().await;
}

#[tokio::test]
async fn a_worker_leaves_only_when_it_holds_nothing() {
    let house = House::new().await;
    let id = worker(&house).await;
    let held = submit(&house, &job("noop", "scan=1")).await;
    let run = claimed(&house, &id, held).await;
    let before = dump(&house).await;
    assert_eq!(house.store().leave(&id).await.unwrap(), Left::Holds(1));
    assert_eq!(house.store().leave(&WorkerId::random()).await.unwrap(), Left::Gone);
    assert_eq!(dump(&house).await, before);
    finish(&house, &end(held, run.token, Outcome::Done(None))).await;
    assert_eq!(house.store().leave(&id).await.unwrap(), Left::Done);
    assert_eq!(house.store().beat(&beat(&id, MOMENT)).await.unwrap(), Pulse::Dead);
    let workers = house.store().workers().await.unwrap();
    assert_eq!((workers.len(), workers[0].status), (1, WorkerStatus::Shutdown));
    house.close().await;
}

#[tokio::test]
async fn a_good_lease_is_not_ended() {
    let house = House::new().await;
    let id = worker(&house).await;
    let held = submit(&house, &job("noop", "scan=1")).await;
    claimed(&house, &id, held).await;
    let before = dump(&house).await;
    assert_eq!(house.store().ended_leases().await.unwrap(), []);
    assert_eq!(house.store().expire(&id).await.unwrap(), Expired::Alive);
    assert_eq!(house.store().expire(&WorkerId::random()).await.unwrap(), Expired::Alive);
    assert_eq!(dump(&house).await, before);
    house.close().await;
}

#[tokio::test]
async fn jobs_of_a_dead_worker_end_and_follow_ups_carry_them_on() {
    let house = House::new().await;
    let batch = jobs(150, "noop", "scan=1");
    house.store().submit(&batch).await.unwrap();
    let (id, tokens) = dying_worker(&house, &batch).await;
    assert_eq!(house.store().expire(&id).await.unwrap(), Expired::Ended(100, 50));
    assert_eq!(
        house.store().ended_leases().await.unwrap(),
        std::slice::from_ref(&id),
        "not done yet"
    );
    assert_eq!(house.store().expire(&id).await.unwrap(), Expired::Ended(50, 0));
    assert_eq!(house.store().ended_leases().await.unwrap(), []);
    assert_consistent(house.store()).await;

    let dead = house.store().job(batch[0].id).await.unwrap().unwrap();
    assert_eq!(dead.status, Status::WorkerDead);
    let follow_up = house.store().job(dead.follow_up.unwrap()).await.unwrap().unwrap();
    assert_eq!((follow_up.status, follow_up.retry_from), (Status::Waiting, dead.id));
    assert_eq!((follow_up.crashes, follow_up.attempt), (1, 2));
    assert_eq!(house.store().counts().await.unwrap()[0], (Status::Waiting, 150));

    let before = dump(&house).await;
    let late = end(dead.id, tokens[0], Outcome::Done(None));
    assert_eq!(finish(&house, &late).await, shared::store::Finished::Already(Status::WorkerDead));
    assert_eq!(house.store().beat(&beat(&id, MOMENT)).await.unwrap(), Pulse::Dead);
    let request = [ClaimRequest { max: 1, ids: vec![follow_up.id] }];
    assert_eq!(house.store().claim(&id, &request).await.unwrap(), Claims::LeaseLost);
    assert_eq!(dump(&house).await, before, "the dead change nothing");
    house.close().await;
}

#[tokio::test]
async fn a_job_that_kills_its_workers_does_not_go_on_for_ever() {
    let house = House::new().await;
    let first = job("noop", "scan=1");
    submit(&house, &first).await;
    let (mut current, mut deaths) = (first, 0);
    loop {
        let (id, _) = dying_worker(&house, std::slice::from_ref(&current)).await;
        house.store().expire(&id).await.unwrap();
        deaths += 1;
        let read = house.store().job(current.id).await.unwrap().unwrap();
        assert_eq!(read.status, Status::WorkerDead);
        match read.follow_up {
            Some(next) => current.id = next,
            None => break,
        }
    }
    assert_eq!(deaths, 4, "three deaths in a row are survived, the fourth is not");
    assert_eq!(status(&house, current.id).await, Status::WorkerDead);
    assert_consistent(house.store()).await;
    house.close().await;
}

#[tokio::test]
async fn a_worker_that_leaves_twice_leaves_once() {
    let house = House::new().await;
    let id = worker(&house).await;
    assert_eq!(house.store().leave(&id).await.unwrap(), Left::Done);
    let before = dump(&house).await;
    assert_eq!(house.store().leave(&id).await.unwrap(), Left::Done, "the answer was lost");
    assert_eq!(dump(&house).await, before, "nobody is told again");
    house.close().await;
}
