//! Schemas of values that occur in many places of the OpenAPI document. Each is described once,
//! under a name. They describe what other types parse.

use std::borrow::Cow;

use domain::lock::{MAX_LOCKS, MAX_PERMITS};
use domain::{cron, event, job};
use serde_json::json;
use utoipa::openapi::RefOr;
use utoipa::openapi::schema::{
    AdditionalProperties, AnyOfBuilder, ArrayBuilder, KnownFormat, ObjectBuilder, OneOfBuilder,
    Ref, Schema, SchemaFormat, Type,
};
use utoipa::{PartialSchema, ToSchema};

use crate::timeline::WHAT;
use crate::wait_reason::CODES;

/// A duration in Go's syntax, as a regular expression.
const DURATION: &str = r"^(0|(([0-9]+\.?[0-9]*|\.[0-9]+)(ns|us|µs|μs|ms|s|m|h))*)$";
/// The name of the limit for each key of an action, the name of a class, or any other name.
const LOCK_NAME: &str = concat!(
    r"^(action:[A-Za-z0-9_.-]+:\*",
    r"|class:[A-Za-z0-9_.-]{1,32}=[0-9]{1,7}(\+[A-Za-z0-9_.-]{1,32}=[0-9]{1,7})*",
    r"|[A-Za-z0-9_.:/@-]*[A-Za-z0-9_:/@-][A-Za-z0-9_.:/@-]*)$",
);

/// The key of a rate limit, or its first part and a star.
const LIMIT_NAME: &str = r"^([A-Za-z0-9_.:/@-]*[A-Za-z0-9_:/@-][A-Za-z0-9_.:/@-]*\*?|\*)$";

/// `whsec_` and the Base64 encoding of 24 to 64 bytes.
const SECRET: &str = concat!(
    r"^whsec_([A-Za-z0-9+/]{4}){8,20}([A-Za-z0-9+/]{4}|([A-Za-z0-9+/]{4})?[A-Za-z0-9+/][AQgw]==",
    r"|[A-Za-z0-9+/]{2}[AEIMQUYcgkosw048]=)?$",
);

macro_rules! values {
    ($($(#[doc = $doc:literal])+ $name:ident = $schema:expr;)*) => {$(
        $(#[doc = $doc])+
        #[derive(Debug)]
        pub(in crate::v0) enum $name {}

        impl PartialSchema for $name {
            fn schema() -> RefOr<Schema> {
                RefOr::T($schema.description(Some(concat!($($doc),+).trim())).into())
            }
        }

        impl ToSchema for $name {
            fn name() -> Cow<'static, str> {
                stringify!($name).into()
            }
        }
    )*};
}

values! {
    /// The id of a job. An empty string means none.
    OptionalJobId = or_empty(KnownFormat::Uuid);
    /// The name of an action.
    Action = text("^[A-Za-z0-9_.-]{1,64}$");
    /// The name of a cron.
    CronName = text("^[A-Za-z0-9_.-]{1,64}$");
    /// The name of a subscription.
    SubscriptionName = text("^[A-Za-z0-9_.-]{1,64}$");
    /// The URL that messages are sent to: `http` or `https`, without a password.
    Endpoint = formatted("http-url").max_length(Some(2048));
    /// The key that messages are signed with: `whsec_` and the Base64 encoding of 24 to 64 bytes.
    Secret = text(SECRET);
    /// The kind of object that an event is about.
    EventKind = words(event::EventKind::ALL.map(event::EventKind::as_str));
    /// The id of a worker: 12 hexadecimal digits, random for each process.
    WorkerId = text("^[0-9a-f]{12}$");
    /// The name of a lock: 1 to 128 characters of A-Z a-z 0-9 _ . - : / @, not only dots. The
    /// names `action:scan` and `class:cpu=2` are the limits of an action and of a class.
    LockName = text(LOCK_NAME);
    /// The name of a rate limit: 1 to 128 characters of A-Z a-z 0-9 _ . - : / @, not only dots, which
    /// may end in a star.
    LimitName = text(LIMIT_NAME);
    /// Whole units by capacity type, with at most 16 types. The capacity map of a job must not
    /// exceed 150 characters when it is written like `cpu=2+scan=1`.
    Capacity = units();
    /// A duration in Go's syntax, like `90s`, `15m` or `1h30m`, up to `8760h`. An empty string
    /// means none.
    Duration = text(DURATION);
    /// A time as RFC 3339, from 1970 on. An empty string means none.
    OptionalTime = or_empty(KnownFormat::DateTime);
    /// A cron expression: second, minute, hour, day of month, month and day of week (0 and 7 are
    /// Sunday). With five fields, the second is 0. Also accepted are `@hourly`, `@daily`,
    /// `@weekly`, `@monthly`, `@yearly` and intervals like `@every 90s`.
    CronSchedule = formatted("cron").max_length(Some(255));
    /// The IANA name of a time zone, like `Europe/Berlin`. An empty string means UTC.
    TimeZone = text("^[A-Za-z0-9_+/-]*$");
    /// A window of the calendar, in which a limited number of jobs may start.
    CalendarWindow = words(domain::limit::Window::ALL.map(domain::limit::Window::as_str));
    /// The locks that a job holds while it runs: an array of names, for one permit each, or an
    /// object of names and permits. At most 16 locks are allowed. In a name, `{{hostname}}` is
    /// replaced by the parameter `hostname`.
    LockTemplates = lock_templates();
    /// Names and texts by which jobs are found, at most 16.
    Labels = labels();
    /// The delay before retries: `base` before the first one, doubled for each further one, up to
    /// `max`. Each delay is reduced by a random part of up to one half. The defaults are `1s` and
    /// `5m`.
    BackoffSubmission = backoff();
    /// What a bulk operation does with each job.
    BulkVerb = words(store::BulkVerb::ALL.map(store::BulkVerb::as_str));
    /// The state of a bulk operation.
    BulkState = words(store::BulkState::ALL.map(store::BulkState::as_str));
    /// The status of a job.
    Status = words(job::Status::ALL.map(job::Status::as_str));
    /// Statuses of jobs, separated by commas.
    Statuses = statuses();
    /// The reason why a job waits, for programs.
    WaitReasonCode = words(CODES);
    /// How urgent the state of the fleet is.
    Urgency = words(["calm", "attention", "alarm"]);
    /// What happened in a step of a job: a step of waiting or running, or a final status.
    StepKind = words(WHAT.into_iter().chain(final_statuses()));
    /// The priority of a job.
    Priority = words(job::Priority::ALL.map(job::Priority::as_str))
        .default(Some(json!(job::Priority::default().as_str())));
    /// What happens to a job when its worker dies. With `retry`, the job is retried on another
    /// worker, up to three times in a row. With `fail`, it is not retried: use this for jobs that
    /// must not run twice.
    OnWorkerLost = words(["retry", "fail"]).default(Some(json!("retry")));
    /// The condition that dependencies must meet. With `done`, all must succeed, and the job fails
    /// if one does not. With `finished`, all must finish with any result.
    DependencyCondition = words(["done", "finished"]).default(Some(json!("done")));
    /// What happens to ticks that were missed because no scheduler was running. With `skip`, they
    /// are dropped. With `once`, one job is created for all of them. With `all`, each gets a job,
    /// up to 1000.
    Misfire = words(cron::Misfire::WORDS.iter().copied());
    /// What happens at a tick while an earlier job of the cron has not finished. `allow` creates
    /// another job, `skip` creates none, `queue` creates one when the earlier job has finished, and
    /// `replace` cancels the earlier job first.
    Overlap = words(cron::Overlap::WORDS.iter().copied());
}

fn text(pattern: &str) -> ObjectBuilder {
    ObjectBuilder::new().schema_type(Type::String).pattern(Some(pattern))
}

fn formatted(format: &str) -> ObjectBuilder {
    let format = SchemaFormat::Custom(format.to_owned());
    ObjectBuilder::new().schema_type(Type::String).format(Some(format))
}

fn words(words: impl IntoIterator<Item = &'static str>) -> ObjectBuilder {
    ObjectBuilder::new().schema_type(Type::String).enum_values(Some(words))
}

fn final_statuses() -> impl Iterator<Item = &'static str> {
    let all = job::Status::ALL.into_iter().filter(|status| status.is_final());
    all.map(job::Status::as_str)
}

fn whole(min: u32, max: u32) -> ObjectBuilder {
    let number = ObjectBuilder::new().schema_type(Type::Integer);
    number.minimum(Some(min)).maximum(Some(max))
}

fn units() -> ObjectBuilder {
    let name = text("^[A-Za-z0-9_.-]{1,32}$").build();
    let map = ObjectBuilder::new().schema_type(Type::Object).max_properties(Some(16));
    map.property_names(Some(name))
        .additional_properties(Some(AdditionalProperties::from(whole(0, 1_000_000))))
}

fn labels() -> ObjectBuilder {
    let name = text("^[A-Za-z0-9_./-]{1,63}$").build();
    let value = ObjectBuilder::new().schema_type(Type::String);
    let value = value.max_length(Some(job::LABEL_CHARACTERS));
    let map = ObjectBuilder::new().schema_type(Type::Object);
    map.max_properties(Some(job::MAX_LABELS))
        .property_names(Some(name))
        .additional_properties(Some(AdditionalProperties::from(value)))
}

fn statuses() -> ObjectBuilder {
    let any = job::Status::ALL.map(job::Status::as_str).join("|");
    text(&format!("^(({any})(,({any}))*)?$"))
}

fn backoff() -> ObjectBuilder {
    let duration = || Ref::from_schema_name(Duration::name());
    let both = ObjectBuilder::new().property("base", duration()).property("max", duration());
    both.additional_properties(Some(AdditionalProperties::FreeForm(false)))
}

fn or_empty(format: KnownFormat) -> AnyOfBuilder {
    let format = SchemaFormat::KnownFormat(format);
    let some = ObjectBuilder::new().schema_type(Type::String).format(Some(format));
    AnyOfBuilder::new().item(some).item(words([""]))
}

fn lock_templates() -> OneOfBuilder {
    let name = || text(r"^([A-Za-z0-9_.:/@-]|\{\{[^{}]*\}\})+$");
    let names = ArrayBuilder::new().items(name());
    let permits = ObjectBuilder::new().schema_type(Type::Object).max_properties(Some(MAX_LOCKS));
    let permits = permits
        .property_names(Some(name().build()))
        .additional_properties(Some(AdditionalProperties::from(whole(1, MAX_PERMITS))));
    OneOfBuilder::new().item(names).item(permits)
}
