//! One section of the demo: what it shows, and what is wrong with it.

use client::wire::Job;
use domain::job::Status;

/// The result of a section.
#[derive(Debug, Default)]
pub(crate) struct Section {
    /// The headline.
    pub(crate) title: String,
    /// The text below it.
    pub(crate) table: String,
    /// How many jobs ran.
    pub(crate) jobs: usize,
    /// What is wrong, a sentence each.
    pub(crate) problems: Vec<String>,
}

impl Section {
    pub(crate) fn new(title: &str) -> Section {
        Section { title: title.to_owned(), ..Section::default() }
    }

    /// Records a problem unless the condition holds.
    pub(crate) fn check(&mut self, condition: bool, problem: impl FnOnce() -> String) {
        if !condition {
            self.problems.push(problem());
        }
    }

    /// Records a problem unless the job succeeded.
    pub(crate) fn check_done(&mut self, job: &Job) {
        self.check(job.status == Status::Done, || {
            let error = job.exception.as_ref().map(|exception| format!(": {}", exception.message));
            let error = error.unwrap_or_default();
            format!("{} {} ended as {}{error}", job.action, job.id, job.status)
        });
    }
}
