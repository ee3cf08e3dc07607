//! The costliest calls that change jobs: relations, chains, cancels of thousands.

use domain::job::{Cancellation, JobId, NewJob, Outcome, Priority, WorkerId};
use store::{
    JobChange, LogSource, NewLogLine, Settings, SettingsChanges, SignalTo, Sweep, submission_steps,
};
use testkit::{TestEnv, job, jobs};
use uuid::Uuid;

use crate::batching::batched;
use crate::calls::{self, claimed, end, failed, finish, lose, submit, worker};

/// How many jobs depend on one.
const DEPENDENTS: usize = 10_000;

pub(super) async fn submit_all(env: &TestEnv, jobs: &[NewJob]) {
    for step in submission_steps(jobs) {
        env.store().submit(step).await.unwrap();
    }
}

/// Claims these jobs. Returns how those that run can end.
pub(super) async fn claim_all(
    env: &TestEnv,
    worker: &WorkerId,
    ids: &[JobId],
) -> Vec<store::Finish> {
    let runs = calls::claim_all(env, worker, ids).await;
    runs.into_iter().map(|run| end(run.id, run.token, Outcome::Done(None))).collect()
}

/// Ends these runs, as many in a call as workers end.
pub(super) async fn finish_all(env: &TestEnv, runs: &[store::Finish], outcome: &Outcome) {
    for some in runs.chunks(64) {
        let ended =
            some.iter().map(|run| store::Finish { outcome: outcome.clone(), ..run.clone() });
        env.store().finish(&ended.collect::<Vec<_>>()).await.unwrap();
    }
}

pub(super) fn ids(jobs: &[NewJob]) -> Vec<JobId> {
    jobs.iter().map(|job| job.id).collect()
}

/// Submissions that name a thousand jobs, each of which is carried on.
pub(super) async fn dependencies(url: &str) {
    let env = TestEnv::on(url).await;
    let worker = worker(&env).await;
    let named = jobs(1_000, "noop", "");
    submit_all(&env, &named).await;
    let runs = claim_all(&env, &worker, &ids(&named)).await;
    assert_eq!(runs.len(), 1_000);
    finish_all(&env, &runs, &Outcome::Shutdown).await;
    let mut some = jobs(100, "noop", "");
    for (job, named) in some.iter_mut().zip(named.chunks(10)) {
        job.spec.depends_on = ids(named);
    }
    env.store().submit(&some).await.unwrap();
    let mut one = job("noop", "");
    one.spec.depends_on = ids(&named);
    submit(&env, &one).await;
    // A batch is cut by its dependencies.
    let mut batch = jobs(3, "noop", "");
    batch.iter_mut().for_each(|job| job.spec.depends_on = ids(&named));
    env.store().submit_batch(Uuid::new_v4(), &batch).await.unwrap();
    env.close().await;
}

/// A batch of ten thousand jobs of as many actions that depend on one job, which is cancelled.
pub(super) async fn dependents(url: &str) {
    let env = TestEnv::on(url).await;
    let on = submit(&env, &job("noop", "")).await;
    let mut batch = Vec::with_capacity(DEPENDENTS);
    for index in 0..DEPENDENTS {
        let mut job = job(&format!("action{index}"), "");
        job.spec.depends_on = vec![on];
        batch.push(job);
    }
    env.store().submit_batch(Uuid::new_v4(), &batch).await.unwrap();
    env.store().cancel(&[on], &Cancellation::default()).await.unwrap();
    while env.store().propagate().await.unwrap() != (0, 0) {}
    trim(&env).await;
    env.close().await;
}

/// Removes what is over from the history.
async fn trim(env: &TestEnv) {
    let settings = Settings { job_history_max_age: "1ms".parse().unwrap(), ..Settings::default() };
    let mut sweep = Sweep::default();
    for _ in 0..5 {
        env.store().trim(&settings, &mut sweep).await.unwrap();
    }
    // Nothing is old enough, so all that one call may look at is looked at.
    let settings = Settings { job_history_max_age: "1h".parse().unwrap(), ..settings };
    env.store().trim(&settings, &mut sweep).await.unwrap();
}

/// As many batched submissions as one call has, of which every second fills a batch, while their
/// owner has no room for so many jobs.
pub(super) async fn batches(url: &str) {
    let env = TestEnv::on(url).await;
    let quota = SettingsChanges { max_waiting_jobs: Some(50), ..SettingsChanges::default() };
    env.store().change_settings(&quota).await.unwrap();
    let batched: Vec<NewJob> = (0..100).map(|n| batched(n, 2)).collect();
    submit_all(&env, &batched).await;
    env.close().await;
}

/// A job with a thousand children is cancelled, and so are a thousand jobs in a backlog.
pub(super) async fn cancels(url: &str) {
    let env = TestEnv::on(url).await;
    let worker = worker(&env).await;
    let parent = submit(&env, &job("noop", "")).await;
    let mut children = jobs(1_000, "noop", "");
    children.iter_mut().for_each(|child| child.spec.parent = Some(parent));
    submit_all(&env, &children).await;
    env.store().cancel(&[parent], &Cancellation::default()).await.unwrap();
    while env.store().propagate().await.unwrap() != (0, 0) {}
    let some = jobs(1_000, "noop", "");
    submit_all(&env, &some).await;
    env.store().cancel(&ids(&some), &Cancellation::default()).await.unwrap();

    let ended = submit(&env, &job("noop", "")).await;
    let run = claimed(&env, &worker, ended).await;
    let lines: Vec<NewLogLine> =
        (0..512).map(|line| NewLogLine::now(LogSource::Stdout, line.to_string())).collect();
    env.store().append_log(ended, run.token, 0, &lines).await.unwrap();
    env.store().progress(ended, run.token, &1.into()).await.unwrap();
    env.store().save_checkpoint(ended, run.token, "1").await.unwrap();
    finish(&env, &end(ended, run.token, failed())).await;
    env.store().retry(ended, JobId::random()).await.unwrap();
    let change = JobChange { priority: Some(Priority::Low), ..JobChange::default() };
    env.store().change(submit(&env, &job("noop", "")).await, change).await.unwrap();
    env.store().delete(ended).await.unwrap();
    signals(&env, &worker).await;
    let lost = jobs(100, "noop", "");
    submit_all(&env, &lost).await;
    claim_all(&env, &worker, &ids(&lost)).await;
    lose(&env, &worker).await;
    env.close().await;
}

/// A job with a child, a dependent and sixteen signals gets the one for which it waits, and a
/// hundred waits are over.
async fn signals(env: &TestEnv, worker: &WorkerId) {
    let id = submit(env, &job("noop", "")).await;
    let (mut child, mut dependent) = (job("noop", ""), job("noop", ""));
    child.spec.parent = Some(id);
    dependent.spec.depends_on = vec![id];
    submit_all(env, &[child, dependent]).await;
    let run = claimed(env, worker, id).await;
    env.store().save_checkpoint(id, run.token, "1").await.unwrap();
    for index in 0..16 {
        env.store()
            .signal(SignalTo::Chain(id), &calls::signal(&format!("signal{index}")))
            .await
            .unwrap();
    }
    finish(env, &end(id, run.token, calls::waits_for("approved", ""))).await;
    env.store().signal(SignalTo::Chain(id), &calls::signal("approved")).await.unwrap();

    let many = jobs(100, "noop", "");
    submit_all(env, &many).await;
    let runs = claim_all(env, worker, &ids(&many)).await;
    finish_all(env, &runs, &calls::waits_for("approved", "1ms")).await;
    let all_over = async || {
        env.store().expire_waiting().await.unwrap();
        env.store().job(runs[99].follow_up).await.unwrap().is_some()
    };
    env.eventually("the waits are over", all_over).await;
}
