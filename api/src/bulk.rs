//! Bulk operations: what may be done with which jobs, how it is done, and the task that runs the
//! stored operations.

mod apply;
mod eligibility;
mod preview;
mod runner;

pub(crate) use apply::{Requester, apply};
pub(crate) use eligibility::{Counts, select};
pub(crate) use preview::{Preview, preview};
pub(crate) use runner::{BulkRunner, NewOperation};
