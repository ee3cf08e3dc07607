//! The registry's crons, from the file that the schedulers were given. One fires every few seconds,
//! each time at exactly its tick and none left out; the others say when they come next.

use std::collections::BTreeMap;
use std::time::Duration;

use chrono::{DateTime, Datelike, Days, NaiveTime, Utc, Weekday};
use shared::job::{JobId, Timestamp};

use super::{Part, Stage};
use crate::api::Page;
use crate::failure::Failure;
use crate::out;
use crate::wire::{Cron, Crons, Job, Jobs};

const TITLE: &str = "The registry's crons";
/// It fires so often.
const OFTEN: &str = "feed";
const EVERY_MS: i64 = 5_000;
const FIRINGS: usize = 2;
/// The others: on which day, if not on all, and when.
type Moment = (Option<Weekday>, (u32, u32, u32));
const OTHERS: [(&str, Moment); 4] = [
    ("gc", (Some(Weekday::Sat), (1, 0, 0))),
    ("update_vuln_db", (None, (3, 0, 0))),
    ("scan_check_all", (None, (3, 30, 0))),
    ("license_update", (None, (3, 54, 57))),
];

/// How many ticks had been left out when the demo began, and when that was.
pub(super) struct Watch {
    skipped: u64,
    since: Timestamp,
}

/// Looks before the other parts are played.
pub(super) async fn begin(stage: &Stage<'_>) -> Result<Watch, Failure> {
    let since = Timestamp::from_ms(Utc::now().timestamp_millis());
    Ok(Watch { skipped: skipped(&crons(stage).await?), since })
}

/// Plays it.
pub(super) async fn play(stage: &Stage<'_>, watch: Watch) -> Result<Part, Failure> {
    let mut part = Part::of(TITLE);
    let declared = crons(stage).await?;
    part.wrong = wrong_times(&declared, Utc::now());
    if declared.contains_key(OFTEN) {
        let fired = async || {
            let jobs = firings(stage, watch.since).await?;
            Ok((jobs.len() >= FIRINGS).then_some(jobs))
        };
        let jobs = stage.until(&format!("cron {OFTEN} fires"), fired).await?;
        let ids: Vec<JobId> = jobs.iter().map(|job| job.id).collect();
        for job in stage.over(&ids).await? {
            part.must_be_done(&job);
        }
        let skipped = skipped(&crons(stage).await?).saturating_sub(watch.skipped);
        part.wrong.extend(wrong_ticks(&jobs, skipped));
        part.jobs = jobs.len();
    }
    part.table = table(&crons(stage).await?);
    Ok(part)
}

async fn crons(stage: &Stage<'_>) -> Result<BTreeMap<String, Cron>, Failure> {
    let crons: Crons = stage.api.get("/crons").await?;
    Ok(crons.crons.into_iter().map(|cron| (cron.name.clone(), cron)).collect())
}

fn skipped(crons: &BTreeMap<String, Cron>) -> u64 {
    crons.get(OFTEN).map_or(0, |cron| cron.skipped)
}

/// What the cron has made since then, without what carried it on; the oldest first.
async fn firings(stage: &Stage<'_>, since: Timestamp) -> Result<Vec<Job>, Failure> {
    let query = [
        ("action", "update_vuln_db".to_owned()),
        ("since", since.to_string()),
        ("limit", "1000".to_owned()),
    ];
    let page: Page<Jobs> = stage.api.page("/jobs", &query).await?;
    let mut jobs = page.body.jobs;
    jobs.retain(|job| job.cron.as_deref() == Some(OFTEN) && job.attempt == 1);
    jobs.reverse();
    Ok(jobs)
}

/// Ticks that have two jobs, or none although none were left out, and jobs beside a tick.
fn wrong_ticks(jobs: &[Job], skipped: u64) -> Vec<String> {
    let mut wrong = Vec::new();
    for job in jobs.iter().filter(|job| job.scheduled_at.ms() % EVERY_MS != 0) {
        wrong.push(format!("job {} of cron {OFTEN} is due at {}", job.id, job.scheduled_at));
    }
    let mut ticks: Vec<i64> = jobs.iter().map(|job| job.scheduled_at.ms() / EVERY_MS).collect();
    let count = ticks.len();
    ticks.sort_unstable();
    ticks.dedup();
    if ticks.len() != count {
        wrong.push(format!("cron {OFTEN} has made {count} jobs of {} ticks", ticks.len()));
    }
    if let (Some(first), Some(last)) = (ticks.first(), ticks.last()) {
        let missing = u64::try_from(last - first + 1).unwrap_or(0) - ticks.len() as u64;
        if missing > skipped {
            wrong.push(format!("cron {OFTEN} has missed {missing} ticks, and says {skipped}"));
        }
    }
    wrong
}

/// Which crons are not there, or say another next run than the one that follows from the time.
fn wrong_times(crons: &BTreeMap<String, Cron>, now: DateTime<Utc>) -> Vec<String> {
    let mut wrong = Vec::new();
    if !crons.contains_key(OFTEN) {
        wrong.push(format!("there is no cron {OFTEN}: has the scheduler its CAPSTAN_CRONS?"));
    }
    for (name, moment) in OTHERS {
        let found = crons.get(name).and_then(|cron| cron.next_run);
        // A look at the very moment of a tick may come before or after it.
        let mut right = [now - Duration::from_secs(5), now].into_iter();
        if !right.any(|now| found.is_some() && found == next(now, moment)) {
            let found = found.map_or("nothing".to_owned(), |found| found.to_string());
            wrong.push(format!("the next run of cron {name} is {found}"));
        }
    }
    wrong
}

/// The next such moment: worked out by hand, without the code that is judged.
fn next(now: DateTime<Utc>, (day, (hour, minute, second)): Moment) -> Option<Timestamp> {
    let time = NaiveTime::from_hms_opt(hour, minute, second)?;
    let mut days = (0..=7).filter_map(|days| now.date_naive().checked_add_days(Days::new(days)));
    let next = days.find(|date| {
        day.is_none_or(|day| date.weekday() == day) && date.and_time(time).and_utc() > now
    })?;
    Some(Timestamp::from_ms(next.and_time(time).and_utc().timestamp_millis()))
}

fn table(crons: &BTreeMap<String, Cron>) -> String {
    let rows = crons.values().map(|cron| {
        vec![
            cron.name.clone(),
            cron.action.clone(),
            cron.schedule.clone(),
            cron.next_run.map(|next| next.to_string()).unwrap_or_default(),
            cron.last_run.map(|last| last.to_string()).unwrap_or_default(),
            cron.fired.to_string(),
            cron.skipped.to_string(),
        ]
    });
    let header = ["CRON", "ACTION", "SCHEDULE", "NEXT RUN", "LAST RUN", "FIRED", "SKIPPED"];
    out::table(&header, rows)
}

#[cfg(test)]
mod tests {
    use super::*;
    use expect_test::expect;
    use serde_json::json;

    fn cron(name: &str, next: &str) -> (String, Cron) {
        let document = json!({"name": name, "action": name, "schedule": "", "nextRun": next});
        (name.to_owned(), serde_json::from_value(document).unwrap())
    }

    #[test]
    fn crons_must_come_next_when_their_file_says() {
        // A Tuesday.
        let now: DateTime<Utc> = "2017-02-21T03:10:00Z".parse().unwrap();
        let right = BTreeMap::from([
            cron(OFTEN, "2017-02-21T03:10:05Z"),
            cron("gc", "2017-02-25T01:00:00Z"),
            cron("update_vuln_db", "2017-02-22T03:00:00Z"),
            cron("scan_check_all", "2017-02-21T03:30:00Z"),
            cron("license_update", "2017-02-21T03:54:57Z"),
        ]);
        assert_eq!(wrong_times(&right, now), Vec::<String>::new());
        let late = BTreeMap::from([cron("license_update", "2017-02-22T03:54:57Z")]);
        expect![[r#"
            there is no cron feed: has the scheduler its CAPSTAN_CRONS?
            the next run of cron gc is nothing
            the next run of cron update_vuln_db is nothing
            the next run of cron scan_check_all is nothing
            the next run of cron license_update is 2017-02-22T03:54:57Z"#]]
        .assert_eq(&wrong_times(&late, now).join("\n"));
    }

    #[test]
    fn every_tick_has_one_job_unless_it_was_left_out() {
        let jobs = |times: &[&str]| -> Vec<Job> {
            let document = |at: &&str| {
                let at = format!("2026-11-20T16:30:{at}Z");
                json!({"id": JobId::random(), "action": "a", "status": "done", "scheduledAt": at})
            };
            times.iter().map(|at| serde_json::from_value(document(at)).unwrap()).collect()
        };
        let none: [String; 0] = [];
        assert_eq!(wrong_ticks(&jobs(&["00", "05", "10"]), 0), none);
        assert_eq!(wrong_ticks(&jobs(&["00", "10"]), 1), none);
        assert!(wrong_ticks(&jobs(&["00", "10"]), 0)[0].contains("missed 1 ticks"));
        assert!(wrong_ticks(&jobs(&["00", "05", "05"]), 0)[0].contains("3 jobs of 2 ticks"));
        assert!(wrong_ticks(&jobs(&["00", "05.001"]), 0)[0].contains("is due at"));
    }
}
