//! `capstan up`: everything that Capstan needs, on this machine, until Ctrl-C or until a command
//! has run.

mod actions;
mod arguments;
mod environment;
mod overview;
mod stack;

use anyhow::Context;
use client::command::{CommandError, CommandOutcome};
use tokio::signal::unix::{Signal, SignalKind, signal};

pub(crate) use arguments::UpArguments;
use stack::Stack;

/// Starts everything, waits for a reason to stop, and stops everything in order.
pub(crate) async fn run(arguments: &UpArguments) -> Result<CommandOutcome, CommandError> {
    let mut signals = Signals::new().context("cannot listen for signals")?;
    let mut stack = Stack::open(arguments, arguments.existing_servers()?)?;
    let (code, interrupted) = tokio::select! {
        code = stack.serve() => (code, false),
        code = signals.next() => (Ok(code), true),
    };
    if !interrupted && !matches!(code, Ok(0)) {
        stack.print_logs(code.as_ref().err());
    }
    tokio::select! {
        () = stack.stop() => {}
        // A second Ctrl-C: dropping the stack kills what is still running.
        _ = signals.next() => {}
    }
    Ok(CommandOutcome::Exited(code?))
}

/// The signals that end the program.
struct Signals {
    hangup: Signal,
    interrupt: Signal,
    terminate: Signal,
}

impl Signals {
    fn new() -> std::io::Result<Signals> {
        Ok(Signals {
            hangup: signal(SignalKind::hangup())?,
            interrupt: signal(SignalKind::interrupt())?,
            terminate: signal(SignalKind::terminate())?,
        })
    }

    /// Waits for the next one; returns the exit code that shells expect after it.
    async fn next(&mut self) -> u8 {
        tokio::select! {
            _ = self.hangup.recv() => 129,
            _ = self.interrupt.recv() => 130,
            _ = self.terminate.recv() => 143,
        }
    }
}
