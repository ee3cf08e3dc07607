//! Path parameters. Each is extracted, and described in the OpenAPI document, in one place. An
//! invalid id or name cannot exist, so it is answered 404 like an unknown one.

use std::sync::Arc;

use axum::extract::{FromRequestParts, Path};
use axum::http::request::Parts;
use domain::capacity::Class;
use domain::cron::CronName;
use domain::job::{ActionName, JobId, WorkerId};
use domain::limit::LimitName;
use domain::lock::LockName;
use domain::signal::SignalName;
use domain::subscription::SubscriptionName;
use serde_json::json;
use utoipa::IntoParams;
use utoipa::openapi::Required;
use utoipa::openapi::path::{Parameter, ParameterBuilder, ParameterIn};
use utoipa::openapi::schema::{ObjectBuilder, Type};
use uuid::Uuid;

use super::refusal::Refusal;
use crate::app::App;
use crate::error::Error;

/// The part of an invalid id that an error repeats.
const REPEATED_CHARACTERS: usize = 64;

macro_rules! path_parameters {
    ($($(#[$doc:meta])* $name:ident($value:ty) = $parse:expr, $error:path,
        $key:literal: $text:literal, $example:literal;)*) => {$(
        $(#[$doc])*
        pub(in crate::v0) struct $name(pub(in crate::v0) $value);

        impl FromRequestParts<Arc<App>> for $name {
            type Rejection = Refusal;

            async fn from_request_parts(
                parts: &mut Parts,
                app: &Arc<App>,
            ) -> Result<Self, Refusal> {
                let text = segment(parts, app).await;
                let value: Result<$value, _> = $parse(&text);
                let repeated = || text.chars().take(REPEATED_CHARACTERS).collect();
                Ok($name(value.map_err(|_| $error(repeated()))?))
            }
        }

        impl IntoParams for $name {
            fn into_params(_: impl Fn() -> Option<ParameterIn>) -> Vec<Parameter> {
                vec![parameter($key, $text, $example)]
            }
        }
    )*};
}

/// The job that the path names by its id or its number.
pub(in crate::v0) struct JobPath(pub(in crate::v0) JobId);

impl FromRequestParts<Arc<App>> for JobPath {
    type Rejection = Refusal;

    async fn from_request_parts(parts: &mut Parts, app: &Arc<App>) -> Result<Self, Refusal> {
        let text = segment(parts, app).await;
        Ok(JobPath(job_named(app, &text).await?))
    }
}

/// Finds the job with this id or number. One that is named by its id may not exist.
async fn job_named(app: &App, text: &str) -> Result<JobId, Refusal> {
    if let Ok(id) = text.parse() {
        return Ok(id);
    }
    let number = text.parse::<u64>().ok().filter(|number| number.to_string() == text);
    let job = match number {
        Some(number) => app.store.job_numbered(number).await?,
        None => None,
    };
    let repeated = || text.chars().take(REPEATED_CHARACTERS).collect();
    Ok(job.ok_or_else(|| Error::NoSuchJob(repeated()))?.id)
}

/// The job and the signal that the path names.
pub(in crate::v0) struct SignalPath(pub(in crate::v0) JobId, pub(in crate::v0) SignalName);

impl FromRequestParts<Arc<App>> for SignalPath {
    type Rejection = Refusal;

    async fn from_request_parts(parts: &mut Parts, app: &Arc<App>) -> Result<Self, Refusal> {
        let path = Path::<(String, String)>::from_request_parts(parts, app).await;
        let (job, name) = path.map(|Path(names)| names).unwrap_or_default();
        let name = name.parse().map_err(|error| Error::invalid("name", error))?;
        Ok(SignalPath(job_named(app, &job).await?, name))
    }
}

impl IntoParams for SignalPath {
    fn into_params(style: impl Fn() -> Option<ParameterIn>) -> Vec<Parameter> {
        let mut all = JobPath::into_params(style);
        all.push(parameter("name", "The name of the signal.", "approved"));
        all
    }
}

/// The link to a signal that the path has.
pub(in crate::v0) struct SignalLinkPath(pub(in crate::v0) String);

impl FromRequestParts<Arc<App>> for SignalLinkPath {
    type Rejection = Refusal;

    async fn from_request_parts(parts: &mut Parts, app: &Arc<App>) -> Result<Self, Refusal> {
        Ok(SignalLinkPath(segment(parts, app).await))
    }
}

impl IntoParams for SignalLinkPath {
    fn into_params(_: impl Fn() -> Option<ParameterIn>) -> Vec<Parameter> {
        let example = "1fcf4c0f-ff3b-471a-8839-5dcb631b2f7b~approved~operator~ci~3b9c…";
        vec![parameter("link", "The last part of the link.", example)]
    }
}

impl IntoParams for JobPath {
    fn into_params(_: impl Fn() -> Option<ParameterIn>) -> Vec<Parameter> {
        let example = "1fcf4c0f-ff3b-471a-8839-5dcb631b2f7b";
        vec![parameter("id", "The id or the number of the job.", example)]
    }
}

path_parameters! {
    /// The worker that the path names.
    WorkerPath(WorkerId) = str::parse, Error::NoSuchWorker,
        "id": "The id of the worker.", "f97ebb52f0f6";
    /// The cron that the path names.
    CronPath(CronName) = str::parse, Error::NoSuchCron,
        "name": "The name of the cron.", "gc";
    /// The lock that the path names; `/` and `%` are percent-encoded.
    LockPath(LockName) = str::parse, Error::NoSuchLock,
        "name": "The name of the lock. A `/` in it must be sent as `%2F`.", "devices";
    /// The rate limit that the path names; `/` and `%` are percent-encoded.
    LimitPath(LimitName) = str::parse, Error::NoSuchLimit,
        "name": "The name of the rate limit. A `/` in it must be sent as `%2F`.", "mail";
    /// The class of jobs that the path names.
    ClassPath(Class) = class, Error::NoSuchClass,
        "class": "The class of jobs.", "cpu=2+scan=1";
    /// The action that the path names.
    ActionPath(ActionName) = str::parse, Error::NoSuchAction,
        "action": "The name of the action.", "scan";
    /// The action whose configuration the path names.
    ActionConfigPath(ActionName) = str::parse, Error::NoSuchActionConfig,
        "action": "The name of the action.", "gc";
    /// The subscription that the path names.
    SubscriptionPath(SubscriptionName) = str::parse, Error::NoSuchSubscription,
        "name": "The name of the subscription.", "ops";
    /// The bulk operation that the path names.
    BulkPath(Uuid) = str::parse, Error::NoSuchBulkOperation,
        "id": "The id of the bulk operation.", "8e5c4a0a-9a55-4d29-9dd5-0a4a8e9b7a11";
}

fn class(text: &str) -> Result<Class, impl Sized> {
    Class::try_from(text.to_owned())
}

/// Returns the segment of the path; empty if it is not valid UTF-8.
async fn segment(parts: &mut Parts, app: &Arc<App>) -> String {
    let path = Path::<String>::from_request_parts(parts, app).await;
    path.map(|Path(text)| text).unwrap_or_default()
}

/// Describes a path parameter.
fn parameter(name: &str, description: &str, example: &str) -> Parameter {
    let schema = ObjectBuilder::new().schema_type(Type::String);
    ParameterBuilder::new()
        .name(name)
        .parameter_in(ParameterIn::Path)
        .required(Required::True)
        .description(Some(description))
        .example(Some(json!(example)))
        .schema(Some(schema))
        .build()
}
