//! Adds up events of jobs into counts per minute and series.

use std::collections::BTreeMap;

use super::counts::Counts;
use super::resolution::Resolution;
use crate::capacity::Class;
use crate::event::Event;
use crate::job::Status;
use crate::names::{ActionName, JobId};
use crate::time::Timestamp;

/// What a series counts: the jobs of one action and class.
#[derive(Debug, Clone, PartialEq, Eq, PartialOrd, Ord)]
pub struct SeriesName {
    /// The action of the jobs.
    pub action: ActionName,
    /// Their class.
    pub class: Class,
}

/// A job that failed.
#[derive(Debug, Clone, PartialEq, Eq)]
pub struct FailedRun {
    /// The job.
    pub job: JobId,
    /// Its action.
    pub action: ActionName,
    /// When it ended.
    pub at: Timestamp,
}

/// What a list of events adds to the series.
#[derive(Debug, Clone, PartialEq, Eq, Default)]
pub struct Tally {
    /// The counts of each minute, by its start in milliseconds since 1970, and each series.
    pub minutes: BTreeMap<(i64, SeriesName), Counts>,
    /// The jobs that failed, in the order of the events.
    pub failed: Vec<FailedRun>,
}

impl Tally {
    /// Adds an event. Events of other objects and those that end or start nothing are not counted.
    pub fn add(&mut self, event: &Event) {
        let Some((name, status)) = change_of(event) else { return };
        let at = event.at();
        let since = |field: &str| {
            let ms: Option<i64> = event.fields.get(field).and_then(|text| text.parse().ok());
            ms.map(|ms| at.ms().saturating_sub(ms).max(0) as u64)
        };
        let mut counts = Counts::default();
        match status {
            Status::Running => {
                counts.started = 1;
                since("scheduledAt").into_iter().for_each(|ms| counts.wait.record(ms));
            }
            Status::Done => counts.done = 1,
            Status::Error | Status::WorkerDead => counts.failed = 1,
            Status::Waiting
            | Status::CancelRequest
            | Status::Cancel
            | Status::WorkerShutdown
            | Status::WorkerResurrection
            | Status::Deleted => {}
        }
        if status != Status::CancelRequest {
            since("startedAt").into_iter().for_each(|ms| counts.run.record(ms));
        }
        if counts == Counts::default() {
            return;
        }
        if let Some(job) = id_of(event).filter(|_| counts.failed > 0) {
            self.failed.push(FailedRun { job, action: name.action.clone(), at });
        }
        let minute = Resolution::Minute.start_of(at.ms());
        self.minutes.entry((minute, name)).or_default().add(&counts);
    }
}

fn change_of(event: &Event) -> Option<(SeriesName, Status)> {
    let field = |name: &str| event.fields.get(name).map(String::as_str);
    field("job")?;
    let action = field("action")?.parse().ok()?;
    // The class of jobs that name no capacity is not written.
    let class = field("class").map_or(Ok(Class::default()), |class| class.to_owned().try_into());
    let class = class.ok()?;
    Some((SeriesName { action, class }, field("status")?.parse().ok()?))
}

fn id_of(event: &Event) -> Option<JobId> {
    event.fields.get("job")?.parse().ok()
}

#[cfg(test)]
mod tests {
    use super::*;
    use expect_test::expect;

    const JOB: &str = "1fcf4c0f-ff3b-471a-8839-5dcb631b2f7b";

    fn event(ms: u64, fields: &[(&str, &str)]) -> Event {
        let job = [("job", JOB), ("action", "gc"), ("class", "cpu=1")];
        let fields = job.iter().chain(fields);
        let fields = fields.map(|(name, value)| ((*name).to_owned(), (*value).to_owned()));
        Event { id: format!("{ms}-0").parse().unwrap(), fields: fields.collect() }
    }

    #[test]
    fn events_are_counted_in_the_minute_in_which_they_happened() {
        let mut tally = Tally::default();
        for event in [
            event(1_000, &[("status", "waiting")]),
            event(1_004, &[("status", "running"), ("scheduledAt", "1000")]),
            event(1_005, &[("status", "cancel_request"), ("startedAt", "1004")]),
            event(1_012, &[("status", "done"), ("startedAt", "1004")]),
            event(59_999, &[("status", "running"), ("scheduledAt", "99999")]),
            event(60_000, &[("status", "error"), ("startedAt", "59999")]),
            event(60_001, &[("status", "worker_dead"), ("startedAt", "60000")]),
            event(60_002, &[("status", "cancel"), ("startedAt", "59970")]),
            event(60_003, &[("status", "deleted")]),
            event(60_004, &[("status", "done"), ("class", "")]),
            event(60_005, &[("progress", "{}")]),
        ] {
            tally.add(&event);
        }
        let shown = tally.minutes.iter().map(|((minute, name), counts)| {
            format!("{minute} {} {} {counts}\n", name.action, name.class)
        });
        expect![[r#"
            0 gc cpu=1 2,1,0,4,8,1,0,1,0,0,0,0,0,0,0,0,0,0,0,0,0,0,0,0,0,0,0,0,0,0,0,0,0,0,1
            60000 gc cpu=1 0,0,2,0,34,0,0,0,0,0,0,0,0,0,0,0,0,0,0,0,0,0,0,0,0,0,0,0,0,0,0,2,0,0,0,0,1
        "#]]
        .assert_eq(&shown.collect::<String>());
        let failed = |at| FailedRun {
            job: JOB.parse().unwrap(),
            action: "gc".parse().unwrap(),
            at: Timestamp::from_ms(at),
        };
        assert_eq!(tally.failed, [failed(60_000), failed(60_001)]);
    }
}
