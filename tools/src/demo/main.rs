//! `capstan-demo`, which `capstan demo` runs: a container registry's jobs on a real fleet, through
//! the API alone. Every section prints what happened and checks it.
//!
//! From the bottom up: [`section`], [`job_table`] and [`fleet`] ← [`workers`] ← [`registry`] ← the
//! other sections ← this file.

mod cancelled;
mod crons;
mod fleet;
mod job_table;
mod killed;
mod layers;
mod registry;
mod resumed;
mod retried;
mod section;
mod three_jobs;
mod workers;

use std::process::ExitCode;
use std::time::{Duration, Instant};

use clap::Parser;
use client::command::{
    CommandError, CommandOutcome, CommandResult, EXIT_CODES, print, run_program,
};
use client::{ClientError, ConnectionOptions};
use domain::settings::duration;

use fleet::Fleet;
use section::Section;
use workers::Readiness;

/// Run the demo: a container registry's jobs, with checks of every result
///
/// Images are pushed, scanned layer by layer, migrated and collected; a scan is cancelled, one is
/// retried, workers are killed, crons fire. The fleet must have two workers that offer
/// scan=1,scanCheck=1 and know the actions of examples/registry and examples/demo, as the fleet of
/// `./dev up` does. If no worker knows these actions, the demo says so and exits with 0.
#[derive(Debug, Parser)]
#[command(name = "capstan-demo", bin_name = "capstan demo", version, after_help = EXIT_CODES)]
struct Arguments {
    #[command(flatten)]
    connection: ConnectionOptions,

    /// Time limit of the whole demo
    #[arg(long, value_name = "DURATION", default_value = "180s", value_parser = duration)]
    timeout: Duration,

    /// Fail if no worker knows the actions of the demo
    #[arg(long)]
    required: bool,
}

/// The totals of the sections so far.
#[derive(Default)]
struct Totals {
    jobs: usize,
    problems: Vec<String>,
}

impl Totals {
    fn add(&mut self, section: Section) -> Result<(), CommandError> {
        print(format!("{}\n{}\n", section.title, section.table))?;
        self.jobs += section.jobs;
        self.problems.extend(section.problems);
        Ok(())
    }
}

fn main() -> ExitCode {
    run_program(run)
}

async fn run(arguments: Arguments) -> CommandResult {
    let start = Instant::now();
    let fleet = Fleet { api: arguments.connection.client()?, deadline: start + arguments.timeout };
    let mut totals = Totals::default();
    match run_sections(&fleet, &mut totals).await {
        Ok(Readiness::Ready) => {}
        Ok(Readiness::OtherActions(sentence)) if arguments.required => {
            totals.problems.push(sentence);
        }
        Ok(Readiness::OtherActions(sentence)) => {
            print(sentence)?;
            return Ok(CommandOutcome::success_if(true));
        }
        // A fleet that is too slow fails the demo; any other error prevents it.
        Err(CommandError::Api(ClientError::TimedOut(reason))) => totals.problems.push(reason),
        Err(error) => return Err(error),
    }
    let Totals { jobs, problems } = totals;
    if problems.is_empty() {
        print(format!("demo passed: {jobs} jobs in {:.1} s", start.elapsed().as_secs_f64()))?;
    } else {
        print(format!("demo failed; problems: {}", problems.len()))?;
        for problem in &problems {
            print(format!("  - {problem}"))?;
        }
    }
    Ok(CommandOutcome::success_if(problems.is_empty()))
}

async fn run_sections(fleet: &Fleet, totals: &mut Totals) -> Result<Readiness, CommandError> {
    let readiness = workers::readiness(fleet).await?;
    if let Readiness::OtherActions(_) = readiness {
        return Ok(readiness);
    }
    let baseline = crons::baseline(fleet).await?;
    totals.add(three_jobs::run(fleet).await?)?;
    let (section, images) = registry::run(fleet).await?;
    totals.add(section)?;
    totals.add(layers::run(fleet, &images).await?)?;
    totals.add(cancelled::run(fleet, &images).await?)?;
    totals.add(retried::run(fleet, &images).await?)?;
    totals.add(killed::run(fleet, &images).await?)?;
    totals.add(resumed::run(fleet).await?)?;
    totals.add(crons::run(fleet, &baseline).await?)?;
    Ok(readiness)
}
