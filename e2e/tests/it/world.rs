//! What these tests say again and again.

use domain::job::{Job, JobId, NewJob};
use e2e::TestEnv;
use store::Store;

/// A job as the store has it now.
pub(crate) async fn look(store: &Store, id: JobId) -> Job {
    store.job(id).await.unwrap().unwrap()
}

/// The job when it has ended.
pub(crate) async fn ended(env: &TestEnv, id: JobId) -> Job {
    env.eventually("the job ends", async || {
        env.store().job(id).await.unwrap().is_some_and(|job| job.status.is_final())
    })
    .await;
    look(env.store(), id).await
}

/// The job with these parameters.
pub(crate) fn with(mut job: NewJob, parameters: &serde_json::Value) -> NewJob {
    job.spec.parameters = parameters.as_object().cloned();
    job
}

/// True when no process of a process group lives.
pub(crate) fn no_process_in_group(group: &str) -> bool {
    let living = std::fs::read_dir("/proc").unwrap().filter_map(|entry| {
        let stat = std::fs::read_to_string(entry.ok()?.path().join("stat")).ok()?;
        let fields: Vec<&str> = stat.rsplit_once(") ")?.1.split(' ').collect();
        // State, parent, group; a zombie that nobody has reaped yet runs nothing.
        (fields[2] == group && fields[0] != "Z").then_some(stat)
    });
    living.count() == 0
}

/// A file of actions, removed when dropped.
pub(crate) struct Actions(std::path::PathBuf);

impl Actions {
    pub(crate) fn new(text: &str) -> Actions {
        let file = std::env::temp_dir().join(format!("{}.toml", JobId::random()));
        std::fs::write(&file, text).unwrap();
        Actions(file)
    }

    /// The flag that gives it to a worker.
    pub(crate) fn flag(&self) -> String {
        format!("--actions={}", self.0.display())
    }
}

impl Drop for Actions {
    fn drop(&mut self) {
        let _ = std::fs::remove_file(&self.0);
    }
}
