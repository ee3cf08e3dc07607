//! Events as they happen: one reader of the store for the whole process, and any number of
//! followers.

mod changes;
mod follower;
mod hub;

pub(crate) use changes::Changes;
pub(crate) use follower::{Follower, Step};
pub(crate) use hub::Hub;
