//! `capstan demo`: a registry's jobs on a real fleet, through the API alone. It reports and judges;
//! each part is a file of its own that says what it looks for.

mod cancelled;
mod crons;
mod fleet;
mod killed;
mod layers;
mod registry;
mod retried;
mod three_jobs;

use std::time::{Duration, Instant};

use clap::Args;
use serde_json::Value;
use shared::job::{JobId, Status, Timestamp};

use crate::api::{Api, Page};
use crate::failure::{Ending, Failure};
use crate::jobs::wait::until_over;
use crate::out;
use crate::wire::{Job, Jobs, LogLine};

/// What `demo` is told.
#[derive(Debug, Args)]
pub(crate) struct DemoArguments {
    /// How long all of it may take
    #[arg(long, default_value = "180s", value_parser = shared::config::duration)]
    timeout: Duration,
}

/// What every part is given.
struct Stage<'a> {
    api: &'a Api,
    deadline: Instant,
}

const PAUSE: Duration = Duration::from_millis(50);

impl Stage<'_> {
    /// What is left of the time.
    fn left(&self) -> Duration {
        self.deadline.saturating_duration_since(Instant::now())
    }

    /// Looks until there is something to see.
    async fn until<T>(
        &self,
        what: &str,
        mut look: impl AsyncFnMut() -> Result<Option<T>, Failure>,
    ) -> Result<T, Failure> {
        loop {
            if let Some(seen) = look().await? {
                return Ok(seen);
            }
            if self.left().is_zero() {
                return Err(Failure::Late(format!("{what}: not in time")));
            }
            tokio::time::sleep(PAUSE).await;
        }
    }

    async fn submit(&self, job: &Value) -> Result<Job, Failure> {
        self.api.post("/jobs", job).await
    }

    async fn job(&self, id: JobId) -> Result<Job, Failure> {
        self.api.get(&format!("/jobs/{id}")).await
    }

    /// The last records of jobs, or of what carried them on, when all of them are over.
    async fn over(&self, ids: &[JobId]) -> Result<Vec<Job>, Failure> {
        let ended = until_over(self.api, ids, Some(self.left())).await?;
        Ok(ended.into_iter().map(|one| one.job).collect())
    }

    /// Submits a job and waits for its end.
    async fn run(&self, job: &Value) -> Result<Job, Failure> {
        let job = self.submit(job).await?;
        let [ended] = <[Job; 1]>::try_from(self.over(&[job.id]).await?)
            .map_err(|_| Failure::Away(format!("job {} has no end", job.id)))?;
        Ok(ended)
    }

    /// All records of a job's children, the oldest first.
    async fn children(&self, parent: JobId) -> Result<Vec<Job>, Failure> {
        let query = [("parent", parent.to_string()), ("limit", "1000".to_owned())];
        let page: Page<Jobs> = self.api.page("/jobs", &query).await?;
        Ok(page.body.jobs.into_iter().rev().collect())
    }

    async fn log(&self, id: JobId) -> Result<Vec<String>, Failure> {
        let lines: Vec<LogLine> = self.api.get(&format!("/jobs/{id}/logs")).await?;
        Ok(lines.into_iter().map(|line| line.data.trim_end().to_owned()).collect())
    }
}

/// How a part went.
#[derive(Debug, Default)]
struct Part {
    /// What it was about, a sentence.
    title: String,
    /// What is shown of it.
    table: String,
    jobs: usize,
    /// What is not as it should be, a sentence each.
    wrong: Vec<String>,
}

impl Part {
    fn of(title: &str) -> Part {
        Part { title: title.to_owned(), ..Part::default() }
    }

    /// Notes what is wrong unless it is so.
    fn must(&mut self, so: bool, otherwise: impl FnOnce() -> String) {
        if !so {
            self.wrong.push(otherwise());
        }
    }

    /// A job that must have ended well.
    fn must_be_done(&mut self, job: &Job) {
        self.must(job.status == Status::Done, || {
            let why = job.exception.as_ref().map(|exception| format!(": {}", exception.message));
            let why = why.unwrap_or_default();
            format!("{} {} ended as {}{why}", job.action, job.id, job.status)
        });
    }
}

/// Plays all parts.
pub(crate) async fn run(api: &Api, arguments: &DemoArguments) -> Result<Ending, Failure> {
    let began = Instant::now();
    let stage = Stage { api, deadline: began + arguments.timeout };
    let mut total = Part::default();
    match play(&stage, &mut total).await {
        Ok(()) => {}
        // A fleet that is too slow is not as it should be; the rest is not the fleet's doing.
        Err(Failure::Late(why)) => total.wrong.push(why),
        Err(other) => return Err(other),
    }
    if total.wrong.is_empty() {
        let took = began.elapsed().as_secs_f64();
        out::say(format!("demo: all as it should be: {} jobs, {took:.1} s", total.jobs))?;
    } else {
        out::say(format!("demo: not as it should be, {} times:", total.wrong.len()))?;
        for why in &total.wrong {
            out::say(format!("  - {why}"))?;
        }
    }
    Ok(Ending::well_if(total.wrong.is_empty()))
}

async fn play(stage: &Stage<'_>, total: &mut Part) -> Result<(), Failure> {
    fleet::ready(stage).await?;
    let watch = crons::begin(stage).await?;
    add(total, three_jobs::play(stage).await?)?;
    let (part, images) = registry::play(stage).await?;
    add(total, part)?;
    add(total, layers::play(stage, &images).await?)?;
    add(total, cancelled::play(stage, &images).await?)?;
    add(total, retried::play(stage, &images).await?)?;
    add(total, killed::play(stage, &images).await?)?;
    add(total, crons::play(stage, watch).await?)
}

/// Prints a part and counts it in.
fn add(total: &mut Part, part: Part) -> Result<(), Failure> {
    out::say(format!("{}\n{}\n", part.title, part.table))?;
    total.jobs += part.jobs;
    total.wrong.extend(part.wrong);
    Ok(())
}

/// Seconds from one moment to another, for a table; nothing when the other has not come.
fn seconds_since(from: Timestamp, to: Option<Timestamp>) -> String {
    to.map(|to| format!("{:.3}", (to.ms() - from.ms()) as f64 / 1000.0)).unwrap_or_default()
}

/// The beginning of a digest, for a table.
fn short(digest: &str) -> String {
    digest.chars().take(12).collect()
}
