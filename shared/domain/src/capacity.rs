//! Capacity: the units by type that a worker offers and a job needs, and the class of a need.

mod class;
mod error;
mod map;

pub use class::Class;
pub use error::CapacityError;
pub use map::{CapacityMap, DEFAULT_TYPE, DEFAULT_UNITS};
