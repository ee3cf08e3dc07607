//! Workers that lose their lease and live: the job runs elsewhere, and stops where it was.

use domain::job::{JobId, OnWorkerLost, Status};
use domain::queue::QueueName;
use e2e::{StartServices, TestEnv, assert_consistent, job, jobs};
use store::{ClaimRequest, Claims};

use crate::world::{Actions, ended, look, no_process_in_group};

/// One action, `long`: says its process group, then sleeps.
fn long() -> Actions {
    Actions::new("[actions.long]\nargv = ['sh', '-c', 'echo $$; exec sleep 60']")
}

async fn group_of(env: &TestEnv, id: JobId) -> String {
    let said = async || env.store().log_lines(id, 0, 1).await.unwrap();
    env.eventually("it says its group", async || !said().await.is_empty()).await;
    said().await[0].text.clone()
}

#[tokio::test(flavor = "multi_thread")]
async fn a_dead_worker_that_comes_back_stops_its_job_and_says_so() {
    let env = TestEnv::new().await;
    let scheduler = env.scheduler_with(&["--lease=1s"]);
    let file = long();
    let actions = file.flag();
    let (proxy, through) = env.redis_proxy().await;
    let flags = ["--capacity=scan=1", "--lease=1s", &actions];
    let cut_off = env.worker_with(&[&flags[..], &[&through]].concat());
    let job = job("long", "scan=1");
    env.store().submit(std::slice::from_ref(&job)).await.unwrap();
    let group = group_of(&env, job.id).await;
    proxy.cut();
    let died = async || look(env.store(), job.id).await.status == Status::WorkerDead;
    env.eventually("its lease ends", died).await;
    let other = env.worker_with(&flags);
    let next = look(env.store(), job.id).await.follow_up.unwrap();
    let group_of_next = group_of(&env, next).await;
    assert!(!no_process_in_group(&group), "nobody could tell it to stop");
    proxy.mend();
    let back = async || look(env.store(), job.id).await.status == Status::WorkerResurrection;
    env.eventually("it comes back and says that it has stopped", back).await;
    assert!(no_process_in_group(&group), "group {group} outlived its claim");
    assert!(!no_process_in_group(&group_of_next), "the follow-up goes on");
    assert_eq!(look(env.store(), next).await.status, Status::Running);
    assert_consistent(env.store()).await;
    env.store().delete(next).await.unwrap();
    ended(&env, next).await;
    for service in [cut_off, other, scheduler] {
        service.stop().await;
    }
    env.close().await;
}

#[tokio::test(flavor = "multi_thread")]
async fn a_strict_job_is_stopped_at_the_end_of_its_lease_without_being_told() {
    let env = TestEnv::new().await;
    let scheduler = env.scheduler_with(&["--lease=1s"]);
    let file = long();
    let actions = file.flag();
    let (proxy, through) = env.redis_proxy().await;
    let cut_off = env.worker_with(&["--capacity=scan=1", "--lease=1s", &actions, &through]);
    let mut strict = job("long", "scan=1");
    strict.spec.strict_lease = true;
    strict.spec.on_worker_lost = OnWorkerLost::Fail;
    env.store().submit(std::slice::from_ref(&strict)).await.unwrap();
    let group = group_of(&env, strict.id).await;
    proxy.cut();
    env.eventually("its process ends", async || no_process_in_group(&group)).await;
    let died = async || look(env.store(), strict.id).await.status == Status::WorkerDead;
    env.eventually("its lease ends", died).await;
    assert_eq!(look(env.store(), strict.id).await.follow_up, None, "it must not run twice");
    proxy.mend();
    let back = async || look(env.store(), strict.id).await.status == Status::WorkerResurrection;
    env.eventually("it says that it was stopped", back).await;
    assert_consistent(env.store()).await;
    for service in [cut_off, scheduler] {
        service.stop().await;
    }
    env.close().await;
}

#[tokio::test(flavor = "multi_thread")]
async fn a_strict_job_stopped_in_an_outage_that_nobody_else_noticed_is_carried_on() {
    let env = TestEnv::new().await;
    let file = long();
    let actions = file.flag();
    let (proxy, through) = env.redis_proxy().await;
    // Without a scheduler nobody declares the worker dead; this one only publishes, before the outage.
    let scheduler = env.scheduler();
    let worker = env.worker_with(&["--capacity=scan=1", "--lease=1s", &actions, &through]);
    let mut strict = job("long", "scan=1");
    strict.spec.strict_lease = true;
    env.store().submit(std::slice::from_ref(&strict)).await.unwrap();
    let group = group_of(&env, strict.id).await;
    scheduler.stop().await;
    proxy.cut();
    env.eventually("its process ends", async || no_process_in_group(&group)).await;
    proxy.mend();
    let given_up = async || look(env.store(), strict.id).await.status == Status::WorkerShutdown;
    env.eventually("the worker gives it up", given_up).await;
    let scheduler = env.scheduler();
    let next = look(env.store(), strict.id).await.follow_up.unwrap();
    group_of(&env, next).await;
    assert_consistent(env.store()).await;
    env.store().delete(next).await.unwrap();
    ended(&env, next).await;
    worker.stop().await;
    scheduler.stop().await;
    env.close().await;
}

#[tokio::test(flavor = "multi_thread")]
async fn a_strict_job_that_ended_in_its_lease_keeps_its_end_through_an_outage() {
    let env = TestEnv::new().await;
    let (go, file) =
        [(); 2].map(|()| std::env::temp_dir().join(JobId::random().to_string())).into();
    let script = format!("echo $$; until [ -e {} ]; do sleep 0.01; done; echo over", go.display());
    std::fs::write(&file, format!("[actions.brief]\nargv = ['sh', '-c', '{script}']")).unwrap();
    let actions = format!("--actions={}", file.display());
    let (proxy, through) = env.redis_proxy().await;
    // Without a scheduler nobody declares the worker dead; this one only publishes, before the outage.
    let scheduler = env.scheduler();
    let worker = env.worker_with(&["--capacity=scan=1", "--lease=1s", &actions, &through]);
    let mut strict = job("brief", "scan=1");
    strict.spec.strict_lease = true;
    env.store().submit(std::slice::from_ref(&strict)).await.unwrap();
    let group = group_of(&env, strict.id).await;
    scheduler.stop().await;
    proxy.cut();
    std::fs::write(&go, "").unwrap();
    env.eventually("its process ends", async || no_process_in_group(&group)).await;
    let over = async || !env.store().ended_leases().await.unwrap().is_empty();
    env.eventually("the lease is over", over).await;
    proxy.mend();
    assert_eq!(ended(&env, strict.id).await.status, Status::Done);
    assert_eq!(look(env.store(), strict.id).await.follow_up, None, "it ran, and ran well");
    assert_consistent(env.store()).await;
    worker.stop().await;
    for path in [go, file] {
        std::fs::remove_file(path).unwrap();
    }
    env.close().await;
}

#[tokio::test(flavor = "multi_thread")]
async fn an_offer_lost_in_the_middle_of_a_backlog_is_found() {
    let env = TestEnv::new().await;
    let scheduler = env.scheduler();
    let queue = QueueName::of(&job("noop", "scan=1"));
    let broker = env.broker().await;
    let all = jobs(10, "noop", "scan=1");
    for (count, job) in all.iter().enumerate() {
        env.store().submit(std::slice::from_ref(job)).await.unwrap();
        env.eventually("it is offered", async || {
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
    let find = async || scheduler::find_lost_offers(env.store(), &broker, none, none).await;
    assert_eq!(find().await.unwrap(), 0, "nothing has come past it yet");
    let worker = domain::job::WorkerId::random();
    let lease = std::time::Duration::from_secs(60);
    env.store().beat(&e2e::beat(&worker, lease)).await.unwrap();
    let request = ClaimRequest { max: 1, ids: vec![all[5].id] };
    let claims = env.store().claim(&worker, &[request]).await.unwrap();
    assert!(matches!(claims, Claims::Answered(_)));
    // Those before the claimed one were not lost: one offer too many of each does no harm.
    assert!((1..=5).contains(&find().await.unwrap()));
    let again = async || broker.depth(&queue).await.unwrap().unwrap_or(0) > 9;
    env.eventually("it is offered again", again).await;
    assert!(all.iter().any(|job| job.id == lost));
    env.store().leave(&worker).await.unwrap();
    scheduler.stop().await;
    env.close().await;
}
