//! The commands that both surfaces for people offer, v0 and the web page: what they ask of the
//! store, and the errors of each. A surface only parses the request and shows the result.

pub(crate) mod cron;
pub(crate) mod deliveries;
pub(crate) mod job;
pub(crate) mod lock;
pub(crate) mod worker;
