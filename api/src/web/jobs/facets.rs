//! How the jobs of a list differ: the values of some fields and parameters, each with the number of
//! jobs that have it and a link that narrows the list to them.

use std::collections::BTreeMap;

use domain::job::Job;
use domain::search::{KEYS, PARAMETER_KEY};
use serde_json::Value;

use super::search_form::{SearchForm, written};
use crate::redaction::shown_parameters;
use crate::web::format::number;

/// How many values of a field are shown.
const VALUES: usize = 8;
/// How many fields are shown.
const FACETS: usize = 12;
/// Longer values are left out.
const MAX_CHARACTERS: usize = 48;

/// A field whose values differ among the jobs.
pub(super) struct Facet {
    /// The key of the search language.
    pub(super) key: String,
    /// Its values, the most frequent first.
    pub(super) values: Vec<FacetValue>,
}

/// A value of a field.
pub(super) struct FacetValue {
    /// The value.
    pub(super) value: String,
    /// The term that selects it.
    pub(super) term: String,
    /// How many of the jobs have it.
    pub(super) count: String,
    /// The list narrowed to these jobs.
    pub(super) url: String,
}

/// A key of the search language that can be completed.
pub(super) struct KeyHint {
    /// The key with its colon.
    pub(super) term: String,
    /// Which jobs it selects.
    pub(super) meaning: &'static str,
    /// An example.
    pub(super) example: String,
}

/// Returns every key of the search language.
pub(super) fn keys() -> Vec<KeyHint> {
    let hint = |key: domain::search::KeyName| KeyHint {
        term: format!("{}:", key.name),
        meaning: key.meaning,
        example: format!("{}:{}", key.name, key.example),
    };
    let parameter = KeyHint {
        term: format!("{PARAMETER_KEY}NAME:"),
        meaning: "with this value of a parameter",
        example: format!("{PARAMETER_KEY}host:sw1"),
    };
    KEYS.into_iter().map(hint).chain([parameter]).collect()
}

/// Returns the fields by which the jobs differ.
pub(super) fn facets(jobs: &[Job], form: &SearchForm) -> Vec<Facet> {
    let mut counts: BTreeMap<String, BTreeMap<String, usize>> = BTreeMap::new();
    for (key, value) in jobs.iter().flat_map(fields) {
        let is_short = !value.is_empty() && value.chars().count() <= MAX_CHARACTERS;
        if is_short && (counts.contains_key(&key) || counts.len() < 4 * FACETS) {
            *counts.entry(key).or_default().entry(value).or_default() += 1;
        }
    }
    // A field that all jobs have in common narrows nothing, nor does one that identifies a job.
    let differs = |(_, values): &(String, BTreeMap<String, usize>)| {
        let most = values.values().max().copied().unwrap_or(0);
        let is_common = values.len() == 1 && most == jobs.len();
        !is_common && (most > 1 || values.len() <= VALUES)
    };
    let facet = |(key, values): (String, BTreeMap<String, usize>)| {
        let mut values: Vec<(String, usize)> = values.into_iter().collect();
        values.sort_by_key(|(_, count)| std::cmp::Reverse(*count));
        values.truncate(VALUES);
        let value = |(value, count): (String, usize)| {
            let term = written(&key, &value);
            FacetValue { url: form.with(&term), value, term, count: number(count as u64) }
        };
        Facet { values: values.into_iter().map(value).collect(), key }
    };
    let mut facets: Vec<Facet> = counts.into_iter().filter(differs).map(facet).collect();
    facets.sort_by_key(|facet| facet.key.starts_with(PARAMETER_KEY));
    facets.truncate(FACETS);
    facets
}

fn fields(job: &Job) -> Vec<(String, String)> {
    let spec = &job.spec;
    let named = [
        ("status", Some(job.status.to_string())),
        ("action", Some(spec.action.to_string())),
        ("worker", job.worker.as_ref().map(ToString::to_string)),
        ("cron", spec.cron.as_ref().map(|firing| firing.cron.to_string())),
        ("by", spec.scheduled_by.clone()),
        ("key", spec.fairness_key.clone()),
        ("priority", Some(spec.priority.to_string())),
        ("ticket", spec.ticket_ref.clone()),
    ];
    let named = named.into_iter().filter_map(|(key, value)| Some((key.to_owned(), value?)));
    let labels = spec.labels.by_name().iter();
    let labels = labels.map(|(name, text)| ("label".to_owned(), format!("{name}:{text}")));
    let locks = spec.locks.iter().map(|(name, _)| ("lock".to_owned(), name.to_string()));
    let parameters = shown_parameters(&spec.action, spec.parameters.clone()).unwrap_or_default();
    let parameters = parameters.into_iter().filter_map(|(name, value)| {
        let is_key = !name.contains(|c: char| c == ':' || c == '"' || c.is_whitespace());
        let text = match value {
            Value::String(text) => text,
            Value::Bool(_) | Value::Number(_) => value.to_string(),
            Value::Null | Value::Array(_) | Value::Object(_) => return None,
        };
        is_key.then(|| (format!("{PARAMETER_KEY}{name}"), text))
    });
    named.chain(labels).chain(locks).chain(parameters).collect()
}
