//! What a line of a job's log costs: two ways of writing the same lines to the store, and a command that says a million
//! of them through a whole worker, in one run. `cargo run --release -p capstan-e2e --example logs`, with the services of
//! the tests.

#![expect(clippy::print_stdout, reason = "it is a bench")]

use std::time::{Duration, Instant};

use domain::job::{JobId, Token, WorkerId};
use e2e::{StartServices, TestEnv, beat, job};
use store::{ClaimAnswer, ClaimRequest, Claims, Line, Source};

/// As many as fit into the log that is kept, with a text of ten bytes each.
const KEPT: usize = 100_000;
const LINES: usize = 1_000_000;

#[tokio::main]
async fn main() -> anyhow::Result<()> {
    let env = TestEnv::new().await;
    for (name, together) in [("one line a call", 1), ("512 lines a call", 512)] {
        let count = if together == 1 { KEPT / 10 } else { KEPT };
        let spent = written(&env, count, together).await?;
        tell(name, count, spent);
    }
    let (kept, said) = (through_a_worker(&env, KEPT).await?, through_a_worker(&env, LINES).await?);
    tell("a command through a worker, all kept", KEPT, kept);
    tell("a command through a worker, most cut", LINES, said);
    env.close().await;
    Ok(())
}

fn tell(name: &str, count: usize, (wall, redis): (Duration, Duration)) {
    let each = |spent: Duration| spent.as_secs_f64() * 1e6 / count as f64;
    println!(
        "{name:<40} {count:>8} lines in {wall:>8.2?}: {:>7.2} µs a line, {:>6.2} µs of Redis' processor",
        each(wall),
        each(redis)
    );
}

/// Writes lines of a claimed job, so many in a call.
async fn written(
    env: &TestEnv,
    count: usize,
    together: usize,
) -> anyhow::Result<(Duration, Duration)> {
    let (id, token) = claimed(env).await?;
    let (began, before) = (Instant::now(), env.store().processor_time().await?);
    let mut first = 0;
    while first < count {
        let lines: Vec<Line> = (first..(first + together).min(count))
            .map(|number| Line::now(Source::Stdout, format!("line {number:05}")))
            .collect();
        env.store().log(id, token, first as u64, &lines).await?;
        first += lines.len();
    }
    Ok((began.elapsed(), env.store().processor_time().await? - before))
}

async fn claimed(env: &TestEnv) -> anyhow::Result<(JobId, Token)> {
    let worker = WorkerId::random();
    let lease = Duration::from_secs(3600);
    env.store().beat(&beat(&worker, lease)).await?;
    let new = job("noop", "");
    env.store().submit(std::slice::from_ref(&new)).await?;
    let request = ClaimRequest { max: 1, ids: vec![new.id] };
    let Claims::Answered(answers) = env.store().claim(&worker, &[request]).await? else {
        anyhow::bail!("the lease of {worker} is lost")
    };
    let Some(ClaimAnswer::Claimed(job)) = answers.concat().pop() else {
        anyhow::bail!("{} was not claimed", new.id)
    };
    Ok((job.id, job.token))
}

/// A command says the lines as fast as it can; it is over when all of them have been read.
async fn through_a_worker(env: &TestEnv, count: usize) -> anyhow::Result<(Duration, Duration)> {
    let file = std::env::temp_dir().join(format!("{}.toml", JobId::random()));
    std::fs::write(&file, "[actions.talk]\nargv = ['seq', '-f', 'line %05.0f', '{{count}}']")?;
    let flag = format!("--actions={}", file.display());
    let (scheduler, worker) = (env.scheduler(), env.worker_with(&["--capacity=cpu=1", &flag]));
    let mut talk = job("talk", "");
    talk.spec.parameters = serde_json::json!({"count": count}).as_object().cloned();
    env.store().submit(std::slice::from_ref(&talk)).await?;
    let running = async || {
        let found = env.store().job(talk.id).await;
        found.is_ok_and(|found| found.is_some_and(|job| job.started_at.is_some()))
    };
    env.eventually("it runs", running).await;
    let (began, before) = (Instant::now(), env.store().processor_time().await?);
    let over = async || {
        let found = env.store().job(talk.id).await;
        found.is_ok_and(|found| found.is_some_and(|job| job.status.is_final()))
    };
    env.eventually("it is over", over).await;
    let spent = (began.elapsed(), env.store().processor_time().await? - before);
    worker.stop().await;
    scheduler.stop().await;
    std::fs::remove_file(&file)?;
    Ok(spent)
}
