//! What every part of the engine uses, for as long as the process lives.

use domain::capacity::CapacityMap;
use service::health::Health;
use store::Store;

use crate::action::ActionRegistry;
use crate::config::Config;
use crate::metrics::Metrics;

/// The settings of the process, its connections and its counters.
pub(crate) struct Resources {
    pub(crate) config: Config,
    /// The configured capacity, with `default`.
    pub(crate) capacity: CapacityMap,
    pub(crate) store: Store,
    pub(crate) actions: ActionRegistry,
    pub(crate) health: Health,
    pub(crate) metrics: Metrics,
}
