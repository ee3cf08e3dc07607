//! What answers do not show: the headers of webhooks, whose values may be credentials. The store
//! keeps them, so the worker sends them, also in retries.

use domain::job::ActionName;
use serde_json::{Map, Value};

/// What is shown instead of a value.
const HIDDEN: &str = "***";

/// Returns the parameters of an action as answers show them.
pub(crate) fn shown_parameters(
    action: &ActionName,
    parameters: Option<Map<String, Value>>,
) -> Option<Map<String, Value>> {
    let mut parameters = parameters?;
    if action.as_str() == ActionName::WEBHOOK
        && let Some(headers) = parameters.get_mut("headers")
    {
        hide(headers);
    }
    Some(parameters)
}

/// Hides each value of an object, or the value itself if it is not an object.
fn hide(headers: &mut Value) {
    match headers {
        Value::Null => {}
        Value::Object(headers) => headers.values_mut().for_each(|value| *value = HIDDEN.into()),
        Value::Bool(_) | Value::Number(_) | Value::String(_) | Value::Array(_) => {
            *headers = HIDDEN.into();
        }
    }
}

#[cfg(test)]
mod tests {
    use super::*;
    use serde_json::json;

    #[test]
    fn only_the_values_of_headers_of_webhooks_are_hidden() {
        let shown = |action: &str, parameters: &Value| {
            json!(shown_parameters(&action.parse().unwrap(), parameters.as_object().cloned()))
        };
        let headers = json!({"url": "http://a", "headers": {"authorization": "Bearer x"}});
        let cases = [
            (headers, json!({"url": "http://a", "headers": {"authorization": "***"}})),
            (json!({"headers": {"a": {"b": "c"}}}), json!({"headers": {"a": "***"}})),
            (json!({"headers": ["x"]}), json!({"headers": "***"})),
            (json!({"headers": "x"}), json!({"headers": "***"})),
            (json!({"headers": null}), json!({"headers": null})),
            (json!({"body": {"headers": "x"}}), json!({"body": {"headers": "x"}})),
            (json!(null), json!(null)),
        ];
        for (parameters, expected) in cases {
            assert_eq!(shown("webhook", &parameters), expected);
            assert_eq!(shown("notify", &parameters), parameters);
        }
    }
}
