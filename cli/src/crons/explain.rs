//! `capstan crons explain`: a line in words, and when it fires. By itself: it needs no fleet.

use clap::Args;
use shared::cron::{CronLine, Zone};
use shared::job::Timestamp;

use crate::failure::Failure;
use crate::out;

/// What `crons explain` is told.
#[derive(Debug, Args)]
pub(crate) struct ExplainArguments {
    /// The line, like "0 30 3 * * MON-FRI"
    line: CronLine,

    /// On the clock of which place, like Europe/Berlin
    #[arg(long, value_name = "ZONE", default_value = "UTC")]
    time_zone: Zone,

    /// From when on, RFC 3339; from now on unless given
    #[arg(long, value_name = "TIME")]
    after: Option<Timestamp>,

    /// How many firings
    #[arg(long, default_value_t = 10, value_parser = clap::value_parser!(u32).range(..=1000))]
    count: u32,
}

/// Explains it.
pub(super) fn run(arguments: &ExplainArguments) -> Result<(), Failure> {
    out::say(explained(arguments, Timestamp::from_ms(chrono::Utc::now().timestamp_millis())))
}

fn explained(arguments: &ExplainArguments, now: Timestamp) -> String {
    let ExplainArguments { line, time_zone, .. } = arguments;
    let next = |after: &Timestamp| line.next(*after, *time_zone);
    let first = next(&arguments.after.unwrap_or(now));
    let ticks = std::iter::successors(first, next).take(arguments.count as usize);
    let rows: Vec<Vec<String>> =
        ticks.map(|tick| vec![tick.to_string(), time_zone.show(tick)]).collect();
    let words = format!("{} ({time_zone})", line.in_words());
    if rows.is_empty() {
        return words;
    }
    let local = format!("IN {time_zone}");
    format!("{words}\n\n{}", out::table(&["NEXT", &local], rows))
}

#[cfg(test)]
mod tests {
    use super::*;
    use clap::Parser;
    use expect_test::expect;

    #[derive(Parser)]
    struct Line {
        #[command(flatten)]
        explain: ExplainArguments,
    }

    #[test]
    fn a_line_is_told_in_words_with_its_next_firings() {
        let line = ["explain", "0 30 2 * * *", "--time-zone=Europe/Berlin", "--count=3"];
        let arguments = Line::parse_from(line).explain;
        let now = "2026-03-28T00:00:00Z".parse().unwrap();
        expect![[r#"
            at 02:30:00 every day (Europe/Berlin)

            NEXT                  IN Europe/Berlin
            2026-03-28T01:30:00Z  Sat 2026-03-28 02:30:00 +01:00
            2026-03-29T01:00:00Z  Sun 2026-03-29 03:00:00 +02:00
            2026-03-30T00:30:00Z  Mon 2026-03-30 02:30:00 +02:00
        "#]]
        .assert_eq(&(explained(&arguments, now) + "\n"));
    }
}
