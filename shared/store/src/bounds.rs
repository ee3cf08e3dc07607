//! How much a namespace may hold. Each bound is named in the documentation.

use std::time::Duration;

/// The number of times that a change is tried if concurrent ones get in its way.
pub(crate) const CHANGE_TRIES: u32 = 10;
/// Crons.
pub const MAX_CRONS: u32 = 200_000;
/// Action configs: every submission reads them all.
pub const MAX_ACTION_CONFIGS: u32 = 1_000;
/// Rate limits: listed as a whole.
pub const MAX_LIMITS: u32 = 1_000;
/// Rate limits whose name ends in a star: a key without its own limit is compared with all of them.
pub const MAX_LIMIT_PATTERNS: u32 = 100;
/// Subscriptions: each event is compared with all of them.
pub const MAX_SUBSCRIPTIONS: u32 = 100;
/// Bulk operations, those that have ended included.
pub const MAX_BULK_OPERATIONS: u32 = 100;
/// How long a bulk operation is kept after it has ended.
pub const BULK_KEPT: Duration = Duration::from_secs(24 * 60 * 60);
/// Messages of one subscription that are not delivered yet: an unreachable receiver must not fill
/// the store.
pub const MAX_DELIVERIES: u32 = 10_000;
/// Entries of changes in the audit log. Somewhat more are kept, and somewhat longer: Redis removes
/// whole nodes of its tree.
pub const AUDIT_KEPT: usize = 100_000;
/// Entries of refused requests, which even a client that may change nothing can cause.
pub const AUDIT_REFUSED_KEPT: usize = 10_000;
/// How long an entry of the audit log is kept: 90 days.
pub const AUDIT_AGE: Duration = Duration::from_secs(90 * 24 * 60 * 60);
/// Waiting jobs of one owner, unless the settings say otherwise; `includes/exceeded_quota.lua` has
/// the same two numbers.
pub(crate) const MAX_WAITING_JOBS: u64 = 1_000_000;
/// Bytes of the specs of the waiting jobs of one owner, unless the settings say otherwise.
pub(crate) const MAX_WAITING_BYTES: u64 = 1 << 30;
