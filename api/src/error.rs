//! Every reason to refuse a request, in terms of the domain. This layer knows no HTTP: each
//! surface decides how it reports an error.

mod field_path;
mod of_store;
mod suggestion;

use std::fmt;

use domain::access_tokens::{Owner, Role};
use domain::bounds::{BoundError, PARAMETERS_BYTES};
use domain::job::{JobId, Status, Timestamp, WorkerId};
use domain::signal::{MAX_KEPT_SIGNALS, SignalName};
use store::{
    MAX_ACTION_CONFIGS, MAX_BULK_OPERATIONS, MAX_CRONS, MAX_LIMIT_PATTERNS, MAX_LIMITS,
    MAX_SUBSCRIPTIONS, QuotaExceeded, StoreError,
};

pub(crate) use field_path::FieldPath;
pub(crate) use suggestion::unknown_name;

/// Why a request was refused.
#[derive(Debug, Clone, PartialEq, Eq, thiserror::Error)]
pub(crate) enum Error {
    /// No job has this id, or the text is not a job id.
    #[error("there is no job {0:?}")]
    NoSuchJob(String),
    /// No worker has this id, or the text is not a worker id.
    #[error("there is no worker {0:?}")]
    NoSuchWorker(String),
    /// No cron has this name, or the text is not a valid name.
    #[error("there is no cron {0:?}")]
    NoSuchCron(String),
    /// The lock has no holder, no waiter and no permits of its own, or the name is not valid.
    #[error("lock {0:?} is not held, waited for or configured")]
    NoSuchLock(String),
    /// No rate limit has this name, or the text is not a valid name.
    #[error("there is no rate limit {0:?}")]
    NoSuchLimit(String),
    /// The text is not a class of jobs in canonical form.
    #[error(
        "{0:?} is not a valid class of jobs: \
         write it like scan=1 or cpu=2+scan=1, with the types in alphabetical order"
    )]
    NoSuchClass(String),
    /// The text is not an action name.
    #[error("{0:?} is not a valid action name")]
    NoSuchAction(String),
    /// The action has no configuration, or the text is not an action name.
    #[error("action {0:?} has no configuration")]
    NoSuchActionConfig(String),
    /// No subscription has this name, or the text is not a valid name.
    #[error("there is no subscription {0:?}")]
    NoSuchSubscription(String),
    /// No bulk operation has this id, or the text is not a valid id.
    #[error("there is no bulk operation {0:?}")]
    NoSuchBulkOperation(String),
    /// The request has no valid token.
    #[error("{0}")]
    NotAuthenticated(&'static str),
    /// The address has sent too many wrong tokens.
    #[error("too many wrong tokens from this address; try again in a second")]
    TooManyWrongTokens,
    /// The token has sent too many requests.
    #[error("token {owner} has sent more requests than {rate}; try again in {wait_s} s")]
    TooManyRequests {
        /// The owner of the token.
        owner: Owner,
        /// The rate of requests that is allowed.
        rate: String,
        /// After how many seconds the next request is accepted.
        wait_s: u64,
    },
    /// The role of the token is too low for the request.
    #[error("token {owner} has role {role}; {needed} is required")]
    NotAuthorized {
        /// The owner of the token.
        owner: Owner,
        /// The role of the token.
        role: Role,
        /// The role that the route requires.
        needed: Role,
    },
    /// A browser sent the request for a page of another site.
    #[error(
        "the request comes from a page of another site; \
         CAPSTAN_CORS_ORIGINS lists the origins whose pages may call the API"
    )]
    CrossSite,
    /// A form of the web page was not sent by the page itself.
    #[error("the form was not sent from this page; open the page again and repeat the action")]
    ForgedForm,
    /// The request is for a host with another name.
    #[error("this is not host {0:?}; CAPSTAN_HOSTS lists the names of the API's host")]
    WrongHost(String),
    /// No route has this path.
    #[error("there is no route {0:?}")]
    NoSuchRoute(String),
    /// The route exists, but not for this method.
    #[error("{route} does not allow {method}")]
    NotAllowed {
        /// The method of the request.
        method: String,
        /// The path of the request.
        route: String,
    },
    /// The content type of the body is not JSON.
    #[error("the body must be application/json, not {0:?}")]
    MediaType(String),
    /// The body is not JSON.
    #[error("the body is not valid JSON: {0}")]
    Json(String),
    /// A field or parameter is unknown or has an invalid value.
    #[error("{at}: {reason}")]
    Invalid {
        /// The field or parameter.
        at: FieldPath,
        /// What is wrong with it.
        reason: String,
    },
    /// A field or the body is too large.
    #[error("{at}: larger than the limit of {limit_bytes} bytes")]
    TooLarge {
        /// The field, or the body.
        at: FieldPath,
        /// The largest size that is allowed.
        limit_bytes: usize,
    },
    /// The namespace already has the maximum number of queues.
    #[error("{}", StoreError::TooManyQueues(.0.clone()))]
    TooManyQueues(String),
    /// The submitter would have more jobs waiting than it may have.
    #[error("{0}")]
    QuotaExceeded(QuotaExceeded),
    /// The namespace already has the maximum number of crons.
    #[error("this namespace already has {MAX_CRONS} crons, which is the limit")]
    TooManyCrons,
    /// The namespace already has the maximum number of rate limits.
    #[error(
        "this namespace already has {MAX_LIMITS} rate limits, or {MAX_LIMIT_PATTERNS} that end in *, \
         which is the limit"
    )]
    TooManyLimits,
    /// The namespace already has the maximum number of configured actions.
    #[error("this namespace already configures {MAX_ACTION_CONFIGS} actions, which is the limit")]
    TooManyActionConfigs,
    /// The namespace already has the maximum number of subscriptions.
    #[error("this namespace already has {MAX_SUBSCRIPTIONS} subscriptions, which is the limit")]
    TooManySubscriptions,
    /// The namespace already has the maximum number of bulk operations, all running.
    #[error("{MAX_BULK_OPERATIONS} bulk operations are running, which is the limit; stop one")]
    TooManyBulkOperations,
    /// The idempotency key was used within the last day, and its job has been removed since.
    #[error("{at}: the job that was created with this key has been removed")]
    SpentKey {
        /// The header, perhaps for one job of a batch.
        at: FieldPath,
        /// The job that was created with the key.
        id: JobId,
    },
    /// The idempotency key was used for another request within the last day.
    #[error(
        "Idempotency-Key: it was used with another body, which job {0} answers; \
         send another key with this body"
    )]
    OtherRequest(JobId),
    /// The job cannot be retried, because it has not finished or is deleted.
    #[error("job {id} is {status}; only a finished job that is not deleted can be retried")]
    NotFinished {
        /// The job.
        id: JobId,
        /// Its status.
        status: Status,
    },
    /// The job has started, so it cannot be changed.
    #[error("job {id} is {status}{suffix}; only a job that has not started can be changed",
        suffix = if *status == Status::Waiting { " after its run" } else { "" })]
    AlreadyStarted {
        /// The job.
        id: JobId,
        /// Its status; `waiting` when it waits for its children or a signal.
        status: Status,
    },
    /// The job cannot be retried, because it already was.
    #[error("job {id} was already retried as job {follow_up}")]
    AlreadyRetried {
        /// The job.
        id: JobId,
        /// The job that continues its work.
        follow_up: JobId,
    },
    /// The job cannot be retried now, because an unfinished job has the same unique key.
    #[error("job {holder}, which has not finished, has the unique key of job {id}")]
    UniqueKeyTaken {
        /// The job.
        id: JobId,
        /// The job that has the key.
        holder: JobId,
    },
    /// The signal was sent before.
    #[error("the signal {name} of job {id} was sent at {at}, or the time for it was over then")]
    SignalSent {
        /// The job.
        id: JobId,
        /// The signal.
        name: SignalName,
        /// When it was sent, or its time was over.
        at: Timestamp,
    },
    /// The job is over, so it receives no signals.
    #[error("job {id} is {status}; only a job that has not finished can receive a signal")]
    JobOver {
        /// The job.
        id: JobId,
        /// Its status.
        status: Status,
    },
    /// As many signals are kept for the job as may be.
    #[error("{MAX_KEPT_SIGNALS} signals are kept for job {0}, which is the limit")]
    TooManySignals(JobId),
    /// The text is not a link to a signal that this fleet has signed.
    #[error("there is no such link to a signal")]
    NoSuchSignalLink,
    /// The worker is dead or has shut down, so it takes no commands.
    #[error("worker {0} is dead or has shut down")]
    WorkerGone(WorkerId),
    /// The request may succeed when it is repeated.
    #[error("{0}; try again in a second")]
    Unavailable(&'static str),
    /// The record that the request is about cannot be read; the log has the reason.
    #[error("{0} cannot be read, see the service log: set it again or delete it")]
    Unreadable(String),
    /// A bug in Capstan or a corrupt record; the log has the details.
    #[error("internal error; see the service log")]
    Internal,
}

/// The error for a token that is not in the tokens file.
pub(crate) const WRONG_TOKEN: Error = Error::NotAuthenticated("there is no such token");

/// Why a bulk cancellation without any filter is refused.
pub(crate) const CANCEL_ALL: &str = "set all=true to cancel every job, or give a filter";

/// Why a bulk operation without any condition is refused.
pub(crate) const SELECT_ALL: &str = "set all to true to select every job, or give a condition";

/// The error for a store that does not answer in time.
pub(crate) const STORE_UNAVAILABLE: Error = Error::Unavailable("the store does not answer");

/// What is wrong with a store whose memory is used up, or nearly.
pub(crate) const STORE_IS_FULL: &str =
    "the store is full; new jobs are accepted when others are over";

/// The error for a store whose memory is used up, or nearly.
pub(crate) const STORE_FULL: Error = Error::Unavailable(STORE_IS_FULL);

/// The error for jobs that fewer replicas have than the settings demand.
const NOT_REPLICATED: Error = Error::Unavailable(
    "too few replicas of the store have the job, which may run all the same; repeat the request with \
     the same Idempotency-Key",
);

impl Error {
    /// Returns the error for an invalid field or parameter.
    pub(crate) fn invalid(field: impl Into<String>, reason: impl fmt::Display) -> Error {
        Error::Invalid { at: FieldPath::new(field), reason: reason.to_string() }
    }

    /// Returns after how many seconds the same request is accepted, if that is known.
    pub(crate) fn retry_after_s(&self) -> Option<u64> {
        if let Error::TooManyRequests { wait_s, .. } = self { Some(*wait_s) } else { None }
    }

    /// Returns the same error, reported for a field of the object `name`.
    pub(crate) fn below(mut self, name: &str) -> Error {
        if let Error::Invalid { at, .. } = &mut self
            && at.field != name
        {
            at.field = format!("{name}.{}", at.field);
        }
        self
    }

    /// Returns the same error, reported for the job at `index` of a batch.
    pub(crate) fn in_job(mut self, index: usize) -> Error {
        if let Error::Invalid { at, .. } | Error::TooLarge { at, .. } | Error::SpentKey { at, .. } =
            &mut self
        {
            at.index = Some(index);
        }
        self
    }
}

/// Reports a violated bound as an error of the field.
pub(crate) fn at_field<T>(field: &str, checked: Result<T, BoundError>) -> Result<T, Error> {
    checked.map_err(|error| match error {
        BoundError::Bytes => {
            Error::TooLarge { at: FieldPath::new(field), limit_bytes: PARAMETERS_BYTES }
        }
        BoundError::Retries
        | BoundError::Dependencies(_)
        | BoundError::TooLong(_)
        | BoundError::Empty
        | BoundError::TooDeep
        | BoundError::Backoff => Error::invalid(field, error),
    })
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn an_error_in_a_batch_names_the_job() {
        let error = Error::invalid("retries", "is too many").in_job(3);
        assert_eq!(error.to_string(), "jobs[3].retries: is too many");
    }
}
