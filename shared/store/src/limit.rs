//! Rate limits: what operators have set, and how much of each is used up.

mod limits;
mod text;

pub use limits::{Limit, LimitState, SetLimitAnswer};
