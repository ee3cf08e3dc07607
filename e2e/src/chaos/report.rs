//! What a storm was and what became of it, as one table; and, if anything is wrong, what.

use std::collections::BTreeMap;
use std::io::Write;
use std::time::Duration;

use comfy_table::{Table, presets};
use domain::job::Status;

use crate::evidence::Evidence;
use crate::history::{History, Violation};
use crate::judge::Verdict;
use crate::plan;

/// So many of each invariant are shown; all are in the log.
const SHOWN: usize = 10;

pub(crate) struct Report<'a> {
    pub(crate) asked: &'a plan::Arguments,
    pub(crate) evidence: &'a Evidence,
    pub(crate) verdict: &'a Verdict,
    /// How long the fleet took to end every job once all was healed.
    pub(crate) drained: Option<Duration>,
}

impl Report<'_> {
    pub(crate) fn print(&self, history: &History) -> anyhow::Result<()> {
        let mut out = std::io::stdout().lock();
        let table = self.table(history);
        for line in self.kinds() {
            history.note(line);
        }
        writeln!(out, "{table}")?;
        history.note(format!("\n{table}"));
        let mut by_invariant: BTreeMap<&str, Vec<&Violation>> = BTreeMap::new();
        for violation in &self.verdict.violations {
            history.note(format!("{}: {}", violation.invariant, violation.what));
            by_invariant.entry(violation.invariant).or_default().push(violation);
        }
        for (invariant, all) in by_invariant {
            writeln!(out, "\nVIOLATED {invariant} ({} times)", all.len())?;
            for violation in all.iter().take(SHOWN) {
                writeln!(out, "  {}", violation.what)?;
            }
        }
        Ok(())
    }

    /// How the chains of each kind of job ended.
    fn kinds(&self) -> Vec<String> {
        let mut kinds: BTreeMap<&str, BTreeMap<&str, usize>> = BTreeMap::new();
        for (id, asked) in &self.evidence.book.jobs {
            let end = self.evidence.chain(*id).last().map_or("none", |job| job.status.as_str());
            *kinds.entry(asked.kind.name).or_default().entry(end).or_default() += 1;
        }
        let shown = |(name, ends): (&str, BTreeMap<&str, usize>)| {
            let ends: Vec<String> =
                ends.iter().map(|(end, count)| format!("{count} {end}")).collect();
            format!("{name}: {}", ends.join(", "))
        };
        kinds.into_iter().map(shown).collect()
    }

    fn table(&self, history: &History) -> String {
        let (evidence, verdict) = (self.evidence, self.verdict);
        let mut table = Table::new();
        table.load_style(presets::NOTHING);
        let mut row = |name: String, value: String| {
            table.add_row(vec![name, value]);
        };
        row("seed".into(), self.asked.seed.to_string());
        let mut kinds: BTreeMap<&str, usize> = BTreeMap::new();
        for kind in history.faults() {
            *kinds.entry(kind).or_default() += 1;
        }
        for (kind, count) in kinds {
            row(format!("fault: {kind}"), count.to_string());
        }
        row("jobs acknowledged".into(), evidence.book.jobs.len().to_string());
        row("requests refused or unanswered".into(), evidence.book.refused.to_string());
        row("chains of jobs in the store".into(), verdict.chains.to_string());
        row("follow-ups".into(), verdict.follow_ups.to_string());
        for status in Status::ALL {
            let count = evidence.jobs.values().filter(|job| job.status == status).count();
            if count > 0 {
                row(format!("records {status}"), count.to_string());
            }
        }
        row("runs traced".into(), evidence.runs.len().to_string());
        let overlaps = verdict.overlaps;
        let text = format!("{}, the longest {} ms", overlaps.count, overlaps.longest_ms);
        row("overlaps after a lost lease".into(), text);
        let recoveries = &verdict.recoveries;
        row("lost worker → its jobs run elsewhere".into(), recovery(&recoveries.all_ms));
        row("  with nothing else broken".into(), recovery(&recoveries.undisturbed_ms));
        row("cancel → its run is over, in peace".into(), recovery(&verdict.stops_ms));
        let fired = evidence.firsts().filter(|job| job.spec.cron.is_some()).count();
        row("firings of crons".into(), fired.to_string());
        let drained = self.drained.map(|time| format!("{:.1} s", time.as_secs_f64()));
        row("healed → drained".into(), drained.unwrap_or_else(|| "never".into()));
        row("violations".into(), verdict.violations.len().to_string());
        table.trim_fmt()
    }
}

fn recovery(sorted_ms: &[i64]) -> String {
    let [.., worst] = sorted_ms else { return "none".to_owned() };
    let median = sorted_ms[sorted_ms.len() / 2];
    format!("{} jobs: median {median} ms, worst {worst} ms", sorted_ms.len())
}
