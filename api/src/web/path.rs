//! Path parameters of the page. An invalid id or name cannot exist, so it is answered 404 like an
//! unknown one.

use std::str::FromStr;

use axum::extract::rejection::PathRejection;
use axum::extract::{FromRequestParts, Path};
use axum::http::request::Parts;
use domain::capacity::Class;
use domain::cron::CronName;
use domain::job::{ActionName, JobId, WorkerId};
use domain::limit::LimitName;
use domain::lock::LockName;
use domain::subscription::SubscriptionName;
use uuid::Uuid;

use super::refusal::Refusal;
use crate::error::Error;

/// The part of an invalid id that an error repeats.
const REPEATED_CHARACTERS: usize = 64;

/// What a path can name.
pub(super) trait Named: Sized {
    /// Parses a segment of a path.
    fn parse(text: &str) -> Option<Self>;
    /// Returns the error for a segment that names nothing.
    fn missing(text: String) -> Error;
}

/// What the path of a request names.
pub(super) struct Name<T>(pub(super) T);

impl<T: Named, S: Send + Sync> FromRequestParts<S> for Name<T> {
    type Rejection = Refusal;

    async fn from_request_parts(parts: &mut Parts, state: &S) -> Result<Name<T>, Refusal> {
        let path: Result<Path<String>, PathRejection> =
            Path::from_request_parts(parts, state).await;
        let text = path.map(|Path(text)| text).unwrap_or_default();
        let repeated = || text.chars().take(REPEATED_CHARACTERS).collect();
        Ok(Name(T::parse(&text).ok_or_else(|| T::missing(repeated()))?))
    }
}

fn parsed<T: FromStr>(text: &str) -> Option<T> {
    text.parse().ok()
}

macro_rules! named {
    ($($name:ty => $parse:expr, $error:path;)*) => {$(
        impl Named for $name {
            fn parse(text: &str) -> Option<Self> {
                $parse(text)
            }

            fn missing(text: String) -> Error {
                $error(text)
            }
        }
    )*};
}

named! {
    JobId => parsed, Error::NoSuchJob;
    WorkerId => parsed, Error::NoSuchWorker;
    CronName => parsed, Error::NoSuchCron;
    LockName => parsed, Error::NoSuchLock;
    LimitName => parsed, Error::NoSuchLimit;
    ActionName => parsed, Error::NoSuchAction;
    Uuid => parsed, Error::NoSuchBulkOperation;
    SubscriptionName => parsed, Error::NoSuchSubscription;
    Class => class, Error::NoSuchClass;
}

fn class(text: &str) -> Option<Class> {
    Class::try_from(text.to_owned()).ok()
}

/// Returns the path of the page of a lock, whose name may contain `/`.
pub(super) fn lock_url(name: &LockName) -> String {
    format!("/locks/{}", name.as_str().replace('/', "%2F"))
}
