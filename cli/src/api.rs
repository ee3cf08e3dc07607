//! The API over HTTP: one call each way, and what an answer that is no success means.

use std::time::Duration;

use anyhow::Context;
use reqwest::header::{CONTENT_TYPE, HeaderMap, HeaderValue};
use reqwest::{Body, Client, ClientBuilder, RequestBuilder, Response, StatusCode, Url};
use serde::Serialize;
use serde::de::DeserializeOwned;
use serde_json::Value;

use crate::access::Access;
use crate::failure::{Failure, Refusal};
use crate::wire::Errors;

/// Parameters of a query.
pub(crate) type Query<'a> = [(&'a str, String)];

const CONNECT_LIMIT: Duration = Duration::from_secs(5);
/// A call that streams nothing ends within this time.
const CALL_LIMIT: Duration = Duration::from_secs(30);

/// The API v0 at one address. Clones share their connections.
#[derive(Clone)]
pub(crate) struct Api {
    http: Client,
    base: String,
}

/// A page of a list, and how many there are in all where the API says so.
pub(crate) struct Page<T> {
    pub(crate) body: T,
    pub(crate) total: Option<u64>,
}

impl Api {
    /// Makes a handle without connecting.
    pub(crate) fn new(url: &Url, access: &Access) -> Result<Api, Failure> {
        let base = format!("{}/api/v0", url.as_str().trim_end_matches('/'));
        Ok(Api { http: access.client()?, base })
    }

    /// The JSON that stands at a path.
    pub(crate) async fn get<T: DeserializeOwned>(&self, path: &str) -> Result<T, Failure> {
        Ok(self.page(path, &[]).await?.body)
    }

    /// A page of a list.
    pub(crate) async fn page<T: DeserializeOwned>(
        &self,
        path: &str,
        query: &Query<'_>,
    ) -> Result<Page<T>, Failure> {
        let response = self.send(self.ask(path, query).timeout(CALL_LIMIT)).await?;
        let total = total_in(response.headers());
        Ok(Page { body: read(response).await?, total })
    }

    /// How many jobs match.
    pub(crate) async fn count(&self, query: &Query<'_>) -> Result<u64, Failure> {
        let mut query = query.to_vec();
        query.push(("limit", "1".to_owned()));
        let page: Page<Value> = self.page("/jobs", &query).await?;
        page.total.ok_or_else(|| Failure::Away("the API answered no X-Total-Count".to_owned()))
    }

    /// Posts a document and reads the answer.
    pub(crate) async fn post<T: DeserializeOwned>(
        &self,
        path: &str,
        document: &impl Serialize,
    ) -> Result<T, Failure> {
        let body = serde_json::to_vec(document).map_err(anyhow::Error::from)?;
        read(self.post_text(path, body).await?).await
    }

    /// Sends a document that changes what is at a path, and reads the answer.
    pub(crate) async fn patch<T: DeserializeOwned>(
        &self,
        path: &str,
        document: &impl Serialize,
    ) -> Result<T, Failure> {
        let request = self.http.patch(format!("{}{path}", self.base)).json(document);
        read(self.send(request.timeout(CALL_LIMIT)).await?).await
    }

    /// Submits a document, perhaps under an idempotency key. True when it made something; false when
    /// what is answered was there.
    pub(crate) async fn submit(
        &self,
        path: &str,
        document: &impl Serialize,
        key: Option<&HeaderValue>,
    ) -> Result<(Value, bool), Failure> {
        let mut request = self.http.post(format!("{}{path}", self.base)).json(document);
        if let Some(key) = key {
            request = request.header("Idempotency-Key", key);
        }
        let response = self.send(request.timeout(CALL_LIMIT)).await?;
        let made = response.status() == StatusCode::ACCEPTED;
        Ok((read(response).await?, made))
    }

    /// Posts nothing to a path and reads the answer.
    pub(crate) async fn ask_for<T: DeserializeOwned>(
        &self,
        path: &str,
        query: &Query<'_>,
    ) -> Result<T, Failure> {
        let request = self.http.post(format!("{}{path}", self.base)).query(query);
        read(self.send(request.timeout(CALL_LIMIT)).await?).await
    }

    /// Posts nothing to a path whose answer says nothing but that it is done.
    pub(crate) async fn command(&self, path: &str) -> Result<(), Failure> {
        let request = self.http.post(format!("{}{path}", self.base));
        self.send(request.timeout(CALL_LIMIT)).await.map(drop)
    }

    /// Deletes what is at a path.
    pub(crate) async fn delete(&self, path: &str) -> Result<(), Failure> {
        let request = self.http.delete(format!("{}{path}", self.base));
        self.send(request.timeout(CALL_LIMIT)).await.map(drop)
    }

    /// Posts JSON that is text already. The answer's body is still to be read.
    pub(crate) async fn post_text(
        &self,
        path: &str,
        body: impl Into<Body>,
    ) -> Result<Response, Failure> {
        let request = self.http.post(format!("{}{path}", self.base));
        let request = request.header(CONTENT_TYPE, "application/json").body(body);
        self.send(request.timeout(CALL_LIMIT)).await
    }

    /// An answer without end; its parts come as they are made.
    pub(crate) async fn stream(&self, path: &str, query: &Query<'_>) -> Result<Response, Failure> {
        self.send(self.ask(path, query)).await
    }

    fn ask(&self, path: &str, query: &Query<'_>) -> RequestBuilder {
        self.http.get(format!("{}{path}", self.base)).query(query)
    }

    async fn send(&self, request: RequestBuilder) -> Result<Response, Failure> {
        let response = request.send().await.map_err(away)?;
        let status = response.status();
        if status.is_success() {
            return Ok(response);
        }
        let body = response.bytes().await.map_err(away)?;
        Err(refused(status, &body))
    }
}

/// A client that asks only who it is told to ask: no proxy of the environment, no redirection.
pub(crate) fn client() -> Result<Client, Failure> {
    Ok(builder().build().context("cannot make an HTTP client")?)
}

/// The same, before it is made.
pub(crate) fn builder() -> ClientBuilder {
    Client::builder()
        .no_proxy()
        .redirect(reqwest::redirect::Policy::none())
        .connect_timeout(CONNECT_LIMIT)
        .tcp_nodelay(true)
}

/// Nobody answered, or the connection broke.
pub(crate) fn away(error: reqwest::Error) -> Failure {
    Failure::Away(format!("cannot reach the API: {:#}", anyhow::Error::from(error)))
}

async fn read<T: DeserializeOwned>(response: Response) -> Result<T, Failure> {
    let body = response.bytes().await.map_err(away)?;
    serde_json::from_slice(&body)
        .map_err(|error| Failure::Away(format!("the API's answer cannot be read: {error}")))
}

fn total_in(headers: &HeaderMap) -> Option<u64> {
    headers.get("x-total-count")?.to_str().ok()?.parse().ok()
}

/// A refusal is what the API says of the request; whatever else is no success says only that the
/// API, or what stands before it, does not work now.
fn refused(status: StatusCode, body: &[u8]) -> Failure {
    let said = serde_json::from_slice::<Errors>(body).ok();
    let said = said.and_then(|said| said.errors.into_iter().next());
    match said {
        Some(error) if status.is_client_error() => {
            let field = error.detail.get("field").and_then(Value::as_str).map(str::to_owned);
            let (code, mut message) = (error.code, error.message);
            if status == StatusCode::UNAUTHORIZED {
                message.push_str("; put a token in CAPSTAN_TOKEN, or say --token-file FILE");
            }
            Failure::Refused(Refusal { status: status.as_u16(), code, message, field })
        }
        Some(error) => Failure::Away(format!(
            "the API is unavailable ({} {}): {}",
            status.as_u16(),
            error.code,
            error.message
        )),
        None => Failure::Away(format!("no Capstan API answers there: {status}")),
    }
}

#[cfg(test)]
mod tests {
    use super::*;
    use expect_test::{Expect, expect};

    fn check(status: u16, body: &str, code: u8, expected: &Expect) {
        let failure = refused(StatusCode::from_u16(status).unwrap(), body.as_bytes());
        assert_eq!(failure.code(), code);
        expected.assert_eq(&failure.to_string());
    }

    #[test]
    fn a_refusal_is_told_apart_from_an_api_that_is_away() {
        check(
            400,
            r#"{"errors":[{"code":"INVALID_PARAMETERS","message":"it is too large",
                "detail":{"field":"limit"}}]}"#,
            3,
            &expect!["the API refused (400 INVALID_PARAMETERS): it is too large (field limit)"],
        );
        check(
            404,
            r#"{"errors":[{"code":"NO_SUCH_JOB","message":"there is no such job"}]}"#,
            3,
            &expect!["the API refused (404 NO_SUCH_JOB): there is no such job"],
        );
        check(
            401,
            r#"{"errors":[{"code":"NOT_AUTHENTICATED","message":"there is no such token"}]}"#,
            3,
            &expect![[
                r#"the API refused (401 NOT_AUTHENTICATED): there is no such token; put a token in CAPSTAN_TOKEN, or say --token-file FILE"#
            ]],
        );
        check(
            503,
            r#"{"errors":[{"code":"UNAVAILABLE","message":"redis is away"}]}"#,
            4,
            &expect!["the API is unavailable (503 UNAVAILABLE): redis is away"],
        );
        check(
            404,
            "<html>not here</html>",
            4,
            &expect!["no Capstan API answers there: 404 Not Found"],
        );
        check(502, "", 4, &expect!["no Capstan API answers there: 502 Bad Gateway"]);
    }
}
