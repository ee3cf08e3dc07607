//! An operator who uses the API during faults: drains workers, changes their capacity, pauses
//! actions and classes, and sets crons. Calls that are not answered are repeated through the other
//! API.

use std::time::{Duration, Instant};

use anyhow::Context;
use domain::capacity::CapacityMap;
use reqwest::Method;
use serde_json::{Value, json};

use crate::actions::{ACTION, COMMON_ACTION, COUNTED, PACED};
use crate::fleet::{Fleet, FleetProcess, Role};
use crate::history::History;
use crate::workload::ApiClient;

/// How long a call is repeated, and how long workers may take to be restored.
const LIMIT: Duration = Duration::from_secs(60);
const PERIOD: Duration = Duration::from_millis(250);

/// The crons: their names and actions.
const CRONS: [(&str, &str); 3] =
    [("chaos-1", ACTION), ("chaos-2", "noop"), ("chaos-3", COMMON_ACTION)];

/// The lock with more than one permit, and its permits.
pub(crate) const LICENCE: (&str, u32) = ("licence", 3);

pub(crate) struct Operator<'a> {
    fleet: &'a Fleet,
    history: &'a History,
    client: ApiClient,
}

impl<'a> Operator<'a> {
    pub(crate) fn new(fleet: &'a Fleet, history: &'a History) -> anyhow::Result<Operator<'a>> {
        Ok(Operator { fleet, history, client: ApiClient::new(fleet)? })
    }

    /// Sets the crons, the lock and the rate limits, and keeps enough job history for the checks.
    pub(crate) async fn configure(&self) -> anyhow::Result<()> {
        let settings = json!({"jobHistoryToKeep": 500_000, "jobHistoryMaxAge": "24h"});
        self.must(Method::POST, "/meta/settings", &settings, &[202]).await?;
        let permits = json!({"name": LICENCE.0, "permits": LICENCE.1});
        self.must(Method::POST, "/locks", &permits, &[200, 202]).await?;
        let limit = json!({"name": PACED.0, "rate": PACED.1, "per": "1s", "burst": PACED.2});
        self.must(Method::POST, "/limits", &limit, &[202]).await?;
        let limit = json!({"name": COUNTED.0, "quota": COUNTED.1, "window": "minute"});
        self.must(Method::POST, "/limits", &limit, &[202]).await?;
        for (name, action) in CRONS {
            let parameters = json!({"behaviour": "succeed", "ms": 20});
            let cron = json!({"name": name, "action": action, "schedule": "* * * * * *",
                "misfire": "all", "overlap": "allow", "parameters": parameters});
            self.must(Method::POST, "/crons", &cron, &[202]).await?;
        }
        Ok(())
    }

    /// Waits until no cron is behind and pauses the crons. Every tick until then must have its job.
    pub(crate) async fn pause_crons(&self) -> anyhow::Result<()> {
        for (name, _) in CRONS {
            let deadline = Instant::now() + LIMIT;
            loop {
                let path = format!("/crons/{name}");
                let cron = self.must(Method::GET, &path, &Value::Null, &[200]).await?;
                let next_run = cron["nextRun"].as_str().unwrap_or_default();
                let next_run: chrono::DateTime<chrono::Utc> =
                    next_run.parse().with_context(|| format!("nextRun of {cron}"))?;
                if next_run > chrono::Utc::now() {
                    break;
                }
                if Instant::now() > deadline {
                    let details = format!("{cron} is behind");
                    self.history.add_violation("no firing is missed", details);
                    break;
                }
                tokio::time::sleep(PERIOD).await;
            }
            self.must(Method::POST, &format!("/crons/{name}/pause"), &Value::Null, &[202]).await?;
        }
        Ok(())
    }

    /// Drains a worker for some time.
    pub(crate) async fn drain(&self, worker: &str, time: Duration) -> anyhow::Result<()> {
        self.command_named(worker, "/drain", &Value::Null).await;
        tokio::time::sleep(time).await;
        self.restore_workers(|process| process.name == worker).await
    }

    /// Changes the capacity of a worker for some time.
    pub(crate) async fn change_capacity(
        &self,
        worker: &str,
        capacity: &CapacityMap,
        time: Duration,
    ) -> anyhow::Result<()> {
        self.command_named(worker, "/capacity", &json!({"capacityMap": capacity})).await;
        tokio::time::sleep(time).await;
        self.restore_workers(|process| process.name == worker).await
    }

    /// Pauses an action or a class, given by its path, for some time.
    pub(crate) async fn pause(&self, path: &str, time: Duration) -> anyhow::Result<()> {
        self.call(Method::POST, &format!("{path}/pause"), &Value::Null, &[202]).await;
        tokio::time::sleep(time).await;
        self.must(Method::POST, &format!("{path}/resume"), &Value::Null, &[202]).await?;
        Ok(())
    }

    /// Resumes these actions and classes: Redis may have lost that they were resumed before.
    pub(crate) async fn resume(&self, paths: &[&str]) -> anyhow::Result<()> {
        for path in paths {
            self.must(Method::POST, &format!("{path}/resume"), &Value::Null, &[202]).await?;
        }
        Ok(())
    }

    /// Resumes drained workers and restores their capacity. Gives up after a while: whether the
    /// fleet recovers is checked later.
    pub(crate) async fn restore_workers(
        &self,
        which: impl Fn(&FleetProcess) -> bool,
    ) -> anyhow::Result<()> {
        let deadline = Instant::now() + LIMIT;
        while Instant::now() < deadline {
            let workers = self.workers().await.unwrap_or_default();
            let mut all_restored = true;
            for process in self.fleet.of(Role::Worker).filter(|process| which(process)) {
                all_restored &= self.restore(process, &workers).await;
            }
            if all_restored {
                return Ok(());
            }
            tokio::time::sleep(PERIOD * 2).await;
        }
        Ok(())
    }

    /// Sends a worker the commands that restore it. Returns whether none was needed.
    async fn restore(&self, process: &FleetProcess, workers: &[Value]) -> bool {
        let is_alive = |worker: &&Value| {
            let status = worker["status"].as_str();
            worker["name"] == process.name && matches!(status, Some("running" | "draining"))
        };
        let alive: Vec<&Value> = workers.iter().filter(is_alive).collect();
        let capacity = json!(process.capacity);
        let mut is_restored = alive.len() == 1;
        for worker in alive {
            let id = worker["id"].as_str().unwrap_or_default();
            if worker["status"] == "draining" {
                is_restored = false;
                self.command(id, "/resume", &Value::Null).await;
            }
            if worker["capacityMap"] != capacity {
                is_restored = false;
                self.command(id, "/capacity", &json!({"capacityMap": capacity})).await;
            }
        }
        is_restored
    }

    /// Sends a command to the worker of this name, if it runs.
    async fn command_named(&self, name: &str, path: &str, body: &Value) {
        let workers = self.workers().await.unwrap_or_default();
        let found = workers.iter().find(|one| one["name"] == name && one["status"] == "running");
        match found.and_then(|worker| worker["id"].as_str()) {
            Some(id) => self.command(id, path, body).await,
            None => self.history.log(format!("  {name} does not run")),
        }
    }

    /// Sends a command to a worker, which may have ended meanwhile.
    async fn command(&self, id: &str, path: &str, body: &Value) {
        let path = format!("/workers/{id}{path}");
        self.call(Method::POST, &path, body, &[202, 404, 409]).await;
    }

    async fn workers(&self) -> Option<Vec<Value>> {
        let answer = self.call(Method::GET, "/workers", &Value::Null, &[200]).await?;
        answer["workers"].as_array().cloned()
    }

    /// Repeats a call until it is answered; fails after a while.
    async fn must(
        &self,
        method: Method,
        path: &str,
        body: &Value,
        statuses: &[u16],
    ) -> anyhow::Result<Value> {
        let deadline = Instant::now() + LIMIT;
        loop {
            if let Some(answer) = self.call(method.clone(), path, body, statuses).await {
                return Ok(answer);
            }
            anyhow::ensure!(Instant::now() < deadline, "no API answers {path}");
            tokio::time::sleep(PERIOD).await;
        }
    }

    async fn call(
        &self,
        method: Method,
        path: &str,
        body: &Value,
        statuses: &[u16],
    ) -> Option<Value> {
        let (answer, unexpected) = self.client.call_any(&method, path, body, statuses).await;
        for details in unexpected {
            self.history.add_violation("the API answers as documented", details);
        }
        answer
    }
}
