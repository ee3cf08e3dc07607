//! What an operator does through the API while everything breaks: drains workers, changes what they offer, sets
//! crons. A call that is not answered is made again, by the other API.

use std::time::{Duration, Instant};

use anyhow::Context;
use domain::capacity::CapacityMap;
use reqwest::Method;
use serde_json::{Value, json};

use crate::fleet::{Fleet, MEMBERS, Member, Role};
use crate::history::History;
use crate::load::{Line, bases, client, send};

/// How long a call is tried, and how long the fleet may take to be as it was.
const LIMIT: Duration = Duration::from_secs(60);
const PERIOD: Duration = Duration::from_millis(250);

/// The crons: their names, and what they do.
const CRONS: [(&str, &str); 3] = [("chaos-1", "trace"), ("chaos-2", "noop"), ("chaos-3", "noop")];

/// Permits of the one lock that has more than one.
pub(crate) const LICENCES: u32 = 3;

pub(crate) struct Operator<'a> {
    fleet: &'a Fleet,
    history: &'a History,
    line: Line,
}

impl<'a> Operator<'a> {
    pub(crate) fn new(fleet: &'a Fleet, history: &'a History) -> anyhow::Result<Operator<'a>> {
        let line = Line { client: client()?, bases: bases(fleet), first: 0 };
        Ok(Operator { fleet, history, line })
    }

    /// Sets the crons, and a history that keeps all that is judged.
    pub(crate) async fn prepare(&self) -> anyhow::Result<()> {
        let settings = json!({"jobHistoryToKeep": 500_000, "jobHistoryMaxAge": "24h"});
        self.must(Method::POST, "/meta/settings", &settings, &[202]).await?;
        let permits = json!({"name": "licence", "permits": LICENCES});
        self.must(Method::POST, "/locks", &permits, &[200, 202]).await?;
        for (name, action) in CRONS {
            let cron = json!({"name": name, "action": action, "schedule": "* * * * * *",
                "misfire": "all", "overlap": "allow", "parameters": {"how": "well", "ms": 20}});
            self.must(Method::POST, "/crons", &cron, &[202]).await?;
        }
        Ok(())
    }

    /// Waits until no cron is behind, and pauses them: from then on every tick must have its job.
    pub(crate) async fn end_crons(&self) -> anyhow::Result<()> {
        for (name, _) in CRONS {
            let until = Instant::now() + LIMIT;
            loop {
                let path = format!("/crons/{name}");
                let cron = self.must(Method::GET, &path, &Value::Null, &[200]).await?;
                let next = cron["nextRun"].as_str().unwrap_or_default();
                let next: chrono::DateTime<chrono::Utc> =
                    next.parse().with_context(|| format!("nextRun of {cron}"))?;
                if next > chrono::Utc::now() {
                    break;
                }
                if Instant::now() > until {
                    self.history.violated("4: no firing is missed", format!("{cron} is behind"));
                    break;
                }
                tokio::time::sleep(PERIOD).await;
            }
            self.must(Method::POST, &format!("/crons/{name}/pause"), &Value::Null, &[202]).await?;
        }
        Ok(())
    }

    /// Has this worker take no more jobs for a while.
    pub(crate) async fn drain(&self, who: &str, time: Duration) -> anyhow::Result<()> {
        self.once(who, "/drain", &Value::Null).await;
        tokio::time::sleep(time).await;
        self.heal(|member| member.name == who).await
    }

    /// Has this worker offer something else for a while.
    pub(crate) async fn offer(
        &self,
        who: &str,
        map: &CapacityMap,
        time: Duration,
    ) -> anyhow::Result<()> {
        self.once(who, "/capacity", &json!({"capacityMap": map})).await;
        tokio::time::sleep(time).await;
        self.heal(|member| member.name == who).await
    }

    /// Pauses an action or a class for a while.
    pub(crate) async fn pause(&self, what: &str, time: Duration) -> anyhow::Result<()> {
        self.call(Method::POST, &format!("{what}/pause"), &Value::Null, &[202]).await;
        tokio::time::sleep(time).await;
        self.must(Method::POST, &format!("{what}/resume"), &Value::Null, &[202]).await?;
        Ok(())
    }

    /// Makes workers be as they were: what an operator wanted of them is taken back. Tries for a while; whether it
    /// was enough shows when the fleet must be well.
    pub(crate) async fn heal(&self, which: impl Fn(&Member) -> bool) -> anyhow::Result<()> {
        let until = Instant::now() + LIMIT;
        while Instant::now() < until {
            let mut well = 0;
            let workers = self.workers().await.unwrap_or_default();
            for member in self.fleet.of(Role::Worker).filter(|member| which(member)) {
                let mine = workers.iter().filter(|worker| worker["name"] == member.name);
                let alive = |worker: &&Value| {
                    matches!(worker["status"].as_str(), Some("running" | "draining"))
                };
                let mine: Vec<&Value> = mine.filter(alive).collect();
                let offered = json!(member.capacity);
                let is_well = |worker: &&Value| {
                    worker["status"] == "running" && worker["capacityMap"] == offered
                };
                if mine.len() == 1 && mine.iter().all(is_well) {
                    well += 1;
                }
                for worker in mine {
                    let id = worker["id"].as_str().unwrap_or_default();
                    if worker["status"] == "draining" {
                        self.post(id, "/resume", &Value::Null).await;
                    }
                    if worker["capacityMap"] != offered {
                        self.post(id, "/capacity", &json!({"capacityMap": offered})).await;
                    }
                }
            }
            if well == self.fleet.of(Role::Worker).filter(|member| which(member)).count() {
                return Ok(());
            }
            tokio::time::sleep(PERIOD * 2).await;
        }
        Ok(())
    }

    /// Says it to the worker of this name, if it is there.
    async fn once(&self, who: &str, path: &str, body: &Value) {
        let workers = self.workers().await.unwrap_or_default();
        let found = workers.iter().find(|one| one["name"] == who && one["status"] == "running");
        match found.and_then(|worker| worker["id"].as_str()) {
            Some(id) => self.post(id, path, body).await,
            None => self.history.note(format!("  {who} is not there")),
        }
    }

    /// Says it to a worker, which may be gone meanwhile.
    async fn post(&self, id: &str, path: &str, body: &Value) {
        let path = format!("/workers/{id}{path}");
        self.call(Method::POST, &path, body, &[202, 404, 409]).await;
    }

    async fn workers(&self) -> Option<Vec<Value>> {
        let answer = self.call(Method::GET, "/workers", &Value::Null, &[200]).await?;
        answer["workers"].as_array().cloned()
    }

    async fn must(
        &self,
        method: Method,
        path: &str,
        body: &Value,
        answers: &[u16],
    ) -> anyhow::Result<Value> {
        let until = Instant::now() + LIMIT;
        loop {
            if let Some(answer) = self.call(method.clone(), path, body, answers).await {
                return Ok(answer);
            }
            anyhow::ensure!(Instant::now() < until, "{path} is not answered");
            tokio::time::sleep(PERIOD).await;
        }
    }

    /// By one API, or by the other.
    async fn call(
        &self,
        method: Method,
        path: &str,
        body: &Value,
        answers: &[u16],
    ) -> Option<Value> {
        for base in &self.line.bases {
            let mut request = self.line.client.request(method.clone(), format!("{base}{path}"));
            if !body.is_null() {
                request = request.json(body);
            }
            let (answer, text) = send(request, answers, path).await;
            for what in answer.wrong {
                self.history.violated("the API answers as documented", what);
            }
            if let Some(text) = text {
                return Some(serde_json::from_str(&text).unwrap_or_default());
            }
        }
        None
    }
}

/// Another capacity map for a worker: some units less, or more.
pub(crate) fn other_map(who: &str, dice: u32) -> CapacityMap {
    let offered = MEMBERS.iter().find(|member| member.0 == who).map_or("", |member| member.2);
    let mut map: CapacityMap = offered.parse::<CapacityMap>().unwrap_or_default().with_default();
    let units: Vec<(String, u32)> =
        map.iter().map(|(kind, units)| (kind.to_owned(), units)).collect();
    let text = units.iter().enumerate().map(|(at, (kind, units))| {
        let changed = match (dice >> (2 * at)) % 4 {
            0 => units / 2,
            1 => 1,
            2 => units + 1,
            _ => *units,
        };
        format!("{kind}={}", changed.max(1))
    });
    map = text.collect::<Vec<_>>().join(",").parse().unwrap_or(map);
    map
}
