//! Calls to the API v0: one HTTP request each.

use std::time::Duration;

use reqwest::header::{CONTENT_TYPE, HeaderMap, HeaderValue};
use reqwest::{Body, Client, RequestBuilder, Response, StatusCode, Url};
use serde::de::DeserializeOwned;
use serde::{Deserialize, Serialize};
use serde_json::Value;

use crate::error::ClientError;

/// Query parameters.
pub type Query<'a> = [(&'a str, String)];

/// Time limit of every call that does not stream its answer.
const CALL_TIMEOUT: Duration = Duration::from_secs(30);

/// The API v0 at one address. Clones share connections.
#[derive(Debug, Clone)]
pub struct ApiClient {
    http: Client,
    base: String,
}

/// A page of a list, as the API sent it.
#[derive(Debug)]
pub struct Page {
    /// The whole document.
    pub body: Value,
    /// The number of items on all pages, from the header `X-Total-Count`.
    pub total: Option<u64>,
    /// True if the search reached its time limit, so that more items may match.
    pub is_truncated: bool,
}

impl Page {
    /// Reads the items, which the document holds under `key`.
    pub fn items<T: DeserializeOwned>(&self, key: &str) -> Result<Vec<T>, ClientError> {
        let items = self.body.get(key).unwrap_or(&Value::Null);
        Vec::deserialize(items).map_err(|error| ClientError::unreadable(&error))
    }
}

impl ApiClient {
    /// Returns a client for the API at `url`. Does not connect.
    #[must_use]
    pub fn new(http: Client, url: &Url) -> ApiClient {
        ApiClient { http, base: format!("{}/api/v0", url.as_str().trim_end_matches('/')) }
    }

    /// Gets a document.
    pub async fn get<T: DeserializeOwned>(&self, path: &str) -> Result<T, ClientError> {
        self.answer(self.http.get(self.url(path))).await
    }

    /// Gets a page of a list.
    pub async fn page(&self, path: &str, query: &Query<'_>) -> Result<Page, ClientError> {
        let request = self.http.get(self.url(path)).query(query);
        let response = send(request.timeout(CALL_TIMEOUT)).await?;
        let total = total_count(response.headers());
        let is_truncated = response.headers().contains_key("x-result-truncated");
        Ok(Page { body: read(response).await?, total, is_truncated })
    }

    /// Counts the jobs that match a query.
    pub async fn count_jobs(&self, query: &Query<'_>) -> Result<u64, ClientError> {
        let mut query = query.to_vec();
        query.push(("limit", "1".to_owned()));
        let total = self.page("/jobs", &query).await?.total;
        total.ok_or_else(|| ClientError::Unavailable("the API sent no X-Total-Count".to_owned()))
    }

    /// Posts a document and reads the answer.
    pub async fn post<T: DeserializeOwned>(
        &self,
        path: &str,
        document: &impl Serialize,
    ) -> Result<T, ClientError> {
        self.answer(self.http.post(self.url(path)).json(document)).await
    }

    /// Posts query parameters without a body and reads the answer.
    pub async fn post_query<T: DeserializeOwned>(
        &self,
        path: &str,
        query: &Query<'_>,
    ) -> Result<T, ClientError> {
        self.answer(self.http.post(self.url(path)).query(query)).await
    }

    /// Changes a document and reads the answer.
    pub async fn patch<T: DeserializeOwned>(
        &self,
        path: &str,
        document: &impl Serialize,
    ) -> Result<T, ClientError> {
        self.answer(self.http.patch(self.url(path)).json(document)).await
    }

    /// Changes a document and ignores the body of the answer.
    pub async fn patch_only(
        &self,
        path: &str,
        document: &impl Serialize,
    ) -> Result<(), ClientError> {
        let request = self.http.patch(self.url(path)).json(document);
        send(request.timeout(CALL_TIMEOUT)).await.map(drop)
    }

    /// Submits a job, with an idempotency key if one is given. Returns the job, and whether it is
    /// new: false when the API answered with an existing job of the same unique key.
    pub async fn submit(
        &self,
        document: &impl Serialize,
        idempotency_key: Option<&HeaderValue>,
    ) -> Result<(Value, bool), ClientError> {
        let mut request = self.http.post(self.url("/jobs")).json(document);
        if let Some(key) = idempotency_key {
            request = request.header("Idempotency-Key", key);
        }
        let response = send(request.timeout(CALL_TIMEOUT)).await?;
        let is_new = response.status() == StatusCode::ACCEPTED;
        Ok((read(response).await?, is_new))
    }

    /// Posts without a body and ignores the body of the answer.
    pub async fn command(&self, path: &str) -> Result<(), ClientError> {
        send(self.http.post(self.url(path)).timeout(CALL_TIMEOUT)).await.map(drop)
    }

    /// Deletes a document.
    pub async fn delete(&self, path: &str) -> Result<(), ClientError> {
        send(self.http.delete(self.url(path)).timeout(CALL_TIMEOUT)).await.map(drop)
    }

    /// Posts a body that is already JSON text. Returns when the headers of the answer have arrived.
    pub async fn post_text(
        &self,
        path: &str,
        body: impl Into<Body>,
    ) -> Result<Response, ClientError> {
        let request = self.http.post(self.url(path)).header(CONTENT_TYPE, "application/json");
        send(request.body(body).timeout(CALL_TIMEOUT)).await
    }

    /// Submits a batch, the JSON text of which is given, and returns the jobs.
    pub async fn submit_batch(&self, body: String) -> Result<Vec<Value>, ClientError> {
        let answer: Value = read(self.post_text("/jobs/batch", body).await?).await?;
        let jobs = answer.get("jobs").unwrap_or(&Value::Null);
        Vec::deserialize(jobs).map_err(|error| ClientError::unreadable(&error))
    }

    /// Gets a streamed answer, without a time limit. A stream of events begins after the last event
    /// that was received, if one is given.
    pub async fn stream(
        &self,
        path: &str,
        query: &Query<'_>,
        last_event: Option<&HeaderValue>,
    ) -> Result<Response, ClientError> {
        let mut request = self.http.get(self.url(path)).query(query);
        if let Some(id) = last_event {
            request = request.header("Last-Event-ID", id);
        }
        send(request).await
    }

    fn url(&self, path: &str) -> String {
        format!("{}{path}", self.base)
    }

    async fn answer<T: DeserializeOwned>(&self, request: RequestBuilder) -> Result<T, ClientError> {
        read(send(request.timeout(CALL_TIMEOUT)).await?).await
    }
}

async fn send(request: RequestBuilder) -> Result<Response, ClientError> {
    let response = request.send().await?;
    let status = response.status();
    if status.is_success() {
        return Ok(response);
    }
    Err(ClientError::from_answer(status, &response.bytes().await?))
}

async fn read<T: DeserializeOwned>(response: Response) -> Result<T, ClientError> {
    let body = response.bytes().await?;
    serde_json::from_slice(&body).map_err(|error| ClientError::unreadable(&error))
}

fn total_count(headers: &HeaderMap) -> Option<u64> {
    headers.get("x-total-count")?.to_str().ok()?.parse().ok()
}
