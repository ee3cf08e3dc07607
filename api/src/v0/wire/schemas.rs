//! Schemas of values that occur in many places of the OpenAPI document: each is described once,
//! under a name. They describe what other types parse.

use std::borrow::Cow;

use domain::cron::{Misfire as MisfireWord, Overlap as OverlapWord};
use domain::event::EventKind;
use domain::job::{Priority as Band, Status as State};
use domain::lock::{MAX_LOCKS, MAX_PERMITS};
use serde_json::json;
use utoipa::openapi::RefOr;
use utoipa::openapi::schema::{
    AdditionalProperties, AnyOfBuilder, ArrayBuilder, KnownFormat, ObjectBuilder, OneOfBuilder,
    Ref, Schema, SchemaFormat, Type,
};
use utoipa::{PartialSchema, ToSchema};

use crate::wait_reason::CODES;

const DURATION: &str = r"^(0|(([0-9]+\.?[0-9]*|\.[0-9]+)(ns|us|µs|μs|ms|s|m|h))*)$";
/// An action's limit for each of its keys; a class, in its canonical form; any other name.
const LOCK_NAME: &str = concat!(
    r"^(action:[A-Za-z0-9_.-]+:\*",
    r"|class:[A-Za-z0-9_.-]{1,32}=[0-9]{1,7}(\+[A-Za-z0-9_.-]{1,32}=[0-9]{1,7})*",
    r"|[A-Za-z0-9_.:/@-]*[A-Za-z0-9_:/@-][A-Za-z0-9_.:/@-]*)$",
);

/// The Base64 of 24 to 64 bytes.
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
    /// The id of a job; empty is none.
    JobIdOrNone = or_none(KnownFormat::Uuid);
    /// The name of an action.
    Action = text("^[A-Za-z0-9_.-]{1,64}$");
    /// The name of a cron.
    CronName = text("^[A-Za-z0-9_.-]{1,64}$");
    /// The name of a subscription.
    SubscriptionName = text("^[A-Za-z0-9_.-]{1,64}$");
    /// Where messages are sent: `http` or `https`, without a password.
    Endpoint = formatted("http-url").max_length(Some(2048));
    /// What messages are signed with: `whsec_` and the Base64 of 24 to 64 bytes.
    Secret = text(SECRET);
    /// What an event tells of.
    KindOfEvent = words(EventKind::ALL.map(EventKind::as_str));
    /// The identity of a worker: 12 hexadecimal digits, random for each process.
    WorkerId = text("^[0-9a-f]{12}$");
    /// The name of a lock: 1 to 128 characters of A-Z a-z 0-9 _ . - : / @ that are not dots alone.
    /// Limits of Capstan's own are locks too: `action:scan` of an action, `class:cpu=2` of a class.
    LockName = text(LOCK_NAME);
    /// Whole units by type, at most 16 types. All of `{"cpu": 2, "scan": 1}` must not be longer than
    /// 160 characters when it is written as `cpu=2+scan=1`, if it is a job's.
    Capacity = units();
    /// A length of time in Go's syntax, like `90s`, `15m` or `1h30m`, up to `8760h`; empty is none.
    Duration = text(DURATION);
    /// A moment as RFC 3339, from 1970 on; empty is none.
    Moment = or_none(KnownFormat::DateTime);
    /// Seconds, minutes, hours, day of month, month, day of week (0 and 7 are Sunday); five fields
    /// are without seconds; also `@hourly`, `@daily`, `@weekly`, `@monthly`, `@yearly` and
    /// `@every 90s`.
    CronLine = formatted("cron").max_length(Some(255));
    /// The IANA name of a time zone, like `Europe/Berlin`; empty is UTC.
    TimeZone = text("^[A-Za-z0-9_+/-]*$");
    /// Names, for one permit of each, or an object of names and permits; at most 16 different ones. In a name
    /// `{{hostname}}` stands for the parameter `hostname`.
    LockPatterns = lock_patterns();
    /// How long retries wait: `base`, twice that, and so on, never more than `max`; less a random
    /// part of up to a half. `base` is 1s and `max` 5m unless given.
    BackoffSubmission = backoff();
    /// Where a job is in its life.
    Status = words(State::ALL.map(State::as_str));
    /// Statuses of jobs, with commas between.
    Statuses = statuses();
    /// Why a job waits, as a word.
    WaitingCode = words(CODES);
    /// How urgent a job is.
    Priority = words(Band::ALL.map(Band::as_str)).default(Some(json!(Band::default().as_str())));
    /// What becomes of a job whose worker dies: `retry` carries it on elsewhere, up to three times
    /// in a row; `fail` does not, for what must not run twice.
    OnWorkerLost = words(["retry", "fail"]).default(Some(json!("retry")));
    /// How the jobs that one depends on have to be over: all `done`, or it ends too; or `finished`,
    /// whatever came of them.
    When = words(["done", "finished"]).default(Some(json!("done")));
    /// What becomes of ticks that nobody was there for: none gets a job (`skip`), one stands for all
    /// (`once`), each gets its own (`all`, up to 1000).
    Misfire = words(MisfireWord::WORDS.iter().copied());
    /// What becomes of a tick while an earlier job is not over.
    Overlap = words(OverlapWord::WORDS.iter().copied());
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

fn whole(least: u32, most: u32) -> ObjectBuilder {
    let number = ObjectBuilder::new().schema_type(Type::Integer);
    number.minimum(Some(least)).maximum(Some(most))
}

fn units() -> ObjectBuilder {
    let name = text("^[A-Za-z0-9_.-]{1,32}$").build();
    let map = ObjectBuilder::new().schema_type(Type::Object).max_properties(Some(16));
    map.property_names(Some(name))
        .additional_properties(Some(AdditionalProperties::from(whole(0, 1_000_000))))
}

fn statuses() -> ObjectBuilder {
    let any = State::ALL.map(State::as_str).join("|");
    text(&format!("^(({any})(,({any}))*)?$"))
}

fn backoff() -> ObjectBuilder {
    let length = || Ref::from_schema_name(Duration::name());
    let both = ObjectBuilder::new().property("base", length()).property("max", length());
    both.additional_properties(Some(AdditionalProperties::FreeForm(false)))
}

fn or_none(format: KnownFormat) -> AnyOfBuilder {
    let format = SchemaFormat::KnownFormat(format);
    let some = ObjectBuilder::new().schema_type(Type::String).format(Some(format));
    AnyOfBuilder::new().item(some).item(words([""]))
}

fn lock_patterns() -> OneOfBuilder {
    let name = || text(r"^([A-Za-z0-9_.:/@-]|\{\{[^{}]*\}\})+$");
    let names = ArrayBuilder::new().items(name());
    let permits = ObjectBuilder::new().schema_type(Type::Object).max_properties(Some(MAX_LOCKS));
    let permits = permits
        .property_names(Some(name().build()))
        .additional_properties(Some(AdditionalProperties::from(whole(1, MAX_PERMITS))));
    OneOfBuilder::new().item(names).item(permits)
}
