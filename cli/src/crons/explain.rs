//! `capstan crons explain`.

use clap::Args;
use client::command::{CommandError, print, table};
use domain::cron::{Schedule, TimeZone};
use domain::job::Timestamp;

/// The arguments of `crons explain`.
#[derive(Debug, Args)]
pub(crate) struct ExplainArguments {
    /// Cron expression, for example "0 30 3 * * MON-FRI"
    #[arg(value_name = "SCHEDULE")]
    line: Schedule,

    /// Time zone, for example Europe/Berlin
    #[arg(long, value_name = "ZONE", default_value = "UTC")]
    time_zone: TimeZone,

    /// Time after which to list ticks, in RFC 3339 [default: now]
    #[arg(long, value_name = "TIME")]
    after: Option<Timestamp>,

    /// Number of ticks
    #[arg(
        long,
        value_name = "N",
        default_value_t = 10,
        value_parser = clap::value_parser!(u32).range(..=1000)
    )]
    count: u32,
}

/// Prints the explanation.
pub(super) fn run(arguments: &ExplainArguments) -> Result<(), CommandError> {
    print(explanation(arguments, Timestamp::from_ms(chrono::Utc::now().timestamp_millis())))
}

fn explanation(arguments: &ExplainArguments, now: Timestamp) -> String {
    let ExplainArguments { line, time_zone, .. } = arguments;
    let next = |after: &Timestamp| line.next(*after, *time_zone);
    let first = next(&arguments.after.unwrap_or(now));
    let ticks = std::iter::successors(first, next).take(arguments.count as usize);
    let rows: Vec<Vec<String>> =
        ticks.map(|tick| vec![tick.to_string(), time_zone.format(tick)]).collect();
    let words = format!("{} ({time_zone})", line.describe());
    if rows.is_empty() {
        return words;
    }
    let local = format!("IN {time_zone}");
    format!("{words}\n\n{}", table(&["NEXT", &local], rows))
}

#[cfg(test)]
mod tests {
    use super::*;
    use crate::test_parser::arguments;
    use expect_test::expect;

    #[test]
    fn an_expression_is_described_in_words_with_its_next_ticks() {
        let words = ["0 30 2 * * *", "--time-zone=Europe/Berlin", "--count=3"];
        let arguments = arguments(&words).unwrap();
        let now = "2026-03-28T00:00:00Z".parse().unwrap();
        expect![[r#"
            at 02:30:00 every day (Europe/Berlin)

            NEXT                  IN Europe/Berlin
            2026-03-28T01:30:00Z  Sat 2026-03-28 02:30:00 +01:00
            2026-03-29T01:00:00Z  Sun 2026-03-29 03:00:00 +02:00
            2026-03-30T00:30:00Z  Mon 2026-03-30 02:30:00 +02:00
        "#]]
        .assert_eq(&(explanation(&arguments, now) + "\n"));
    }
}
