//! What must hold for any query of this surface.

use axum::http::HeaderValue;
use domain::fuzzing::MAX_ERROR_BYTES;

use super::filter::{omitted_tasks_of, parse_query};
use super::link::link;
use super::pattern::Pattern;

/// The query of a list, and the text that one column must contain.
pub fn filter(bytes: &[u8]) {
    let Ok(text) = std::str::from_utf8(bytes) else { return };
    assert!(omitted_tasks_of(Some(text)).is_sorted_by(|a, b| a >= b));
    match parse_query(Some(text)) {
        Err(why) => assert!(why.len() <= MAX_ERROR_BYTES, "{why}"),
        Ok(wanted) => {
            assert!((1..=1000).contains(&wanted.per_page) && wanted.page >= 1);
            assert!(wanted.conditions.len() <= wanted.parameters.len());
            let mut query = form_urlencoded::Serializer::new(String::new());
            let query = query.extend_pairs(&wanted.parameters).finish();
            assert_eq!(super::filter::parse_query(Some(&query)).as_ref(), Ok(&wanted), "{query}");
            let link = link("http://jobs.example/api/v1.0/jobs", &wanted, u64::MAX);
            assert!(link.is_none_or(|link| HeaderValue::try_from(link).is_ok()));
        }
    }
    let pattern = Pattern::new(text);
    let plain = text.chars().count() < 256 && !text.contains(['%', '_', '\\']);
    for around in [text.to_owned(), format!("x {text} y"), text.to_ascii_uppercase()] {
        assert!(pattern.matches(&around) || !plain, "{text:?} is in {around:?}");
    }
}
