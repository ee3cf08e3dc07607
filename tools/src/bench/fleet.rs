//! The phases of the bench on the fleet.

use std::time::Instant;

use client::command::CommandError;
use client::{ApiClient, ClientError};

use crate::costs::Meter;
use crate::fleet_workers::FleetWorkers;
use crate::jobs::{Finish, no_op, submit};
use crate::phase::{Phase, Run};

/// Measures all phases, in their order.
pub(crate) async fn round(
    api: &ApiClient,
    meter: &Meter<'_>,
    jobs: u64,
) -> Result<Vec<(Phase, Run)>, CommandError> {
    let workers = FleetWorkers::find(api).await?;
    let both = async {
        let finish = Finish::of(api).await?;
        let submitted = measure(meter, jobs, submit_in(api, jobs, Phase::Submit)).await?;
        let drain = async {
            workers.resume().await?;
            finish.wait().await
        };
        Ok((submitted, measure(meter, jobs, drain).await?))
    };
    let (submitted, drained) = workers.while_drained(Box::pin(both)).await?;
    let mut runs = vec![(Phase::Submit, submitted), (Phase::Drain, drained)];
    for phase in [Phase::LiveBatches, Phase::LiveSingle] {
        let finish = Finish::of(api).await?;
        let live = async {
            submit_in(api, jobs, phase).await?;
            finish.wait().await
        };
        runs.push((phase, measure(meter, jobs, live).await?));
    }
    Ok(runs)
}

/// Submits the jobs of a phase. Returns 0, because none of them can have failed.
async fn submit_in(api: &ApiClient, jobs: u64, phase: Phase) -> Result<u64, ClientError> {
    if let Some(submission) = phase.submission() {
        submit(api, jobs, submission, no_op).await?;
    }
    Ok(0)
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
