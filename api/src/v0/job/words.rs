//! The schemas of words that a job has.

use serde_json::json;
use shared::job::{Priority, Status};
use utoipa::openapi::schema::{
    AdditionalProperties, ArrayBuilder, Object as Schema, ObjectBuilder, OneOfBuilder,
    Schema as AnySchema, Type,
};

use crate::waiting::CODES;

fn words(words: impl IntoIterator<Item = &'static str>) -> ObjectBuilder {
    ObjectBuilder::new().schema_type(Type::String).enum_values(Some(words))
}

/// The schema of a status.
pub(super) fn status() -> Schema {
    words(Status::ALL.map(Status::as_str)).build()
}

/// The schema of why a job waits.
pub(super) fn code() -> Schema {
    words(CODES).build()
}

/// The schema of a priority.
pub(in crate::v0) fn priority() -> Schema {
    let default = Some(json!(Priority::default().as_str()));
    words(Priority::ALL.map(Priority::as_str)).default(default).build()
}

/// The schema of what happens when a worker is lost.
pub(in crate::v0) fn on_worker_lost() -> Schema {
    words(["retry", "fail"]).default(Some(json!("retry"))).build()
}

/// The schema of how the jobs that one depends on have to be over.
pub(in crate::v0) fn when() -> Schema {
    words(["done", "finished"]).default(Some(json!("done"))).build()
}

/// The schema of locks as clients name them.
pub(in crate::v0) fn lock_patterns() -> AnySchema {
    let name = ObjectBuilder::new().schema_type(Type::String);
    let permits = ObjectBuilder::new().schema_type(Type::Integer).minimum(Some(1));
    let permits = AdditionalProperties::from(permits);
    let either = OneOfBuilder::new()
        .item(ArrayBuilder::new().items(name).max_items(Some(16)))
        .item(ObjectBuilder::new().additional_properties(Some(permits)));
    AnySchema::OneOf(either.build())
}
