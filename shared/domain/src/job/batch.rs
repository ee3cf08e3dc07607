//! Batched submissions: one job with the parameters of several, as the list `batch`.

use serde_json::{Map, Value};

use super::JobSpec;

/// The parameter that has the list.
const LIST: &str = "batch";
/// What is around the list in the JSON of the parameters: `{"batch":[` and `]}`.
pub const LIST_MARGIN_BYTES: usize = LIST.len() + 7;

impl JobSpec {
    /// Makes a list of the parameters, to which those of other submissions can be added.
    pub fn begin_batch(&mut self) {
        let own = Value::Object(self.parameters.take().unwrap_or_default());
        self.parameters = Some(Map::from_iter([(LIST.to_owned(), Value::Array(vec![own]))]));
    }

    /// Returns how many submissions the job has; 0 if it is not batched.
    #[must_use]
    pub fn batched(&self) -> usize {
        let list = self.batch_key.as_ref().and_then(|_| self.parameters.as_ref()?.get(LIST));
        list.and_then(Value::as_array).map_or(0, Vec::len)
    }
}

#[cfg(test)]
mod tests {
    use super::*;
    use serde_json::json;

    #[test]
    fn a_batch_has_a_list_of_parameters_and_only_a_job_with_a_key_is_one() {
        let mut spec = JobSpec::of("noop".parse().unwrap());
        spec.begin_batch();
        assert_eq!(json!(spec.parameters), json!({"batch": [{}]}));
        assert_eq!(json!(spec.parameters).to_string().len(), LIST_MARGIN_BYTES + "{}".len());
        assert_eq!(spec.batched(), 0);
        spec.batch_key = Some("a".to_owned());
        assert_eq!(spec.batched(), 1);
        spec.parameters = json!({"batch": [{"n": 1}, {}]}).as_object().cloned();
        assert_eq!(spec.batched(), 2);
        spec.parameters = None;
        assert_eq!(spec.batched(), 0);
    }
}
