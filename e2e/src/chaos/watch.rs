//! What is looked at all the time while faults go on: that no process ends by itself, how large each is, and every
//! event that the store tells, before it is trimmed.

use std::collections::BTreeMap;
use std::time::Duration;

use store::{Change, Store};
use tokio_util::sync::CancellationToken;

use crate::fleet::{self, Fleet};
use crate::history::History;

/// More open files than this are worth a line in the log.
const FILES: usize = 150;
const PERIOD: Duration = Duration::from_millis(100);
/// Of changes that are read at once; at every period, so that none is trimmed before it is read.
const CHANGES: u64 = 5_000;

/// The most that was seen of each process: KiB of memory, open files.
pub(crate) type Sizes = BTreeMap<&'static str, (u64, usize)>;

/// Watches processes until told to stop.
pub(crate) async fn processes(
    fleet: &Fleet,
    history: &History,
    stop: &CancellationToken,
) -> anyhow::Result<Sizes> {
    let (mut sizes, mut known) = (Sizes::new(), Vec::new());
    while !stop.is_cancelled() {
        fleet.look(history)?;
        let living = fleet.pids();
        // One that was started a moment ago may still have our files open.
        for (name, pid) in living.iter().copied().filter(|one| known.contains(one)) {
            let Some((memory, files)) = fleet::size_of(pid) else { continue };
            let most = sizes.entry(name).or_default();
            if files > FILES && files > most.1 {
                history.note(format!("  {name} has open {}", fleet::files_of(pid)));
            }
            *most = (most.0.max(memory), most.1.max(files));
        }
        known = living;
        tokio::time::sleep(PERIOD * 5).await;
    }
    Ok(sizes)
}

/// Reads events until told to stop, and then to their end. A store that is away is asked again.
pub(crate) async fn events(store: &Store, stop: &CancellationToken) -> Vec<Change> {
    let (mut all, mut place) = (Vec::new(), String::new());
    loop {
        let stopping = stop.is_cancelled();
        let some = store.changes(&place, CHANGES).await;
        let read = some.as_ref().map(Vec::len).unwrap_or(0);
        if let Some(last) = some.as_ref().ok().and_then(|some| some.last()) {
            place.clone_from(&last.place);
        }
        all.extend(some.unwrap_or_default());
        if stopping && read == 0 {
            return all;
        }
        if read < CHANGES as usize {
            tokio::time::sleep(PERIOD).await;
        }
    }
}
