//! The way of a submission into the store, by drivers that `run` owns. Submissions that come at the
//! same time go as one call; a batch is kept whole in the store before its first job is submitted.

use std::collections::HashMap;
use std::future::Future;
use std::time::Duration;

use shared::capacity::Class;
use shared::group::{Driver, Group, group};
use shared::job::{ActionName, Job, JobId, NewJob, Spec, Status, Timestamp};
use shared::store::{ActionDefaults, Store, StoreError, Submitted};
use tokio::task::JoinSet;
use tokio::time::{Instant, sleep};
use uuid::Uuid;

use crate::error::Error;

/// How many single submissions one call carries at most.
const MOST_TOGETHER: usize = 64;
/// How long a single submission may wait for a store that is away.
const PATIENCE: Duration = Duration::from_secs(1);
/// How long a batch may, from its first call on, so that a short absence does not refuse it.
const BATCH_PATIENCE: Duration = Duration::from_secs(5);
/// How long either may stand in line before it is refused without being tried.
const IN_LINE: Duration = Duration::from_secs(5);
const PAUSE: Duration = Duration::from_millis(100);

/// A job as the client asked for it, before what its action has by default is filled in.
#[derive(Debug, Clone, PartialEq)]
pub(crate) struct Draft {
    /// What is asked; its `retries` are not set yet.
    pub(crate) spec: Spec,
    /// Retries, if the client said any.
    pub(crate) retries: Option<u32>,
    /// Not before this moment; `None` is now.
    pub(crate) scheduled_at: Option<Timestamp>,
}

impl Draft {
    /// The job to submit. What the client said wins; `capacityMap` stays as it was given, the class
    /// follows the default.
    fn fill(mut self, defaults: &ActionDefaults) -> Result<NewJob, Error> {
        let spec = &mut self.spec;
        spec.retries = self.retries.or(defaults.retries).unwrap_or(0);
        if spec.deadline.is_none() {
            spec.deadline = defaults.deadline.clone();
        }
        if spec.stop_timeout.is_none() {
            spec.stop_timeout = defaults.stop_timeout.clone();
        }
        let need = spec.capacity_map.as_ref().or(defaults.capacity_map.as_ref());
        let class = Class::of(need).map_err(|error| Error::invalid("capacityMap", error))?;
        let (id, scheduled_at) = (JobId::random(), self.scheduled_at);
        Ok(NewJob { id, class, scheduled_at, once: false, spec: self.spec })
    }
}

struct Asked<Request> {
    until: Instant,
    request: Request,
}

type Single = Result<Job, Error>;
type Batch = Result<Vec<Job>, Error>;

/// Where submissions are put in. The drivers end when it is dropped.
pub(crate) struct Submissions {
    singles: Group<Asked<Draft>, Single>,
    batches: Group<Asked<Vec<Draft>>, Batch>,
}

impl Submissions {
    /// Makes the entry and begins its drivers among `tasks`.
    pub(crate) fn start<E: 'static + Send>(
        store: &Store,
        tasks: &mut JoinSet<Result<(), E>>,
    ) -> Submissions {
        let (singles, driver) = group(MOST_TOGETHER);
        let serving = store.clone();
        tasks.spawn(drive(driver, move |drafts| singly(serving.clone(), drafts)));
        // One batch at a time: more of them at once would not be faster, only hold up the others.
        let (batches, driver) = group(1);
        let serving = store.clone();
        tasks.spawn(drive(driver, move |batches| whole(serving.clone(), batches)));
        Submissions { singles, batches }
    }

    /// Submits one job.
    pub(crate) async fn one(&self, draft: Draft) -> Single {
        let asked = Asked { until: Instant::now() + IN_LINE, request: draft };
        self.singles.ask(asked).await.unwrap_or(Err(SHUTTING_DOWN))
    }

    /// Submits jobs in their order; an error names the one that it is about.
    pub(crate) async fn all(&self, drafts: Vec<Draft>) -> Batch {
        let asked = Asked { until: Instant::now() + IN_LINE, request: drafts };
        self.batches.ask(asked).await.unwrap_or(Err(SHUTTING_DOWN))
    }
}

const SHUTTING_DOWN: Error = Error::Unavailable("the service is shutting down");
const IN_LINE_TOO_LONG: Error = Error::Unavailable("the store does not answer");

/// Serves what has not stood in line for too long.
async fn drive<Request, Reply, Serving, E>(
    driver: Driver<Asked<Request>, Result<Reply, Error>>,
    mut serve: impl FnMut(Vec<Request>) -> Serving,
) -> Result<(), E>
where
    Serving: Future<Output = Vec<Result<Reply, Error>>>,
{
    driver
        .run(move |asked| {
            let now = Instant::now();
            let in_time: Vec<bool> = asked.iter().map(|one| one.until > now).collect();
            let requests = asked.into_iter().filter(|one| one.until > now);
            let requests: Vec<Request> = requests.map(|one| one.request).collect();
            let serving = (!requests.is_empty()).then(|| serve(requests));
            async move {
                let served = match serving {
                    Some(serving) => serving.await,
                    None => Vec::new(),
                };
                let mut served = served.into_iter();
                let answer = |in_time: bool| in_time.then(|| served.next()).flatten();
                in_time
                    .into_iter()
                    .map(answer)
                    .map(|a| a.unwrap_or(Err(IN_LINE_TOO_LONG)))
                    .collect()
            }
        })
        .await;
    Ok(())
}

async fn singly(store: Store, drafts: Vec<Draft>) -> Vec<Single> {
    let until = Instant::now() + PATIENCE;
    let defaults = match persistently(until, || store.action_defaults()).await {
        Ok(defaults) => defaults,
        Err(error) => return drafts.iter().map(|_| Err(error.clone())).collect(),
    };
    let filled: Vec<Result<NewJob, Error>> =
        drafts.into_iter().map(|draft| fill(draft, &defaults)).collect();
    let jobs: Vec<NewJob> = filled.iter().filter_map(|job| job.as_ref().ok()).cloned().collect();
    let together = submit_few(&store, &jobs).await;
    let mut answers = match together {
        Ok(submitted) => submitted.into_iter().map(Ok).collect(),
        // One of them needs a class too many; the others must not suffer for it.
        Err(Error::TooManyQueues(_)) if jobs.len() > 1 => one_by_one(&store, &jobs).await,
        Err(error) => jobs.iter().map(|_| Err(error.clone())).collect(),
    }
    .into_iter();
    let answer = |job: Result<NewJob, Error>| {
        let job = job?;
        answers.next().unwrap_or(Err(Error::Broken)).map(|submitted| record(job, &submitted))
    };
    filled.into_iter().map(answer).collect()
}

async fn one_by_one(store: &Store, jobs: &[NewJob]) -> Vec<Result<Submitted, Error>> {
    let mut answers = Vec::with_capacity(jobs.len());
    for job in jobs {
        let answer = submit_few(store, std::slice::from_ref(job)).await;
        answers.push(answer.and_then(|mut one| one.pop().ok_or(Error::Broken)));
    }
    answers
}

async fn whole(store: Store, batches: Vec<Vec<Draft>>) -> Vec<Batch> {
    let mut answers = Vec::with_capacity(batches.len());
    for drafts in batches {
        answers.push(one_whole(&store, drafts).await);
    }
    answers
}

async fn one_whole(store: &Store, drafts: Vec<Draft>) -> Batch {
    let until = Instant::now() + BATCH_PATIENCE;
    let defaults = persistently(until, || store.action_defaults()).await?;
    let filled = drafts
        .into_iter()
        .enumerate()
        .map(|(index, draft)| fill(draft, &defaults).map_err(|error| error.in_job(index)));
    let jobs = filled.collect::<Result<Vec<NewJob>, Error>>()?;
    let submitted = submit_batch(store, &jobs).await?;
    let both = jobs.into_iter().zip(submitted);
    Ok(both.map(|(job, submitted)| record(job, &submitted)).collect())
}

/// Submits the jobs of one call. It may be repeated, because a job that is known is left as it is.
async fn submit_few(store: &Store, jobs: &[NewJob]) -> Result<Vec<Submitted>, Error> {
    let until = Instant::now() + PATIENCE;
    whole_answer(jobs, persistently(until, || store.submit(jobs)).await?)
}

/// Submits a batch, all or none. It may be repeated too, under the same id.
async fn submit_batch(store: &Store, jobs: &[NewJob]) -> Result<Vec<Submitted>, Error> {
    let (until, id) = (Instant::now() + BATCH_PATIENCE, Uuid::new_v4());
    whole_answer(jobs, persistently(until, || store.submit_batch(id, jobs)).await?)
}

fn whole_answer(jobs: &[NewJob], all: Vec<Submitted>) -> Result<Vec<Submitted>, Error> {
    if all.len() == jobs.len() { Ok(all) } else { Err(Error::Broken) }
}

/// Calls the store again while it is away, until a moment.
async fn persistently<T, Calling>(until: Instant, call: impl Fn() -> Calling) -> Result<T, Error>
where
    Calling: Future<Output = Result<T, StoreError>>,
{
    loop {
        match call().await {
            Ok(answer) => return Ok(answer),
            Err(error) if error.is_unavailable() && Instant::now() + PAUSE < until => {
                sleep(PAUSE).await;
            }
            Err(error) => return Err(error.into()),
        }
    }
}

fn fill(draft: Draft, defaults: &HashMap<ActionName, ActionDefaults>) -> Result<NewJob, Error> {
    match defaults.get(&draft.spec.action) {
        Some(defaults) => draft.fill(defaults),
        None => draft.fill(&ActionDefaults::default()),
    }
}

/// The record that the store has made of a new job.
fn record(job: NewJob, submitted: &Submitted) -> Job {
    Job {
        id: job.id,
        number: submitted.number,
        status: Status::Waiting,
        class: job.class,
        retry_from: job.id,
        follow_up: None,
        retries_left: job.spec.retries,
        attempt: 1,
        crashes: 0,
        worker: None,
        token: None,
        scheduled_at: submitted.scheduled_at,
        created_at: submitted.created_at,
        last_updated: submitted.created_at,
        started_at: None,
        finished_at: None,
        result: None,
        exception: None,
        progress: None,
        cancelled: None,
        spec: job.spec,
    }
}
