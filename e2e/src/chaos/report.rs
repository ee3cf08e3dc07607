//! The report: what was injected and measured as one table, followed by the violations.

use std::collections::BTreeMap;
use std::io::Write;
use std::time::Duration;

use comfy_table::{Table, presets};
use domain::job::Status;

use crate::checker::CheckResult;
use crate::history::{History, Violation};
use crate::observations::Observations;
use crate::plan;

/// The number of violations of each invariant that are printed. All are in the log.
const PRINTED: usize = 10;

pub(crate) struct Report<'a> {
    pub(crate) arguments: &'a plan::Arguments,
    pub(crate) observations: &'a Observations,
    pub(crate) result: &'a CheckResult,
    /// How long it took after the last fault until all jobs had finished.
    pub(crate) drained_after: Option<Duration>,
}

impl Report<'_> {
    /// Prints the report and adds it to the log.
    pub(crate) fn print(&self, history: &History) -> anyhow::Result<()> {
        let mut out = std::io::stdout().lock();
        for line in self.outcomes_by_kind() {
            history.log(line);
        }
        let table = self.table(history);
        writeln!(out, "{table}")?;
        history.log(format!("\n{table}"));
        let mut by_invariant: BTreeMap<&str, Vec<&Violation>> = BTreeMap::new();
        for violation in &self.result.violations {
            history.log(format!("{}: {}", violation.invariant, violation.details));
            by_invariant.entry(violation.invariant).or_default().push(violation);
        }
        for (invariant, violations) in by_invariant {
            writeln!(out, "\nVIOLATED {invariant} ({} times)", violations.len())?;
            for violation in violations.iter().take(PRINTED) {
                writeln!(out, "  {}", violation.details)?;
            }
        }
        Ok(())
    }

    /// How the retry chains of each kind of job ended.
    fn outcomes_by_kind(&self) -> Vec<String> {
        let mut kinds: BTreeMap<&str, BTreeMap<&str, usize>> = BTreeMap::new();
        for (id, expectation) in &self.observations.ledger.jobs {
            let chain = self.observations.chain(*id);
            let outcome = chain.last().map_or("no record", |job| job.status.as_str());
            let outcomes = kinds.entry(expectation.kind.name).or_default();
            *outcomes.entry(outcome).or_default() += 1;
        }
        let line = |(name, outcomes): (&str, BTreeMap<&str, usize>)| {
            let outcomes: Vec<String> =
                outcomes.iter().map(|(outcome, count)| format!("{count} {outcome}")).collect();
            format!("{name}: {}", outcomes.join(", "))
        };
        kinds.into_iter().map(line).collect()
    }

    fn table(&self, history: &History) -> String {
        let (observations, result) = (self.observations, self.result);
        let mut table = Table::new();
        table.load_style(presets::NOTHING);
        let mut row = |name: &str, value: String| {
            table.add_row(vec![name.to_owned(), value]);
        };
        row("seed", self.arguments.seed.to_string());
        let mut faults: BTreeMap<&str, usize> = BTreeMap::new();
        for kind in history.faults() {
            *faults.entry(kind).or_default() += 1;
        }
        for (kind, count) in faults {
            row(&format!("fault: {kind}"), count.to_string());
        }
        row("jobs acknowledged", observations.ledger.jobs.len().to_string());
        row("calls answered 503 or not at all", observations.ledger.unavailable.to_string());
        row("retry chains", result.chains.to_string());
        row("follow-ups", result.follow_ups.to_string());
        for status in Status::ALL {
            let count = observations.jobs.values().filter(|job| job.status == status).count();
            if count > 0 {
                row(&format!("records with status {status}"), count.to_string());
            }
        }
        row("runs recorded by commands", observations.runs.len().to_string());
        row("runs that continued from a checkpoint", result.resumed.to_string());
        let (sent, timed_out) = result.signalled;
        row("jobs continued by a signal", format!("{sent}, {timed_out} more by a time-out"));
        row("batched submissions, each in one list", result.batched.to_string());
        let overlaps = result.overlaps;
        let text = format!("{}, longest {} ms", overlaps.count, overlaps.longest_ms);
        row("overlapping runs after a lost lease", text);
        let recoveries = &result.recoveries;
        row("worker lost → job runs elsewhere", latency(&recoveries.all_ms));
        row("  with no other fault", latency(&recoveries.undisturbed_ms));
        row("cancelled → run stopped, with no fault", latency(&result.cancel_latencies_ms));
        let order = result.order;
        let text = format!("{}, {} more were disturbed", order.judged, order.disturbed);
        row("batches whose order was judged", text);
        let by_action = observations.jobs.values().filter(|job| job.action_queue);
        row("jobs offered through the queue of their action", by_action.count().to_string());
        let firings = observations.chain_heads().filter(|job| job.spec.cron.is_some());
        row("firings of crons", firings.count().to_string());
        let drained = self.drained_after.map(|time| format!("{:.1} s", time.as_secs_f64()));
        row("last fault ended → all jobs finished", drained.unwrap_or_else(|| "never".into()));
        row("violations", result.violations.len().to_string());
        table.trim_fmt()
    }
}

fn latency(sorted_ms: &[i64]) -> String {
    let [.., longest] = sorted_ms else { return "none".to_owned() };
    let median = sorted_ms[sorted_ms.len() / 2];
    format!("{} jobs, median {median} ms, longest {longest} ms", sorted_ms.len())
}
