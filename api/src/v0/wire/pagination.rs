//! Pages of lists: the parameters `start` and `limit`, and the header `X-Total-Count`.

use std::fmt::Display;

use axum::Json;

use super::query::Query;
use crate::error::Error;

/// Redis counts positions in a list with signed 32-bit numbers.
pub(in crate::v0) const MAX_START: u32 = i32::MAX as u32;

/// A page with the total number of entries.
pub(in crate::v0) type Paged<T> = ([(&'static str, String); 1], Json<T>);

/// Returns the answer for a page.
pub(in crate::v0) fn paged<T>(total: impl Display, page: T) -> Paged<T> {
    ([("x-total-count", total.to_string())], Json(page))
}

/// Reads `start`, which defaults to 0, and `limit`, which defaults to `default` and is at most
/// `max`.
pub(in crate::v0) fn read_page(
    query: &Query,
    default: u32,
    max: u32,
) -> Result<(usize, usize), Error> {
    let start = query.number("start", MAX_START)?.unwrap_or(0);
    let limit = query.number("limit", max)?.unwrap_or(default);
    Ok((start as usize, limit as usize))
}
