//! Part three: crons of the file that the schedulers were given. One does real work every few seconds, each time at
//! exactly its tick; the two of DTR's manual say when they come next.

use std::collections::BTreeMap;
use std::time::Duration;

use chrono::{DateTime, Days, NaiveTime, Utc};
use serde_json::Value;
use shared::job::{JobId, Status, Timestamp};

use super::digests::is_digest_line;
use super::{Part, Stage};
use crate::api::Api;
use crate::failure::Failure;
use crate::jobs::wait::until_over;
use crate::out;
use crate::wire::{Cron, Crons, Job, LogLine};

const WORKING: &str = "digest";
/// It fires so often.
const EVERY_MS: i64 = 3_000;
const FIRINGS: usize = 2;
const PAUSE: Duration = Duration::from_millis(200);
/// The crons of the manual, and the time of day at which they fire.
const MANUAL: [(&str, (u32, u32, u32)); 2] =
    [("license_update", (3, 54, 57)), ("update_db", (3, 0, 0))];

/// Plays it.
pub(super) async fn play(stage: &Stage<'_>) -> Result<Part, Failure> {
    let crons: Crons = stage.api.get("/crons").await?;
    let crons: BTreeMap<String, Cron> =
        crons.crons.into_iter().map(|cron| (cron.name.clone(), cron)).collect();
    let mut wrong = wrong_times(&crons, Utc::now());
    let jobs = if crons.contains_key(WORKING) { watch(stage).await? } else { Vec::new() };
    let mut digests = 0;
    for job in &jobs {
        let log: Vec<LogLine> = stage.api.get(&format!("/jobs/{}/logs", job.id)).await?;
        match why_wrong(job, &log) {
            None => digests += 1,
            Some(why) => wrong.push(format!("job {} of cron {WORKING}: {why}", job.id)),
        }
    }
    let crons: Crons = stage.api.get("/crons").await?;
    Ok(Part { table: table(&crons.crons), jobs: jobs.len(), digests, wrong })
}

/// The next jobs of the cron that works, when they are over.
async fn watch(stage: &Stage<'_>) -> Result<Vec<Job>, Failure> {
    let mut seen: Vec<JobId> = Vec::new();
    let first = last_job(stage.api).await?;
    while seen.len() < FIRINGS {
        if stage.left().is_zero() {
            return Err(Failure::Late(format!("cron {WORKING} fired {} times", seen.len())));
        }
        tokio::time::sleep(PAUSE).await;
        match last_job(stage.api).await? {
            Some(id) if Some(id) != first && !seen.contains(&id) => seen.push(id),
            _ => {}
        }
    }
    let ended = until_over(stage.api, &seen, Some(stage.left())).await?;
    Ok(ended.into_iter().map(|one| one.job).collect())
}

async fn last_job(api: &Api) -> Result<Option<JobId>, Failure> {
    let cron: Value = api.get(&format!("/crons/{WORKING}")).await?;
    Ok(cron["lastJobID"].as_str().and_then(|id| id.parse().ok()))
}

/// Why a job of the cron is not as it should be.
fn why_wrong(job: &Job, log: &[LogLine]) -> Option<String> {
    if job.status != Status::Done {
        return Some(format!("ended as {}", job.status));
    }
    if job.scheduled_at.ms() % EVERY_MS != 0 {
        return Some(format!("is scheduled at {}, which is no tick", job.scheduled_at));
    }
    let digest = log.iter().any(|line| is_digest_line(line.data.trim_end()));
    (!digest).then(|| "its log has no digest".to_owned())
}

/// Which crons of the manual are not there, or say another next run than the one that follows from the time.
fn wrong_times(crons: &BTreeMap<String, Cron>, now: DateTime<Utc>) -> Vec<String> {
    let mut wrong = Vec::new();
    if !crons.contains_key(WORKING) {
        wrong.push(format!("there is no cron {WORKING}: has the scheduler its CAPSTAN_CRONS?"));
    }
    for (name, (hour, minute, second)) in MANUAL {
        let found = crons.get(name).and_then(|cron| cron.next_run);
        // A look at the very moment of a tick may come before or after it.
        let mut right = [now - Duration::from_secs(5), now].into_iter();
        if !right.any(|now| found.is_some() && found == next(now, (hour, minute, second))) {
            let found = found.map_or("nothing".to_owned(), |found| found.to_string());
            wrong.push(format!("the next run of cron {name} is {found}"));
        }
    }
    wrong
}

/// The next time that it is so late in the day: worked out by hand, without the code that is judged.
fn next(now: DateTime<Utc>, (hour, minute, second): (u32, u32, u32)) -> Option<Timestamp> {
    let time = NaiveTime::from_hms_opt(hour, minute, second)?;
    let today = now.date_naive().and_time(time).and_utc();
    let next = if today > now { today } else { today.checked_add_days(Days::new(1))? };
    Some(Timestamp::from_ms(next.timestamp_millis()))
}

fn table(crons: &[Cron]) -> String {
    let rows = crons.iter().map(|cron| {
        vec![
            cron.name.clone(),
            cron.schedule.clone(),
            cron.next_run.map(|next| next.to_string()).unwrap_or_default(),
            cron.last_run.map(|last| last.to_string()).unwrap_or_default(),
            cron.fired.to_string(),
            cron.skipped.to_string(),
        ]
    });
    out::table(&["CRON", "SCHEDULE", "NEXT RUN", "LAST RUN", "FIRED", "SKIPPED"], rows)
}

#[cfg(test)]
mod tests {
    use super::*;
    use serde_json::json;

    fn cron(name: &str, next: &str) -> (String, Cron) {
        let document = json!({"name": name, "action": name, "schedule": "", "nextRun": next});
        (name.to_owned(), serde_json::from_value(document).unwrap())
    }

    #[test]
    fn the_crons_of_the_manual_must_come_next_when_it_says() {
        let now: DateTime<Utc> = "2017-02-21T12:00:00Z".parse().unwrap();
        let right = BTreeMap::from([
            cron(WORKING, "2017-02-21T12:00:03Z"),
            cron("license_update", "2017-02-22T03:54:57Z"),
            cron("update_db", "2017-02-22T03:00:00Z"),
        ]);
        assert_eq!(wrong_times(&right, now), Vec::<String>::new());
        let late = BTreeMap::from([cron("license_update", "2017-02-22T03:54:58Z")]);
        assert_eq!(
            wrong_times(&late, now),
            [
                "there is no cron digest: has the scheduler its CAPSTAN_CRONS?",
                "the next run of cron license_update is 2017-02-22T03:54:58Z",
                "the next run of cron update_db is nothing",
            ]
        );
    }

    #[test]
    fn a_job_that_failed_or_is_beside_its_tick_is_wrong() {
        let job = |status: &str, at: &str| -> Job {
            let id = JobId::random();
            let document = json!({"id": id, "action": "a", "status": status, "scheduledAt": at});
            serde_json::from_value(document).unwrap()
        };
        let log = [LogLine { data: format!("{}  /usr/bin/env", "a".repeat(64)), number: 0 }];
        let tick = "2026-11-20T16:30:03Z";
        assert_eq!(why_wrong(&job("done", tick), &log), None);
        assert!(why_wrong(&job("error", tick), &log).is_some());
        assert!(why_wrong(&job("done", "2026-11-20T16:30:03.001Z"), &log).is_some());
        assert!(why_wrong(&job("done", tick), &[]).is_some());
    }
}
