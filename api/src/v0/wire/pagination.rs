//! Pages of lists: the header `X-Total-Count`.

use std::fmt::Display;

use axum::Json;

/// A page with the total number of entries.
pub(in crate::v0) type Paged<T> = ([(&'static str, String); 1], Json<T>);

/// Returns the answer for a page.
pub(in crate::v0) fn paged<T>(total: impl Display, page: T) -> Paged<T> {
    ([("x-total-count", total.to_string())], Json(page))
}
