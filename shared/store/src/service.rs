//! Schedulers and API processes. Each announces itself every few seconds and is forgotten after a
//! silence. Workers have leases instead.

mod announcer;
mod running;

pub use announcer::{ANNOUNCEMENT_PERIOD, Announcer};
pub(crate) use running::running;
pub use running::{BrokerLink, Service, ServiceKind};
