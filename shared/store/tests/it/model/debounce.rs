//! Debounced submissions in the model.

use domain::job::{JobId, NewJob};

use super::state::Model;
use super::waiting::Position;

impl Model {
    /// Replaces a job that waits for its debounced time by another submission with its unique key.
    pub(super) fn replace(&mut self, id: JobId, by: &NewJob) -> bool {
        let now = self.now;
        let Some(wait) = by.spec.debounce.duration() else { return false };
        let new = self.new_record(by.spec.action.as_str(), by.class.as_str(), &by.spec);
        let Some(held) = self.jobs.get_mut(&id) else { return false };
        let waits = held.waits() && held.scheduled_at > now;
        let in_due = matches!(held.position, Position::Due(_));
        let Some(replaced) = held.replaced.filter(|_| waits && in_due) else { return false };
        if held.action != new.action || held.owner != new.owner {
            return false;
        }
        if held.replaced_by == Some(by.id) {
            return true;
        }
        let mut at = now + wait.as_millis() as i64;
        if let Some(max) = by.spec.debounce_max.duration() {
            at = at.min(held.created_at + max.as_millis() as i64).max(now);
        }
        let (number, created_at, next) = (held.number, held.created_at, held.next);
        let child_group = held.child_group;
        *held = new;
        (held.number, held.created_at, held.next) = (number, created_at, next);
        (held.child_group, held.scheduled_at) = (child_group, at);
        (held.replaced, held.replaced_by) = (Some(replaced + 1), Some(by.id));
        held.position = Position::Due(at);
        self.emit_job(id);
        true
    }
}
