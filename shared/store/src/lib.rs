//! The truth about jobs, in Redis. Every change is one Lua script; a folder per noun holds its
//! scripts, the Rust that calls them, and its reads, side by side. Imports `domain` only. Nothing
//! outside this crate says `redis::`.
//!
//! From the bottom up: `bounds`, `config`, `error`, `json`, `keys`, `script`, `answer`,
//! `packed`, `client`, `sentinels`, `endpoint`, `connection`, `replication`; `store`, the handle; `opening`;
//! then the nouns, which add methods to it.

mod action;
mod answer;
mod backlogs;
mod bare_records;
pub mod batcher;
mod bounds;
mod bulk;
mod client;
mod config;
mod connection;
mod cron;
mod dispatch;
mod dump;
mod endpoint;
mod error;
mod fleet_health;
mod fleet_status;
mod history;
mod job;
mod json;
mod keys;
mod left_out;
mod limit;
mod lock;
mod memory;
mod opening;
mod packed;
mod quota;
mod replication;
mod script;
mod sentinels;
mod series;
mod server_stats;
mod service;
mod store;
mod subscription;
mod worker;

pub use action::{ActionConfig, ActionDefaults, AllDefaults, RunningPer};
pub use backlogs::Backlogs;
pub use bounds::{
    AUDIT_AGE, AUDIT_KEPT, AUDIT_REFUSED_KEPT, BULK_KEPT, MAX_ACTION_CONFIGS, MAX_BULK_OPERATIONS,
    MAX_CRONS, MAX_DELIVERIES, MAX_LIMIT_PATTERNS, MAX_LIMITS, MAX_SUBSCRIPTIONS,
};
pub use bulk::{
    BulkBegun, BulkCursor, BulkJob, BulkOperation, BulkProgress, BulkSpec, BulkState, BulkStep,
    BulkVerb, SaveAnswer, StopAnswer,
};
pub use config::StoreConfig;
pub use cron::{Cron, CronSet, DueCron, DueCrons, FireAnswer, SetCron, Skip};
pub use dispatch::{
    DueMoves, FairnessGroup, FairnessGroups, Hint, Hints, Outbox, OutboxEntry, PlaceKind,
    QueueLoad, ReadyJob, ReadyQueue, Redispatch, Redispatched, WaitingPlace, WaitingPlaces,
};
pub use dump::Dumped;
pub use error::{ErrorClass, InvalidRelation, RelationProblem, StoreError};
pub use fleet_health::FleetHealth;
pub use fleet_status::{FleetStatus, LiveWorkers, Rates};
pub use history::{
    AuditFilter, AuditRecord, AuditedChange, EventPage, Events, JobFilter, JobIdPage, JobIndex,
    JobPage, JobRow, JobRows, JobWalk, RowFields, Settings, SettingsChanges, Sweep, Trimmed,
};
pub use job::{
    AppendAnswer, CancelAnswer, ChangeAnswer, ClaimAnswer, ClaimRequest, Claims, DeleteAnswer,
    ExpiredWaiting, Finish, FinishAnswer, JobChange, JobSummary, LogLine, LogSource, NewLogLine,
    NewSignal, OwnerWaiting, RelatedJob, RetryAnswer, SignalAnswer, SignalTo, StartRate,
    Submission, Submitted, WaitPosition, submission_steps,
};
pub use limit::{Limit, LimitState, SetLimitAnswer};
pub use lock::{Holder, Lock, Waiter};
pub use memory::MemoryUse;
pub use quota::{Quota, QuotaExceeded, UNKNOWN_USER};
pub use series::{
    CountAnswer, EventCounts, FailureCount, FailureGroup, MAX_FAILURE_GROUPS, MAX_SERIES,
    SeriesFilter, SeriesPoint, UncountedEvents,
};
pub use server_stats::ServerStats;
pub use service::{ANNOUNCEMENT_PERIOD, Announcer, BrokerLink, Service, ServiceKind};
pub use store::Store;
pub use subscription::{
    DeliveryAnswer, DeliveryAttempt, DeliveryFailure, DeliveryPlan, PendingEvents, SetSubscription,
    Subscription, SubscriptionRecord, SubscriptionSet,
};
pub use worker::{
    CapacityChangeError, CommandAnswer, Heartbeat, HeartbeatReply, Interruption, LeaseExpiry,
    LeaveAnswer, Renewal, Worker, WorkerCommand, WorkerStatus,
};

pub use domain::event::{Event, EventId, InvalidEventId};
