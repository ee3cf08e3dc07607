//! `capstan jobs wait`, and the wait that other commands use: until jobs, and what carries them on,
//! are over.

use std::fmt;
use std::time::{Duration, Instant};

use clap::Args;
use futures_util::{StreamExt, stream};
use shared::job::{JobId, Status};

use crate::api::Api;
use crate::failure::{Ending, Failure};
use crate::out;
use crate::wire::Job;

/// What `jobs wait` is told.
#[derive(Debug, Args)]
pub(crate) struct WaitArguments {
    /// The jobs
    #[arg(required = true, value_name = "ID")]
    ids: Vec<JobId>,

    /// How long to wait at most, like 60s; without it as long as it takes
    #[arg(long, value_name = "DURATION", value_parser = shared::config::duration)]
    timeout: Option<Duration>,
}

/// Waits, and says how each job ended.
pub(crate) async fn run(api: &Api, arguments: &WaitArguments) -> Result<Ending, Failure> {
    let ended = until_over(api, &arguments.ids, arguments.timeout).await?;
    for one in &ended {
        out::say(one)?;
    }
    Ok(ending(&ended))
}

/// Well when all ended as done.
pub(crate) fn ending(ended: &[Ended]) -> Ending {
    Ending::well_if(ended.iter().all(|one| one.job.status == Status::Done))
}

/// A job that is over.
#[derive(Debug, Clone)]
pub(crate) struct Ended {
    /// The job that was asked for.
    pub(crate) asked: JobId,
    /// The last job that carried it on; itself when none had to.
    pub(crate) job: Job,
}

impl fmt::Display for Ended {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        write!(f, "{} {}", self.asked, self.job.status)?;
        if self.job.id != self.asked {
            write!(f, " as {}", self.job.id)?;
        }
        match &self.job.exception {
            Some(exception) => write!(f, ": {}: {}", exception.kind, exception.message),
            None => Ok(()),
        }
    }
}

/// Jobs that are looked at in one go.
const AT_ONCE: usize = 4;
const SHORTEST_PAUSE: Duration = Duration::from_millis(20);
const LONGEST_PAUSE: Duration = Duration::from_millis(500);
/// An API that has answered once may be away for so long: it may be restarting.
pub(crate) const PATIENCE: Duration = Duration::from_secs(15);

/// Waits until all are over, follow-ups included; answers in the order asked.
pub(crate) async fn until_over(
    api: &Api,
    ids: &[JobId],
    limit: Option<Duration>,
) -> Result<Vec<Ended>, Failure> {
    let mut watch = Watch::new(ids);
    match limit {
        None => watch.run(api).await?,
        Some(limit) => match tokio::time::timeout(limit, watch.run(api)).await {
            Ok(ended) => ended?,
            Err(_) => return Err(Failure::Late(watch.missing())),
        },
    }
    Ok(watch.chains.into_iter().filter_map(Chain::ended).collect())
}

/// A job that was asked for and the one that carries it on now.
struct Chain {
    asked: JobId,
    current: JobId,
    last: Option<Job>,
}

impl Chain {
    fn is_over(&self) -> bool {
        self.last.as_ref().is_some_and(|job| job.id == self.current && job.status.is_final())
    }

    fn ended(self) -> Option<Ended> {
        Some(Ended { asked: self.asked, job: self.last? })
    }

    /// Takes in what the API says of the current job.
    fn seen(&mut self, job: Job) {
        let next = job.follow_up_id.filter(|next| job.status.is_final() && *next != job.id);
        self.current = next.unwrap_or(job.id);
        self.last = Some(job);
    }
}

struct Watch {
    chains: Vec<Chain>,
    answered: Option<Instant>,
}

impl Watch {
    fn new(ids: &[JobId]) -> Watch {
        let chains = ids.iter().map(|id| Chain { asked: *id, current: *id, last: None });
        Watch { chains: chains.collect(), answered: None }
    }

    async fn run(&mut self, api: &Api) -> Result<(), Failure> {
        let mut pause = SHORTEST_PAUSE;
        loop {
            match self.look(api).await {
                Ok(()) => self.answered = Some(Instant::now()),
                Err(Failure::Away(_)) if self.is_patient() => {}
                Err(failure) => return Err(failure),
            }
            if self.chains.iter().all(Chain::is_over) {
                return Ok(());
            }
            tokio::time::sleep(pause).await;
            pause = (pause * 3 / 2).min(LONGEST_PAUSE);
        }
    }

    fn is_patient(&self) -> bool {
        self.answered.is_some_and(|answered| answered.elapsed() < PATIENCE)
    }

    async fn look(&mut self, api: &Api) -> Result<(), Failure> {
        let open = self.chains.iter_mut().filter(|chain| !chain.is_over());
        let mut looks = stream::iter(open)
            .map(|chain| async move {
                let job: Job = api.get(&format!("/jobs/{}", chain.current)).await?;
                chain.seen(job);
                Ok::<(), Failure>(())
            })
            .buffer_unordered(AT_ONCE);
        while let Some(look) = looks.next().await {
            look?;
        }
        Ok(())
    }

    /// What is not over, in one sentence.
    fn missing(&self) -> String {
        let open: Vec<&Chain> = self.chains.iter().filter(|chain| !chain.is_over()).collect();
        let some = open.iter().take(3).map(|chain| match &chain.last {
            Some(job) if job.id == chain.current => format!("{} {}", job.id, job.status),
            _ => format!("{} not seen", chain.current),
        });
        let some = some.collect::<Vec<_>>().join(", ");
        let more = if open.len() > 3 { ", …" } else { "" };
        format!("timed out: {} of {} jobs not over: {some}{more}", open.len(), self.chains.len())
    }
}

#[cfg(test)]
mod tests {
    use super::*;
    use expect_test::expect;
    use serde_json::json;

    const FIRST: &str = "00000000-0000-4000-8000-000000000001";
    const SECOND: &str = "00000000-0000-4000-8000-000000000002";

    fn job(id: &str, status: &str, follow_up: Option<&str>) -> Job {
        let document = json!({
            "id": id, "status": status, "action": "sleep", "followUpID": follow_up,
            "scheduledAt": "2026-11-20T16:30:00Z",
            "exception": {"type": "ExitCode", "message": "it exited with 1"},
        });
        serde_json::from_value(document).unwrap()
    }

    #[test]
    fn a_job_is_over_when_what_carries_it_on_is_over() {
        let mut watch = Watch::new(&[FIRST.parse().unwrap()]);
        expect!["timed out: 1 of 1 jobs not over: 00000000-0000-4000-8000-000000000001 not seen"]
            .assert_eq(&watch.missing());
        let steps = [
            (job(FIRST, "waiting", None), false),
            (job(FIRST, "running", None), false),
            (job(FIRST, "worker_dead", Some(SECOND)), false),
            (job(SECOND, "running", None), false),
            (job(SECOND, "error", None), true),
        ];
        for (job, over) in steps {
            let what = job.status;
            watch.chains[0].seen(job);
            assert_eq!(watch.chains[0].is_over(), over, "{what}");
        }
        let ended: Vec<Ended> = watch.chains.into_iter().filter_map(Chain::ended).collect();
        let text = format!("{FIRST} error as {SECOND}: ExitCode: it exited with 1");
        assert_eq!(ended[0].to_string(), text);
        assert_eq!(ending(&ended), Ending::Badly);
    }

    #[test]
    fn only_done_is_well() {
        for status in Status::ALL.into_iter().filter(|status| status.is_final()) {
            let ended =
                Ended { asked: FIRST.parse().unwrap(), job: job(FIRST, status.as_str(), None) };
            assert_eq!(ending(&[ended]) == Ending::Well, status == Status::Done, "{status}");
        }
    }
}
