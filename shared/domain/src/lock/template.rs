//! Names of locks that depend on the parameters of a job.

use std::collections::BTreeMap;

use serde::Deserialize;
use serde_json::{Map, Value};

use super::locks::Locks;
use super::name::{LockError, LockName, MAX_LENGTH, MAX_LOCKS, MAX_PERMITS, excerpt};

/// Locks as a client names them: `["devices"]` or `{"licence": 2}`. A name may contain parameters
/// of the job: `device-{{hostname}}`.
#[derive(Debug, Clone, Default, PartialEq, Eq, Deserialize)]
#[serde(untagged, expecting = "it must be a list of names, or an object of names and permits")]
pub enum LockTemplates {
    /// No locks.
    #[default]
    None,
    /// One permit of each.
    Names(Vec<String>),
    /// A number of permits of each.
    Permits(BTreeMap<String, i64>),
}

impl LockTemplates {
    /// Returns the rate limits of a job with these parameters. A name is then that of a key, and the
    /// permits are what the job counts as.
    pub fn render_rates(self, parameters: Option<&Map<String, Value>>) -> Result<Locks, LockError> {
        let mut rates = Locks::default();
        for (key, count) in self.render(parameters)?.iter() {
            rates.add(LockName::of_rate(key.as_str())?, count);
        }
        Ok(rates)
    }

    /// Returns the locks that a job with these parameters takes.
    pub fn render(self, parameters: Option<&Map<String, Value>>) -> Result<Locks, LockError> {
        let templates: Vec<(String, i64)> = match self {
            LockTemplates::None => Vec::new(),
            LockTemplates::Names(names) => names.into_iter().map(|name| (name, 1)).collect(),
            LockTemplates::Permits(permits) => permits.into_iter().collect(),
        };
        let mut locks = Locks::default();
        for (template, permits) in templates {
            let name: LockName = render(&template, parameters)?.parse()?;
            if name.is_reserved() {
                return Err(LockError::Reserved(name.into()));
            }
            let permits = u32::try_from(permits).ok().filter(|n| (1..=MAX_PERMITS).contains(n));
            let permits = permits.ok_or_else(|| LockError::Permits(name.to_string()))?;
            locks.add(name, permits);
        }
        if locks.len() > MAX_LOCKS {
            return Err(LockError::TooMany);
        }
        Ok(locks)
    }
}

/// Replaces each `{{parameter}}` by its value. Fails as soon as the result is longer than a name
/// may be.
pub fn render(
    template: &str,
    parameters: Option<&Map<String, Value>>,
) -> Result<String, LockError> {
    let (mut text, mut rest) = (String::new(), template);
    while let Some((before, after)) = rest.split_once("{{") {
        let end = after.split_once("}}").ok_or_else(|| LockError::Open(excerpt(template)))?;
        let name = end.0.trim();
        text.push_str(before);
        match parameters.and_then(|parameters| parameters.get(name)) {
            Some(Value::String(value)) => text.push_str(value),
            Some(value @ (Value::Number(_) | Value::Bool(_))) => text.push_str(&value.to_string()),
            Some(Value::Null | Value::Array(_) | Value::Object(_)) | None => {
                return Err(LockError::Parameter(excerpt(template), excerpt(name)));
            }
        }
        rest = end.1;
        // A short template that repeats a large parameter would otherwise grow to gigabytes.
        if text.len() > MAX_LENGTH {
            return Err(LockError::Name(excerpt(&text)));
        }
    }
    text.push_str(rest);
    if text.len() > MAX_LENGTH { Err(LockError::Name(excerpt(&text))) } else { Ok(text) }
}

#[cfg(test)]
mod tests {
    use super::*;
    use expect_test::expect;
    use serde_json::json;

    #[test]
    fn templates_render_with_the_parameters_of_the_job() {
        let parameters = json!({"hostname": "eosdist1", "vlan": 7, "up": true, "list": []});
        let cases = [
            json!(["devices"]),
            json!({"licence": 2, "devices": 1}),
            json!(["device-{{hostname}}", "vlan/{{ vlan }}:{{up}}"]),
            json!(["device-{{list}}"]),
            json!(["device-{{host"]),
            json!(["action:scan"]),
            json!(["class:cpu=1"]),
            json!(["two words"]),
            json!([""]),
            json!({"a": 0}),
            json!({"a": 1_000_001}),
            json!((0..17).map(|n| format!("l{n}")).collect::<Vec<_>>()),
        ];
        let mut rendered = String::new();
        for case in cases {
            let templates: LockTemplates = serde_json::from_value(case).unwrap();
            match templates.render(parameters.as_object()) {
                Ok(locks) => {
                    assert_eq!(locks.to_string().parse(), Ok(locks.clone()));
                    rendered.push_str(&format!("{locks}\n"));
                }
                Err(error) => rendered.push_str(&format!("! {error}\n")),
            }
        }
        expect![[r#"
            devices=1
            devices=1 licence=2
            device-eosdist1=1 vlan/7:true=1
            ! lock "device-{{list}}" uses parameter "list", which is missing or not a string, number or boolean
            ! lock "device-{{host" has {{ without a closing }}
            ! lock "action:scan" must not begin with action:, class: or rate:, which are reserved for limits
            ! lock "class:cpu=1" must not begin with action:, class: or rate:, which are reserved for limits
            ! lock "two words" must be 1 to 128 characters of A-Z a-z 0-9 _ . - : / @
            ! lock "" must be 1 to 128 characters of A-Z a-z 0-9 _ . - : / @
            ! permits of lock "a" must be a whole number from 1 to 1000000
            ! permits of lock "a" must be a whole number from 1 to 1000000
            ! a job names at most 16 locks
        "#]].assert_eq(&rendered);
    }
}
