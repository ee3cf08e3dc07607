//! Calls about a queue with many jobs of one fairness group, until another group has a job there.

use domain::job::NewJob;
use store::ClaimRequest;

use super::super::state::{Model, Record};
use super::super::step::Step;
use super::super::waiting::Position;
use super::Generator;

/// The class of these jobs. No other job has it.
const CLASS: &str = "lone=1";

impl Generator {
    /// More jobs of one group, which has no key, than are offered at a time.
    pub(super) fn lone_flood(&mut self) -> Vec<NewJob> {
        let count = 66 + self.random.below(100);
        (0..count).map(|_| self.lone_job()).collect()
    }

    fn lone_job(&mut self) -> NewJob {
        let mut job = testkit::job("noop", CLASS);
        job.id = self.id();
        job
    }

    /// While such jobs wait: now and then one is claimed, whether it is offered or not, and when the
    /// window is wide, another group gets its first job.
    pub(super) fn windows(&mut self, model: &Model) -> Option<Step> {
        let is_lone = |job: &Record| job.waits() && job.class == CLASS;
        let waits_behind = |job: &Record| is_lone(job) && job.position == Position::Backlog;
        if !model.jobs.values().any(waits_behind) && model.windows.is_empty() {
            return None;
        }
        if !model.windows.is_empty() && self.random.percent(20) {
            let mut job = self.lone_job();
            job.spec.fairness_key = Some("late".to_owned());
            return Some(Step::Submit(vec![job]));
        }
        if !self.random.percent(20) {
            return None;
        }
        let behind = self.random.percent(30);
        let worker = self.worker(model, |until| until > model.now);
        let wanted = |job: &Record| if behind { waits_behind(job) } else { is_lone(job) };
        let ids = vec![self.job(model, wanted)];
        Some(Step::Claim(worker, vec![ClaimRequest { max: 1, ids }]))
    }
}
