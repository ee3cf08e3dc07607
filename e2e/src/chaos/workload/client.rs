//! Calls the HTTP APIs of the fleet as a client would: with idempotency keys, through two APIs at
//! once, and about one job again and again.

use std::time::Duration;

use domain::job::JobId;
use futures_util::future::join_all;
use rand::RngExt;
use rand::rngs::ChaCha8Rng;
use reqwest::{Client, Method, RequestBuilder, StatusCode};
use serde_json::{Value, json};

use super::kinds::{BATCHED, JobKind, LaterCall, SubmitMode};
use super::ledger::{CallResult, Expectation};
use crate::fleet::{Fleet, Role};
use crate::history::now_us;

const CALL_LIMIT: Duration = Duration::from_secs(10);
/// How often a submission with an idempotency key is sent until it is acknowledged.
const MAX_ATTEMPTS: usize = 30;
const RETRY_PERIOD: Duration = Duration::from_millis(500);
/// How the answer to a cancellation by filter ends when it has cancelled all matching jobs.
const NONE_LEFT: &str = "\"left\":0}";

/// How the API refuses a job that has expired already.
const EXPIRED: &str = "expiresAt: it is in the past";

/// A client of all APIs of the fleet.
#[derive(Clone)]
pub(crate) struct ApiClient {
    http: Client,
    bases: Vec<String>,
    /// The API that is called first.
    first: usize,
}

/// A submission, which may be sent several times.
struct Submission {
    expectation: Expectation,
    jobs: Vec<Value>,
    idempotency_key: Option<String>,
}

impl ApiClient {
    pub(crate) fn new(fleet: &Fleet) -> anyhow::Result<ApiClient> {
        let http = Client::builder().no_proxy().timeout(CALL_LIMIT).build()?;
        let bases = fleet.of(Role::Api).map(|api| format!("{}/api/v0", api.url)).collect();
        Ok(ApiClient { http, bases, first: 0 })
    }

    pub(super) fn starting_at(&self, first: usize) -> ApiClient {
        ApiClient { first, ..self.clone() }
    }

    pub(super) fn api_count(&self) -> usize {
        self.bases.len()
    }

    /// Submits jobs, and then makes the later calls of their kind.
    pub(super) async fn submit_and_follow(
        &self,
        kind: &'static JobKind,
        jobs: Vec<Value>,
        mut rng: ChaCha8Rng,
    ) -> CallResult {
        let retries = jobs.first().and_then(|job| job["retries"].as_u64()).unwrap_or(0) as u32;
        let with_key = kind.mode == SubmitMode::WithIdempotencyKey;
        let idempotency_key = with_key.then(|| format!("{:032x}", rng.random::<u128>()));
        let expectation = Expectation { kind, retries };
        let submission = Submission { expectation, jobs, idempotency_key };
        let mut result = match kind.mode {
            SubmitMode::Once => self.submit(&submission, self.first).await,
            SubmitMode::ToBothApis => self.submit_to_both(&submission).await,
            SubmitMode::WithIdempotencyKey => self.submit_until_acknowledged(&submission).await,
        };
        let ids: Vec<JobId> = result.acknowledged.iter().map(|(id, _)| *id).collect();
        for call in kind.later_calls {
            let pause = Duration::from_millis(rng.random_range(call.after_ms.clone()));
            tokio::time::sleep(pause).await;
            for id in &ids {
                result.merge(self.call_about(*id, call, expectation).await);
            }
        }
        result
    }

    /// Makes one later call about a job.
    async fn call_about(
        &self,
        id: JobId,
        call: &LaterCall,
        expectation: Expectation,
    ) -> CallResult {
        let path = call.path.replace("{id}", &id.to_string());
        let url = format!("{}{path}", self.bases[self.first]);
        let mut request = self.http.request(call.method.clone(), url);
        if !call.body.is_empty() {
            request = request.header("content-type", "application/json").body(call.body);
        }
        let (mut result, text) = send(request, call.statuses, &path).await;
        let Some(text) = text else { return result };
        if call.method == Method::DELETE {
            result.deleted.push(id);
        } else if call.path.ends_with("/retry") {
            result.acknowledged.extend(ids_in(&text).into_iter().map(|id| (id, expectation)));
        } else if call.path.contains("/signals/") {
            // An error names the job by its id, a success by its jobID.
            if text.contains("\"jobID\"") {
                result.signalled.push((id, call.body));
            }
        } else if call.path.contains("/cancel") && (text.is_empty() || text.ends_with(NONE_LEFT)) {
            result.cancelled.push((id, now_us()));
        }
        result
    }

    /// Sends a submission to two APIs at once.
    async fn submit_to_both(&self, submission: &Submission) -> CallResult {
        let mut result = CallResult::default();
        let calls = (0..2).map(|offset| self.submit(submission, self.first + offset));
        for one in join_all(calls).await {
            result.merge(one);
        }
        result
    }

    /// Sends a submission to two APIs at once, then again until it is acknowledged, and once more.
    /// All answers must name the same jobs.
    async fn submit_until_acknowledged(&self, submission: &Submission) -> CallResult {
        let mut result = self.submit_to_both(submission).await;
        for attempt in 0..MAX_ATTEMPTS {
            if !result.acknowledged.is_empty() {
                break;
            }
            tokio::time::sleep(RETRY_PERIOD).await;
            result.merge(self.submit(submission, attempt).await);
        }
        result.merge(self.submit(submission, self.first).await);
        let mut created: Vec<JobId> = result.acknowledged.iter().map(|(id, _)| *id).collect();
        created.sort();
        created.dedup();
        let is_batched = submission.expectation.kind.name == BATCHED;
        if !created.is_empty() && created.len() != submission.jobs.len() && !is_batched {
            let key = submission.idempotency_key.as_deref().unwrap_or_default();
            let count = submission.jobs.len();
            let details = format!("{count} jobs with the key {key} became the jobs {created:?}");
            result.unexpected.push(details);
        }
        result
    }

    async fn submit(&self, submission: &Submission, api: usize) -> CallResult {
        let Submission { expectation, jobs, idempotency_key } = submission;
        let (path, body) = match &jobs[..] {
            [job] => ("/jobs", job.clone()),
            _ => ("/jobs/batch", json!({"jobs": jobs})),
        };
        let base = &self.bases[api % self.bases.len()];
        let mut request = self.http.post(format!("{base}{path}")).json(&body);
        if let Some(key) = idempotency_key {
            request = request.header("Idempotency-Key", key);
        }
        let is_batched = expectation.kind.name == BATCHED;
        let may_exist = expectation.kind.mode == SubmitMode::ToBothApis || is_batched;
        // During an outage, a submission may arrive after its job has expired.
        let may_expire = jobs.iter().any(|job| !job["expiresAt"].is_null());
        let statuses: &[u16] = match (may_exist, may_expire) {
            (true, _) => &[200, 202],
            (false, true) => &[202, 400],
            (false, false) => &[202],
        };
        let (mut result, text) = send(request, statuses, path).await;
        let Some(text) = text else { return result };
        if text.contains(EXPIRED) {
            return result;
        }
        result.acknowledged = ids_in(&text).into_iter().map(|id| (id, *expectation)).collect();
        if result.acknowledged.len() != jobs.len() {
            result.unexpected.push(format!("{} was answered {text}", expectation.kind.name));
        }
        if is_batched {
            let marks = jobs.iter().filter_map(|job| job["parameters"]["mark"].as_u64());
            let ids = result.acknowledged.iter().map(|(id, _)| *id);
            result.batched = marks.zip(ids).collect();
        }
        result
    }

    /// Makes one call without a body to the first API.
    pub(super) async fn call(&self, method: Method, path: &str, statuses: &[u16]) -> CallResult {
        let request = self.http.request(method, format!("{}{path}", self.bases[self.first]));
        send(request, statuses, path).await.0
    }

    /// Makes a call to one API after the other until one of them answers. Returns the answer, and
    /// the answers that are not documented.
    pub(crate) async fn call_any(
        &self,
        method: &Method,
        path: &str,
        body: &Value,
        statuses: &[u16],
    ) -> (Option<Value>, Vec<String>) {
        let mut unexpected = Vec::new();
        for base in &self.bases {
            let mut request = self.http.request(method.clone(), format!("{base}{path}"));
            if !body.is_null() {
                request = request.json(body);
            }
            let (result, text) = send(request, statuses, path).await;
            unexpected.extend(result.unexpected);
            if let Some(text) = text {
                return (Some(serde_json::from_str(&text).unwrap_or_default()), unexpected);
            }
        }
        (None, unexpected)
    }
}

/// Sends a request. Returns the body if the status is among the expected ones.
async fn send(
    request: RequestBuilder,
    statuses: &[u16],
    path: &str,
) -> (CallResult, Option<String>) {
    let unavailable = || (CallResult { unavailable: 1, ..CallResult::default() }, None);
    let Ok(response) = request.send().await else { return unavailable() };
    let status = response.status();
    let Ok(text) = response.text().await else { return unavailable() };
    if status == StatusCode::SERVICE_UNAVAILABLE {
        return unavailable();
    }
    if !statuses.contains(&status.as_u16()) {
        let unexpected = vec![format!("{path} was answered {status}: {text}")];
        return (CallResult { unexpected, ..CallResult::default() }, None);
    }
    (CallResult::default(), Some(text))
}

fn ids_in(text: &str) -> Vec<JobId> {
    let document: Value = serde_json::from_str(text).unwrap_or_default();
    let jobs = match document["jobs"].as_array() {
        Some(jobs) => jobs.clone(),
        None => vec![document],
    };
    jobs.iter().filter_map(|job| job["id"].as_str()?.parse().ok()).collect()
}
