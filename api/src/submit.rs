//! The way of a submission into the store, by drivers that `run` owns. Submissions that come at the
//! same time go as one call; a batch is kept whole in the store before its first job is submitted.

mod admitted;
mod checks;
mod draft;

use std::collections::HashMap;
use std::future::Future;
use std::time::Duration;

use shared::group::{Driver, Group, group};
use shared::job::{ActionName, NewJob};
use shared::store::{ActionDefaults, Store, StoreError, Submitted};
use tokio::task::JoinSet;
use tokio::time::{Instant, sleep, timeout_at};
use uuid::Uuid;

pub(crate) use admitted::{Admission, Admitted};
pub(crate) use draft::{Draft, DraftBatch, Key};

use admitted::admitted;
use checks::{permits, refuse_bad_relations, refuse_greedy};

use crate::app::in_time;
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

struct Asked<Request> {
    until: Instant,
    request: Request,
}

type Single = Result<Admitted, Error>;
type Batch = Result<Vec<Admitted>, Error>;

/// Where submissions are put in. The drivers end when it is dropped.
pub(crate) struct Submissions {
    singles: Group<Asked<Draft>, Single>,
    batches: Group<Asked<DraftBatch>, Batch>,
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
        in_time(async { self.singles.ask(asked).await.unwrap_or(Err(SHUTTING_DOWN)) }).await
    }

    /// Submits jobs in their order; an error names the one that it is about.
    pub(crate) async fn all(&self, batch: DraftBatch) -> Batch {
        let asked = Asked { until: Instant::now() + IN_LINE, request: batch };
        self.batches.ask(asked).await.unwrap_or(Err(SHUTTING_DOWN))
    }
}

const SHUTTING_DOWN: Error = Error::Unavailable("the service is shutting down");
const NO_ANSWER: Error = Error::Unavailable("the store does not answer");
const BROKEN: Single = Err(Error::Broken);

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
                in_time.into_iter().map(answer).map(|a| a.unwrap_or(Err(NO_ANSWER))).collect()
            }
        })
        .await;
    Ok(())
}

async fn singly(store: Store, drafts: Vec<Draft>) -> Vec<Single> {
    let filled = match filled_singly(&store, drafts).await {
        Ok(filled) => filled,
        Err((count, error)) => return vec![Err(error); count],
    };
    let jobs: Vec<NewJob> = filled.iter().filter_map(|job| job.as_ref().ok()).cloned().collect();
    let answers = match submit_few(&store, &jobs).await {
        Ok(submitted) => submitted.into_iter().map(Ok).collect(),
        // One of them is refused, by the store's own rules; the others must not suffer for it.
        Err(StoreError::TooManyQueues(_) | StoreError::Relation(_)) if jobs.len() > 1 => {
            one_by_one(&store, &jobs).await
        }
        Err(error) => {
            let error = Error::from(error);
            jobs.iter().map(|_| Err(error.clone())).collect()
        }
    };
    let mut singles = admitted(&store, jobs.into_iter().zip(answers).collect()).await.into_iter();
    let answer = |job: Result<NewJob, Error>| job.and_then(|_| singles.next().unwrap_or(BROKEN));
    filled.into_iter().map(answer).collect()
}

/// The jobs to submit, or why not; all are refused when the store does not answer.
async fn filled_singly(
    store: &Store,
    drafts: Vec<Draft>,
) -> Result<Vec<Result<NewJob, Error>>, (usize, Error)> {
    let (until, count) = (Instant::now() + PATIENCE, drafts.len());
    let away = |error: StoreError| (count, Error::from(error));
    let defaults = persistently(until, || store.action_defaults()).await.map_err(away)?;
    let mut filled: Vec<Result<NewJob, Error>> =
        drafts.into_iter().map(|draft| fill(draft, &defaults)).collect();
    let jobs = || filled.iter().filter_map(|job| job.as_ref().ok());
    let permits = persistently(until, || permits(store, jobs())).await.map_err(away)?;
    for one in &mut filled {
        if let Ok(job) = one
            && let Err(error) = refuse_greedy(job, &permits)
        {
            // A repeat is answered as the first one was.
            let known = persistently(until, || store.is_known(job.id)).await.map_err(away)?;
            if !known {
                *one = Err(error);
            }
        }
    }
    Ok(filled)
}

async fn one_by_one(store: &Store, jobs: &[NewJob]) -> Vec<Result<Submitted, Error>> {
    let mut answers = Vec::with_capacity(jobs.len());
    for job in jobs {
        let answer = submit_few(store, std::slice::from_ref(job)).await.map_err(Error::from);
        answers.push(answer.and_then(|mut one| one.pop().ok_or(Error::Broken)));
    }
    answers
}

async fn whole(store: Store, batches: Vec<DraftBatch>) -> Vec<Batch> {
    let mut answers = Vec::with_capacity(batches.len());
    for batch in batches {
        answers.push(one_whole(&store, batch).await);
    }
    answers
}

async fn one_whole(store: &Store, batch: DraftBatch) -> Batch {
    let until = Instant::now() + BATCH_PATIENCE;
    let defaults = timeout_at(until, persistently(until, || store.action_defaults()));
    let defaults = defaults.await.map_err(|_| NO_ANSWER)??;
    let filled = batch
        .drafts
        .into_iter()
        .enumerate()
        .map(|(index, draft)| fill(draft, &defaults).map_err(|error| error.in_job(index)));
    let jobs = filled.collect::<Result<Vec<NewJob>, Error>>()?;
    let checking = timeout_at(until, refuse_wrong(store, batch.id, &jobs, until));
    checking.await.map_err(|_| NO_ANSWER)??;
    let submitted = submit_batch(store, batch.id, &jobs).await?;
    let both = jobs.into_iter().zip(submitted.into_iter().map(Ok)).collect();
    let answers = admitted(store, both).await.into_iter().enumerate();
    answers.map(|(index, answer)| answer.map_err(|error| error.in_job(index))).collect()
}

/// Refuses a batch of which one job could not be taken. One that was taken before is not refused.
async fn refuse_wrong(
    store: &Store,
    id: Uuid,
    jobs: &[NewJob],
    until: Instant,
) -> Result<(), Error> {
    let wrong = async {
        let permits = persistently(until, || permits(store, jobs)).await?;
        for (index, job) in jobs.iter().enumerate() {
            refuse_greedy(job, &permits).map_err(|error| error.in_job(index))?;
        }
        let checking = || refuse_bad_relations(store, jobs);
        persistently(until, checking).await.map_err(in_its_job)
    };
    let (Err(error), Some(first)) = (wrong.await, jobs.first()) else { return Ok(()) };
    let known = persistently(until, || store.is_batch_known(id, first.id)).await?;
    if known { Ok(()) } else { Err(error) }
}

/// Submits the jobs of one call. It may be repeated, because a job that is known is left as it is.
async fn submit_few(store: &Store, jobs: &[NewJob]) -> Result<Vec<Submitted>, StoreError> {
    let until = Instant::now() + PATIENCE;
    persistently(until, || store.submit(jobs)).await
}

/// Submits a batch, all or none. It may be repeated too, under the same id.
async fn submit_batch(store: &Store, id: Uuid, jobs: &[NewJob]) -> Result<Vec<Submitted>, Error> {
    let until = Instant::now() + BATCH_PATIENCE;
    let submitting = persistently(until, || store.submit_batch(id, jobs)).await;
    let all = submitting.map_err(in_its_job)?;
    if all.len() == jobs.len() { Ok(all) } else { Err(Error::Broken) }
}

/// The error of a batch, said of the job that it is about.
fn in_its_job(error: StoreError) -> Error {
    let place = if let StoreError::Relation(bad) = &error { Some(bad.place) } else { None };
    let error = Error::from(error);
    match place {
        Some(place) => error.in_job(place),
        None => error,
    }
}

/// Calls the store again while it is away, until a moment.
async fn persistently<T, Calling>(
    until: Instant,
    call: impl Fn() -> Calling,
) -> Result<T, StoreError>
where
    Calling: Future<Output = Result<T, StoreError>>,
{
    loop {
        match call().await {
            Err(error) if error.is_unavailable() && Instant::now() + PAUSE < until => {
                sleep(PAUSE).await;
            }
            answer => return answer,
        }
    }
}

fn fill(draft: Draft, defaults: &HashMap<ActionName, ActionDefaults>) -> Result<NewJob, Error> {
    match defaults.get(&draft.spec.action) {
        Some(defaults) => draft.fill(defaults),
        None => draft.fill(&ActionDefaults::default()),
    }
}
