//! Batched submissions in the model.

use domain::bounds::PARAMETERS_BYTES;
use domain::job::{JobId, JobSpec, NewJob};
use serde_json::{Value, json};
use uuid::Uuid;

use super::state::Model;
use super::waiting::Position;

/// A batch that submissions can join.
#[derive(Debug, Clone)]
pub(super) struct OpenBatch {
    pub(super) id: JobId,
    /// The parameters of its submissions.
    pub(super) list: Vec<Value>,
}

impl OpenBatch {
    fn with(&self, more: &[Value]) -> Vec<Value> {
        self.list.iter().chain(more).cloned().collect()
    }

    /// The bytes of the list, without its brackets.
    pub(super) fn bytes(&self) -> usize {
        json!(self.list).to_string().len() - 2
    }
}

/// The parameters in the list of a submission.
fn list_of(job: &NewJob) -> Vec<Value> {
    json!(job.spec.parameters)["batch"].as_array().unwrap().clone()
}

/// What the submissions of a batch have in common.
fn common(job: &NewJob) -> String {
    let others = serde_json::to_string(&JobSpec { parameters: None, ..job.spec.clone() }).unwrap();
    Uuid::new_v5(&Uuid::nil(), format!("{} {others}", job.class).as_bytes()).to_string()
}

impl Model {
    /// Begins a batch with a new job.
    pub(super) fn begin_batch(&mut self, job: &NewJob) {
        self.batches.insert(common(job), OpenBatch { id: job.id, list: list_of(job) });
    }

    /// Adds a submission to its open batch. Returns the job that it joins.
    pub(super) fn join_batch(&mut self, job: &NewJob) -> Option<JobId> {
        job.spec.batch_key.as_ref()?;
        let (now, wait) = (self.now, job.spec.batch_wait.duration().unwrap().as_millis() as i64);
        let open = self.batches.get(&common(job))?.clone();
        let held = self.jobs.get(&open.id).filter(|held| held.waits() && held.is_there())?;
        let in_due = matches!(held.position, Position::Due(_));
        if !in_due || held.scheduled_at <= now || held.scheduled_at != held.created_at + wait {
            return None;
        }
        let list = open.with(&list_of(job));
        let fits = json!({"batch": list}).to_string().len() <= PARAMETERS_BYTES;
        let is_full = !fits || list.len() == job.spec.batch_size as usize;
        let record = self.job_mut(open.id);
        record.last_updated = now;
        if fits {
            let (was, is) = (json!(open.list).to_string(), json!(list).to_string());
            record.spec = record.spec.replacen(&was, &is, 1);
        }
        if is_full {
            record.scheduled_at = now;
            self.batches.remove(&common(job));
            self.joined_batches.retain(|id| *id != open.id);
            self.offer(open.id);
            self.emit_job(open.id);
        } else {
            self.batches.insert(common(job), OpenBatch { id: open.id, list });
            if !self.joined_batches.contains(&open.id) {
                self.joined_batches.push(open.id);
            }
        }
        if !fits {
            self.occurred("a batch has no room for more parameters");
        } else if is_full {
            self.occurred("a batch is full");
        } else {
            self.occurred("a submission joins a batch");
        }
        fits.then_some(open.id)
    }
}
