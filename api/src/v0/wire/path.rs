//! Path parameters: each is extracted, and described in the OpenAPI document, in one place. A text
//! that is not a valid id or name cannot name anything, so it is answered 404 like an unknown one.

use std::sync::Arc;

use axum::extract::{FromRequestParts, Path};
use axum::http::request::Parts;
use domain::capacity::Class;
use domain::cron::CronName;
use domain::job::{ActionName, JobId, WorkerId};
use domain::lock::LockName;
use domain::subscription::SubscriptionName;
use serde_json::json;
use utoipa::IntoParams;
use utoipa::openapi::Required;
use utoipa::openapi::path::{Parameter, ParameterBuilder, ParameterIn};
use utoipa::openapi::schema::{KnownFormat, ObjectBuilder, SchemaFormat, Type};

use super::refusal::Refusal;
use crate::app::App;
use crate::error::Error;

/// As much of an invalid id as an error repeats.
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

path_parameters! {
    /// The job that the path names.
    JobPath(JobId) = str::parse, Error::NoSuchJob,
        "id": "the job's id", "1fcf4c0f-ff3b-471a-8839-5dcb631b2f7b";
    /// The worker that the path names.
    WorkerPath(WorkerId) = str::parse, Error::NoSuchWorker,
        "id": "the worker's id", "f97ebb52f0f6";
    /// The cron that the path names.
    CronPath(CronName) = str::parse, Error::NoSuchCron,
        "name": "the cron's name", "gc";
    /// The lock that the path names; `/` and `%` are percent-encoded.
    LockPath(LockName) = str::parse, Error::NoSuchLock,
        "name": "the lock's name; `/` is written `%2F`", "devices";
    /// The class of jobs that the path names.
    ClassPath(Class) = class, Error::NoSuchClass,
        "class": "the class", "cpu=2+scan=1";
    /// The action that the path names.
    ActionPath(ActionName) = str::parse, Error::NoSuchAction,
        "action": "the action", "scan";
    /// The action whose configuration the path names.
    ActionConfigPath(ActionName) = str::parse, Error::NoSuchActionConfig,
        "action": "the action", "gc";
    /// The subscription that the path names.
    SubscriptionPath(SubscriptionName) = str::parse, Error::NoSuchSubscription,
        "name": "the subscription's name", "ops";
}

fn class(text: &str) -> Result<Class, impl Sized> {
    Class::try_from(text.to_owned())
}

/// Returns the segment of the path; empty if it is not valid UTF-8.
async fn segment(parts: &mut Parts, app: &Arc<App>) -> String {
    let path = Path::<String>::from_request_parts(parts, app).await;
    path.map(|Path(text)| text).unwrap_or_default()
}

/// Describes a path parameter. An example that is a UUID gives it that format.
fn parameter(name: &str, description: &str, example: &str) -> Parameter {
    let is_uuid = uuid::Uuid::try_parse(example).is_ok();
    let format = is_uuid.then_some(SchemaFormat::KnownFormat(KnownFormat::Uuid));
    let schema = ObjectBuilder::new().schema_type(Type::String).format(format);
    ParameterBuilder::new()
        .name(name)
        .parameter_in(ParameterIn::Path)
        .required(Required::True)
        .description(Some(description))
        .example(Some(json!(example)))
        .schema(Some(schema))
        .build()
}
