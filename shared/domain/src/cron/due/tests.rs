//! Tests of misfire policies and their limits.

use super::*;

fn spec(schedule: &str, misfire: &str) -> CronSpec {
    let spec = serde_json::json!({"action": "noop", "schedule": schedule, "misfire": misfire});
    serde_json::from_value(spec).unwrap()
}

fn at(seconds: i64) -> Timestamp {
    Timestamp::from_ms(1_800_000_000_000 + seconds * 1000)
}

#[test]
fn nothing_is_due_before_the_first_tick() {
    let due = due(&spec("* * * * * *", "all"), at(1), at(0));
    assert_eq!(due, Due { next: Some(at(1)), ..Due::default() });
}

#[test]
fn a_tick_on_time_fires_with_every_policy() {
    for misfire in ["skip", "once", "all"] {
        let found = due(&spec("* * * * * *", misfire), at(0), at(1));
        assert_eq!(found.ticks, [(at(0), 0), (at(1), 0)], "{misfire}");
        assert_eq!((found.skipped, found.next), (None, Some(at(2))), "{misfire}");
    }
}

#[test]
fn missed_ticks_get_no_job_one_job_or_all_their_jobs() {
    let found = due(&spec("* * * * * *", "skip"), at(0), at(9));
    assert_eq!(found.ticks, [(at(7), 0), (at(8), 0), (at(9), 0)]);
    assert_eq!((found.skipped, found.next), (Some((7, at(6))), Some(at(10))));
    let found = due(&spec("* * * * * *", "once"), at(0), at(9));
    assert_eq!((found.ticks, found.skipped, found.next), (vec![(at(9), 9)], None, Some(at(10))));
    let found = due(&spec("* * * * * *", "all"), at(0), at(9));
    let all: Vec<_> = (0..10).map(|second| (at(second), 0)).collect();
    assert_eq!((found.ticks, found.skipped, found.next), (all, None, Some(at(10))));
    let found = due(&spec("0 0 * * * *", "skip"), at(0), at(10));
    assert_eq!((found.ticks.len(), found.skipped), (0, Some((1, at(0)))));
    assert_eq!(found.next, Some(at(3600)));
}

#[test]
fn catching_up_is_limited_and_divided_into_calls() {
    let spec = spec("* * * * * *", "all");
    let found = due(&spec, at(0), at(1499));
    assert_eq!(found.ticks.len(), MAX_PER_CALL);
    assert_eq!(found.ticks[0], (at(500), 500), "the first job records how many were skipped");
    assert_eq!(found.skipped.unwrap().0, 500);
    assert_eq!(found.next, Some(at(550)));
    let rest = due(&spec, at(550), at(1499));
    assert_eq!((rest.ticks[0], rest.skipped), ((at(550), 0), None));
}

#[test]
fn after_an_outage_of_years_only_the_newest_ticks_are_computed() {
    let now = at(20 * 365 * 86_400);
    let found = due(&spec("* * * * * *", "once"), at(0), now);
    assert_eq!(
        (&found.ticks[..], found.next),
        (&[(now, MAX_COUNTED - 1)][..], Some(at(20 * 365 * 86_400 + 1)))
    );
    let found = due(&spec("* * * * * *", "all"), at(0), now);
    assert_eq!(found.ticks[0].0.ms(), now.ms() - 999_000);
    let found = due(&spec("* * * * * *", "skip"), at(0), now);
    assert_eq!((found.ticks.len(), found.skipped.unwrap().0), (3, MAX_COUNTED - 3));
}
