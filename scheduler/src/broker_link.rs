//! Whether the relay can publish to RabbitMQ, for the announcement.

use std::sync::{Arc, Mutex, PoisonError};

use store::BrokerLink;

/// The state of the relay's connection to RabbitMQ. Clones share it.
#[derive(Debug, Clone)]
pub(crate) struct SharedBrokerLink(Arc<Mutex<BrokerLink>>);

impl Default for SharedBrokerLink {
    fn default() -> SharedBrokerLink {
        let not_yet = BrokerLink::Down("the scheduler has not connected yet".to_owned());
        SharedBrokerLink(Arc::new(Mutex::new(not_yet)))
    }
}

impl SharedBrokerLink {
    pub(crate) fn set(&self, link: BrokerLink) {
        *self.0.lock().unwrap_or_else(PoisonError::into_inner) = link;
    }

    pub(crate) fn get(&self) -> BrokerLink {
        self.0.lock().unwrap_or_else(PoisonError::into_inner).clone()
    }
}
