//! Properties that hold for every query of this surface.

use axum::http::HeaderValue;
use domain::fuzzing::MAX_ERROR_BYTES;

use super::filter::{omitted_tasks_of, parse_query};
use super::link::link;
use super::pattern::Pattern;

/// Checks the query of a list and the pattern of a `contains` filter.
pub fn filter(bytes: &[u8]) {
    let Ok(text) = std::str::from_utf8(bytes) else { return };
    assert!(omitted_tasks_of(Some(text)).is_sorted_by(|a, b| a >= b));
    match parse_query(Some(text)) {
        Err(why) => assert!(why.len() <= MAX_ERROR_BYTES, "{why}"),
        Ok(query) => {
            assert!((1..=1000).contains(&query.per_page) && query.page >= 1);
            assert!(query.conditions.len() <= query.parameters.len());
            let mut raw = form_urlencoded::Serializer::new(String::new());
            let raw = raw.extend_pairs(&query.parameters).finish();
            assert_eq!(parse_query(Some(&raw)).as_ref(), Ok(&query), "{raw}");
            let link = link("http://jobs.example/api/v1.0/jobs", &query, u64::MAX);
            assert!(link.is_none_or(|link| HeaderValue::try_from(link).is_ok()));
        }
    }
    let pattern = Pattern::new(text);
    let is_plain = text.chars().count() < 256 && !text.contains(['%', '_', '\\']);
    for value in [text.to_owned(), format!("x {text} y"), text.to_ascii_uppercase()] {
        assert!(pattern.matches(&value) || !is_plain, "{text:?} is in {value:?}");
    }
}
