//! The action that sends a POST request, signed if there is a secret. A temporary error is followed
//! by another try within the run. All tries have the same `webhook-id`, the job's id, so that the
//! receiver can recognise them; a retry of the job has a different one. Follows
//! <https://www.standardwebhooks.com>.

mod checked_client;
mod client;
mod message;
mod sending;
mod signature;

use std::collections::BTreeMap;
use std::path::PathBuf;
use std::time::Duration;

use domain::job::{Exception, GoDuration};
use futures_util::FutureExt;
use futures_util::future::BoxFuture;
use reqwest::Url;
use reqwest::header::{HeaderMap, HeaderName};
use serde::Deserialize;
use serde_json::{Map, Value};
use store::ActionDefaults;

use super::parameters;
use super::template::{TextOrSecret, TextSource};
use crate::action::{Action, ActionResult};
use crate::context::Context;
use message::{header_name, header_value, parse_url};

pub(super) use client::HttpClient;
pub(super) use message::{TIMEOUT, WebhookMessage};
pub(crate) use sending::requested_pause;
pub(super) use sending::{STOPPED, send, status_of};

const TRIES: u32 = 5;
const MAX_TRIES: u32 = 20;

/// A webhook as the actions file declares it.
#[derive(Debug, Clone, Deserialize)]
#[serde(deny_unknown_fields)]
pub(super) struct WebhookDeclaration {
    url: String,
    /// The file with the key to sign with: `whsec_…`, or any text.
    secret: Option<PathBuf>,
    #[serde(default)]
    headers: BTreeMap<String, TextOrSecret>,
    #[serde(default)]
    timeout: GoDuration,
    tries: Option<u32>,
}

/// The webhook action.
pub(super) struct Webhook {
    http: HttpClient,
    /// `None` when the parameters of each job name the receiver.
    target: Option<WebhookTarget>,
    defaults: ActionDefaults,
}

/// The receiver of a declared webhook.
struct WebhookTarget {
    url: Url,
    secret: Option<TextSource>,
    headers: Vec<(HeaderName, TextSource)>,
    timeout: Duration,
    tries: u32,
}

/// The parameters of a job that names its receiver.
#[derive(Deserialize)]
#[serde(deny_unknown_fields)]
struct AdHocRequest {
    url: String,
    /// An object of texts. Its values may be credentials, which errors must not repeat, so it is not
    /// deserialized any further.
    #[serde(default)]
    headers: Value,
    #[serde(default)]
    body: Value,
}

impl Webhook {
    /// Creates the action whose jobs name the receiver in their parameters.
    pub(super) fn ad_hoc(http: HttpClient) -> Webhook {
        Webhook { http, target: None, defaults: ActionDefaults::default() }
    }

    /// Creates an action that sends its parameters to the declared receiver.
    pub(super) fn configured(
        http: HttpClient,
        declaration: WebhookDeclaration,
        defaults: ActionDefaults,
    ) -> Result<Webhook, String> {
        let secret = declaration.secret.map(TextSource::secret).transpose();
        let header = |(name, value): (String, TextOrSecret)| {
            let name = header_name(&name)?;
            let source = TextSource::parse(&value);
            Ok::<_, String>((name.clone(), source.map_err(|why| format!("headers.{name}: {why}"))?))
        };
        let tries = declaration.tries.unwrap_or(TRIES);
        if !(1..=MAX_TRIES).contains(&tries) {
            return Err(format!("tries must be from 1 to {MAX_TRIES}"));
        }
        let target = WebhookTarget {
            url: parse_url(&declaration.url)?,
            secret: secret.map_err(|why| format!("secret: {why}"))?,
            headers: declaration.headers.into_iter().map(header).collect::<Result<_, _>>()?,
            timeout: declaration.timeout.duration().unwrap_or(TIMEOUT),
            tries,
        };
        Ok(Webhook { http, target: Some(target), defaults })
    }

    fn message(&self, context: &Context) -> Result<WebhookMessage, Exception> {
        let (id, parameters) = (context.job.id.to_string(), context.job.spec.parameters.as_ref());
        match &self.target {
            Some(target) => target.message(id, parameters),
            None => parameters::deserialize::<AdHocRequest>(parameters)?.message(id),
        }
    }
}

impl WebhookTarget {
    fn message(
        &self,
        id: String,
        parameters: Option<&Map<String, Value>>,
    ) -> Result<WebhookMessage, Exception> {
        let key = self.secret.as_ref().map(|secret| secret.render(None)).transpose()?;
        let mut headers = HeaderMap::new();
        for (name, source) in &self.headers {
            headers.insert(name, header_value(name, &source.render(parameters)?)?);
        }
        let body = serde_json::json!(parameters.unwrap_or(&Map::new())).to_string().into_bytes();
        Ok(WebhookMessage {
            id,
            url: self.url.clone(),
            headers,
            body,
            keys: key.iter().map(|text| signature::key(text)).collect(),
            timeout: self.timeout,
            tries: self.tries,
        })
    }
}

impl AdHocRequest {
    fn message(self, id: String) -> Result<WebhookMessage, Exception> {
        let bad = |why: String| Exception::new("BadParameter", format!("parameters.{why}"));
        let url = parse_url(&self.url).map_err(|why| bad(format!("url: {why}")))?;
        let mut headers = HeaderMap::new();
        let given = match &self.headers {
            Value::Object(given) => given,
            Value::Null => &Map::new(),
            Value::Bool(_) | Value::Number(_) | Value::String(_) | Value::Array(_) => {
                return Err(bad("headers: expected an object".to_owned()));
            }
        };
        for (name, value) in given {
            let name = header_name(name).map_err(bad)?;
            let text = value.as_str();
            let text = text.ok_or_else(|| bad(format!("headers.{name}: expected a string")))?;
            headers.insert(&name, header_value(&name, text)?);
        }
        let body = self.body.to_string().into_bytes();
        Ok(WebhookMessage {
            id,
            url,
            headers,
            body,
            keys: Vec::new(),
            timeout: TIMEOUT,
            tries: TRIES,
        })
    }
}

impl Action for Webhook {
    fn defaults(&self) -> ActionDefaults {
        self.defaults.clone()
    }

    fn run(&self, context: Context) -> BoxFuture<'_, ActionResult> {
        async move {
            let message = self.message(&context)?;
            send(&self.http, &message, context).await
        }
        .boxed()
    }
}

#[cfg(test)]
mod tests {
    use expect_test::expect;
    use serde_json::json;

    use super::*;

    fn message(parameters: &Value) -> Result<WebhookMessage, String> {
        let request = parameters::deserialize::<AdHocRequest>(parameters.as_object());
        let message = request.and_then(|request| request.message("id".to_owned()));
        message.map_err(|error| format!("{}: {}", error.kind, error.message))
    }

    #[test]
    fn an_error_names_the_invalid_parameter() {
        let valid = message(&json!({"url": "https://example.org/x", "body": {"a": 1}})).unwrap();
        assert_eq!((valid.body.as_slice(), valid.tries), (&b"{\"a\":1}"[..], TRIES));
        let refused = |parameters: Value| message(&parameters).err().unwrap();
        expect!["BadParameter: parameters: missing field `url`"].assert_eq(&refused(json!({})));
        expect!["BadParameter: parameters.url: invalid type: integer `1`, expected a string"]
            .assert_eq(&refused(json!({"url": 1})));
        let file = refused(json!({"url": "file:///etc/passwd"}));
        assert!(file.starts_with("BadParameter: parameters.url: "), "{file}");
        let with = |name: &str| json!({"url": "http://a.b", "headers": {name: "x"}});
        expect!["BadParameter: parameters.headers.Webhook-Id must not be set"]
            .assert_eq(&refused(with("Webhook-Id")));
        expect!["BadParameter: parameters.headers.a b is not a valid header"]
            .assert_eq(&refused(with("a b")));
        assert!(refused(json!({"url": "http://a", "method": "GET"})).contains("unknown field"));
        assert!(refused(json!({"url": "http://a", "headers": {"a": "x\n"}})).contains("headers.a"));
    }

    #[test]
    fn an_error_does_not_repeat_the_value_of_a_header() {
        for headers in [
            json!("hunter2"),
            json!(["hunter2"]),
            json!({"x-api-key": "hunter2\n"}),
            json!({"x-api-key": ["hunter2"]}),
            json!({"x-api-key": {"hunter2": "hunter2"}}),
        ] {
            let error = message(&json!({"url": "http://a", "headers": headers})).err().unwrap();
            assert!(error.starts_with("BadParameter: "), "{error}");
            assert!(error.contains("headers") && !error.contains("hunter2"), "{error}");
        }
        assert!(message(&json!({"url": "http://a", "headers": null})).is_ok());
    }
}
