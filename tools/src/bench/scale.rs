//! `capstan bench scale`: whether the cost of a job stays the same with more jobs kept, more
//! workers, more queues and more fairness groups, and what jobs of several kinds cost.

mod cases;
mod report;
mod simulated_workers;

use clap::Args;
use client::command::{CommandError, note};
use client::{ApiClient, ClientError, http_client};
use store::Store;

use crate::costs::Meter;
use crate::fleet::live;
use crate::fleet_workers::FleetWorkers;
use crate::jobs::{Finish, no_op, note_other_jobs, submit};
use crate::numbers::per_second;
use crate::phase::Submission;
use crate::processes::{Addresses, Processes};
use crate::services::Services;

use cases::{Case, Jobs};
use report::{Row, ScaleReport};
use simulated_workers::SimulatedWorkers;

pub(crate) use simulated_workers::{SimulatedWorkersArguments, run as run_simulated_workers};

/// Jobs that make queues known to the workers and are not measured.
const WARM_UP: u64 = 1000;
/// The most jobs that are submitted at once to be kept.
const FILL: u64 = 50_000;

/// The arguments of `bench scale`.
#[derive(Debug, Args)]
pub(crate) struct ScaleArguments {
    /// Jobs of each measurement
    #[arg(
        long,
        value_name = "N",
        default_value_t = 5_000,
        value_parser = clap::value_parser!(u64).range(1..)
    )]
    jobs: u64,

    /// Numbers of jobs that the fleet keeps. If it keeps more already, that number is reported
    #[arg(
        long,
        value_name = "N,...",
        value_delimiter = ',',
        default_value = "1000,10000,100000",
        value_parser = clap::value_parser!(u64).range(..=10_000_000)
    )]
    kept: Vec<u64>,

    /// Numbers of workers, which run in one process
    #[arg(
        long,
        value_name = "N,...",
        value_delimiter = ',',
        default_value = "1,10,100",
        value_parser = clap::value_parser!(u16).range(1..=10_000)
    )]
    workers: Vec<u16>,

    /// Numbers of queues over which the jobs are spread
    #[arg(
        long,
        value_name = "N,...",
        value_delimiter = ',',
        default_value = "1,20,200",
        value_parser = clap::value_parser!(u64).range(1..=200)
    )]
    queues: Vec<u64>,

    /// Also measure with a million jobs kept and with 1,000 workers
    #[arg(long)]
    full: bool,
}

impl ScaleArguments {
    fn cases(&self) -> Vec<Case> {
        let (mut kept, mut workers) = (self.kept.clone(), self.workers.clone());
        if self.full {
            kept.push(1_000_000);
            workers.push(1_000);
        }
        Case::all(&kept, &workers, &self.queues)
    }
}

/// What the cases are measured with.
pub(crate) struct Scale<'a> {
    pub(crate) api: &'a ApiClient,
    pub(crate) addresses: Addresses<'a>,
    pub(crate) services: &'a Services,
    pub(crate) store: &'a Store,
}

impl Scale<'_> {
    /// Measures all cases with simulated workers, while those of the fleet start no jobs.
    pub(crate) async fn measure(
        &self,
        arguments: &ScaleArguments,
    ) -> Result<ScaleReport, CommandError> {
        note_other_jobs(self.api).await?;
        let workers = FleetWorkers::find(self.api).await?;
        workers.while_drained(Box::pin(self.all(arguments))).await
    }

    /// Returns what was measured before an error, with the error.
    async fn all(&self, arguments: &ScaleArguments) -> Result<ScaleReport, CommandError> {
        let mut report = ScaleReport::default();
        let cases = arguments.cases();
        let added = Box::pin(self.add_rows(&cases, arguments.jobs, &mut report)).await;
        match added {
            Err(error) if report.rows.is_empty() => return Err(error),
            Err(error) => report.stopped = Some(format!("stopped by an error: {error}")),
            Ok(()) => {}
        }
        Ok(report)
    }

    async fn add_rows(
        &self,
        cases: &[Case],
        jobs: u64,
        report: &mut ScaleReport,
    ) -> Result<(), CommandError> {
        let mut running: Option<(SimulatedWorkers, Meter<'_>)> = None;
        for case in cases {
            let (workers, meter) = match running.take() {
                Some((workers, meter)) if workers.count() == case.workers => (workers, meter),
                other => {
                    if let Some((workers, _)) = other {
                        workers.stop().await?;
                    }
                    self.start(case.workers).await?
                }
            };
            match self.row(case, &meter, jobs).await {
                Ok(row) => report.rows.push(row),
                // For example, a submitter with a token may use only half of the queues.
                Err(ClientError::Refused(refusal)) => {
                    note(format!("bench: {}: not measured: {refusal}", case.dimension.title()));
                }
                Err(error) => return Err(error.into()),
            }
            report.processes = meter.processes.clone();
            running = Some((workers, meter));
        }
        match running {
            Some((workers, _)) => workers.stop().await,
            None => Ok(()),
        }
    }

    async fn start(&self, count: u16) -> Result<(SimulatedWorkers, Meter<'_>), CommandError> {
        note(format!("bench: {count} simulated workers"));
        let workers = SimulatedWorkers::start(self.api, self.services, count).await?;
        let processes = Processes::find(&self.addresses);
        let meter = Meter { processes, store: Some(self.store), http: Some(http_client()?) };
        Ok((workers, meter))
    }

    async fn row(&self, case: &Case, meter: &Meter<'_>, jobs: u64) -> Result<Row, ClientError> {
        let Case { dimension, kept, jobs: kind, .. } = case;
        self.warm_up(*kind, jobs.min(WARM_UP)).await?;
        let value = case.value(self.fill(kept.unwrap_or_default()).await?);
        note(format!("bench: {}: {value}", dimension.title()));
        let job = |number| kind.submission(number);
        let run = live(self.api, meter, jobs, Submission::BATCHES, job).await?;
        Ok(Row {
            dimension: *dimension,
            value,
            jobs,
            jobs_per_second: per_second(jobs, run.seconds),
            cpu_us_per_job: run.costs.total_cpu_us_per_job(),
            costs: run.costs,
        })
    }

    async fn warm_up(&self, kind: Jobs, jobs: u64) -> Result<(), ClientError> {
        let finish = Finish::of(self.api).await?;
        submit(self.api, jobs, Submission::BATCHES, |number| kind.submission(number)).await?;
        finish.wait().await.map(drop)
    }

    /// Runs jobs until at least so many are kept. Returns how many are.
    async fn fill(&self, target: u64) -> Result<u64, ClientError> {
        loop {
            let kept = self.api.count_jobs(&[]).await?;
            let missing = target.saturating_sub(kept);
            if missing == 0 {
                return Ok(kept);
            }
            note(format!("bench: {kept} of {target} jobs are kept"));
            let finish = Finish::of(self.api).await?;
            submit(self.api, missing.min(FILL), Submission::BATCHES, no_op).await?;
            finish.wait().await?;
        }
    }
}
