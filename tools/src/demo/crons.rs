//! The registry's crons, from the schedulers' cron file. One fires every few seconds, at exactly
//! its ticks and without a gap; the others say when they fire next.

use std::collections::BTreeMap;
use std::time::Duration;

use chrono::{DateTime, Datelike, Days, NaiveTime, Utc, Weekday};
use client::ClientError;
use client::command::table;
use client::wire::{Cron, Job};
use domain::job::{JobId, Timestamp};

use crate::fleet::Fleet;
use crate::section::Section;

const TITLE: &str = "The registry's crons";
/// The cron that fires every [`INTERVAL_MS`].
const FREQUENT: &str = "feed";
const INTERVAL_MS: i64 = 5_000;
/// How many firings to wait for.
const FIRINGS: usize = 2;
/// A day of the week, or every day; hour, minute, second.
type TimeOfWeek = (Option<Weekday>, (u32, u32, u32));
const OTHERS: [(&str, TimeOfWeek); 4] = [
    ("gc", (Some(Weekday::Sat), (1, 0, 0))),
    ("update_vuln_db", (None, (3, 0, 0))),
    ("scan_check_all", (None, (3, 30, 0))),
    ("license_update", (None, (3, 54, 57))),
];

/// The state when the demo began.
pub(crate) struct Baseline {
    skipped: u64,
    time: Timestamp,
}

/// Takes the baseline, before the other sections run.
pub(crate) async fn baseline(fleet: &Fleet) -> Result<Baseline, ClientError> {
    let time = Timestamp::from_ms(Utc::now().timestamp_millis());
    Ok(Baseline { skipped: skipped(&crons(fleet).await?), time })
}

/// Runs the section.
pub(crate) async fn run(fleet: &Fleet, baseline: &Baseline) -> Result<Section, ClientError> {
    let mut section = Section::new(TITLE);
    let declared = crons(fleet).await?;
    section.problems = next_run_problems(&declared, Utc::now());
    if declared.contains_key(FREQUENT) {
        let fired = async || {
            let jobs = firings(fleet, baseline.time).await?;
            Ok((jobs.len() >= FIRINGS).then_some(jobs))
        };
        let jobs = fleet.poll_until(&format!("waiting for cron {FREQUENT} to fire"), fired).await?;
        let ids: Vec<JobId> = jobs.iter().map(|job| job.id).collect();
        for job in fleet.finished(&ids).await? {
            section.check_done(&job);
        }
        let skipped = skipped(&crons(fleet).await?).saturating_sub(baseline.skipped);
        section.problems.extend(tick_problems(&jobs, skipped));
        section.jobs = jobs.len();
    }
    section.table = cron_table(&crons(fleet).await?);
    Ok(section)
}

async fn crons(fleet: &Fleet) -> Result<BTreeMap<String, Cron>, ClientError> {
    let crons: Vec<Cron> = fleet.api.page("/crons", &[]).await?.items("crons")?;
    Ok(crons.into_iter().map(|cron| (cron.name.clone(), cron)).collect())
}

fn skipped(crons: &BTreeMap<String, Cron>) -> u64 {
    crons.get(FREQUENT).map_or(0, |cron| cron.skipped)
}

/// The jobs that the frequent cron has created since `time`, without their retries, the oldest
/// first.
async fn firings(fleet: &Fleet, time: Timestamp) -> Result<Vec<Job>, ClientError> {
    let filter = [("action", "update_vuln_db".to_owned()), ("since", time.to_string())];
    let mut jobs = fleet.jobs(&filter).await?;
    jobs.retain(|job| job.cron.as_deref() == Some(FREQUENT) && job.attempt == 1);
    Ok(jobs)
}

/// Finds jobs that are not due at a tick, ticks with two jobs, and ticks without a job that were
/// not counted as skipped.
fn tick_problems(jobs: &[Job], skipped: u64) -> Vec<String> {
    let mut problems = Vec::new();
    for job in jobs.iter().filter(|job| job.scheduled_at.ms() % INTERVAL_MS != 0) {
        problems.push(format!("job {} of cron {FREQUENT} is due at {}", job.id, job.scheduled_at));
    }
    let mut ticks: Vec<i64> = jobs.iter().map(|job| job.scheduled_at.ms() / INTERVAL_MS).collect();
    let count = ticks.len();
    ticks.sort_unstable();
    ticks.dedup();
    if ticks.len() != count {
        problems.push(format!("cron {FREQUENT} created {count} jobs for {} ticks", ticks.len()));
    }
    if let (Some(first), Some(last)) = (ticks.first(), ticks.last()) {
        let missing = u64::try_from(last - first + 1).unwrap_or(0) - ticks.len() as u64;
        if missing > skipped {
            let text = format!("cron {FREQUENT} missed {missing} ticks and reports {skipped}");
            problems.push(text);
        }
    }
    problems
}

/// Finds crons that are missing, or whose next run does not follow from the time.
fn next_run_problems(crons: &BTreeMap<String, Cron>, now: DateTime<Utc>) -> Vec<String> {
    let mut problems = Vec::new();
    if !crons.contains_key(FREQUENT) {
        problems.push(format!(
            "the fleet has no cron {FREQUENT}: start the scheduler with CAPSTAN_CRONS=FILE"
        ));
    }
    for (name, time) in OTHERS {
        let found = crons.get(name).and_then(|cron| cron.next_run);
        // At a tick, the API may have answered before or after it.
        let mut moments = [now - Duration::from_secs(5), now].into_iter();
        if !moments.any(|now| found.is_some() && found == next(now, time)) {
            let found = found.map_or("none".to_owned(), |found| found.to_string());
            problems.push(format!("the next run of cron {name} is {found}"));
        }
    }
    problems
}

/// The next such moment, calculated without the code under test.
fn next(now: DateTime<Utc>, (day, (hour, minute, second)): TimeOfWeek) -> Option<Timestamp> {
    let time = NaiveTime::from_hms_opt(hour, minute, second)?;
    let mut days = (0..=7).filter_map(|days| now.date_naive().checked_add_days(Days::new(days)));
    let next = days.find(|date| {
        day.is_none_or(|day| date.weekday() == day) && date.and_time(time).and_utc() > now
    })?;
    Some(Timestamp::from_ms(next.and_time(time).and_utc().timestamp_millis()))
}

fn cron_table(crons: &BTreeMap<String, Cron>) -> String {
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
    table(&header, rows)
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
    fn the_next_run_of_each_cron_must_follow_from_its_schedule() {
        let tuesday: DateTime<Utc> = "2017-02-21T03:10:00Z".parse().unwrap();
        let right = BTreeMap::from([
            cron(FREQUENT, "2017-02-21T03:10:05Z"),
            cron("gc", "2017-02-25T01:00:00Z"),
            cron("update_vuln_db", "2017-02-22T03:00:00Z"),
            cron("scan_check_all", "2017-02-21T03:30:00Z"),
            cron("license_update", "2017-02-21T03:54:57Z"),
        ]);
        assert_eq!(next_run_problems(&right, tuesday), Vec::<String>::new());
        let late = BTreeMap::from([cron("license_update", "2017-02-22T03:54:57Z")]);
        expect![[r#"
            the fleet has no cron feed: start the scheduler with CAPSTAN_CRONS=FILE
            the next run of cron gc is none
            the next run of cron update_vuln_db is none
            the next run of cron scan_check_all is none
            the next run of cron license_update is 2017-02-22T03:54:57Z"#]]
        .assert_eq(&next_run_problems(&late, tuesday).join("\n"));
    }

    #[test]
    fn every_tick_has_one_job_unless_it_was_skipped() {
        let jobs = |times: &[&str]| -> Vec<Job> {
            let document = |at: &&str| {
                let at = format!("2026-11-20T16:30:{at}Z");
                json!({"id": JobId::random(), "action": "a", "status": "done", "scheduledAt": at})
            };
            times.iter().map(|at| serde_json::from_value(document(at)).unwrap()).collect()
        };
        let none: [String; 0] = [];
        assert_eq!(tick_problems(&jobs(&["00", "05", "10"]), 0), none);
        assert_eq!(tick_problems(&jobs(&["00", "10"]), 1), none);
        assert!(tick_problems(&jobs(&["00", "10"]), 0)[0].contains("missed 1 ticks"));
        assert!(tick_problems(&jobs(&["00", "05", "05"]), 0)[0].contains("3 jobs for 2 ticks"));
        assert!(tick_problems(&jobs(&["00", "05.001"]), 0)[0].contains("is due at"));
    }
}
