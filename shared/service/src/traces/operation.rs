//! The names and the attributes of all spans, in one place: the semantic conventions for messaging
//! still change. <https://opentelemetry.io/docs/specs/semconv/messaging/messaging-spans/>

use domain::cron::CronName;
use domain::job::{ActionName, JobId, Status, WorkerId};
use domain::queue::QueueName;
use opentelemetry::KeyValue;
use opentelemetry::trace::SpanKind;

/// The run that a span is about.
#[derive(Debug, Clone, Copy)]
pub struct TracedRun<'a> {
    /// The job.
    pub id: JobId,
    /// Its number.
    pub number: u64,
    /// The number of the run.
    pub attempt: u32,
    /// The action.
    pub action: &'a ActionName,
}

/// What a span did.
#[derive(Debug, Clone, Copy)]
pub enum Operation<'a> {
    /// The API has stored one job or a batch of jobs, or a scheduler the job of a cron.
    Submit {
        /// The action of the first job.
        action: &'a ActionName,
        /// The job; `None` for a batch.
        id: Option<JobId>,
        /// How many jobs there are.
        jobs: usize,
        /// The cron that fired.
        cron: Option<&'a CronName>,
    },
    /// The relay has published an offer of the job to RabbitMQ.
    Publish {
        /// The queue.
        queue: &'a QueueName,
        /// The job.
        id: JobId,
        /// How many jobs the offer has.
        jobs: usize,
    },
    /// A worker has run the job, from the claim to the recorded end.
    Run {
        /// The run.
        run: TracedRun<'a>,
        /// The worker.
        worker: &'a WorkerId,
        /// The status in which it ended, if that is recorded.
        status: Option<Status>,
        /// The type of its exception.
        error_type: Option<&'a str>,
    },
    /// A worker has claimed the job.
    Claim(TracedRun<'a>),
    /// A worker has recorded the end of the job.
    Finish(TracedRun<'a>),
}

impl Operation<'_> {
    pub(super) fn name(&self) -> String {
        match self {
            Operation::Submit { action, .. } => format!("submit {action}"),
            Operation::Publish { queue, .. } => format!("publish {queue}"),
            Operation::Run { run, .. } => format!("run {}", run.action),
            Operation::Claim(run) => format!("claim {}", run.action),
            Operation::Finish(run) => format!("finish {}", run.action),
        }
    }

    pub(super) fn kind(&self) -> SpanKind {
        match self {
            Operation::Submit { .. } => SpanKind::Producer,
            Operation::Run { .. } => SpanKind::Consumer,
            Operation::Publish { .. } | Operation::Claim(_) | Operation::Finish(_) => {
                SpanKind::Client
            }
        }
    }

    /// Whether another process has its parent.
    pub(super) fn parent_is_remote(&self) -> bool {
        match self {
            Operation::Submit { .. } | Operation::Publish { .. } | Operation::Run { .. } => true,
            Operation::Claim(_) | Operation::Finish(_) => false,
        }
    }

    pub(super) fn attributes(&self) -> Vec<KeyValue> {
        match *self {
            Operation::Submit { action, id, jobs, cron } => {
                let mut all = messaging("capstan", ("submit", "create"), action.as_str());
                all.push(match id {
                    Some(id) => message(id),
                    None => batch(jobs),
                });
                all.extend(cron.map(|cron| KeyValue::new("capstan.cron", cron.to_string())));
                all
            }
            Operation::Publish { queue, id, jobs } => {
                let mut all = messaging("rabbitmq", ("publish", "send"), &queue.to_string());
                all.extend([message(id), batch(jobs)]);
                all
            }
            Operation::Run { run, worker, status, error_type } => {
                let mut all = of_run(run, ("run", "process"));
                all.push(KeyValue::new("capstan.job.number", run.number as i64));
                all.push(KeyValue::new("capstan.job.attempt", i64::from(run.attempt)));
                all.push(KeyValue::new("capstan.worker.id", worker.to_string()));
                let status = status.map(|status| status.as_str());
                all.extend(status.map(|status| KeyValue::new("capstan.job.status", status)));
                let error_type = error_type.map(str::to_owned);
                all.extend(error_type.map(|kind| KeyValue::new("error.type", kind)));
                all
            }
            Operation::Claim(run) => of_run(run, ("claim", "receive")),
            Operation::Finish(run) => of_run(run, ("finish", "settle")),
        }
    }
}

fn of_run(run: TracedRun<'_>, operation: (&'static str, &'static str)) -> Vec<KeyValue> {
    let mut all = messaging("capstan", operation, run.action.as_str());
    all.push(message(run.id));
    all
}

fn messaging(
    system: &'static str,
    (name, kind): (&'static str, &'static str),
    destination: &str,
) -> Vec<KeyValue> {
    vec![
        KeyValue::new("messaging.system", system),
        KeyValue::new("messaging.operation.name", name),
        KeyValue::new("messaging.operation.type", kind),
        KeyValue::new("messaging.destination.name", destination.to_owned()),
    ]
}

fn message(id: JobId) -> KeyValue {
    KeyValue::new("messaging.message.id", id.to_string())
}

fn batch(jobs: usize) -> KeyValue {
    KeyValue::new("messaging.batch.message_count", jobs as i64)
}
