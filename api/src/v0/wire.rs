//! What the routes of this surface share: how requests are read, how errors are answered, and how
//! both are described in the OpenAPI document.

pub(super) mod body;
pub(super) mod fields;
pub(super) mod pagination;
pub(super) mod path;
pub(super) mod query;
pub(crate) mod refusal;
pub(super) mod responses;
pub(super) mod schemas;
pub(super) mod sse;
