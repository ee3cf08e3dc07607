//! Fills a store with jobs in many states.

use std::time::Duration;

use anyhow::bail;
use domain::capacity::{CapacityMap, Class};
use domain::job::{
    Cancellation, Exception, FencingToken, JobId, JobSpec, NewJob, Outcome, Timestamp, WorkerId,
};
use store::{ClaimAnswer, ClaimRequest, Claims, Finish, Store, StoreConfig};
use testkit::heartbeat;

/// The jobs of one step: 96 run, of which a few fail, one is cancelled, and the others wait.
const STEP: u64 = 100;
/// How many tasks fill the store at the same time.
pub(crate) const WRITERS: u64 = 4;

/// Creates every `WRITERS`th step of jobs, and runs them as a worker.
pub(crate) async fn fill(config: &StoreConfig, part: u64, jobs: u64) -> anyhow::Result<WorkerId> {
    let store = Store::new(config)?;
    let worker = WorkerId::random();
    let mut beat = heartbeat(&worker, Duration::from_secs(24 * 3600));
    beat.capacity_map = "default=1000".parse::<CapacityMap>()?;
    beat.free = beat.capacity_map.clone();
    let actions = ["noop", "sleep", "scan", "sync_devices", "rare"];
    beat.actions = actions.iter().map(|name| name.parse()).collect::<Result<_, _>>()?;
    store.heartbeat(&beat).await?;
    for step in 0..jobs / STEP / WRITERS {
        let first = (step * WRITERS + part) * STEP;
        let new = (first..first + STEP).map(new_job).collect::<anyhow::Result<Vec<_>>>()?;
        store.submit(&new).await?;
        let ids: Vec<JobId> = new.iter().map(|job| job.id).collect();
        store.cancel(&ids[..1], &Cancellation::default()).await?;
        let request = ClaimRequest { max: 96, ids: ids[1..97].to_vec() };
        let claims = store.claim(&worker, &[request]).await?;
        let Claims::Answered(answers) = claims else { bail!("the worker may not claim") };
        let tokens = answers[0].iter().filter_map(|answer| match answer {
            ClaimAnswer::Claimed(claimed) => Some((claimed.id, claimed.token)),
            ClaimAnswer::Gone
            | ClaimAnswer::Refused(_)
            | ClaimAnswer::Parked(_)
            | ClaimAnswer::Unreadable(..)
            | ClaimAnswer::Failed(_) => None,
        });
        // One job of every hundredth step keeps running.
        let still_running = usize::from(step % 100 == 0);
        let ends: Vec<Finish> = tokens.skip(still_running).enumerate().map(end).collect();
        store.finish(&ends).await?;
    }
    Ok(worker)
}

fn new_job(index: u64) -> anyhow::Result<NewJob> {
    let action = match index % 1000 {
        500 => "rare",
        0..600 => "noop",
        600..850 => "sleep",
        850..950 => "scan",
        _ => "sync_devices",
    };
    let mut spec = JobSpec::of(action.parse()?);
    spec.comment = (index % 10 == 3).then(|| format!("night {}", index / 86_400));
    let scheduled_at = Some(Timestamp::from_ms(1_600_000_000_000 + 1000 * index as i64));
    Ok(NewJob {
        id: JobId::random(),
        class: Class::of(None)?,
        scheduled_at,
        reserve_id: false,
        request_hash: None,
        spec,
    })
}

fn end((index, (id, token)): (usize, (JobId, FencingToken))) -> Finish {
    let outcome = match index % 20 {
        7 => Outcome::Error(Exception::new("ExitCode", "exit status 1")),
        _ => Outcome::Done(None),
    };
    Finish { id, token, outcome, follow_up: JobId::random(), jitter: 0.0 }
}
