//! Requests to this surface, its responses, and jobs in every state.

use domain::job::{FencingToken, JobId};
use serde_json::{Value, json};
use tokio::io::{AsyncReadExt, AsyncWriteExt};
use tokio::net::TcpStream;

use crate::env::{Answer, TestEnv, redis_url, send};

impl TestEnv {
    /// Gets a path of this surface.
    pub(crate) async fn get_v1(&self, path: &str) -> Answer {
        send(self.client.get(format!("{}/api/v1.0{path}", self.url))).await
    }

    /// Puts JSON to the path of a job.
    pub(super) async fn put_v1(&self, number: u64, body: &Value) -> Answer {
        let url = format!("{}/api/v1.0/job/{number}", self.url);
        send(self.client.put(url).json(body)).await
    }

    /// Submits a job and claims it.
    pub(super) async fn submit_running(&self, action: &str) -> (JobId, FencingToken) {
        let worker = self.worker("default=16", &[action]).await;
        let id = self.submit(&json!({"action": action, "comment": "Night of 50%"})).await;
        (id, self.claim(&worker, id).await)
    }
}

/// Returns the numbers of the jobs in a response.
pub(super) fn numbers(answer: &Answer) -> Vec<u64> {
    assert_eq!(answer.status, 200, "{}", answer.text);
    let json = answer.json();
    assert_eq!(json["status"], "success");
    let jobs = json["data"]["jobs"].as_array().unwrap().iter();
    jobs.map(|job| job["id"].as_u64().unwrap()).collect()
}

/// Returns the status and the message of an error, which must have the shape of the surface.
pub(super) fn error(answer: &Answer) -> String {
    let json = answer.json();
    assert_eq!(json["status"], "error", "{}", answer.text);
    assert_eq!(json.as_object().unwrap().len(), 2, "{}", answer.text);
    format!("{} {}", answer.status, json["message"].as_str().unwrap())
}

/// Creates jobs 1 to 8: scheduled, running, finished, failed, aborted, aborting, scheduled in 2100,
/// and the next job of job 3.
pub(super) async fn submit_eight(env: &TestEnv) {
    env.submit(&json!({"action": "gc", "ticketRef": "OPS-1"})).await;
    env.submit_running("scan").await;
    let (third, token) = env.submit_running("sync_devices").await;
    let tasks = json!([{"task_name": "push"}, {"task_name": "generate"}, {"task_name": "sync"}]);
    let result = json!({"change_score": 21, "devices": {"eosdist": {"job_tasks": tasks}}});
    env.finish(third, token, Some(result)).await;
    let (failed, token) = env.submit_running("scan").await;
    env.fail(failed, token).await;
    let aborted = env.submit(&json!({"action": "gc"})).await;
    assert_eq!(env.command(&format!("/jobs/{aborted}/cancel")).await.status, 204);
    let (aborting, _) = env.submit_running("scan").await;
    assert_eq!(env.command(&format!("/jobs/{aborting}/cancel")).await.status, 204);
    env.submit(&json!({"action": "gc", "scheduledAt": "2100-01-01T00:00:00.5Z"})).await;
    let last = env.submit(&json!({"action": "gc"})).await;
    link(env, third, last).await;
}

/// Makes one job the next job of another, which no request can do.
async fn link(env: &TestEnv, from: JobId, to: JobId) {
    let keys = env.store.keys_of_namespace().await.unwrap();
    let key = keys.iter().find(|key| key.ends_with(&format!("job:{from}"))).unwrap();
    let url = redis_url();
    let address = url.trim_start_matches("redis://").split('/').next().unwrap();
    let mut connection = TcpStream::connect(address).await.unwrap();
    connection.write_all(format!("HSET {key} next {to}\r\n").as_bytes()).await.unwrap();
    let mut answer = [0; 4];
    connection.read_exact(&mut answer).await.unwrap();
    assert_eq!(&answer, b":1\r\n");
}
