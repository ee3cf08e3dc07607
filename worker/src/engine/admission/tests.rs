//! Tests of the admission's decisions: rules one by one, and random histories against a model.

mod action_queues;
mod fairness;
mod fleet;
mod histories;
mod order;
mod rules;
mod simulation;

use std::time::{Duration, Instant};

use broker::Offer;
use domain::job::{JobId, Timestamp};
use domain::queue::QueueName;

use super::{Admission, Command};

const HOLD: Duration = Duration::from_millis(250);

/// One admission, with its own clock in milliseconds.
struct Case {
    admission: Admission,
    start: Instant,
}

impl Case {
    /// A connected worker with this capacity, with queues of these classes in every priority.
    fn new(capacity: &str, classes: &[&str]) -> Case {
        let mut admission = Admission::new(capacity.parse().unwrap(), HOLD);
        let priorities = ["high", "normal", "low"];
        let queues = classes
            .iter()
            .flat_map(|class| priorities.map(|priority| name(&format!("{class}.{priority}"))));
        admission.discovered(&queues.collect::<Vec<_>>());
        admission.set_connected(true);
        Case { admission, start: Instant::now() }
    }

    /// Delivers an offer of new jobs and returns their ids.
    fn offer(&mut self, queue: &str, due_ms: i64, jobs: usize, ms: u64) -> Vec<JobId> {
        let ids = job_ids(jobs);
        let offer = Offer::new(Timestamp::from_ms(due_ms), 0, ids.clone());
        self.admission.delivered(&name(queue), offer, false, self.moment(ms));
        ids
    }

    /// Delivers an offer of one new job with this number, due at 0. Returns its id.
    fn offer_numbered(&mut self, queue: &str, number: u64, ms: u64) -> JobId {
        let id = JobId::random();
        let offer = Offer::new(Timestamp::from_ms(0), number, vec![id]);
        self.admission.delivered(&name(queue), offer, false, self.moment(ms));
        id
    }

    /// Delivers an offer that another worker returned.
    fn redeliver(&mut self, queue: &str, jobs: usize, ms: u64) -> Vec<JobId> {
        let ids = job_ids(jobs);
        let offer = Offer::new(Timestamp::from_ms(0), 0, ids.clone());
        self.admission.delivered(&name(queue), offer, true, self.moment(ms));
        ids
    }

    fn at(&mut self, ms: u64) -> Vec<Command> {
        self.admission.next_commands(self.moment(ms))
    }

    fn moment(&self, ms: u64) -> Instant {
        self.start + Duration::from_millis(ms)
    }

    /// Grants every claim among the commands in full. Returns the queues and the claimed jobs.
    fn grant(&mut self, commands: Vec<Command>) -> Vec<(String, Vec<JobId>)> {
        let mut granted = Vec::new();
        for command in commands {
            if let Command::Claim(claim) = command {
                let claimed = vec![true; claim.max as usize];
                self.admission.claim_answered(&claim, &claimed);
                let ids = claim.ids[..claim.max as usize].to_vec();
                granted.push((claim.queue.to_string(), ids));
            }
        }
        granted
    }

    /// Grants the claims that are due at this time.
    fn grant_at(&mut self, ms: u64) -> Vec<(String, Vec<JobId>)> {
        let commands = self.at(ms);
        self.grant(commands)
    }
}

fn job_ids(count: usize) -> Vec<JobId> {
    (0..count).map(|_| JobId::random()).collect()
}

fn name(text: &str) -> QueueName {
    text.parse().unwrap()
}

/// The queues that are resumed, with their prefetch.
fn resumed(commands: &[Command]) -> Vec<String> {
    let resumed = commands.iter().filter_map(|command| match command {
        Command::Resume(queue, prefetch) => Some(format!("{queue} {prefetch}")),
        Command::Pause(_) | Command::Claim(_) | Command::Ack(_) | Command::Count(_) => None,
    });
    resumed.collect()
}
