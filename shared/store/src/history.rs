//! History: lists of jobs, the stream of events, the audit log, and what removes the oldest of it
//! all.

mod after;
mod audit;
mod conditions;
mod events;
mod list;
mod merge;
mod newest;
mod rows;
mod settings;
mod trim;
mod walk;

pub use audit::{AuditFilter, AuditRecord, AuditedChange};
pub(crate) use events::events_of;
pub use events::{EventPage, Events};
pub use list::{JobFilter, JobIdPage, JobPage};
pub use rows::{JobIndex, JobRow, JobRows, RowFields};
pub use settings::{Settings, SettingsChanges};
pub use trim::{Sweep, Trimmed};
pub use walk::JobWalk;
