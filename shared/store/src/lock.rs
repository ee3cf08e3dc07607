//! Locks: who holds one, who waits for it, and what operators set by hand.

mod clear;
mod locks;
mod pause;
mod permits;

pub use locks::{Holder, Lock, Waiter};
