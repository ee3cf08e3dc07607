//! The scheduler: tasks that look at the state of the store and act on it. They take no input, may
//! run at any time and in any number of schedulers at once, so there is no leader.
//!
//! The relay publishes the outbox to RabbitMQ. The tickers move due jobs to the outbox and fire
//! crons. The notifier creates deliveries for subscriptions, and the event counter keeps time
//! series and groups of failures. The others end expired jobs and lost
//! leases, propagate the ends of jobs, offer jobs again whose offers were lost, retire unused
//! queues, submit abandoned batches, trim the history, and announce that the scheduler runs. The
//! runner repeats each of them until shutdown, and none of them waits for another.
//!
//! Imports `domain`, `store`, `broker` and `service`.

mod abandoned_batches;
mod announcement;
mod broker_link;
mod clock_watch;
mod config;
mod cron_ticker;
mod crons_file;
mod event_counter;
mod expiry;
mod failed_steps;
#[doc(hidden)]
pub mod fuzzing;
mod history_trimmer;
mod lease_reaper;
mod limit_windows;
mod lost_offers;
mod metrics;
mod notifier;
mod propagation;
mod queue_retirement;
mod relay;
mod resources;
mod runner;
mod scheduler;
mod ticker;

pub use config::Config;
pub use event_counter::{Counted, EventCounter};
pub use lost_offers::{FoundOffers, Search, find_lost_offers};
pub use metrics::Metrics;
pub use notifier::{Notifications, Notifier};
pub use queue_retirement::retire_unused_queues;
pub use scheduler::run;
