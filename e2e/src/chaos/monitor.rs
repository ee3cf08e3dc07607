//! Watches the fleet during the whole experiment: restarts processes that end by themselves,
//! measures their memory and open files, and reads the events before they are trimmed.

use std::collections::BTreeMap;
use std::time::Duration;

use store::{Event, Store};
use tokio_util::sync::CancellationToken;

use crate::fleet::{self, Fleet};
use crate::history::History;

/// More open files than this are logged.
const NOTABLE_FILES: usize = 150;
const PROCESS_PERIOD: Duration = Duration::from_millis(500);
const EVENT_PERIOD: Duration = Duration::from_millis(100);
/// Events read at once. With the period, enough to read each before it is trimmed.
const EVENTS: u64 = 5_000;

/// The highest memory in KiB, and the most open files, of each process.
pub(crate) type ResourceUsage = BTreeMap<&'static str, (u64, usize)>;

/// Watches the processes until `stop`.
pub(crate) async fn watch_processes(
    fleet: &Fleet,
    history: &History,
    stop: &CancellationToken,
) -> anyhow::Result<ResourceUsage> {
    let (mut usage, mut known) = (ResourceUsage::new(), Vec::new());
    while !stop.is_cancelled() {
        fleet.restart_ended(history).await?;
        let running = fleet.pids();
        // A process that has just started may still hold our open files.
        for (name, pid) in running.iter().copied().filter(|process| known.contains(process)) {
            let Some((memory, files)) = fleet::resource_usage(pid) else { continue };
            let highest = usage.entry(name).or_default();
            if files > NOTABLE_FILES && files > highest.1 {
                history.log(format!("  open files of {name}: {}", fleet::open_files(pid)));
            }
            *highest = (highest.0.max(memory), highest.1.max(files));
        }
        known = running;
        tokio::time::sleep(PROCESS_PERIOD).await;
    }
    Ok(usage)
}

/// Reads events until `stop`, and then the remaining ones. Reads again while Redis is unreachable.
pub(crate) async fn read_events(store: &Store, stop: &CancellationToken) -> Vec<Event> {
    let (mut events, mut last_id) = (Vec::new(), String::new());
    loop {
        let stopping = stop.is_cancelled();
        let new = store.event_list(&last_id, EVENTS).await.unwrap_or_default();
        let count = new.len();
        if let Some(last) = new.last() {
            last_id = last.id.to_string();
        }
        events.extend(new);
        if stopping && count == 0 {
            return events;
        }
        if count < EVENTS as usize {
            tokio::time::sleep(EVENT_PERIOD).await;
        }
    }
}
