//! What a call of each script may cost. A script blocks Redis while it runs, so the number of
//! commands that one call carries out is bounded, whatever clients have submitted. The calls here
//! are the costliest that services make. See
//! `docs/decisions/025-what-one-script-may-cost.md`.

mod jobs;
mod locks;
mod monitor;
mod services;

use std::collections::BTreeSet;

use domain::job::JobId;
use testkit::{PrivateRedis, TestEnv, job};

use crate::calls::{submit, worker};
use crate::chains::chain;
use monitor::{Costs, Monitor, scripts};

/// The most commands that one call of each script may carry out.
const BUDGETS: [(&str, u64); 52] = [
    ("announce", 5),
    ("begin_bulk", 210),
    ("cancel", 13_000),
    ("change", 500),
    ("checkpoint", 3),
    ("claim", 10_500),
    ("clamp_retries", 400),
    ("clamp_times", 1_000),
    ("clear_lock", 120),
    ("command_worker", 4),
    ("count_events", 3_500),
    ("create_deliveries", 2_000),
    ("declare_queues", 2),
    ("delete", 500),
    ("delete_cron", 5),
    ("delete_subscription", 4),
    ("due", 5_000),
    ("due_crons", 230),
    ("expire_lease", 11_500),
    ("expire_waiting", 10_500),
    ("finish", 6_700),
    ("fire", 3_200),
    ("forget_deliveries", 250),
    ("forget_queue", 2),
    ("heartbeat", 1_700),
    ("hold_back", 80),
    ("keep_batch", 10_100),
    ("leave", 450),
    ("log", 530),
    ("lose_runs", 11_500),
    ("open", 8),
    ("pause", 2_000),
    ("pause_subscription", 4),
    ("progress", 3),
    ("propagate", 1_350),
    ("record_attempt", 5),
    ("redispatch", 650),
    ("remove_entries", 2),
    ("renew_windows", 2),
    ("retire_queue", 8),
    ("retry", 25),
    ("run_cron", 20),
    ("save_bulk", 6),
    ("set_action_config", 2_000),
    ("set_cron", 13),
    ("set_limit", 1_700),
    ("set_permits", 400),
    ("set_subscription", 11),
    ("signal", 60),
    ("stop_bulk", 7),
    ("submit", 10_800),
    ("trim", 900),
];

#[test]
fn every_script_has_a_budget() {
    let budgets: BTreeSet<String> = BUDGETS.iter().map(|(name, _)| (*name).to_owned()).collect();
    assert_eq!(budgets, scripts().into_keys().collect());
    assert_eq!(budgets.len(), BUDGETS.len());
}

#[tokio::test]
async fn no_call_of_a_script_exceeds_its_budget() {
    let redis = PrivateRedis::start().await;
    let monitor = Monitor::start(redis.url()).await;
    jobs::dependencies(redis.url()).await;
    jobs::cancels(redis.url()).await;
    jobs::batches(redis.url()).await;
    locks::contention(redis.url()).await;
    locks::rates(redis.url()).await;
    services::crons(redis.url()).await;
    services::subscriptions(redis.url()).await;
    services::dispatch(redis.url()).await;
    services::workers(redis.url()).await;
    services::services(redis.url()).await;
    services::bulk(redis.url()).await;
    services::series(redis.url()).await;
    jobs::dependents(redis.url()).await;
    let costs = monitor.stop().await;

    let never = BUDGETS.iter().filter(|(name, _)| !costs.contains_key(*name));
    assert_eq!(never.count(), 0, "each script was called: {costs:?}");
    let over = |(name, most): &&(&str, u64)| costs[*name] > *most;
    let over: Vec<String> = BUDGETS
        .iter()
        .filter(over)
        .map(|(name, most)| format!("{name} has carried out {} of {most}", costs[*name]))
        .collect();
    assert!(over.is_empty(), "calls exceed their budgets:\n{}\n{costs:#?}", over.join("\n"));
}

/// What it costs to depend on the first of a chain with so many follow-ups.
async fn cost_of_dependency(follow_ups: usize) -> Costs {
    let redis = PrivateRedis::start().await;
    let monitor = Monitor::start(redis.url()).await;
    let env = TestEnv::on(redis.url()).await;
    let worker = worker(&env).await;
    let ids: Vec<JobId> = chain(&env, &worker, &job("noop", ""), follow_ups).await;
    let mut dependent = job("noop", "");
    dependent.spec.depends_on = vec![ids[0]];
    submit(&env, &dependent).await;
    env.close().await;
    monitor.stop().await
}

#[tokio::test]
async fn a_dependency_on_a_long_chain_costs_as_much_as_one_on_a_short_chain() {
    let (short, long) = (cost_of_dependency(2).await, cost_of_dependency(100).await);
    assert_eq!(short["submit"], long["submit"]);
}
