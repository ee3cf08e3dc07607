//! The calls of one request: it is submitted, and later asked for what its kind has asked for.

use std::time::Duration;

use domain::job::JobId;
use futures_util::future::join_all;
use rand::RngExt;
use rand::rngs::ChaCha8Rng;
use reqwest::{Client, Method, RequestBuilder, StatusCode};
use serde_json::{Value, json};

use super::{Answer, Asked};
use crate::history::now_us;
use crate::mix::{Kind, Sent, Then};

/// So often a request with a key is sent until it is acknowledged, and how long after another.
const TRIES: usize = 30;
const BETWEEN: Duration = Duration::from_millis(500);
/// What a request to cancel all that match says when it has come to the end.
const NONE_LEFT: &str = "\"left\":0}";

/// The way to the APIs, one of them first.
#[derive(Clone)]
pub(crate) struct Line {
    pub(crate) client: Client,
    pub(crate) bases: Vec<String>,
    pub(crate) first: usize,
}

/// What makes the jobs of one request, each time that it is sent.
struct Request {
    asked: Asked,
    jobs: Vec<Value>,
    key: Option<String>,
}

impl Line {
    /// Submits a request's jobs, and asks of them what their kind has asked of it later.
    pub(super) async fn live(
        &self,
        kind: &'static Kind,
        jobs: Vec<Value>,
        mut dice: ChaCha8Rng,
    ) -> Answer {
        let retries = jobs.first().and_then(|job| job["retries"].as_u64()).unwrap_or(0) as u32;
        let key = (kind.sent == Sent::Keyed).then(|| format!("{:032x}", dice.random::<u128>()));
        let request = Request { asked: Asked { kind, retries }, jobs, key };
        let mut answer = match kind.sent {
            Sent::Once => self.submit(&request, self.first).await,
            Sent::Together => self.both(&request).await,
            Sent::Keyed => self.until_acknowledged(&request).await,
        };
        let ids: Vec<JobId> = answer.acknowledged.iter().map(|(id, _)| *id).collect();
        for then in kind.then {
            let pause = Duration::from_millis(dice.random_range(then.after_ms.clone()));
            tokio::time::sleep(pause).await;
            for id in &ids {
                answer.add(self.then(then, *id, request.asked).await);
            }
        }
        answer
    }

    async fn then(&self, then: &Then, id: JobId, asked: Asked) -> Answer {
        let path = then.path.replace("{id}", &id.to_string());
        let url = format!("{}{path}", self.bases[self.first]);
        let mut request = self.client.request(then.method.clone(), url);
        if !then.body.is_empty() {
            request = request.header("content-type", "application/json").body(then.body);
        }
        let (mut answer, text) = send(request, then.answers, &path).await;
        let Some(text) = text else { return answer };
        if then.method == Method::DELETE {
            answer.deleted.push(id);
        } else if then.path.ends_with("/retry") {
            answer.acknowledged.extend(ids_in(&text).into_iter().map(|id| (id, asked)));
        } else if then.path.contains("/cancel") && (text.is_empty() || text.ends_with(NONE_LEFT)) {
            answer.cancelled.push((id, now_us()));
        }
        answer
    }

    /// By both APIs at once.
    async fn both(&self, request: &Request) -> Answer {
        let mut answer = Answer::default();
        for one in join_all((0..2).map(|at| self.submit(request, self.first + at))).await {
            answer.add(one);
        }
        answer
    }

    /// By both at once, then again until one says yes, and once more: it must always be the same jobs.
    async fn until_acknowledged(&self, request: &Request) -> Answer {
        let mut answer = self.both(request).await;
        for at in 0..TRIES {
            if !answer.acknowledged.is_empty() {
                break;
            }
            tokio::time::sleep(BETWEEN).await;
            answer.add(self.submit(request, at).await);
        }
        answer.add(self.submit(request, self.first).await);
        let mut made: Vec<JobId> = answer.acknowledged.iter().map(|(id, _)| *id).collect();
        made.sort();
        made.dedup();
        if !made.is_empty() && made.len() != request.jobs.len() {
            let (key, count) = (request.key.as_deref().unwrap_or_default(), request.jobs.len());
            answer.wrong.push(format!("key {key} of {count} jobs was answered with {made:?}"));
        }
        answer
    }

    async fn submit(&self, request: &Request, at: usize) -> Answer {
        let Request { asked, jobs, key } = request;
        let (path, body) = match &jobs[..] {
            [one] => ("/jobs", one.clone()),
            _ => ("/jobs/batch", json!({"jobs": jobs})),
        };
        let base = &self.bases[at % self.bases.len()];
        let mut call = self.client.post(format!("{base}{path}")).json(&body);
        if let Some(key) = key {
            call = call.header("Idempotency-Key", key);
        }
        let answers: &[u16] = if asked.kind.sent == Sent::Together { &[200, 202] } else { &[202] };
        let (mut answer, text) = send(call, answers, path).await;
        let Some(text) = text else { return answer };
        answer.acknowledged = ids_in(&text).into_iter().map(|id| (id, *asked)).collect();
        if answer.acknowledged.len() != jobs.len() {
            answer.wrong.push(format!("{} was answered {text}", asked.kind.name));
        }
        answer
    }

    pub(super) async fn call(&self, method: Method, path: &str, answers: &[u16]) -> Answer {
        let request = self.client.request(method, format!("{}{path}", self.bases[self.first]));
        send(request, answers, path).await.0
    }
}

/// Sends a request; the text of an answer that is as it should be.
pub(crate) async fn send(
    request: RequestBuilder,
    answers: &[u16],
    path: &str,
) -> (Answer, Option<String>) {
    let away = || (Answer { away: 1, ..Answer::default() }, None);
    let Ok(response) = request.send().await else { return away() };
    let status = response.status();
    let Ok(text) = response.text().await else { return away() };
    if status == StatusCode::SERVICE_UNAVAILABLE {
        return away();
    }
    if !answers.contains(&status.as_u16()) {
        let wrong = vec![format!("{path} was answered {status}: {text}")];
        return (Answer { wrong, ..Answer::default() }, None);
    }
    (Answer::default(), Some(text))
}

fn ids_in(text: &str) -> Vec<JobId> {
    let document: Value = serde_json::from_str(text).unwrap_or_default();
    let made = match document["jobs"].as_array() {
        Some(all) => all.clone(),
        None => vec![document],
    };
    made.iter().filter_map(|job| job["id"].as_str()?.parse().ok()).collect()
}
