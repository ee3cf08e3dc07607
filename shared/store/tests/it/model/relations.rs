//! Relations between jobs in the model: dependents, parents, children, and what an end means to
//! them.

use std::collections::BTreeMap;

use domain::job::NewJob;
use domain::job::{Cancellation, DependencyCondition, JobId, Status, Timestamp, Transition};
use store::{InvalidRelation, RelationProblem};

use super::state::{Model, Record};
use super::waiting::Position;

/// A consequence of an end that is not carried out yet.
#[derive(Debug, Clone, PartialEq, Eq)]
pub(super) enum Note {
    /// The dependents of a job, and how it ended.
    Dependents(JobId, &'static str),
    /// A child, its group, and how it ended.
    Child(JobId, JobId, &'static str),
    /// The children of a group are to stop.
    Stop(JobId),
}

impl Note {
    pub(super) fn text(&self) -> String {
        match self {
            Note::Dependents(on, outcome) => format!("dependents {on} {outcome}"),
            Note::Child(child, group, outcome) => format!("child {child} {group} {outcome}"),
            Note::Stop(group) => format!("stop {group}"),
        }
    }
}

fn outcome_of(status: Status) -> &'static str {
    match status {
        Status::Done => "done",
        Status::Cancel | Status::Deleted => "cancel",
        Status::Waiting
        | Status::Running
        | Status::CancelRequest
        | Status::Error
        | Status::WorkerDead
        | Status::WorkerShutdown
        | Status::WorkerResurrection => "error",
    }
}

/// Removes and returns the first members by score, then by id.
fn popped<Score: Copy + Ord>(set: &mut BTreeMap<JobId, Score>, most: usize) -> Vec<JobId> {
    let mut all: Vec<(Score, String, JobId)> =
        set.iter().map(|(id, score)| (*score, id.to_string(), *id)).collect();
    all.sort();
    let ids: Vec<JobId> = all.into_iter().take(most).map(|(_, _, id)| id).collect();
    set.retain(|id, _| !ids.contains(id));
    ids
}

impl Model {
    /// The last follow-up of a job, which may be itself: the last job of its chain, or the tombstone
    /// of the one after that.
    pub(super) fn last_follow_up(&self, id: JobId) -> JobId {
        let is_followed = |job: &&Record| job.carried_on_by().is_some();
        let Some(job) = self.jobs.get(&id).filter(is_followed) else { return id };
        let first = job.chain(id);
        let chain = self.jobs.iter().filter(|(other, job)| job.chain(**other) == first);
        let last = chain.max_by_key(|(_, job)| job.number).map_or(id, |(last, _)| *last);
        let after = self.jobs.get(&last).and_then(Record::carried_on_by);
        after.filter(|after| self.jobs.contains_key(after)).unwrap_or(last)
    }

    fn may_have_children(&self, id: JobId) -> bool {
        let job = self.jobs.get(&id);
        job.is_some_and(|job| !job.status.is_final() && job.status != Status::CancelRequest)
    }

    fn child_group_of(&self, parent: JobId) -> JobId {
        let last = self.last_follow_up(parent);
        self.jobs.get(&last).and_then(|job| job.child_group).unwrap_or(last)
    }

    /// The first job that these jobs must not name.
    pub(super) fn bad_relation(&self, jobs: &[NewJob]) -> Option<InvalidRelation> {
        let mut submitted: BTreeMap<JobId, &NewJob> = BTreeMap::new();
        for (index, job) in jobs.iter().enumerate() {
            let repeated = job.reserve_id && self.used_ids.contains_key(&job.id);
            if !self.jobs.contains_key(&job.id)
                && !repeated
                && let Some((kind, id)) = self.bad_relation_of(job, &submitted)
            {
                return Some(InvalidRelation { kind, index, id });
            }
            submitted.insert(job.id, job);
        }
        None
    }

    fn bad_relation_of(
        &self,
        job: &NewJob,
        submitted: &BTreeMap<JobId, &NewJob>,
    ) -> Option<(RelationProblem, JobId)> {
        let parent = job.spec.parent;
        if let Some(parent) = parent
            && !self.may_have_children(self.last_follow_up(parent))
            && !submitted.contains_key(&parent)
        {
            let exists = self.jobs.contains_key(&self.last_follow_up(parent));
            let over = RelationProblem::ParentOver;
            return Some((if exists { over } else { RelationProblem::UnknownParent }, parent));
        }
        for on in &job.spec.depends_on {
            let (own, other) = (submitted.get(on), self.jobs.get(&self.last_follow_up(*on)));
            if own.is_none() && other.is_none() {
                return Some((RelationProblem::UnknownDependency, *on));
            }
            let Some(parent) = parent else { continue };
            let allowed = match other {
                Some(other) => {
                    other.status.is_final()
                        || other.parent_group == Some(self.child_group_of(parent))
                }
                None => own.is_some_and(|own| own.spec.parent == Some(parent)),
            };
            if !allowed {
                return Some((RelationProblem::ForeignDependency, *on));
            }
        }
        None
    }

    fn resolve_name(&mut self, named: JobId) -> JobId {
        if let Some(holder) = self.stands_for.get(&named) {
            self.used_ids.insert(named, *holder);
        }
        self.used_ids.get(&named).copied().unwrap_or(named)
    }

    /// Makes a new job a child of its parent.
    pub(super) fn join_parent(&mut self, id: JobId, job: &mut Record, parent: JobId) {
        let parent = self.resolve_name(parent);
        let (last, group) = (self.last_follow_up(parent), self.child_group_of(parent));
        if !self.may_have_children(last) {
            self.stopping.entry(group).or_default().insert(id, job.scheduled_at);
            self.propagations.push(Note::Stop(group));
        } else if self.jobs[&last].child_group.is_none() {
            self.job_mut(last).child_group = Some(group);
            self.parents.insert(group, last);
        }
        job.parent_group = Some(group);
    }

    /// Registers a new job with its dependencies.
    pub(super) fn depend_on(&mut self, id: JobId, job: &mut Record, new: &NewJob) {
        for named in &new.spec.depends_on {
            let on = self.resolve_name(*named);
            let last = self.last_follow_up(on);
            let status = self.jobs.get(&last).map(|job| job.status);
            if status.is_some_and(|status| status != Status::Deleted) {
                self.job_mut(last).next.get_or_insert(id);
            }
            let over = status.is_none_or(Status::is_final);
            let group = self.jobs.get(&last).and_then(|job| job.parent_group);
            let foreign = new.spec.parent.is_some() && !over && group != job.parent_group;
            let met = status == Some(Status::Done)
                || (status.is_some() && over && new.spec.when == DependencyCondition::Finished);
            let waiting = self.dependents.entry(last).or_default();
            if !met && waiting.insert(id, (job.scheduled_at, job.number)).is_none() {
                job.blockers += 1;
                if over || foreign {
                    let outcome = status.map_or("error", outcome_of);
                    self.propagations.push(Note::Dependents(last, outcome));
                }
            }
        }
        self.dependents.retain(|_, waiting| !waiting.is_empty());
        job.when_finished = new.spec.when == DependencyCondition::Finished;
    }

    /// Passes dependents, children and the parent on to a follow-up.
    pub(super) fn hand_on(&mut self, old: JobId, new: JobId) {
        if let Some(waiting) = self.dependents.remove(&old) {
            self.dependents.insert(new, waiting);
        }
        if let Some(group) = self.jobs[&old].child_group {
            self.parents.insert(group, new);
        }
        if let Some(group) = self.jobs[&old].parent_group {
            self.forget_child(group, old);
        }
    }

    fn forget_child(&mut self, group: JobId, child: JobId) -> bool {
        let known = self.children.get_mut(&group).and_then(|all| all.remove(&child));
        self.children.retain(|_, children| !children.is_empty());
        known.is_some()
    }

    /// Notes what it means that a job is over and has no follow-up.
    pub(super) fn close(&mut self, id: JobId, to: Status) {
        let job = self.jobs[&id].clone();
        if self.dependents.contains_key(&id) {
            self.note(Note::Dependents(id, outcome_of(to)));
        }
        if let Some(group) = job.parent_group
            && self.children.get(&group).is_some_and(|all| all.contains_key(&id))
        {
            self.note(Note::Child(id, group, outcome_of(to)));
        }
        if let Some(group) = job.child_group {
            self.parents.remove(&group);
            if let Some(children) = self.children.remove(&group)
                && to == Status::Cancel
            {
                self.stopping.insert(group, children);
                self.note(Note::Stop(group));
            }
        }
    }

    fn note(&mut self, note: Note) {
        self.propagations.push(note);
        self.end_noted = true;
    }

    /// Carries out what is noted, for at most `most` jobs. Returns how many it looked at.
    pub(super) fn propagate(&mut self, most: usize) -> usize {
        let mut moved = 0;
        while moved < most {
            let Some(note) = self.propagations.first().cloned() else { break };
            let (count, all) = match note {
                Note::Dependents(on, outcome) => {
                    self.propagate_dependents(on, outcome, most - moved)
                }
                Note::Child(child, group, outcome) => {
                    self.propagate_child(child, group, outcome);
                    (1, true)
                }
                Note::Stop(group) => self.propagate_stop(group, most - moved),
            };
            moved += count;
            if all {
                self.propagations.remove(0);
            }
        }
        moved
    }

    fn propagate_dependents(&mut self, on: JobId, outcome: &str, most: usize) -> (usize, bool) {
        let now = self.now;
        let ids = self.dependents.get_mut(&on).map_or(Vec::new(), |all| popped(all, most));
        self.dependents.retain(|_, waiting| !waiting.is_empty());
        for id in &ids {
            let Some(job) = self.jobs.get_mut(id) else { continue };
            if job.status != Status::Waiting || job.blockers == 0 {
                continue;
            }
            if outcome != "done" && !job.when_finished {
                self.fail_dependent(*id, on, outcome);
            } else {
                job.blockers -= 1;
                if job.blockers == 0 {
                    job.passed.unblocked_at = Some(Timestamp::from_ms(now));
                    self.schedule(*id);
                }
            }
        }
        (ids.len(), !self.dependents.contains_key(&on))
    }

    fn fail_dependent(&mut self, id: JobId, on: JobId, outcome: &str) {
        let cancelled = outcome == "cancel";
        let word = if cancelled { "was cancelled" } else { "did not succeed" };
        let message = format!("job {on}, on which it depends, {word}");
        if cancelled {
            let to = self.next(id, Transition::Cancel).unwrap();
            self.job_mut(id).cancel_reason = message;
            self.end_waiting(id, to);
        } else {
            let to = self.next(id, Transition::Refuse).unwrap();
            let exception = format!(r#"{{"type":"DependencyFailed","message":"{message}"}}"#);
            self.job_mut(id).exception = Some(exception);
            self.end_waiting(id, to);
        }
    }

    fn propagate_child(&mut self, child: JobId, group: JobId, outcome: &str) {
        let parent = self.parents.get(&group).copied();
        let known = self.forget_child(group, child);
        let Some(id) = parent.filter(|_| known) else { return };
        let over = !self.children.contains_key(&group);
        let job = self.job_mut(id);
        job.failed_children += u64::from(outcome != "done");
        if job.awaits_children && over {
            self.end_awaiting(id);
        }
    }

    fn end_awaiting(&mut self, id: JobId) {
        let failed = self.jobs[&id].failed_children;
        let event = if failed > 0 { Transition::Refuse } else { Transition::ChildrenDone };
        let to = self.next(id, event).unwrap();
        if failed > 0 {
            self.job_mut(id).exception = Some(children_failed(failed));
        }
        self.end_waiting(id, to);
    }

    fn propagate_stop(&mut self, group: JobId, most: usize) -> (usize, bool) {
        let ids = self.stopping.get_mut(&group).map_or(Vec::new(), |all| popped(all, most));
        self.stopping.retain(|_, waiting| !waiting.is_empty());
        for id in &ids {
            let last = self.last_follow_up(*id);
            let status = self.jobs.get(&last).map(|job| job.status);
            if matches!(status, Some(Status::Waiting | Status::Running)) {
                let reason = "its parent was cancelled".to_owned();
                self.stop(last, &Cancellation { by: String::new(), reason });
            }
        }
        (ids.len(), !self.stopping.contains_key(&group))
    }

    /// Ends a run whose job waits for its children. Returns the status it ends with at once when
    /// there are none.
    pub(super) fn await_children(&mut self, id: JobId) -> Option<Status> {
        let job = &self.jobs[&id];
        if job.child_group.is_some_and(|group| self.children.contains_key(&group)) {
            let to = self.next(id, Transition::Await).unwrap();
            let now = self.now;
            let job = self.job_mut(id);
            (job.status, job.last_updated, job.awaits_children) = (to, now, true);
            job.passed.ran_until = Some(Timestamp::from_ms(now));
            job.position = Position::Nowhere;
            self.emit_move(id, Status::Running);
            self.free_locks(id);
            return None;
        }
        let failed = job.failed_children;
        let event = if failed > 0 { Transition::Fail } else { Transition::Finish };
        let to = self.next(id, event).unwrap();
        if failed > 0 {
            self.job_mut(id).exception = Some(children_failed(failed));
        }
        Some(to)
    }
}

fn children_failed(count: u64) -> String {
    format!(r#"{{"type":"ChildrenFailed","message":"{count} of its children did not succeed"}}"#)
}
