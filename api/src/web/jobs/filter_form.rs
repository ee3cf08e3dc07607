//! The filter of the list as its form shows it: the parameters of the URL, as they were sent.

/// The parameters of the URL. Each is empty if it is absent.
#[derive(Debug, Default)]
pub(super) struct FilterForm {
    /// Statuses, separated by commas.
    pub(super) status: String,
    /// An action.
    pub(super) action: String,
    /// The id of a worker.
    pub(super) worker: String,
    /// The earliest time at which a job is due.
    pub(super) since: String,
    /// The latest time at which a job is due.
    pub(super) until: String,
    /// The id of a parent.
    pub(super) parent: String,
    /// `true`, `false` or `any`.
    pub(super) running: String,
    /// A fingerprint of failures.
    pub(super) fingerprint: String,
    /// The order.
    pub(super) sort: String,
    /// The number of jobs in a page.
    pub(super) limit: String,
}

/// Longer values are cut.
const MAX_CHARACTERS: usize = 256;

impl FilterForm {
    /// Reads the query of a URL. Ignores unknown parameters, which the filter refuses.
    pub(super) fn new(raw: Option<&str>) -> FilterForm {
        let mut form = FilterForm::default();
        for (name, value) in form_urlencoded::parse(raw.unwrap_or_default().as_bytes()) {
            if let Some((_, field)) = form.fields_mut().into_iter().find(|(key, _)| *key == name) {
                *field = value.chars().take(MAX_CHARACTERS).collect();
            }
        }
        form
    }

    /// Returns true if a filter besides the status applies.
    pub(super) fn is_narrowed(&self) -> bool {
        let others =
            [&self.action, &self.worker, &self.since, &self.until, &self.parent, &self.fingerprint];
        others.into_iter().any(|value| !value.is_empty() && value != "any")
    }

    /// Returns true if one of the fields applies that are shown only on demand.
    pub(super) fn has_more(&self) -> bool {
        let more =
            [&self.worker, &self.since, &self.until, &self.parent, &self.fingerprint, &self.sort];
        more.into_iter().any(|value| !value.is_empty())
    }

    /// Returns the URL of the first page of the list, with some parameters changed or added.
    pub(super) fn url(&self, changes: &[(&str, &str)]) -> String {
        let changed = |name: &str| changes.iter().find(|(key, _)| *key == name);
        let mut query = form_urlencoded::Serializer::new(String::new());
        for (name, value) in self.fields() {
            let value = changed(name).map_or(value, |(_, new)| new);
            if !value.is_empty() {
                query.append_pair(name, value);
            }
        }
        for (name, value) in changes.iter().filter(|(name, _)| *name == "start") {
            query.append_pair(name, value);
        }
        match query.finish() {
            query if query.is_empty() => "/jobs".to_owned(),
            query => format!("/jobs?{query}"),
        }
    }

    fn fields(&self) -> [(&'static str, &str); 10] {
        [
            ("status", &self.status),
            ("action", &self.action),
            ("worker", &self.worker),
            ("since", &self.since),
            ("until", &self.until),
            ("parent", &self.parent),
            ("running", &self.running),
            ("fingerprint", &self.fingerprint),
            ("sort", &self.sort),
            ("limit", &self.limit),
        ]
    }

    fn fields_mut(&mut self) -> [(&'static str, &mut String); 10] {
        [
            ("status", &mut self.status),
            ("action", &mut self.action),
            ("worker", &mut self.worker),
            ("since", &mut self.since),
            ("until", &mut self.until),
            ("parent", &mut self.parent),
            ("running", &mut self.running),
            ("fingerprint", &mut self.fingerprint),
            ("sort", &mut self.sort),
            ("limit", &mut self.limit),
        ]
    }
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn a_link_keeps_the_filter() {
        let form = FilterForm::new(Some("status=done&action=a%26b&start=50&worker=&x=1"));
        assert_eq!(form.url(&[]), "/jobs?status=done&action=a%26b");
        assert_eq!(form.url(&[("status", "")]), "/jobs?action=a%26b");
        assert_eq!(form.url(&[("start", "100")]), "/jobs?status=done&action=a%26b&start=100");
        assert_eq!(FilterForm::new(None).url(&[]), "/jobs");
        assert!(form.is_narrowed() && !form.has_more());
    }
}
