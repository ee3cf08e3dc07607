//! Heartbeats: a worker renews its lease and learns what became of its jobs.

use std::time::Duration;

use crate::error::StoreError;
use crate::script::Script;
use crate::store::Store;
use domain::capacity::CapacityMap;
use domain::job::{ActionName, FencingToken, JobId, Timestamp, WorkerId};

static HEARTBEAT: Script = Script::new("heartbeat", include_str!("heartbeat.lua"));

/// What a worker reports of itself.
#[derive(Debug, Clone)]
pub struct Heartbeat {
    /// The worker.
    pub worker: WorkerId,
    /// How long its lease lasts from now.
    pub lease: Duration,
    /// A name for people.
    pub name: String,
    /// The version of its program.
    pub version: String,
    /// The capacity it offers.
    pub capacity_map: CapacityMap,
    /// How much of that is free now.
    pub free: CapacityMap,
    /// The actions it knows.
    pub actions: Vec<ActionName>,
    /// The jobs it runs: all of those it has claimed, up to the token `noted`, whose end is not
    /// recorded.
    pub running: Vec<(JobId, FencingToken)>,
    /// The greatest token of the claims that it knows to have made.
    pub noted: FencingToken,
}

/// The reply to a heartbeat.
#[derive(Debug, Clone, PartialEq, Eq)]
pub enum HeartbeatReply {
    /// The lease is renewed.
    Renewed(Renewal),
    /// The worker was declared dead, or had left; it must start anew under another id.
    Dead,
}

/// What a worker learns when its lease is renewed.
#[derive(Debug, Clone, PartialEq, Eq)]
pub struct Renewal {
    /// Until when the lease is good.
    pub until: Timestamp,
    /// The worker is to claim nothing.
    pub drain: bool,
    /// The capacity map that an operator wants it to offer.
    pub wanted: Option<CapacityMap>,
    /// The running jobs that it is to stop, and why.
    pub interruptions: Vec<(JobId, Interruption)>,
    /// Runs whose end it has recorded, and which are running by their records, because Redis has
    /// lost writes.
    pub unreported: Vec<(JobId, FencingToken)>,
}

/// Why a worker is to stop a running job.
#[derive(Debug, Clone, Copy, PartialEq, Eq)]
pub enum Interruption {
    /// A cancel was requested.
    Cancel,
    /// The claim is not the worker's any more.
    Lost,
}

impl Store {
    /// Renews a worker's lease and record.
    pub async fn heartbeat(&self, heartbeat: &Heartbeat) -> Result<HeartbeatReply, StoreError> {
        let actions: Vec<&str> = heartbeat.actions.iter().map(ActionName::as_str).collect();
        let json = |value: &CapacityMap| serde_json::to_string(value).unwrap_or_default();
        let record = [
            ("name", heartbeat.name.clone()),
            ("version", heartbeat.version.clone()),
            ("capacityMap", json(&heartbeat.capacity_map)),
            ("free", json(&heartbeat.free)),
            ("actions", actions.join(",")),
        ];
        let answer = self.call(&HEARTBEAT, |call| {
            call.arg(heartbeat.worker.as_str()).arg(heartbeat.lease.as_millis() as u64);
            call.arg(heartbeat.noted.0).arg(2 * record.len()).arg(&record[..]);
            for (id, token) in &heartbeat.running {
                call.arg(id.to_string()).arg(token.0);
            }
        });
        let (head, jobs) = answer.await?.split()?;
        let reply = head.decode(|words| match words {
            ["dead"] => Some(None),
            ["renewed", until, drain, wanted] => Some(Some(Renewal {
                until: Timestamp::from_ms(until.parse().ok()?),
                drain: !drain.is_empty(),
                wanted: capacity(wanted)?,
                interruptions: Vec::new(),
                unreported: Vec::new(),
            })),
            _ => None,
        })?;
        let Some(mut renewal) = reply else { return Ok(HeartbeatReply::Dead) };
        for job in jobs {
            match job.decode(job_answer)? {
                JobAnswer::Interrupted(id, why) => renewal.interruptions.push((id, why)),
                JobAnswer::Unreported(id, token) => renewal.unreported.push((id, token)),
            }
        }
        renewal.unreported.sort_unstable();
        Ok(HeartbeatReply::Renewed(renewal))
    }
}

/// Reads a capacity map, '' for none.
fn capacity(json: &str) -> Option<Option<CapacityMap>> {
    if json.is_empty() {
        return Some(None);
    }
    serde_json::from_str(json).ok().map(Some)
}

/// What a heartbeat learns about one job.
enum JobAnswer {
    Interrupted(JobId, Interruption),
    Unreported(JobId, FencingToken),
}

fn job_answer(words: &[&str]) -> Option<JobAnswer> {
    match words {
        ["cancel", id] => Some(JobAnswer::Interrupted(id.parse().ok()?, Interruption::Cancel)),
        ["lost", id] => Some(JobAnswer::Interrupted(id.parse().ok()?, Interruption::Lost)),
        ["unreported", id, token] => {
            Some(JobAnswer::Unreported(id.parse().ok()?, FencingToken(token.parse().ok()?)))
        }
        _ => None,
    }
}
