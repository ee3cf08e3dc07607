//! Events: what the stream of changes holds, how clients see an entry, and which entries a filter
//! selects.

mod entry;
mod filter;

pub use entry::{Event, EventId, EventKind, InvalidEventId, UnknownEventKind};
pub use filter::EventFilter;
