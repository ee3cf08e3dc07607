//! Tests of schedules: crontab lines, short forms, intervals, errors and changes of the clock.

use expect_test::expect;

use super::*;

fn line(text: &str) -> Schedule {
    text.parse().unwrap_or_else(|error| panic!("{text}: {error}"))
}

/// The firings after a moment, as text.
fn next(text: &str, zone: &str, after: &str, count: usize) -> Vec<String> {
    let (line, zone) = (line(text), zone.parse().unwrap());
    let mut at: Timestamp = after.parse().unwrap();
    let mut found = Vec::new();
    for _ in 0..count {
        let Some(next) = line.next(at, zone) else { break };
        found.push(next.to_string());
        at = next;
    }
    found
}

fn utc(text: &str, after: &str) -> String {
    next(text, "UTC", after, 1).concat()
}

#[test]
fn the_examples_of_the_reference_fire_at_the_documented_times() {
    assert_eq!(utc("57 54 3 * * *", "2017-02-22T03:54:56.999Z"), "2017-02-22T03:54:57Z");
    assert_eq!(utc("57 54 3 * * *", "2017-02-22T03:54:57Z"), "2017-02-23T03:54:57Z");
    assert_eq!(utc("0 0 1 * * 6", "2018-04-21T11:40:00Z"), "2018-04-28T01:00:00Z");
    assert_eq!(utc("0 */15 * * * *", "2018-04-21T11:30:00.5Z"), "2018-04-21T11:45:00Z");
    assert_eq!(utc("53 42 6 * * *", "2018-04-21T12:00:00Z"), "2018-04-22T06:42:53Z");
}

#[test]
fn weekdays_are_numbered_as_in_unix() {
    // 2026-11-22 is a Sunday.
    for sunday in ["0", "7", "SUN", "sun"] {
        assert_eq!(
            utc(&format!("0 0 * * {sunday}"), "2026-11-20T00:00:00Z"),
            "2026-11-22T00:00:00Z"
        );
    }
    for monday in ["1", "MON", "Mon-Mon"] {
        assert_eq!(
            utc(&format!("0 0 * * {monday}"), "2026-11-20T00:00:00Z"),
            "2026-11-23T00:00:00Z"
        );
    }
    let weekend = next("0 0 * * SAT-SUN", "UTC", "2026-11-20T00:00:00Z", 3);
    assert_eq!(weekend, ["2026-11-21T00:00:00Z", "2026-11-22T00:00:00Z", "2026-11-28T00:00:00Z"]);
    assert_eq!(weekend, next("0 0 * * 6-7", "UTC", "2026-11-20T00:00:00Z", 3));
    assert_eq!(weekend, next("0 0 * * 0,6", "UTC", "2026-11-20T00:00:00Z", 3));
}

#[test]
fn either_day_field_is_sufficient_if_both_are_restricted() {
    let found = next("0 0 0 13 * FRI", "UTC", "2026-11-01T00:00:00Z", 4);
    let expected = ["2026-11-06", "2026-11-13", "2026-11-20", "2026-11-27"];
    assert_eq!(found, expected.map(|day| format!("{day}T00:00:00Z")));
    // A star with a step restricts the field, as in the manual; Vixie cron treats it as a star.
    let found = next("0 0 0 */10 * MON", "UTC", "2026-11-01T00:00:00Z", 5);
    let expected = ["2026-11-02", "2026-11-09", "2026-11-11", "2026-11-16", "2026-11-21"];
    assert_eq!(found, expected.map(|day| format!("{day}T00:00:00Z")));
    assert_eq!(
        next("0 0 0 * * MON", "UTC", "2026-11-01T00:00:00Z", 9),
        next("0 0 0 */1 * MON", "UTC", "2026-11-01T00:00:00Z", 9)
    );
}

#[test]
fn special_days_depend_on_the_month() {
    let cases = [
        ("0 0 0 L * *", ["2028-02-29", "2028-03-31", "2028-04-30"]),
        ("0 0 0 L-1 * *", ["2028-02-28", "2028-03-30", "2028-04-29"]),
        ("0 0 0 LW * *", ["2028-02-29", "2028-03-31", "2028-04-28"]),
        // 1 April 2028 is a Saturday, 1 October a Sunday.
        ("0 0 0 1W 4,7,10 *", ["2028-04-03", "2028-07-03", "2028-10-02"]),
        ("0 0 0 31W * *", ["2028-03-31", "2028-05-31", "2028-07-31"]),
        ("0 0 0 30W 4,7,9 *", ["2028-04-28", "2028-07-31", "2028-09-29"]),
        ("0 0 0 * * FRI#1", ["2028-03-03", "2028-04-07", "2028-05-05"]),
        ("0 0 0 * * 2#5", ["2028-02-29", "2028-05-30", "2028-08-29"]),
        ("0 0 0 * * 5L", ["2028-02-25", "2028-03-31", "2028-04-28"]),
        ("0 0 0 29 2 *", ["2028-02-29", "2032-02-29", "2036-02-29"]),
    ];
    for (text, days) in cases {
        let found = next(text, "UTC", "2028-02-16T00:00:00Z", 3);
        assert_eq!(found, days.map(|day| format!("{day}T00:00:00Z")), "{text}");
    }
}

#[test]
fn five_fields_short_forms_and_intervals_are_valid() {
    let cases = [
        ("30 3 * * *", "2026-11-21T03:30:00Z"),
        ("  30\t3 * *  * ", "2026-11-21T03:30:00Z"),
        ("@hourly", "2026-11-21T00:00:00Z"),
        ("@DAILY", "2026-11-21T00:00:00Z"),
        ("@midnight", "2026-11-21T00:00:00Z"),
        ("@weekly", "2026-11-22T00:00:00Z"),
        ("@monthly", "2026-12-01T00:00:00Z"),
        ("@yearly", "2027-01-01T00:00:00Z"),
        ("@annually", "2027-01-01T00:00:00Z"),
        ("@every 90s", "2026-11-20T23:43:30Z"),
        ("@every 1h30m", "2026-11-21T00:00:00Z"),
        ("5/20 * * * *", "2026-11-20T23:45:00Z"),
    ];
    for (text, expected) in cases {
        assert_eq!(utc(text, "2026-11-20T23:42:00Z"), expected, "{text}");
    }
    assert_eq!(utc("@yearly", "2100-06-01T00:00:00Z"), "", "nothing fires after 2100");
}

#[test]
fn an_error_names_the_field_and_gives_an_example() {
    let lines = [
        "",
        "* * *",
        "* * * * * * *",
        "* * * * * 2026 *",
        "60 * * * * *",
        "* 60 * * *",
        "0 24 * * *",
        "0 0 0 * *",
        "0 0 32 * *",
        "0 0 * 13 *",
        "0 0 * * 8",
        "0 0 * * MOO",
        "0 0 * FOO *",
        "*/0 * * * *",
        "*/60 * * * *",
        "* */x * * *",
        "5-1 * * * *",
        "1,,2 * * * *",
        "-1 * * * *",
        "1- * * * *",
        "1.5 * * * *",
        "? * * * *",
        "0 0 L-31 * *",
        "0 0 W * *",
        "0 0 32W * *",
        "0 0 * * L",
        "0 0 * * 5#6",
        "0 0 * * 5#",
        "0 0 * * 8L",
        "0 0 0 30 2 *",
        "0 0 31 4,6 *",
        "0 0 0 31W 2 *",
        "@fortnightly",
        "@every",
        "@every 0s",
        "@every 1.5s",
        "@every 90",
        "99999999999999999999 * * * *",
        "ä * * * *",
        "0 0 * *\u{7}*",
    ];
    let errors: String = lines
        .iter()
        .map(|text| match text.parse::<Schedule>() {
            Ok(_) => format!("{text:?} is fine\n"),
            Err(error) => format!("{text:?}\n  {error}\n"),
        })
        .collect();
    expect![[r#"
        ""
          "" has 0 fields and must have six (seconds, minutes, hours, day of month, month, day of week) or five (without seconds); write it like 0 30 3 * * * (03:30:00 every day)
        "* * *"
          "* * *" has 3 fields and must have six (seconds, minutes, hours, day of month, month, day of week) or five (without seconds); write it like 0 30 3 * * * (03:30:00 every day)
        "* * * * * * *"
          it has seven fields; years are not supported; write it like 0 30 3 * * * (03:30:00 every day)
        "* * * * * 2026 *"
          it has seven fields; years are not supported; write it like 0 30 3 * * * (03:30:00 every day)
        "60 * * * * *"
          seconds "60": 60 is not between 0 and 59; write it like 0, 15,45, 0-29 or */10
        "* 60 * * *"
          hours "60": 60 is not between 0 and 23; write it like 3, 8,20, 9-17 or */2
        "0 24 * * *"
          hours "24": 24 is not between 0 and 23; write it like 3, 8,20, 9-17 or */2
        "0 0 0 * *"
          day of month "0": 0 is not between 1 and 31; write it like 1, 1,15, L (the last), L-2, LW or 15W
        "0 0 32 * *"
          day of month "32": 32 is not between 1 and 31; write it like 1, 1,15, L (the last), L-2, LW or 15W
        "0 0 * 13 *"
          month "13": 13 is not between 1 and 12; write it like 1, 6-8, JAN or JAN,JUL
        "0 0 * * 8"
          day of week "8": 8 is not between 0 and 7; write it like 1 (Monday), 1-5, SUN, FRI#2 (the second) or FRIL (the last)
        "0 0 * * MOO"
          day of week "MOO": "MOO" is not a valid value; write it like 1 (Monday), 1-5, SUN, FRI#2 (the second) or FRIL (the last)
        "0 0 * FOO *"
          month "FOO": "FOO" is not a valid value; write it like 1, 6-8, JAN or JAN,JUL
        "*/0 * * * *"
          minutes "*/0": the step must not be 0; write it like 0, 15,45, 0-29 or */10
        "*/60 * * * *"
          minutes "*/60": the step 60 is larger than the field; write it like 0, 15,45, 0-29 or */10
        "* */x * * *"
          hours "*/X": the step "X" is not a whole number; write it like 3, 8,20, 9-17 or */2
        "5-1 * * * *"
          minutes "5-1": the range 5-1 ends before it begins; write it like 0, 15,45, 0-29 or */10
        "1,,2 * * * *"
          minutes "1,,2": a value is missing next to a comma; write it like 0, 15,45, 0-29 or */10
        "-1 * * * *"
          minutes "-1": a value is missing; write it like 0, 15,45, 0-29 or */10
        "1- * * * *"
          minutes "1-": a value is missing; write it like 0, 15,45, 0-29 or */10
        "1.5 * * * *"
          minutes "1.5": "1.5" is not a valid value; write it like 0, 15,45, 0-29 or */10
        "? * * * *"
          minutes "?": "?" is not a valid value; write it like 0, 15,45, 0-29 or */10
        "0 0 L-31 * *"
          day of month "L-31": L- must be followed by a number of days from 0 to 30; write it like 1, 1,15, L (the last), L-2, LW or 15W
        "0 0 W * *"
          day of month "W": a value is missing; write it like 1, 1,15, L (the last), L-2, LW or 15W
        "0 0 32W * *"
          day of month "32W": 32 is not between 1 and 31; write it like 1, 1,15, L (the last), L-2, LW or 15W
        "0 0 * * L"
          day of week "L": L needs a day before it, such as FRIL for the last Friday; write it like 1 (Monday), 1-5, SUN, FRI#2 (the second) or FRIL (the last)
        "0 0 * * 5#6"
          day of week "5#6": # must be followed by a number from 1 to 5; write it like 1 (Monday), 1-5, SUN, FRI#2 (the second) or FRIL (the last)
        "0 0 * * 5#"
          day of week "5#": # must be followed by a number from 1 to 5; write it like 1 (Monday), 1-5, SUN, FRI#2 (the second) or FRIL (the last)
        "0 0 * * 8L"
          day of week "8L": 8 is not between 0 and 7; write it like 1 (Monday), 1-5, SUN, FRI#2 (the second) or FRIL (the last)
        "0 0 0 30 2 *"
          "0 0 0 30 2 *" never fires: no month has such a day; write it like 0 30 3 * * * (03:30:00 every day)
        "0 0 31 4,6 *"
          "0 0 31 4,6 *" never fires: no month has such a day; write it like 0 30 3 * * * (03:30:00 every day)
        "0 0 0 31W 2 *"
          "0 0 0 31W 2 *" never fires: no month has such a day; write it like 0 30 3 * * * (03:30:00 every day)
        "@fortnightly"
          "@fortnightly" is not one of @yearly, @annually, @monthly, @weekly, @daily, @midnight, @hourly and @every 90s; write it like 0 30 3 * * * (03:30:00 every day)
        "@every"
          @every must be followed by a duration; write it like @every 90s
        "@every 0s"
          @every must be followed by a duration; write it like @every 90s
        "@every 1.5s"
          @every "1.5s" is not a whole number of seconds; write it like @every 90s
        "@every 90"
          @every "90" is not a valid duration; write it like @every 90s
        "99999999999999999999 * * * *"
          minutes "99999999999999999999": "99999999999999999999" is not a valid value; write it like 0, 15,45, 0-29 or */10
        "ä * * * *"
          minutes "ä": "ä" is not a valid value; write it like 0, 15,45, 0-29 or */10
        "0 0 * *\u{7}*"
          it contains a control character; write it like 0 30 3 * * * (03:30:00 every day)
    "#]].assert_eq(&errors);
}

#[test]
fn a_fixed_time_fires_once_right_after_a_gap_and_once_in_an_overlap() {
    // In Berlin, 02:00 to 03:00 does not exist on 29 March 2026 and occurs twice on 25 October.
    let berlin = |text: &str, after: &str, count: usize| next(text, "Europe/Berlin", after, count);
    let found = berlin("0 30 2 * * *", "2026-03-28T00:00:00Z", 3);
    assert_eq!(found, ["2026-03-28T01:30:00Z", "2026-03-29T01:00:00Z", "2026-03-30T00:30:00Z"]);
    let found = berlin("0 10,40 2 * * *", "2026-03-28T23:00:00Z", 2);
    assert_eq!(found, ["2026-03-29T01:00:00Z", "2026-03-30T00:10:00Z"]);
    let found = berlin("0 30 2 * * *", "2026-10-24T22:00:00Z", 2);
    assert_eq!(found, ["2026-10-25T00:30:00Z", "2026-10-26T01:30:00Z"]);
    // In the second pass, the firing of the first pass is over.
    assert_eq!(berlin("0 59 2 * * *", "2026-10-25T01:10:00Z", 1), ["2026-10-26T01:59:00Z"]);
}

#[test]
fn an_interval_continues_through_a_gap_and_an_overlap() {
    let berlin = |text: &str, after: &str, count: usize| next(text, "Europe/Berlin", after, count);
    let found = berlin("0 */30 * * * *", "2026-03-29T00:29:00Z", 3);
    assert_eq!(found, ["2026-03-29T00:30:00Z", "2026-03-29T01:00:00Z", "2026-03-29T01:30:00Z"]);
    let found = berlin("0 */30 * * * *", "2026-10-24T23:59:00Z", 5);
    let expected = ["00:00", "00:30", "01:00", "01:30", "02:00"];
    assert_eq!(found, expected.map(|time| format!("2026-10-25T{time}:00Z")));
    let found = berlin("* * * * * *", "2026-10-25T00:59:58Z", 3);
    assert_eq!(found, ["2026-10-25T00:59:59Z", "2026-10-25T01:00:00Z", "2026-10-25T01:00:01Z"]);
    // The clock changes by half an hour on Lord Howe, and at midnight in São Paulo (until 2019).
    let found = next("0 */20 * * * *", "Australia/Lord_Howe", "2026-04-04T14:39:00Z", 4);
    let expected = ["14:40", "15:10", "15:30", "15:50"];
    assert_eq!(found, expected.map(|time| format!("2026-04-04T{time}:00Z")));
    let found = next("@daily", "America/Sao_Paulo", "2018-11-03T12:00:00Z", 2);
    assert_eq!(found, ["2018-11-04T03:00:00Z", "2018-11-05T02:00:00Z"]);
}
