//! The filter of the list as a search. Links to the list may also use the parameters of `GET
//! /jobs`; the form shows those as terms of the search.

use domain::search::{Search, Term};

/// The filter of the list.
#[derive(Debug, Clone, Default)]
pub(super) struct SearchForm {
    /// The search as it was written, with the other parameters as terms.
    pub(super) text: String,
    /// The search; `None` if it is not valid.
    search: Option<Search>,
    /// `true`, `false` or `any`.
    pub(super) running: String,
    /// The order.
    pub(super) sort: String,
    /// The number of jobs in a page.
    pub(super) limit: String,
}

/// A term of the search, and the list without it.
pub(super) struct Chip {
    /// The term.
    pub(super) text: String,
    /// The list without it.
    pub(super) url: String,
}

/// Longer values are cut.
const MAX_CHARACTERS: usize = 1024;
/// The parameters of `GET /jobs` that are conditions, each with its key in searches.
const PARAMETERS: [(&str, &str); 11] = [
    ("status", "status"),
    ("action", "action"),
    ("worker", "worker"),
    ("parent", "parent"),
    ("label", "label"),
    ("cron", "cron"),
    ("scheduledBy", "by"),
    ("fairnessKey", "key"),
    ("fingerprint", "fingerprint"),
    ("since", "since"),
    ("until", "until"),
];

/// The statuses of a job that runs.
const RUNNING: [&str; 2] = ["running", "cancel_request"];

impl SearchForm {
    /// Reads the query of a URL. Ignores unknown parameters, which the filter refuses.
    pub(super) fn new(raw: Option<&str>) -> SearchForm {
        let mut form = SearchForm::default();
        for (name, value) in form_urlencoded::parse(raw.unwrap_or_default().as_bytes()) {
            let value: String = value.chars().take(MAX_CHARACTERS).collect();
            match name.as_ref() {
                "q" => form.add(&value),
                "running" => form.running = value,
                "sort" => form.sort = value,
                "limit" => form.limit = value,
                _ if value.is_empty() || value == "any" => {}
                name => {
                    if let Some((_, key)) = PARAMETERS.iter().find(|(one, _)| *one == name) {
                        form.add(&written(key, &value));
                    }
                }
            }
        }
        form.search = form.text.parse().ok();
        form
    }

    fn add(&mut self, terms: &str) {
        let space = if self.text.is_empty() || terms.is_empty() { "" } else { " " };
        self.text += &format!("{space}{terms}");
    }

    /// Returns true if all jobs are selected.
    pub(super) fn is_empty(&self) -> bool {
        self.text.trim().is_empty() && matches!(self.running.as_str(), "" | "any")
    }

    /// Returns true if a condition besides the status applies.
    pub(super) fn is_narrowed(&self) -> bool {
        let is_status = |term: &Term| !term.is_excluded && term.condition.key() == "status";
        let mut terms = self.search.iter().flat_map(Search::terms);
        !matches!(self.running.as_str(), "" | "any") || terms.any(|term| !is_status(term))
    }

    /// Returns true if this status is selected.
    pub(super) fn has_status(&self, status: &str) -> bool {
        let terms = self.search.iter().flat_map(Search::terms).filter(|term| !term.is_excluded);
        let mut values = terms.filter(|term| term.condition.key() == "status");
        values.any(|term| term.condition.value().split(',').any(|one| one == status))
    }

    /// Returns true if some status is selected.
    pub(super) fn has_any_status(&self) -> bool {
        let mut terms = self.search.iter().flat_map(Search::terms);
        terms.any(|term| !term.is_excluded && term.condition.key() == "status")
    }

    /// Returns the terms, each with the list without it.
    pub(super) fn chips(&self) -> Vec<Chip> {
        let Some(search) = &self.search else { return Vec::new() };
        let chip = |(position, term): (usize, &Term)| Chip {
            text: term.to_string(),
            url: self.url_of(&search.clone().without(position).to_string(), None),
        };
        search.terms().iter().enumerate().map(chip).collect()
    }

    /// Returns the URL of the list with one more term, which replaces that of its key.
    pub(super) fn with(&self, term: &str) -> String {
        self.url_of(&self.text_with(term), None)
    }

    fn text_with(&self, term: &str) -> String {
        let search = self.search.clone().unwrap_or_default();
        let term = term.parse::<Search>().ok().and_then(|term| term.terms().first().cloned());
        let search = match term {
            Some(term) => search.with(term),
            None => search,
        };
        search.to_string()
    }

    /// Adds that the jobs run. If only other statuses are selected, there are two terms of the
    /// status then, which bulk operations refuse.
    fn add_running(&mut self) {
        let selected = RUNNING.into_iter().filter(|status| self.has_status(status));
        let selected: Vec<&str> = selected.collect();
        match selected.is_empty() {
            true => self.add(&format!("status:{}", RUNNING.join(","))),
            false => self.text = self.text_with(&format!("status:{}", selected.join(","))),
        }
    }

    /// Returns the URL of the list without its status.
    pub(super) fn without_status(&self) -> String {
        let mut search = self.search.clone().unwrap_or_default();
        let is_status = |term: &Term| !term.is_excluded && term.condition.key() == "status";
        while let Some(position) = search.terms().iter().position(is_status) {
            search = search.without(position);
        }
        let form = SearchForm { running: String::new(), ..self.clone() };
        form.url_of(&search.to_string(), None)
    }

    /// Returns the URL of the page that changes all jobs that match.
    pub(super) fn bulk_url(&self) -> String {
        let mut form = self.clone();
        match self.running.as_str() {
            "" | "any" => {}
            "true" => form.add_running(),
            // The page says that an operation cannot exclude jobs.
            _ => form.add("-status:running,cancel_request"),
        }
        let mut query = form_urlencoded::Serializer::new(String::new());
        format!("/bulk-editor?{}", query.append_pair("q", &form.text).finish())
    }

    /// Returns the URL of the list in another order.
    pub(super) fn sorted(&self, sort: &str) -> String {
        SearchForm { sort: sort.to_owned(), ..self.clone() }.url(None)
    }

    /// Returns the URL of the list from the `start`-th job on.
    pub(super) fn url(&self, start: Option<usize>) -> String {
        self.url_of(&self.text, start)
    }

    fn url_of(&self, text: &str, start: Option<usize>) -> String {
        let mut query = form_urlencoded::Serializer::new(String::new());
        let fields =
            [("q", text), ("running", &self.running), ("sort", &self.sort), ("limit", &self.limit)];
        for (name, value) in fields {
            if !value.is_empty() {
                query.append_pair(name, value);
            }
        }
        if let Some(start) = start {
            query.append_pair("start", &start.to_string());
        }
        match query.finish() {
            query if query.is_empty() => "/jobs".to_owned(),
            query => format!("/jobs?{query}"),
        }
    }
}

/// Returns a term as a search writes it.
pub(in crate::web) fn written(key: &str, value: &str) -> String {
    let is_plain = |c: char| !c.is_whitespace() && c != '"' && c != '\\';
    match !value.is_empty() && value.chars().all(is_plain) {
        true => format!("{key}:{value}"),
        false => {
            format!("{key}:\"{}\"", value.replace('\\', "\\\\").replace('"', "\\\""))
        }
    }
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn every_condition_of_the_list_is_a_term_and_reaches_the_page_that_changes_all() {
        let parent = "5b1c9c1e-3c0e-4d7e-9d53-0a1f2f4e6b7a";
        let given = format!(
            "status=waiting,running&action=a&worker=0123456789ab&parent={parent}&label=team:net&cron=c&\
             scheduledBy=me&fairnessKey=k&fingerprint=4f0c1c39d2c0a7be&since=1h&until=5m&running=true"
        );
        let form = SearchForm::new(Some(&given));
        let terms = format!(
            "action:a worker:0123456789ab parent:{parent} label:team:net cron:c by:me key:k \
             fingerprint:4f0c1c39d2c0a7be since:1h until:5m"
        );
        assert_eq!(form.text, format!("status:waiting,running {terms}"));
        let url = form.bulk_url();
        let query = url.strip_prefix("/bulk-editor?").unwrap();
        let (_, q) = form_urlencoded::parse(query.as_bytes()).next().unwrap();
        assert_eq!(q, format!("{terms} status:running"));
    }

    #[test]
    fn a_link_keeps_the_filter() {
        let form = SearchForm::new(Some("status=done&action=a%26b&start=50&worker=&x=1"));
        assert_eq!(form.text, "status:done action:a&b");
        assert_eq!(form.url(None), "/jobs?q=status%3Adone+action%3Aa%26b");
        let form = SearchForm::new(Some("q=status:done+refused&limit=2&action=any"));
        assert_eq!(form.url(Some(100)), "/jobs?q=status%3Adone+refused&limit=2&start=100");
        assert_eq!(form.with("status:error"), "/jobs?q=text%3Arefused+status%3Aerror&limit=2");
        assert_eq!(form.without_status(), "/jobs?q=text%3Arefused&limit=2");
        assert_eq!(form.chips()[1].url, "/jobs?q=status%3Adone&limit=2");
        assert!(form.is_narrowed() && form.has_status("done") && !form.has_status("error"));
        assert_eq!(SearchForm::new(None).url(None), "/jobs");
        assert_eq!(SearchForm::new(None).with("param.a:\"b c\""), "/jobs?q=param.a%3A%22b+c%22");
        assert!(!SearchForm::new(Some("q=status:done")).is_narrowed());
        assert!(SearchForm::new(Some("q=stat:done")).chips().is_empty());
    }
}
