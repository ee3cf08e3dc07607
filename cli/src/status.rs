//! `capstan status`: the state of the fleet.

use std::cmp::Reverse;
use std::collections::BTreeMap;
use std::time::Duration;

use clap::Args;
use client::command::{CommandError, CommandOutcome, CommandResult, clear_screen, print, table};
use client::wire::{Rates, Status, Store, Workers};
use client::{ApiClient, ClientError};
use serde::Deserialize;
use serde_json::Value;

use crate::flags::OutputFlags;

/// The pause before each redraw.
const REDRAW_PAUSE: Duration = Duration::from_secs(2);

/// The arguments of `status`.
#[derive(Debug, Args)]
pub(crate) struct StatusArguments {
    /// Redraw every 2 seconds until Ctrl-C
    #[arg(long, conflicts_with_all = ["json", "format"])]
    watch: bool,

    #[command(flatten)]
    output: OutputFlags,
}

/// Runs the command.
pub(crate) async fn run(api: &ApiClient, arguments: &StatusArguments) -> CommandResult {
    if arguments.watch {
        watch(api).await?;
        return Ok(CommandOutcome::Success);
    }
    let document: Value = api.get("/status").await?;
    if !arguments.output.print_one(&document, "version")? {
        let status =
            Status::deserialize(&document).map_err(|error| ClientError::unreadable(&error))?;
        print(layout(&status))?;
    }
    Ok(CommandOutcome::Success)
}

/// Redraws until interrupted. Goes on if the API does not answer, because it may recover.
async fn watch(api: &ApiClient) -> Result<(), CommandError> {
    loop {
        let text = match api.get("/status").await {
            Ok(status) => layout(&status),
            Err(error @ ClientError::Unavailable(_)) => error.to_string(),
            Err(error) => return Err(error.into()),
        };
        clear_screen()?;
        print(text)?;
        tokio::time::sleep(REDRAW_PAUSE).await;
    }
}

fn layout(status: &Status) -> String {
    let mut lines = vec![
        line("version", &status.version),
        line("Redis", &store(&status.store)),
        line("RabbitMQ", &state(status.broker.ok, status.broker.why.as_deref())),
    ];
    // Without Redis, nothing else is known.
    if !status.jobs.is_empty() {
        let count = |kind: &str| status.services.iter().filter(|one| one.kind == kind).count();
        lines.push(line("schedulers", &count("scheduler").to_string()));
        lines.push(line("APIs", &count("api").to_string()));
        lines.push(line("workers", &workers(&status.workers)));
        lines.push(line("jobs", &jobs(&status.jobs)));
    }
    lines.extend(status.rates.as_ref().map(recent));
    lines.extend(
        status.oldest_ready_ms.map(|ms| line("oldest offer", &format!("{} ago", seconds(ms)))),
    );
    if !status.services.is_empty() {
        let rows = status.services.iter().map(|one| {
            vec![
                one.kind.clone(),
                one.id.clone(),
                one.version.clone(),
                one.started_at.clone(),
                one.last_seen.clone(),
            ]
        });
        let header = ["SERVICE", "ID", "VERSION", "STARTED", "LAST SEEN"];
        lines.extend([String::new(), table(&header, rows)]);
    }
    if !status.warnings.is_empty() {
        lines.push(String::new());
        lines.extend(status.warnings.iter().map(|warning| format!("warning: {warning}")));
    }
    lines.join("\n")
}

fn workers(workers: &Workers) -> String {
    let Workers { live, draining } = workers;
    match draining {
        0 => format!("{live} live"),
        draining => format!("{live} live, {draining} of them draining"),
    }
}

/// The jobs in each status, first those that have not ended. Leaves out a status without jobs.
fn jobs(counts: &BTreeMap<String, u64>) -> String {
    let order = |word: &str| {
        ["waiting", "running", "cancel_request"].iter().rev().position(|first| *first == word)
    };
    let mut counts: Vec<_> = counts.iter().filter(|(_, count)| **count > 0).collect();
    counts.sort_by_key(|(word, _)| Reverse(order(word)));
    let texts: Vec<String> = counts.iter().map(|(word, count)| format!("{count} {word}")).collect();
    if texts.is_empty() { "none".to_owned() } else { texts.join(", ") }
}

fn line(name: &str, value: &str) -> String {
    format!("{name:<14} {value}").trim_end().to_owned()
}

fn state(ok: bool, why: Option<&str>) -> String {
    match (ok, why) {
        (true, _) => "ok".to_owned(),
        (false, Some(why)) => format!("not ok: {why}"),
        (false, None) => "not ok".to_owned(),
    }
}

fn store(store: &Store) -> String {
    let mut text = state(store.ok, store.why.as_deref());
    if let Some(used) = store.used_bytes {
        text.push_str(&format!(", {} used", bytes(used)));
        match store.max_bytes {
            Some(max) => text.push_str(&format!(" of {}", bytes(max))),
            None => text.push_str(", no limit"),
        }
    }
    text.push_str(match store.append_only {
        Some(true) => ", append-only file on",
        Some(false) => ", append-only file off",
        None => "",
    });
    text
}

fn recent(rates: &Rates) -> String {
    let Rates { started, ended, failed, period_ms } = rates;
    let name = match period_ms {
        60_000 => "last minute".to_owned(),
        ms => format!("last {}", seconds(*ms)),
    };
    line(&name, &format!("{started} started, {ended} ended, {failed} of them failed"))
}

fn seconds(ms: u64) -> String {
    format!("{}.{} s", ms / 1000, ms % 1000 / 100)
}

fn bytes(bytes: u64) -> String {
    const UNITS: [(u64, &str); 3] = [(1 << 30, "GiB"), (1 << 20, "MiB"), (1 << 10, "KiB")];
    let unit = UNITS.into_iter().find(|(size, _)| bytes >= *size);
    unit.map_or_else(
        || format!("{bytes} bytes"),
        |(size, name)| format!("{}.{} {name}", bytes / size, bytes % size * 10 / size),
    )
}

#[cfg(test)]
mod tests {
    use super::*;
    use crate::test_parser::arguments;
    use expect_test::expect;
    use serde_json::json;

    #[test]
    fn the_status_is_drawn_once_or_again_and_again_or_printed_as_json() {
        for words in [&[][..], &["--json"], &["--watch"]] {
            assert!(arguments::<StatusArguments>(words).is_ok(), "{words:?}");
        }
        for words in [&["--json", "--watch"][..], &["jobs"], &["--watch=1"]] {
            assert_eq!(arguments::<StatusArguments>(words).unwrap_err().exit_code(), 2);
        }
    }

    #[test]
    fn the_status_is_lines_services_and_warnings() {
        let healthy = json!({
            "version": "0.1.0",
            "services": [
                {"kind": "api", "id": "0000000000aa", "version": "0.1.0",
                 "startedAt": "2026-11-20T16:00:00Z", "lastSeen": "2026-11-20T16:54:34Z"},
                {"kind": "scheduler", "id": "0000000000bb", "version": "0.1.0",
                 "startedAt": "2026-11-20T16:00:00Z", "lastSeen": "2026-11-20T16:54:34Z"},
            ],
            "workers": {"live": 3, "draining": 1},
            "store": {"ok": true, "usedBytes": 12_000_000, "maxBytes": 1_073_741_824,
                      "appendOnly": true, "why": null},
            "broker": {"ok": true, "why": null},
            "jobs": {"waiting": 250, "running": 12, "cancel_request": 0, "done": 1803, "error": 4,
                     "cancel": 2, "deleted": 1},
            "rates": {"started": 240, "ended": 236, "failed": 1, "periodMs": 60_000},
            "oldestReadyMs": 1250, "warnings": [],
        });
        let down = json!({
            "version": "0.1.0", "services": [], "workers": {"live": 0, "draining": 0},
            "store": {"ok": false, "usedBytes": null, "why": "the store does not answer"},
            "broker": {"ok": false, "why": "unknown"}, "jobs": {}, "rates": null,
            "oldestReadyMs": null, "warnings": ["the store does not answer"],
        });
        let cut = json!({
            "version": "0.1.0", "store": {"ok": true, "usedBytes": 900, "maxBytes": null},
            "rates": {"started": 9, "ended": 8, "failed": 0, "periodMs": 1234},
        });
        let texts = [healthy, down, cut]
            .map(|status| layout(&serde_json::from_value::<Status>(status).unwrap()) + "\n--\n");
        expect![[r#"
            version        0.1.0
            Redis          ok, 11.4 MiB used of 1.0 GiB, append-only file on
            RabbitMQ       ok
            schedulers     1
            APIs           1
            workers        3 live, 1 of them draining
            jobs           250 waiting, 12 running, 2 cancel, 1 deleted, 1803 done, 4 error
            last minute    240 started, 236 ended, 1 of them failed
            oldest offer   1.2 s ago

            SERVICE    ID            VERSION  STARTED               LAST SEEN
            api        0000000000aa  0.1.0    2026-11-20T16:00:00Z  2026-11-20T16:54:34Z
            scheduler  0000000000bb  0.1.0    2026-11-20T16:00:00Z  2026-11-20T16:54:34Z
            --
            version        0.1.0
            Redis          not ok: the store does not answer
            RabbitMQ       not ok: unknown

            warning: the store does not answer
            --
            version        0.1.0
            Redis          ok, 900 bytes used, no limit
            RabbitMQ       not ok
            last 1.2 s     9 started, 8 ended, 0 of them failed
            --
        "#]]
        .assert_eq(&texts.concat());
    }
}
