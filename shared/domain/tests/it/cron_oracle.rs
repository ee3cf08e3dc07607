//! Cron lines against those who know: `croner`, as they come, and a table that python-croniter made
//! (`cron_table.py` beside this file). Where we differ there is a rule, and its name is here.

use chrono::{DateTime, Offset, TimeZone, Utc};
use chrono_tz::Tz;
use croner::parser::{CronParser, Seconds};
use domain::cron::Schedule;
use domain::job::Timestamp;
use proptest::prelude::*;
use proptest::test_runner::{Config, TestRng, TestRunner};

const IN_UTC: u32 = 20_000;
const PER_ZONE: u32 = 2_000;

/// One item of a field: a value, a range, a range with a step.
fn item(least: u32, largest: u32) -> impl Strategy<Value = String> {
    let pair = (least..=largest, least..=largest).prop_map(|(a, b)| (a.min(b), a.max(b)));
    prop_oneof![
        3 => (least..=largest).prop_map(|value| value.to_string()),
        1 => pair.clone().prop_map(|(a, b)| format!("{a}-{b}")),
        1 => (pair, 1..=largest - least).prop_map(|((a, b), step)| format!("{a}-{b}/{step}")),
    ]
}

fn field(least: u32, largest: u32) -> impl Strategy<Value = String> {
    let items = prop::collection::vec(item(least, largest), 1..4);
    prop_oneof![
        3 => Just("*".to_owned()),
        1 => (2..=largest - least).prop_map(|step| format!("*/{step}")),
        4 => items.prop_map(|items| items.join(",")),
    ]
}

fn day_of_month() -> impl Strategy<Value = String> {
    prop_oneof![
        8 => field(1, 31),
        1 => Just("L".to_owned()),
        1 => Just("LW".to_owned()),
        1 => (1..=31_u32).prop_map(|day| format!("{day}W")),
        1 => (1..=28_u32).prop_map(|day| format!("{day},L")),
    ]
}

fn day_of_week() -> impl Strategy<Value = String> {
    prop_oneof![
        8 => field(0, 6),
        1 => (0..=7_u32).prop_map(|day| day.to_string()),
        1 => Just("MON-FRI".to_owned()),
        1 => (0..=6_u32, 1..=5_u32).prop_map(|(day, which)| format!("{day}#{which}")),
        1 => (0..=6_u32).prop_map(|day| format!("{day}L")),
    ]
}

fn month() -> impl Strategy<Value = String> {
    prop_oneof![6 => field(1, 12), 1 => Just("FEB".to_owned()), 1 => Just("JUN-SEP".to_owned())]
}

fn line() -> impl Strategy<Value = String> {
    (field(0, 59), field(0, 59), field(0, 23), day_of_month(), month(), day_of_week())
        .prop_map(|(s, m, h, dom, month, dow)| format!("{s} {m} {h} {dom} {month} {dow}"))
}

/// What croner says; `None` when it finds none, or none until 2100.
fn by_croner<Z: TimeZone>(line: &str, after: &DateTime<Z>) -> Option<i64> {
    let parser = CronParser::builder().seconds(Seconds::Required).build();
    let cron = parser.parse(line).unwrap_or_else(|error| panic!("croner refuses {line}: {error}"));
    let next = cron.find_next_occurrence(after, false).ok()?.to_utc();
    Some(next.timestamp()).filter(|_| next < Utc.with_ymd_and_hms(2101, 1, 1, 0, 0, 0).unwrap())
}

fn ours(line: &Schedule, after: i64, zone: &str) -> Option<i64> {
    let next = line.next(Timestamp::from_ms(after * 1000), zone.parse().unwrap());
    next.map(|next| next.ms() / 1000)
}

/// The same cases at each run: a new disagreement is a changed line of code.
fn runner(cases: u32) -> TestRunner {
    let config = Config { cases, failure_persistence: None, ..Config::default() };
    let rng = TestRng::deterministic_rng(config.rng_algorithm);
    TestRunner::new_with_rng(config, rng)
}

#[test]
fn random_lines_fire_in_utc_when_croner_says() {
    // 2015 to 2035.
    let cases = (line(), 1_420_070_400..2_051_222_400_i64);
    let compared = runner(IN_UTC).run(&cases, |(text, after)| {
        let after_utc = DateTime::from_timestamp(after, 0).unwrap();
        match text.parse::<Schedule>() {
            Ok(line) => prop_assert_eq!(ours(&line, after, "UTC"), by_croner(&text, &after_utc)),
            Err(error) => {
                prop_assert!(error.to_string().contains("can never fire"), "{}", error);
                prop_assert_eq!(by_croner(&text, &after_utc), None);
            }
        }
        Ok(())
    });
    compared.unwrap();
}

/// Ours is the rule of Vixie cron: a line without a star in its first three fields names times of the day, and each
/// comes once a day. croner takes only a line with a single time of the day for such a one.
fn rule_of_several_times_of_day(text: &str) -> bool {
    let clock: Vec<&str> = text.split(' ').take(3).collect();
    let several = |field: &&str| field.contains([',', '-', '/']);
    clock.iter().all(|field| !field.starts_with('*')) && clock.iter().any(several)
}

#[test]
fn random_lines_fire_around_changes_of_clocks_when_croner_says() {
    let zones = ["Europe/Berlin", "America/New_York", "Australia/Lord_Howe", "America/Sao_Paulo"];
    for zone in zones {
        let tz: Tz = zone.parse().unwrap();
        // Around the changes that there were; São Paulo's last one was in 2019.
        let changes = changes(tz);
        let start = (prop::sample::select(changes), -200_000..10_000_i64);
        let line = (field(0, 59), field(0, 59), field(0, 23), field(1, 31), field(0, 6));
        let line = line.prop_map(|(s, m, h, dom, dow)| format!("{s} {m} {h} {dom} * {dow}"));
        let compared = runner(PER_ZONE).run(&(line, start), |(text, (change, offset))| {
            let after = change + offset;
            let local = DateTime::from_timestamp(after, 0).unwrap().with_timezone(&tz);
            let line: Schedule = text.parse().unwrap();
            let (found, expected) = (ours(&line, after, zone), by_croner(&text, &local));
            if found != expected && rule_of_several_times_of_day(&text) {
                return Ok(());
            }
            let found = found.map(|at| DateTime::from_timestamp(at, 0).unwrap().with_timezone(&tz));
            let expected =
                expected.map(|at| DateTime::from_timestamp(at, 0).unwrap().with_timezone(&tz));
            prop_assert_eq!(found, expected, "{} after {}", text, local);
            Ok(())
        });
        compared.unwrap_or_else(|error| panic!("{zone}: {error}"));
    }
}

/// When a zone's clock was changed between 2010 and 2026.
fn changes(zone: Tz) -> Vec<i64> {
    let offset = |at: i64| {
        let at = DateTime::from_timestamp(at, 0).unwrap().naive_utc();
        zone.offset_from_utc_datetime(&at).fix().local_minus_utc()
    };
    let hours = (1_262_304_000..1_798_761_600_i64).step_by(1800);
    hours.filter(|at| offset(*at) != offset(at - 1800)).collect()
}

/// One start of a row of the table, and when croniter says that the line fires next.
struct Told {
    zone: Tz,
    text: String,
    start: i64,
    next: Option<i64>,
}

fn told() -> Vec<Told> {
    let mut all = Vec::new();
    for row in include_str!("cron_table.tsv").lines() {
        let mut columns = row.split('\t');
        let (zone, text) = (columns.next().unwrap(), columns.next().unwrap());
        for pair in columns {
            let (start, delta) = pair.split_once(':').unwrap();
            let start: i64 = start.parse().unwrap();
            let next = delta.parse::<i64>().ok().map(|delta| start + delta);
            all.push(Told { zone: zone.parse().unwrap(), text: text.to_owned(), start, next });
        }
    }
    all
}

#[test]
fn lines_fire_when_croniter_says_or_a_rule_says_why_not() {
    let mut by_rule = std::collections::BTreeMap::<&str, u32>::new();
    let mut wrong = Vec::new();
    let all = told();
    for told in &all {
        let line = told.text.parse::<Schedule>();
        let found = line.as_ref().ok().and_then(|line| ours(line, told.start, told.zone.name()));
        if found != told.next {
            match rule(told) {
                Some(rule) => *by_rule.entry(rule).or_default() += 1,
                None => wrong.push(format!(
                    "{} {} after {}: {found:?}, croniter: {:?}",
                    told.zone, told.text, told.start, told.next
                )),
            }
        }
    }
    println!("{} of {} differ by a rule: {by_rule:?}", by_rule.values().sum::<u32>(), all.len());
    assert!(
        wrong.is_empty(),
        "{} disagreements:\n{}",
        wrong.len(),
        wrong[..wrong.len().min(30)].join("\n")
    );
}

/// Why we say something else than croniter, if there is a rule for it.
fn rule(told: &Told) -> Option<&'static str> {
    let fields: Vec<&str> = told.text.split(' ').collect();
    let (clock, of_month, of_week) = (&fields[..3], fields[3], fields[5]);
    let both = of_month != "*" && of_week != "*";
    if both && (of_week.contains(['#', 'L']) || of_month.contains('W')) {
        return Some(
            "croniter joins #, L and W with the other day field by and; croner and we by or",
        );
    }
    if both && (lists_all(of_month, 1..=31) || lists_all(of_week, 0..=6)) {
        return Some("croniter takes a list of every value for a star; croner and we do not");
    }
    if ["29W", "30W", "31W"].contains(&of_month) {
        return Some("croniter moves 31W into a shorter month; croner and we leave that month out");
    }
    let fixed = clock.iter().all(|field| !field.starts_with('*'));
    let offset = |at: i64| {
        let at = DateTime::from_timestamp(at, 0).unwrap().naive_utc();
        told.zone.offset_from_utc_datetime(&at).fix().local_minus_utc()
    };
    let after_gap = told.next.is_some_and(|next| offset(next) > offset(next - 3600));
    if !fixed && clock[2] != "*" && after_gap {
        return Some("croniter moves the hours of an interval out of a gap; croner and we do not");
    }
    None
}

/// The field has no star and allows every value all the same.
fn lists_all(field: &str, mut all: std::ops::RangeInclusive<u32>) -> bool {
    let bounds = |item: &str| -> Option<(u32, u32, usize)> {
        let (range, step) = item.split_once('/').unwrap_or((item, "1"));
        let (from, to) = range.split_once('-').unwrap_or((range, range));
        Some((from.parse().ok()?, to.parse().ok()?, step.parse().ok()?))
    };
    let items: Vec<_> = field.split(',').filter_map(bounds).collect();
    let has = |value: u32| {
        items.iter().any(|(from, to, step)| (*from..=*to).step_by(*step).any(|one| one == value))
    };
    all.all(has)
}
