//! Workers that stop, gracefully or not: their jobs go on elsewhere.

use domain::job::{Cancellation, JobId, Status};
use e2e::{SHORT_LEASE, StartServices};
use serde_json::json;
use store::{JobFilter, WorkerStatus};
use testkit::{ActionsFile, Gate, TestEnv, assert_consistent, job, jobs, serve, with_parameters};

async fn until_running(env: &TestEnv, count: u64) {
    let run = async || env.store().counts().await.unwrap().contains(&(Status::Running, count));
    env.eventually(&format!("{count} jobs run"), run).await;
}

/// Waits until the log of a job contains this line.
async fn until_logged(env: &TestEnv, id: JobId, text: &str) {
    let logged = async || {
        let lines = env.store().log_lines(id, 0, 100).await.unwrap();
        lines.iter().any(|line| line.text == text)
    };
    env.eventually(&format!("job {id} prints {text:?}"), logged).await;
}

#[tokio::test(flavor = "multi_thread")]
async fn the_jobs_of_a_killed_worker_run_on_another() {
    let env = TestEnv::new().await;
    let gate = Gate::new();
    let actions = ActionsFile::new(&gate.action("gated"));
    let scheduler = env.scheduler_with(&[SHORT_LEASE]);
    let killed = env.worker_with(&["--capacity=scan=4", SHORT_LEASE, &actions.flag()]);
    env.store().submit(&jobs(8, "gated", "scan=1")).await.unwrap();
    until_running(&env, 4).await;
    killed.kill().await;
    gate.open();
    let other = env.worker_with(&["--capacity=scan=4", &actions.flag()]);
    env.until_done(8).await;
    assert_consistent(env.store()).await;
    let jobs = env.store().jobs(&JobFilter::default(), 0, 1000).await.unwrap().jobs;
    let dead: Vec<_> = jobs.iter().filter(|job| job.status == Status::WorkerDead).collect();
    assert!(dead.len() >= 4, "{} jobs have lost their worker", dead.len());
    for job in dead {
        let follow_up = env.job(job.follow_up.unwrap()).await;
        assert_eq!((follow_up.retry_from, follow_up.status), (job.id, Status::Done));
    }
    let workers = env.store().workers().await.unwrap();
    let statuses: Vec<_> = workers.into_iter().map(|worker| worker.status).collect();
    assert!(statuses.contains(&WorkerStatus::Dead) && statuses.contains(&WorkerStatus::Running));
    other.stop().await;
    scheduler.stop().await;
    env.close().await;
}

#[tokio::test(flavor = "multi_thread")]
async fn a_stopping_worker_lets_jobs_end_within_its_grace_and_hands_the_others_over() {
    let env = TestEnv::new().await;
    let (short, long) = (Gate::new(), Gate::new());
    let actions = ActionsFile::new(&(short.action("short") + &long.action("long")));
    let scheduler = env.scheduler();
    let flags = ["--capacity=scan=4", "--shutdown-grace=600s", &actions.flag()];
    let config = env.config(&flags);
    let signals = worker::Shutdown::default();
    let (requested, forced) = (signals.requested.clone(), signals.forced.clone());
    let stopping = serve(|_| worker::run(config, signals));
    let batch = [job("short", "scan=1"), job("short", "scan=1"), job("long", "scan=1")];
    env.store().submit(&batch).await.unwrap();
    until_running(&env, 3).await;
    requested.cancel();
    let draining =
        async || env.store().workers().await.unwrap()[0].status == WorkerStatus::Draining;
    env.eventually("the stopping worker is shown as draining", draining).await;
    short.open();
    for job in &batch[..2] {
        assert_eq!(env.finished(job.id).await.status, Status::Done);
    }
    // The second signal ends the grace.
    forced.cancel();
    stopping.stop().await;
    assert_eq!(env.job(batch[2].id).await.status, Status::WorkerShutdown);
    let workers = env.store().workers().await.unwrap();
    assert_eq!((workers.len(), workers[0].status), (1, WorkerStatus::Shutdown));
    long.open();
    let other = env.worker_with(&["--capacity=scan=4", &actions.flag()]);
    env.until_done(3).await;
    assert_consistent(env.store()).await;
    other.stop().await;
    scheduler.stop().await;
    env.close().await;
}

#[tokio::test(flavor = "multi_thread")]
async fn a_command_that_exits_with_0_when_it_is_stopped_is_not_done() {
    let env = TestEnv::new().await;
    let scheduler = env.scheduler();
    let script = "trap \"exit 0\" TERM; echo up; sleep 600 & wait";
    let actions = ActionsFile::new(&format!("[actions.tidy]\nargv = ['sh', '-c', '{script}']"));
    let worker = env.worker_with(&["--capacity=scan=2", "--shutdown-grace=100ms", &actions.flag()]);
    let (stopped, cancelled) = (job("tidy", "scan=1"), job("tidy", "scan=1"));
    env.store().submit(&[stopped.clone(), cancelled.clone()]).await.unwrap();
    for id in [stopped.id, cancelled.id] {
        until_logged(&env, id, "up").await;
    }
    env.store().cancel(&[cancelled.id], &Cancellation::default()).await.unwrap();
    assert_eq!(env.finished(cancelled.id).await.status, Status::Cancel);
    worker.stop().await;
    let stopped = env.job(stopped.id).await;
    assert_eq!(stopped.status, Status::WorkerShutdown);
    env.store().cancel(&[stopped.follow_up.unwrap()], &Cancellation::default()).await.unwrap();
    scheduler.stop().await;
    env.close().await;
}

/// Sends a second signal to a worker whose job ignores SIGTERM. The job must end at once, although
/// `grace` or `stop_timeout` is longer than the test may take.
async fn end_with_a_second_signal(grace: &str, stop_timeout: &str, before_second: Option<&str>) {
    let env = TestEnv::new().await;
    let scheduler = env.scheduler();
    let script = "trap \"echo asked\" TERM; echo up; while :; do sleep 0.1; done";
    let actions = ActionsFile::new(&format!("[actions.deaf]\nargv = ['sh', '-c', '{script}']"));
    let grace = format!("--shutdown-grace={grace}");
    let config = env.config(&["--capacity=scan=1", &grace, &actions.flag()]);
    let signals = worker::Shutdown::default();
    let (requested, forced) = (signals.requested.clone(), signals.forced.clone());
    let worker = serve(|_| worker::run(config, signals));
    let mut deaf = job("deaf", "scan=1");
    deaf.spec.stop_timeout = stop_timeout.parse().unwrap();
    env.store().submit(std::slice::from_ref(&deaf)).await.unwrap();
    until_logged(&env, deaf.id, "up").await;
    requested.cancel();
    if let Some(line) = before_second {
        until_logged(&env, deaf.id, line).await;
    }
    forced.cancel();
    worker.stop().await;
    let ended = env.job(deaf.id).await;
    assert_eq!(ended.status, Status::WorkerShutdown);
    env.store().cancel(&[ended.follow_up.unwrap()], &Cancellation::default()).await.unwrap();
    assert_consistent(env.store()).await;
    scheduler.stop().await;
    env.close().await;
}

#[tokio::test(flavor = "multi_thread")]
async fn a_second_signal_ends_the_grace_of_a_stopping_worker() {
    end_with_a_second_signal("600s", "100ms", None).await;
}

#[tokio::test(flavor = "multi_thread")]
async fn a_second_signal_after_the_grace_kills_jobs_that_ignore_sigterm() {
    end_with_a_second_signal("50ms", "600s", Some("asked")).await;
}

#[tokio::test(flavor = "multi_thread")]
async fn a_rolling_restart_of_all_workers_loses_and_repeats_no_job() {
    let env = TestEnv::new().await;
    let scheduler = env.scheduler();
    let mut workers: Vec<_> = (0..3).map(|_| env.worker("scan=4")).collect();
    let sleep = || with_parameters(job("sleep", "scan=1"), &json!({"seconds": 0.05}));
    let batch: Vec<_> = (0..300).map(|_| sleep()).collect();
    env.store().submit(&batch).await.unwrap();
    for _ in 0..3 {
        workers.push(env.worker("scan=4"));
        workers.remove(0).stop().await;
    }
    env.until_done(300).await;
    let jobs = env.store().jobs(&JobFilter::default(), 0, 1000).await.unwrap().jobs;
    assert!(jobs.iter().all(|job| job.attempt == 1), "each job ended within the grace");
    assert_consistent(env.store()).await;
    for worker in workers {
        worker.stop().await;
    }
    scheduler.stop().await;
    env.close().await;
}
