//! The probe: jobs that are submitted when the fleet has recovered, for every action and every
//! need.

use rand::SeedableRng;
use rand::rngs::ChaCha8Rng;
use serde_json::{Value, json};

use super::client::ApiClient;
use super::jobs::{in_order, one_of_each_need, with};
use super::kinds::{IN_ORDER, PLAIN, named};
use super::ledger::Ledger;
use crate::fleet::Fleet;
use crate::history::History;

/// The comment of the jobs of the probe.
pub(crate) const PROBE: &str = "probe";

/// Submits the jobs of the probe. That one is not acknowledged is a violation.
pub(crate) async fn probe(fleet: &Fleet, history: &History, seed: u64) -> anyhow::Result<Ledger> {
    let mut rng = ChaCha8Rng::seed_from_u64(seed);
    let client = ApiClient::new(fleet)?;
    let mut ledger = Ledger::default();
    for action in fleet.actions_in_use() {
        let more = json!({"action": action, "comment": PROBE});
        let all_with_more =
            |jobs: Vec<Value>| jobs.into_iter().map(|job| with(job, &more)).collect::<Vec<_>>();
        for (kind, jobs) in [(IN_ORDER, in_order(&mut rng)), (PLAIN, one_of_each_need())] {
            let (Some(kind), jobs) = (named(kind), all_with_more(jobs)) else { continue };
            let rng = ChaCha8Rng::seed_from_u64(seed);
            let result = client.submit_and_follow(kind, jobs, rng).await;
            if result.acknowledged.is_empty() {
                let details = format!("jobs of the action {action} are not accepted");
                history.add_violation("everything resumes by itself", details);
            }
            ledger.add(result, history);
        }
    }
    Ok(ledger)
}
