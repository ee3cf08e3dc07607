//! The operations that v0 and the web page share, with their errors. A surface only parses the
//! request and presents the result.

pub(crate) mod bulk;
pub(crate) mod cron;
pub(crate) mod deliveries;
pub(crate) mod job;
pub(crate) mod limit;
pub(crate) mod lock;
pub(crate) mod signal;
pub(crate) mod subscription;
pub(crate) mod worker;
