//! `capstan top`: a live view of the fleet in the terminal.

mod keys;
mod snapshot;
mod view;

use std::io::{self, IsTerminal};
use std::pin::Pin;
use std::time::Duration;

use clap::Args;
use client::command::{CommandError, CommandOutcome, CommandResult};
use client::{ApiClient, ClientError};
use crossterm::event::EventStream;
use futures_util::StreamExt;
use ratatui::DefaultTerminal;
use tokio::signal::unix::{SignalKind, signal};

use keys::Key;
use snapshot::Snapshot;
use view::View;

/// The time between two reads of the fleet.
const PERIOD: Duration = Duration::from_secs(2);

/// The arguments of `top`.
#[derive(Debug, Args)]
pub(crate) struct TopArguments {}

/// A read of the fleet, which may begin after a pause.
type Reading<'a> = Pin<Box<dyn Future<Output = Result<Snapshot, ClientError>> + 'a>>;

/// Shows the fleet until the user quits.
pub(crate) async fn run(api: &ApiClient, _: &TopArguments) -> CommandResult {
    if !io::stdout().is_terminal() || !io::stdin().is_terminal() {
        let why = "top needs a terminal; use `capstan status` to print the state of the fleet";
        return Err(CommandError::Usage(why.to_owned()));
    }
    // An API that refuses the token must say so on a clean terminal.
    let view = View::new(Snapshot::read(api).await?);
    let mut screen = Screen::open()?;
    let shown = show(api, view, &mut screen.terminal).await;
    drop(screen);
    shown?;
    Ok(CommandOutcome::Success)
}

async fn show(
    api: &ApiClient,
    mut view: View,
    terminal: &mut DefaultTerminal,
) -> Result<(), CommandError> {
    let (mut end, mut hang_up) = (signal(SignalKind::terminate())?, signal(SignalKind::hangup())?);
    let mut interrupt = signal(SignalKind::interrupt())?;
    let mut events = EventStream::new();
    let mut reading = read_after(api, PERIOD);
    loop {
        terminal.draw(|frame| view::draw(frame, &view))?;
        tokio::select! {
            event = events.next() => {
                let Some(event) = event else { return Ok(()) };
                match Key::of(&event?) {
                    Some(Key::Quit) => return Ok(()),
                    Some(Key::Pause) => view.is_paused = !view.is_paused,
                    Some(Key::Refresh) => reading = read_after(api, Duration::ZERO),
                    Some(Key::Help) => view.shows_help = !view.shows_help,
                    None => {}
                }
            }
            read = &mut reading, if !view.is_paused => {
                view.update(read)?;
                reading = read_after(api, PERIOD);
            }
            _ = end.recv() => return Ok(()),
            _ = hang_up.recv() => return Ok(()),
            _ = interrupt.recv() => return Ok(()),
        }
    }
}

fn read_after(api: &ApiClient, pause: Duration) -> Reading<'_> {
    Box::pin(async move {
        tokio::time::sleep(pause).await;
        Snapshot::read(api).await
    })
}

/// The terminal while it shows the view. Becomes what it was before when this is dropped, and
/// before the message of a panic.
struct Screen {
    terminal: DefaultTerminal,
}

impl Screen {
    fn open() -> io::Result<Screen> {
        let opened = ratatui::try_init();
        if opened.is_err() {
            ratatui::restore();
        }
        Ok(Screen { terminal: opened? })
    }
}

impl Drop for Screen {
    fn drop(&mut self) {
        ratatui::restore();
    }
}
