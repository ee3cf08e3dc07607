//! Everything that can be wrong with a request, said in the words of the domain. It knows no HTTP:
//! what each surface answers is decided at that surface's edge.

use std::fmt;

use shared::bounds::{BoundError, PARAMETERS_BYTES};
use shared::job::{JobId, Status, WorkerId};
use shared::store::{Relation, StoreError};
use shared::tokens::{Owner, Role};

/// Why a request was not done.
#[derive(Debug, Clone, PartialEq, Eq, thiserror::Error)]
pub(crate) enum Error {
    /// No job has this id, or the text cannot be one.
    #[error("there is no job {0:?}")]
    NoSuchJob(String),
    /// No worker has this id, or the text cannot be one.
    #[error("there is no worker {0:?}")]
    NoSuchWorker(String),
    /// No cron has this name, or the text cannot be one.
    #[error("there is no cron {0:?}")]
    NoSuchCron(String),
    /// Nobody holds a lock of this name, or the text cannot be one.
    #[error("nobody holds, waits for or has set a lock {0:?}")]
    NoSuchLock(String),
    /// The text cannot be a class of jobs.
    #[error(
        "{0:?} is no class of jobs: it must be like scan=1 or cpu=2+scan=1, in the order of names"
    )]
    NoSuchClass(String),
    /// The text cannot be the name of an action.
    #[error("{0:?} is no name of an action")]
    NoSuchAction(String),
    /// No action of this name is configured, or the text cannot be one.
    #[error("nothing is configured of the action {0:?}")]
    NoSuchActionConfig(String),
    /// No subscription has this name, or the text cannot be one.
    #[error("there is no subscription {0:?}")]
    NoSuchSubscription(String),
    /// Nobody is known to have sent this.
    #[error("{0}")]
    NotAuthenticated(&'static str),
    /// Too many wrong tokens come from there.
    #[error("too many wrong tokens come from this address; try again in a second")]
    TooManyWrongTokens,
    /// Whoever sent this may not do it.
    #[error("{owner} is {role}, and this takes {needed}")]
    NotAuthorized {
        /// Whose token it is.
        owner: Owner,
        /// What the token may do.
        role: Role,
        /// What it would have to be.
        needed: Role,
    },
    /// Nothing is served under this path.
    #[error("there is no route {0:?}")]
    NoSuchRoute(String),
    /// The route is there, but not for this method.
    #[error("{route} does not take {method}")]
    NotAllowed {
        /// What was asked for.
        method: String,
        /// Where.
        route: String,
    },
    /// The body is something else than JSON.
    #[error("the body must be application/json, and not {0:?}")]
    MediaType(String),
    /// The body calls itself JSON and is not.
    #[error("the body is no JSON: {0}")]
    Json(String),
    /// A field or parameter has a value that it must not have, or is not known.
    #[error("{place}: {why}")]
    Invalid {
        /// Where.
        place: Place,
        /// What is wrong.
        why: String,
    },
    /// Something is larger than it may be.
    #[error("{place}: more than {limit_bytes} bytes, which is the limit")]
    TooLarge {
        /// What.
        place: Place,
        /// The largest that it may be.
        limit_bytes: usize,
    },
    /// The namespace has as many queues as it may have.
    #[error(
        "queue {0:?} would be one more than this namespace may have: use fewer kinds of capacity maps"
    )]
    TooManyQueues(String),
    /// The namespace has as many crons as it may have.
    #[error("this namespace has {max} crons already, and may not have more", max = shared::store::MAX_CRONS)]
    TooManyCrons,
    /// The namespace has as many configs of actions as it may have.
    #[error("this namespace has configured {max} actions already, and may not have more", max = shared::store::MAX_ACTION_CONFIGS)]
    TooManyActionConfigs,
    /// The namespace has as many subscriptions as it may have.
    #[error("this namespace has {max} subscriptions already, and may not have more", max = shared::store::MAX_SUBSCRIPTIONS)]
    TooManySubscriptions,
    /// The job of an idempotency key was made within a day, and is gone.
    #[error("{place}: the job that was made with it is not kept any more")]
    Spent {
        /// The header, perhaps for one job of a batch.
        place: Place,
        /// The job.
        id: JobId,
    },
    /// A job that cannot be tried again, because it is not over, or deleted.
    #[error("job {id} is {status}: only a job that is over and not deleted can be tried again")]
    NotOver {
        /// The job.
        id: JobId,
        /// What it is.
        status: Status,
    },
    /// A job that cannot be changed any more.
    #[error("job {id} is {status}{but}: only a job that has not been started can be changed",
        but = if *status == Status::Waiting { ", but only for its children" } else { "" })]
    NotWaiting {
        /// The job.
        id: JobId,
        /// What it is.
        status: Status,
    },
    /// A job that cannot be tried again, because it was.
    #[error("job {id} is carried on by job {follow_up} already")]
    Followed {
        /// The job.
        id: JobId,
        /// The one that carries on.
        follow_up: JobId,
    },
    /// A job that cannot be tried again now, because another does the same.
    #[error("job {holder}, which is not over, has the unique key of job {id}")]
    KeyTaken {
        /// The job.
        id: JobId,
        /// The one that has the key.
        holder: JobId,
    },
    /// A worker that can be told nothing any more.
    #[error("worker {0} is dead or has shut down")]
    WorkerOver(WorkerId),
    /// It may be done when it is asked again.
    #[error("{0}; try again in a second")]
    Unavailable(&'static str),
    /// Capstan itself is wrong somewhere; the log says where.
    #[error("something is wrong inside of Capstan; its log says more")]
    Broken,
}

/// A token that nobody has.
pub(crate) const WRONG_TOKEN: Error = Error::NotAuthenticated("there is no such token");

/// Where in a request something is: a field, perhaps of one job of a batch.
#[derive(Debug, Clone, PartialEq, Eq)]
pub(crate) struct Place {
    /// The place of the job in its batch, from 0.
    pub(crate) index: Option<usize>,
    /// The field, parameter or header; `body` for all of it.
    pub(crate) field: String,
}

impl Place {
    /// A field of the request itself.
    pub(crate) fn field(name: impl Into<String>) -> Place {
        Place { index: None, field: name.into() }
    }
}

impl fmt::Display for Place {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        match self.index {
            None => f.write_str(&self.field),
            Some(index) if self.field.is_empty() => write!(f, "jobs[{index}]"),
            Some(index) => write!(f, "jobs[{index}].{}", self.field),
        }
    }
}

impl Error {
    /// A field or parameter that is refused.
    pub(crate) fn invalid(field: impl Into<String>, why: impl fmt::Display) -> Error {
        Error::Invalid { place: Place::field(field), why: why.to_string() }
    }

    /// The same error, said of the `index`-th job of a batch.
    pub(crate) fn in_job(mut self, index: usize) -> Error {
        if let Error::Invalid { place, .. }
        | Error::TooLarge { place, .. }
        | Error::Spent { place, .. } = &mut self
        {
            place.index = Some(index);
        }
        self
    }
}

impl From<StoreError> for Error {
    fn from(error: StoreError) -> Error {
        if error.is_unavailable() {
            tracing::debug!(%error, "the store did not answer");
            return Error::Unavailable("the store does not answer");
        }
        match error {
            StoreError::TooManyQueues(queue) => Error::TooManyQueues(queue),
            StoreError::Relation(bad) => match bad.kind {
                Relation::UnknownDependency | Relation::ForeignDependency => {
                    Error::invalid("dependsOn", bad)
                }
                Relation::ParentOver => Error::invalid("parent", bad),
            },
            StoreError::Redis(_)
            | StoreError::Setting(_)
            | StoreError::Random(_)
            | StoreError::Answer { .. }
            | StoreError::Record { .. } => {
                tracing::error!(%error, "the store holds or says what it never should");
                Error::Broken
            }
        }
    }
}

/// What was checked against its bounds; an error names the field.
pub(crate) fn within<T>(field: &str, checked: Result<T, BoundError>) -> Result<T, Error> {
    checked.map_err(|error| match error {
        BoundError::Bytes => {
            Error::TooLarge { place: Place::field(field), limit_bytes: PARAMETERS_BYTES }
        }
        BoundError::Retries
        | BoundError::Dependencies(_)
        | BoundError::Longer(_)
        | BoundError::Empty
        | BoundError::Deep
        | BoundError::Backoff => Error::invalid(field, error),
    })
}

/// Why a name is refused that is none of `known`: the one that was meant, perhaps, and all there
/// are.
pub(crate) fn unknown_name(what: &str, name: &str, known: &[&str]) -> String {
    let all = if known.is_empty() { "none".to_owned() } else { known.join(", ") };
    match nearest(name, known) {
        Some(near) => format!("unknown {what}; did you mean {near}? there are: {all}"),
        None => format!("unknown {what}; there are: {all}"),
    }
}

/// The known name that differs least, if it is by no more than two letters in another case.
fn nearest<'a>(name: &str, known: &[&'a str]) -> Option<&'a str> {
    const MOST_LETTERS: usize = 2;
    if name.len() > 64 {
        return None;
    }
    let lower = name.to_lowercase();
    let distances =
        known.iter().map(|one| (strsim::osa_distance(&lower, &one.to_lowercase()), *one));
    let (distance, near) = distances.min_by_key(|(distance, _)| *distance)?;
    (distance <= MOST_LETTERS && distance < near.len().min(name.len())).then_some(near)
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn a_name_that_is_nearly_right_is_suggested() {
        let known = ["action", "retries", "scheduledAt", "capacityMap"];
        let cases = [
            ("retrys", Some("retries")),
            ("retires", Some("retries")),
            ("scheduled_at", Some("scheduledAt")),
            ("CAPACITYMAP", Some("capacityMap")),
            ("locks", None),
            ("a", None),
            ("", None),
        ];
        for (name, near) in cases {
            assert_eq!(nearest(name, &known), near, "{name}");
        }
    }

    #[test]
    fn a_place_names_the_job_of_a_batch() {
        let error = Error::invalid("retries", "is too many").in_job(3);
        assert_eq!(error.to_string(), "jobs[3].retries: is too many");
    }
}
