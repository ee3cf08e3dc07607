//! The phases of the bench on the fleet.

use std::time::Instant;

use client::command::CommandError;
use client::{ApiClient, ClientError};
use serde_json::Value;

use crate::costs::Meter;
use crate::fleet_workers::FleetWorkers;
use crate::jobs::{Finish, no_op, submit};
use crate::phase::{Phase, Run, Submission};

/// Measures all phases, in their order.
pub(crate) async fn round(
    api: &ApiClient,
    meter: &Meter<'_>,
    jobs: u64,
) -> Result<Vec<(Phase, Run)>, CommandError> {
    let workers = FleetWorkers::find(api).await?;
    let both = async {
        let finish = Finish::of(api).await?;
        let submit = async {
            submit(api, jobs, Submission::BATCHES, no_op).await?;
            Ok(0)
        };
        let submitted = measure(meter, jobs, submit).await?;
        let drain = async {
            workers.resume().await?;
            finish.wait().await
        };
        Ok((submitted, measure(meter, jobs, drain).await?))
    };
    let (submitted, drained) = workers.while_drained(Box::pin(both)).await?;
    let mut runs = vec![(Phase::Submit, submitted), (Phase::Drain, drained)];
    let live_phases =
        [(Phase::LiveBatches, Submission::BATCHES), (Phase::LiveSingle, Submission::SINGLE)];
    for (phase, submission) in live_phases {
        runs.push((phase, live(api, meter, jobs, submission, no_op).await?));
    }
    Ok(runs)
}

/// Measures jobs, which `job` makes from their numbers, from the first submission until all have
/// finished.
pub(crate) async fn live(
    api: &ApiClient,
    meter: &Meter<'_>,
    jobs: u64,
    submission: Submission,
    job: impl Fn(u64) -> Value,
) -> Result<Run, ClientError> {
    let finish = Finish::of(api).await?;
    let live = async {
        submit(api, jobs, submission, job).await?;
        finish.wait().await
    };
    measure(meter, jobs, live).await
}

/// Measures work that returns how many jobs failed.
async fn measure(
    meter: &Meter<'_>,
    jobs: u64,
    work: impl Future<Output = Result<u64, ClientError>>,
) -> Result<Run, ClientError> {
    let timed = async {
        let start = Instant::now();
        let failed = work.await?;
        Ok::<_, ClientError>((failed, start.elapsed().as_secs_f64()))
    };
    let ((failed, seconds), costs) = meter.measure(jobs, Box::pin(timed)).await?;
    Ok(Run { seconds, failed, costs })
}
