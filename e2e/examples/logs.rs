//! A bench of job logs: the cost of a line when lines are written to the store one by one and in
//! batches, and when a command prints a million lines through a worker.
//!
//!     CAPSTAN_TEST_REDIS_URL=redis://… CAPSTAN_TEST_AMQP_URL=amqp://… \
//!         cargo run --release -p capstan-e2e --example logs

#![expect(clippy::print_stdout, reason = "a bench prints its results")]

use std::time::{Duration, Instant};

use domain::job::{FencingToken, JobId, WorkerId};
use e2e::StartServices;
use serde_json::json;
use store::{ClaimAnswer, ClaimRequest, Claims, LogSource, NewLogLine};
use testkit::{ActionsFile, TestEnv, heartbeat, job, with_parameters};

/// The number of ten-byte lines that fit into a log.
const KEPT: usize = 100_000;
const ALL: usize = 1_000_000;

/// What writing took: wall-clock time, and CPU time of Redis.
struct Cost {
    wall: Duration,
    redis: Duration,
}

#[tokio::main]
async fn main() -> anyhow::Result<()> {
    report("one line per call", KEPT / 10, &write_lines(KEPT / 10, 1).await?);
    report("512 lines per call", KEPT, &write_lines(KEPT, 512).await?);
    report("a command through a worker, all kept", KEPT, &run_command(KEPT).await?);
    report("a command through a worker, most cut", ALL, &run_command(ALL).await?);
    Ok(())
}

fn report(name: &str, lines: usize, cost: &Cost) {
    let per_line = |time: Duration| time.as_secs_f64() * 1e6 / lines as f64;
    let (wall, redis) = (per_line(cost.wall), per_line(cost.redis));
    println!("{name:<40} {lines:>8} lines in {:>8.2?}:", cost.wall);
    println!("{:<40} {wall:>7.2} µs per line, {redis:.2} µs of CPU time of Redis", "");
}

/// Writes lines to the log of a claimed job, `per_call` at a time.
async fn write_lines(count: usize, per_call: usize) -> anyhow::Result<Cost> {
    let env = TestEnv::new().await;
    let (id, token) = claim_a_job(&env).await?;
    let (began, before) = (Instant::now(), env.store().processor_time().await?);
    let mut first = 0;
    while first < count {
        let lines: Vec<NewLogLine> = (first..(first + per_call).min(count))
            .map(|number| NewLogLine::now(LogSource::Stdout, format!("line {number:05}")))
            .collect();
        env.store().append_log(id, token, first as u64, &lines).await?;
        first += lines.len();
    }
    let redis = env.store().processor_time().await? - before;
    let cost = Cost { wall: began.elapsed(), redis };
    env.close().await;
    Ok(cost)
}

async fn claim_a_job(env: &TestEnv) -> anyhow::Result<(JobId, FencingToken)> {
    let worker = WorkerId::random();
    env.store().heartbeat(&heartbeat(&worker, Duration::from_secs(3600))).await?;
    let new = job("noop", "");
    env.store().submit(std::slice::from_ref(&new)).await?;
    let request = ClaimRequest { max: 1, ids: vec![new.id] };
    let Claims::Answered(answers) = env.store().claim(&worker, &[request]).await? else {
        anyhow::bail!("the worker {worker} has lost its lease")
    };
    let Some(ClaimAnswer::Claimed(claimed)) = answers.concat().pop() else {
        anyhow::bail!("the job {} was not claimed", new.id)
    };
    Ok((claimed.id, claimed.token))
}

/// Runs a command that prints lines as fast as it can, until all of them have been read.
async fn run_command(lines: usize) -> anyhow::Result<Cost> {
    let env = TestEnv::new().await;
    let actions =
        ActionsFile::new("[actions.print]\nargv = ['seq', '-f', 'line %05.0f', '{{lines}}']");
    let (scheduler, worker) =
        (env.scheduler(), env.worker_with(&["--capacity=cpu=1", &actions.flag()]));
    let print = with_parameters(job("print", ""), &json!({"lines": lines}));
    env.store().submit(std::slice::from_ref(&print)).await?;
    let started = async || env.job(print.id).await.started_at.is_some();
    env.eventually("the job starts", started).await;
    let (began, before) = (Instant::now(), env.store().processor_time().await?);
    env.finished(print.id).await;
    let redis = env.store().processor_time().await? - before;
    let cost = Cost { wall: began.elapsed(), redis };
    worker.stop().await;
    scheduler.stop().await;
    env.close().await;
    Ok(cost)
}
