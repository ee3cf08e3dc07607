//! Workers that lose their lease and live: the job runs elsewhere, and stops where it was.

use e2e::{House, assert_consistent, job, jobs};
use shared::job::{JobId, OnWorkerLost, Status};
use shared::queue::QueueName;
use shared::store::{ClaimRequest, Claims};

use crate::world::{Actions, ended, look, no_process_in_group};

/// One action, `long`: says its process group, then sleeps.
fn long() -> Actions {
    Actions::new("[actions.long]\nargv = ['sh', '-c', 'echo $$; exec sleep 60']")
}

async fn group_of(house: &House, id: JobId) -> String {
    let said = async || house.store().log_lines(id, 0, 1).await.unwrap();
    house.eventually("it says its group", async || !said().await.is_empty()).await;
    said().await[0].text.clone()
}

#[tokio::test(flavor = "multi_thread")]
async fn a_dead_worker_that_comes_back_stops_its_job_and_says_so() {
    let house = House::new().await;
    let scheduler = house.scheduler_with(&["--lease=1s"]);
    let file = long();
    let actions = file.flag();
    let (proxy, through) = house.redis_proxy().await;
    let flags = ["--capacity=scan=1", "--lease=1s", &actions];
    let cut_off = house.worker_with(&[&flags[..], &[&through]].concat());
    let job = job("long", "scan=1");
    house.store().submit(std::slice::from_ref(&job)).await.unwrap();
    let group = group_of(&house, job.id).await;
    proxy.cut();
    let died = async || look(house.store(), job.id).await.status == Status::WorkerDead;
    house.eventually("its lease ends", died).await;
    let other = house.worker_with(&flags);
    let next = look(house.store(), job.id).await.follow_up.unwrap();
    let group_of_next = group_of(&house, next).await;
    assert!(!no_process_in_group(&group), "nobody could tell it to stop");
    proxy.mend();
    let back = async || look(house.store(), job.id).await.status == Status::WorkerResurrection;
    house.eventually("it comes back and says that it has stopped", back).await;
    assert!(no_process_in_group(&group), "group {group} outlived its claim");
    assert!(!no_process_in_group(&group_of_next), "the follow-up goes on");
    assert_eq!(look(house.store(), next).await.status, Status::Running);
    assert_consistent(house.store()).await;
    house.store().delete(next).await.unwrap();
    ended(&house, next).await;
    for service in [cut_off, other, scheduler] {
        service.stop().await;
    }
    house.close().await;
}

#[tokio::test(flavor = "multi_thread")]
async fn a_strict_job_is_stopped_at_the_end_of_its_lease_without_being_told() {
    let house = House::new().await;
    let scheduler = house.scheduler_with(&["--lease=1s"]);
    let file = long();
    let actions = file.flag();
    let (proxy, through) = house.redis_proxy().await;
    let cut_off = house.worker_with(&["--capacity=scan=1", "--lease=1s", &actions, &through]);
    let mut strict = job("long", "scan=1");
    strict.spec.strict_lease = true;
    strict.spec.on_worker_lost = OnWorkerLost::Fail;
    house.store().submit(std::slice::from_ref(&strict)).await.unwrap();
    let group = group_of(&house, strict.id).await;
    proxy.cut();
    house.eventually("its process ends", async || no_process_in_group(&group)).await;
    let died = async || look(house.store(), strict.id).await.status == Status::WorkerDead;
    house.eventually("its lease ends", died).await;
    assert_eq!(look(house.store(), strict.id).await.follow_up, None, "it must not run twice");
    proxy.mend();
    let back = async || look(house.store(), strict.id).await.status == Status::WorkerResurrection;
    house.eventually("it says that it was stopped", back).await;
    assert_consistent(house.store()).await;
    for service in [cut_off, scheduler] {
        service.stop().await;
    }
    house.close().await;
}

#[tokio::test(flavor = "multi_thread")]
async fn a_strict_job_stopped_in_an_outage_that_nobody_else_noticed_is_carried_on() {
    let house = House::new().await;
    let file = long();
    let actions = file.flag();
    let (proxy, through) = house.redis_proxy().await;
    // Without a scheduler nobody declares the worker dead; this one only publishes, before the outage.
    let scheduler = house.scheduler();
    let worker = house.worker_with(&["--capacity=scan=1", "--lease=1s", &actions, &through]);
    let mut strict = job("long", "scan=1");
    strict.spec.strict_lease = true;
    house.store().submit(std::slice::from_ref(&strict)).await.unwrap();
    let group = group_of(&house, strict.id).await;
    scheduler.stop().await;
    proxy.cut();
    house.eventually("its process ends", async || no_process_in_group(&group)).await;
    proxy.mend();
    let given_up = async || look(house.store(), strict.id).await.status == Status::WorkerShutdown;
    house.eventually("the worker gives it up", given_up).await;
    let scheduler = house.scheduler();
    let next = look(house.store(), strict.id).await.follow_up.unwrap();
    group_of(&house, next).await;
    assert_consistent(house.store()).await;
    house.store().delete(next).await.unwrap();
    ended(&house, next).await;
    worker.stop().await;
    scheduler.stop().await;
    house.close().await;
}

#[tokio::test(flavor = "multi_thread")]
async fn a_strict_job_that_ended_in_its_lease_keeps_its_end_through_an_outage() {
    let house = House::new().await;
    let (go, file) =
        [(); 2].map(|()| std::env::temp_dir().join(JobId::random().to_string())).into();
    let script = format!("echo $$; until [ -e {} ]; do sleep 0.01; done; echo over", go.display());
    std::fs::write(&file, format!("[actions.brief]\nargv = ['sh', '-c', '{script}']")).unwrap();
    let actions = format!("--actions={}", file.display());
    let (proxy, through) = house.redis_proxy().await;
    // Without a scheduler nobody declares the worker dead; this one only publishes, before the outage.
    let scheduler = house.scheduler();
    let worker = house.worker_with(&["--capacity=scan=1", "--lease=1s", &actions, &through]);
    let mut strict = job("brief", "scan=1");
    strict.spec.strict_lease = true;
    house.store().submit(std::slice::from_ref(&strict)).await.unwrap();
    let group = group_of(&house, strict.id).await;
    scheduler.stop().await;
    proxy.cut();
    std::fs::write(&go, "").unwrap();
    house.eventually("its process ends", async || no_process_in_group(&group)).await;
    let over = async || !house.store().ended_leases().await.unwrap().is_empty();
    house.eventually("the lease is over", over).await;
    proxy.mend();
    assert_eq!(ended(&house, strict.id).await.status, Status::Done);
    assert_eq!(look(house.store(), strict.id).await.follow_up, None, "it ran, and ran well");
    assert_consistent(house.store()).await;
    worker.stop().await;
    for path in [go, file] {
        std::fs::remove_file(path).unwrap();
    }
    house.close().await;
}

#[tokio::test(flavor = "multi_thread")]
async fn an_offer_lost_in_the_middle_of_a_backlog_is_found() {
    let house = House::new().await;
    let scheduler = house.scheduler();
    let queue = QueueName::of(&job("noop", "scan=1"));
    let broker = house.broker().await;
    let all = jobs(10, "noop", "scan=1");
    for (count, job) in all.iter().enumerate() {
        house.store().submit(std::slice::from_ref(job)).await.unwrap();
        house
            .eventually("it is offered", async || {
                broker.depth(&queue).await.unwrap() == Some(count as u32 + 1)
            })
            .await;
    }
    // Somebody takes the first offer, acks it, and forgets it.
    let mut thief = broker.consume(&queue, 1).await.unwrap();
    let stolen = thief.next().await.unwrap().unwrap();
    let lost = stolen.offer.unwrap().jobs[0];
    stolen.receipt.ack().await;
    thief.close().await;
    let none = std::time::Duration::ZERO;
    let find = async || scheduler::find_lost_offers(house.store(), &broker, none, none).await;
    assert_eq!(find().await.unwrap(), 0, "nothing has come past it yet");
    let worker = shared::job::WorkerId::random();
    let lease = std::time::Duration::from_secs(60);
    house.store().beat(&e2e::beat(&worker, lease)).await.unwrap();
    let request = ClaimRequest { max: 1, ids: vec![all[5].id] };
    let claims = house.store().claim(&worker, &[request]).await.unwrap();
    assert!(matches!(claims, Claims::Answered(_)));
    // Those before the claimed one were not lost: one offer too many of each does no harm.
    assert!((1..=5).contains(&find().await.unwrap()));
    let again = async || broker.depth(&queue).await.unwrap().unwrap_or(0) > 9;
    house.eventually("it is offered again", again).await;
    assert!(all.iter().any(|job| job.id == lost));
    house.store().leave(&worker).await.unwrap();
    scheduler.stop().await;
    house.close().await;
}
