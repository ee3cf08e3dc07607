//! A simulated worker: performs the store operations of a worker.

use std::time::Duration;

use domain::job::{Exception, FencingToken, JobId, Outcome, WorkerId};
use serde_json::Value;
use store::{
    AppendAnswer, ClaimAnswer, ClaimRequest, Claims, Finish, FinishAnswer, Heartbeat,
    HeartbeatReply, LogSource, NewLogLine,
};

use crate::env::TestEnv;

impl TestEnv {
    /// Adds a worker that offers this capacity and knows these actions.
    pub(crate) async fn worker(&self, map: &str, actions: &[&str]) -> WorkerId {
        let worker = WorkerId::random();
        assert!(matches!(self.heartbeat(&worker, map, actions).await, HeartbeatReply::Renewed(..)));
        worker
    }

    /// Sends a heartbeat of such a worker.
    pub(crate) async fn heartbeat(
        &self,
        worker: &WorkerId,
        map: &str,
        actions: &[&str],
    ) -> HeartbeatReply {
        self.heartbeat_with(worker, (map, map), actions, Duration::from_secs(60)).await
    }

    /// Sends a heartbeat of a worker of whose capacity only a part is free, or with another lease.
    pub(crate) async fn heartbeat_with(
        &self,
        worker: &WorkerId,
        (map, free): (&str, &str),
        actions: &[&str],
        lease: Duration,
    ) -> HeartbeatReply {
        let heartbeat = Heartbeat {
            worker: worker.clone(),
            lease,
            name: "simulated".to_owned(),
            version: "1.2.3".to_owned(),
            free: free.parse().unwrap(),
            capacity_map: map.parse().unwrap(),
            actions: actions.iter().map(|name| name.parse().unwrap()).collect(),
            running: Vec::new(),
            noted: FencingToken(0),
        };
        self.store.heartbeat(&heartbeat).await.unwrap()
    }

    /// Tries to claim a job.
    pub(crate) async fn try_claim(&self, worker: &WorkerId, id: JobId) -> ClaimAnswer {
        let requests = [ClaimRequest { max: 1, ids: vec![id] }];
        let claims = self.store.claim(worker, &requests).await.unwrap();
        let Claims::Answered(answers) = &claims else { panic!("{claims:?}") };
        answers[0][0].clone()
    }

    /// Tries to claim a job, which must be parked because its lock is held.
    pub(crate) async fn park(&self, worker: &WorkerId, id: JobId) {
        let answer = self.try_claim(worker, id).await;
        assert!(matches!(answer, ClaimAnswer::Parked(_)), "{answer:?}");
    }

    /// Claims a job and returns its fencing token.
    pub(crate) async fn claim(&self, worker: &WorkerId, id: JobId) -> FencingToken {
        match &self.try_claim(worker, id).await {
            ClaimAnswer::Claimed(claimed) => claimed.token,
            refused @ (ClaimAnswer::Gone
            | ClaimAnswer::Refused(_)
            | ClaimAnswer::Parked(_)
            | ClaimAnswer::Unreadable(..)
            | ClaimAnswer::Failed(_)) => {
                panic!("{refused:?}")
            }
        }
    }

    /// Adds lines to the log of a job.
    pub(crate) async fn log(&self, id: JobId, token: FencingToken, first: u64, lines: &[&str]) {
        let line = |text: &&str| NewLogLine::now(LogSource::Stdout, *text);
        let lines: Vec<NewLogLine> = lines.iter().map(line).collect();
        assert_eq!(
            self.store.append_log(id, token, first, &lines).await.unwrap(),
            AppendAnswer::Recorded
        );
    }

    /// Finishes a job with a result.
    pub(crate) async fn finish(&self, id: JobId, token: FencingToken, result: Option<Value>) {
        self.end(id, token, Outcome::Done(result)).await;
    }

    /// Finishes a job with an error.
    pub(crate) async fn fail(&self, id: JobId, token: FencingToken) {
        let exception = Exception::new("ExitCode", "it exited with 1");
        self.end(id, token, Outcome::Error(exception)).await;
    }

    /// Finishes a job that was cancelled.
    pub(crate) async fn finish_cancelled(&self, id: JobId, token: FencingToken) {
        self.end(id, token, Outcome::Cancel).await;
    }

    /// Finishes a job with any outcome.
    pub(crate) async fn end(&self, id: JobId, token: FencingToken, outcome: Outcome) {
        let follow_up = JobId::random();
        let end = Finish { id, token, outcome, follow_up, jitter: 0.0 };
        let ended = self.store.finish(&[end]).await.unwrap();
        assert!(matches!(ended[0], FinishAnswer::Recorded(_)), "{ended:?}");
    }
}
