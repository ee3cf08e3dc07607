use super::*;
use domain::cron::CronSpec;
use expect_test::expect;

fn cron(name: &str, schedule: &str, zone: &str, now: Timestamp) -> Cron {
    let spec = serde_json::json!({"action": "noop", "schedule": schedule, "timeZone": zone});
    let spec: CronSpec = serde_json::from_value(spec).unwrap();
    Cron {
        id: uuid::Uuid::nil(),
        name: name.parse().unwrap(),
        next_run: spec.next(now),
        spec,
        revision: 1,
        paused: false,
        declared: false,
        last_run: None,
        last_job: None,
        fired: 0,
        skipped: 0,
        last_skip: None,
        held: 0,
        created_at: now,
        last_updated: now,
    }
}

#[test]
fn the_calendar_has_firings_collisions_and_clock_changes() {
    let now: Timestamp = "2026-10-23T00:30:00Z".parse().unwrap();
    let mut paused = cron("paused", "@hourly", "UTC", now);
    paused.paused = true;
    let crons = [
        cron("backup", "0 0 1 * * *", "Europe/Berlin", now),
        cron("gc", "0 0 23 * * *", "UTC", now),
        cron("often", "@every 1m", "UTC", now),
        paused,
    ];
    let calendar = Calendar::new(&crons, now);
    let mut text = String::new();
    for firing in &calendar.day {
        text.push_str(&format!("{} {} {}\n", firing.cron, firing.moment.relative, firing.local));
    }
    for collision in &calendar.collisions {
        text.push_str(&format!("{}: {}\n", collision.moment.exact(), collision.crons.join(", ")));
    }
    for change in &calendar.clock_changes {
        text.push_str(&format!("{}: {} = {}\n", change.zone, change.moment.exact(), change.local));
    }
    text.push_str(&format!("{} cells, often: {}\n", calendar.cells.len(), calendar.frequent[0]));
    text.push_str(&format!("{}\n{}\n", calendar.cells[0].title, calendar.days[6].text));
    expect![[r#"
        backup in 22 h Sat 2026-10-24 01:00:00 +02:00
        gc in 22 h Fri 2026-10-23 23:00:00 +00:00
        2026-10-23 23:00:00 UTC: backup, gc
        2026-10-24 23:00:00 UTC: backup, gc
        Europe/Berlin: 2026-10-25 01:00:00 UTC = Sun 2026-10-25 02:00:00 +01:00
        11 cells, often: often
        from 2026-10-23 23:00 UTC: 2 firings of backup, gc
        Thu 10-29
    "#]]
    .assert_eq(&text);
}
