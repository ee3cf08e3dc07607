//! When a waiting job will probably start: its place in its queue, and how fast jobs of that queue
//! started recently. `None` if it cannot be estimated.

use domain::job::{Job, Status, Timestamp};
use store::{StartRate, Store, StoreError, WaitPosition};

/// The probable start of a job.
#[derive(Debug, Clone, PartialEq, Eq)]
pub(crate) struct ExpectedStart {
    /// The time; `None` if it is unknown.
    pub(crate) at: Option<Timestamp>,
    /// How it was estimated, or why it is unknown.
    pub(crate) why: String,
}

/// Returns the probable start of a job; `None` if it does not wait to start.
pub(crate) async fn expected_start(
    store: &Store,
    job: &Job,
) -> Result<Option<ExpectedStart>, StoreError> {
    if job.status != Status::Waiting || job.awaits_children {
        return Ok(None);
    }
    let position = store.wait_position(job).await?;
    let rate = match position {
        WaitPosition::Offered(_) | WaitPosition::Backlog { .. } => store.start_rate(job).await?,
        WaitPosition::Nowhere
        | WaitPosition::Children(_)
        | WaitPosition::Signal
        | WaitPosition::Dependencies(_)
        | WaitPosition::Due
        | WaitPosition::Paused(_)
        | WaitPosition::Locks(_)
        | WaitPosition::Queue => StartRate::default(),
    };
    Ok(estimate(store.now().await?, job.scheduled_at, &position, rate))
}

/// Estimates the start from the position. Pure.
fn estimate(
    now: Timestamp,
    due: Timestamp,
    position: &WaitPosition,
    rate: StartRate,
) -> Option<ExpectedStart> {
    let unknown = |why: &str| Some(ExpectedStart { at: None, why: why.to_owned() });
    match position {
        WaitPosition::Nowhere | WaitPosition::Children(_) | WaitPosition::Signal => None,
        WaitPosition::Dependencies(_) => unknown("it depends on the end of other jobs"),
        WaitPosition::Paused(_) => unknown("it waits until it is resumed"),
        WaitPosition::Locks(_) => unknown("it depends on how long others hold the lock"),
        WaitPosition::Queue => unknown("there is no room for its queue"),
        WaitPosition::Due => {
            let why = "when it is due, if a worker is free then".to_owned();
            Some(ExpectedStart { at: Some(due.max(now)), why })
        }
        WaitPosition::Offered(ahead) => Some(at_rate(now, *ahead, rate.of_queue, rate.period_ms)),
        WaitPosition::Backlog { ahead, .. } => {
            Some(at_rate(now, *ahead, rate.of_group, rate.period_ms))
        }
    }
}

fn at_rate(now: Timestamp, ahead: u64, started: u64, period_ms: u64) -> ExpectedStart {
    if started == 0 {
        let why = "no job of its queue has started in the last 5 minutes".to_owned();
        return ExpectedStart { at: None, why };
    }
    let wait_ms = (ahead + 1).saturating_mul(period_ms) / started;
    let seconds = period_ms.div_ceil(1000);
    let why = format!("{ahead} ahead of it, and {started} started in the last {seconds} s");
    ExpectedStart { at: Some(Timestamp::from_ms(now.ms().saturating_add(wait_ms as i64))), why }
}

#[cfg(test)]
mod tests {
    use super::*;
    use expect_test::expect;

    #[test]
    fn the_estimate_is_the_place_divided_by_the_rate() {
        let now = Timestamp::from_ms(1_800_000_000_000);
        let due = Timestamp::from_ms(now.ms() + 60_000);
        let rate = StartRate { of_queue: 30, of_group: 3, period_ms: 60_000 };
        let idle = StartRate { period_ms: 300_000, ..StartRate::default() };
        let cases = [
            (WaitPosition::Due, rate),
            (WaitPosition::Offered(9), rate),
            (WaitPosition::Backlog { ahead: 2, turns: None }, rate),
            (WaitPosition::Offered(0), idle),
            (WaitPosition::Dependencies(1), rate),
            (WaitPosition::Locks(Vec::new()), rate),
            (WaitPosition::Paused("action:noop".parse().unwrap()), rate),
            (WaitPosition::Queue, rate),
            (WaitPosition::Children(1), rate),
        ];
        let texts = cases.map(|(position, rate)| match estimate(now, due, &position, rate) {
            None => "-\n".to_owned(),
            Some(ExpectedStart { at: None, why }) => format!("unknown: {why}\n"),
            Some(ExpectedStart { at: Some(at), why }) => {
                format!("in {} s: {why}\n", (at.ms() - now.ms()) / 1000)
            }
        });
        expect![[r#"
            in 60 s: when it is due, if a worker is free then
            in 20 s: 9 ahead of it, and 30 started in the last 60 s
            in 60 s: 2 ahead of it, and 3 started in the last 60 s
            unknown: no job of its queue has started in the last 5 minutes
            unknown: it depends on the end of other jobs
            unknown: it depends on how long others hold the lock
            unknown: it waits until it is resumed
            unknown: there is no room for its queue
            -
        "#]]
        .assert_eq(&texts.concat());
    }
}
