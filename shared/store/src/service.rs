//! Schedulers and API processes: each announces itself every few seconds, and is forgotten when it
//! is silent. Workers have leases instead.

mod announcer;
mod running;

pub use announcer::{ANNOUNCEMENT_PERIOD, Announcer};
pub(crate) use running::running;
pub use running::{BrokerLink, Service, ServiceKind};
