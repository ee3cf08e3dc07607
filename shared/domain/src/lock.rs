//! Locks: their names, the permits that a job takes, and templates that depend on the parameters of
//! a job.

mod locks;
mod name;
mod template;

pub use locks::Locks;
pub use name::{LockError, LockName, MAX_LOCKS, MAX_PERMITS};
pub use template::{LockTemplates, render};
