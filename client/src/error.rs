//! Why a call to the API failed, and what an unsuccessful answer means.

use std::fmt;

use reqwest::StatusCode;
use serde::Deserialize;
use serde_json::Value;

/// A failed call.
#[derive(Debug, thiserror::Error)]
pub enum ClientError {
    /// A connection setting is not valid.
    #[error("{0}")]
    InvalidSetting(String),
    /// The API refused the request: sending it again changes nothing.
    #[error("{0}")]
    Refused(Refusal),
    /// The API did not answer, answered that it is unavailable, or gave an unreadable answer.
    #[error("{0}")]
    Unavailable(String),
    /// A wait reached its time limit.
    #[error("{0}")]
    TimedOut(String),
}

impl ClientError {
    /// The API answered with a document that does not have the expected form.
    #[must_use]
    pub fn unreadable(error: &serde_json::Error) -> ClientError {
        ClientError::Unavailable(format!("cannot read the API's answer: {error}"))
    }

    /// Interprets an answer whose status is not a success. Only a client error in the API's own
    /// format is a refusal; anything else means that the API, or a proxy before it, is not working.
    pub(crate) fn from_answer(status: StatusCode, body: &[u8]) -> ClientError {
        let document = serde_json::from_slice::<ErrorDocument>(body).ok();
        let first = document.and_then(|document| document.errors.into_iter().next());
        let Some(ApiError { code, mut message, detail }) = first else {
            return ClientError::Unavailable(format!("no Capstan API at this address: {status}"));
        };
        if !status.is_client_error() {
            let status = status.as_u16();
            let text = format!("the API is unavailable ({status} {code}): {message}");
            return ClientError::Unavailable(text);
        }
        if status == StatusCode::UNAUTHORIZED {
            message.push_str("; set CAPSTAN_TOKEN or pass --token-file FILE");
        }
        let field = detail.get("field").and_then(Value::as_str).map(str::to_owned);
        let index = detail.get("index").and_then(Value::as_u64);
        let index = index.and_then(|index| usize::try_from(index).ok());
        ClientError::Refused(Refusal { status: status.as_u16(), code, message, field, index })
    }
}

impl From<reqwest::Error> for ClientError {
    fn from(error: reqwest::Error) -> ClientError {
        let scheme = error.url().map(|url| url.scheme().to_owned()).unwrap_or_default();
        let causes = format!("{:#}", anyhow::Error::from(error));
        let hint = scheme_hint(&scheme, &causes).unwrap_or_default();
        ClientError::Unavailable(format!("cannot reach the API: {causes}{hint}"))
    }
}

/// Returns what to try if the server seems to speak the other protocol: its answer to a request
/// without TLS is no HTTP, or its answer to the start of TLS is no TLS.
fn scheme_hint(scheme: &str, causes: &str) -> Option<&'static str> {
    if scheme == "http" && causes.contains("invalid HTTP version") {
        return Some("; the server speaks TLS? use https://");
    }
    if scheme == "https" && causes.contains("InvalidContentType") {
        return Some("; the server speaks no TLS? use http://");
    }
    None
}

/// The API's refusal of a request.
#[derive(Debug, Clone, PartialEq, Eq)]
pub struct Refusal {
    /// The HTTP status.
    pub status: u16,
    /// The API's error code, for example `NO_SUCH_JOB`.
    pub code: String,
    /// The API's message.
    pub message: String,
    /// The invalid field of the request, if the API named one.
    pub field: Option<String>,
    /// The index of the refused job in its batch, if the API named one.
    pub index: Option<usize>,
}

impl fmt::Display for Refusal {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        write!(f, "the API refused ({} {}): {}", self.status, self.code, self.message)?;
        match &self.field {
            Some(field) if !self.message.contains(field) => write!(f, " (field {field})"),
            Some(_) | None => Ok(()),
        }
    }
}

#[derive(Deserialize)]
struct ErrorDocument {
    errors: Vec<ApiError>,
}

#[derive(Deserialize)]
struct ApiError {
    code: String,
    #[serde(default)]
    message: String,
    #[serde(default)]
    detail: Value,
}

#[cfg(test)]
mod tests {
    use super::*;
    use expect_test::{Expect, expect};

    fn check(status: u16, body: &str, expected: &Expect) {
        let status = StatusCode::from_u16(status).unwrap();
        let error = ClientError::from_answer(status, body.as_bytes());
        let kind = match error {
            ClientError::Refused(_) => "refused",
            ClientError::Unavailable(_) => "unavailable",
            ClientError::InvalidSetting(_) | ClientError::TimedOut(_) => "other",
        };
        expected.assert_eq(&format!("{kind}: {error}"));
    }

    #[test]
    fn client_errors_in_the_apis_format_are_refusals() {
        check(
            400,
            r#"{"errors":[{"code":"INVALID_PARAMETERS","message":"it is too large",
                "detail":{"field":"limit"}}]}"#,
            &expect![
                "refused: the API refused (400 INVALID_PARAMETERS): it is too large (field limit)"
            ],
        );
        check(
            400,
            r#"{"errors":[{"code":"INVALID_PARAMETERS","message":"the limit is too large",
                "detail":{"field":"limit"}}]}"#,
            &expect!["refused: the API refused (400 INVALID_PARAMETERS): the limit is too large"],
        );
        check(
            404,
            r#"{"errors":[{"code":"NO_SUCH_JOB","message":"no such job"}]}"#,
            &expect!["refused: the API refused (404 NO_SUCH_JOB): no such job"],
        );
        check(
            401,
            r#"{"errors":[{"code":"NOT_AUTHENTICATED","message":"unknown token"}]}"#,
            &expect![
                "refused: the API refused (401 NOT_AUTHENTICATED): unknown token; set CAPSTAN_TOKEN or pass --token-file FILE"
            ],
        );
    }

    #[test]
    fn every_other_unsuccessful_answer_means_unavailable() {
        check(
            503,
            r#"{"errors":[{"code":"UNAVAILABLE","message":"redis is down"}]}"#,
            &expect!["unavailable: the API is unavailable (503 UNAVAILABLE): redis is down"],
        );
        check(
            404,
            "<html>not here</html>",
            &expect!["unavailable: no Capstan API at this address: 404 Not Found"],
        );
        check(502, "", &expect!["unavailable: no Capstan API at this address: 502 Bad Gateway"]);
    }
}
