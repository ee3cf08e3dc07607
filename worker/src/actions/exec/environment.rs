//! What all commands of a worker share: the directory of their working directories, and cgroups
//! where the machine allows them.

use std::io;
use std::path::Path;
use std::sync::Arc;

use domain::job::ActionName;
use nix::sys::prctl;

use super::cgroup::Cgroups;
use super::orphans::Orphans;
use super::workdir::Workdirs;

/// The environment of a worker's commands. Cheap to clone.
#[derive(Debug, Clone)]
pub(in crate::actions) struct ExecEnvironment {
    pub(super) workdirs: Arc<Workdirs>,
    /// `None` when the machine does not allow them.
    pub(super) cgroups: Option<Arc<Cgroups>>,
    /// `None` when this process is not the worker's own.
    pub(super) orphans: Option<Arc<Orphans>>,
}

impl ExecEnvironment {
    /// Creates the environment. `limited` names the actions with limits that need cgroups;
    /// `owns_process` is true when the commands are the only child processes.
    pub(in crate::actions) fn create(
        temporary: &Path,
        limited: &[ActionName],
        owns_process: bool,
    ) -> io::Result<ExecEnvironment> {
        // Commands of the worker's user must not read its environment, memory and open files, nor
        // those of supervisors, which are forks of it. Executing a program lifts this.
        prctl::set_dumpable(false)?;
        let workdirs = Arc::new(Workdirs::create(temporary)?);
        let orphans = owns_process.then(Orphans::adopt).transpose()?.map(Arc::new);
        let cgroups = Cgroups::of_this_worker();
        let no_limits = cgroups.as_ref().map_or_else(|why| Some(why.as_str()), Cgroups::no_limits);
        if let Some(why) = no_limits.filter(|_| !limited.is_empty()) {
            let actions: Vec<_> = limited.iter().map(ActionName::as_str).collect();
            let actions = actions.join(", ");
            tracing::warn!(actions, why, "memory, cpu and processes limits are not enforced");
        }
        let cgroups = cgroups
            .inspect_err(|why| tracing::debug!(why, "runs have no cgroups"))
            .ok()
            .map(Arc::new);
        Ok(ExecEnvironment { workdirs, cgroups, orphans })
    }

    /// Removes what the commands of killed workers left behind.
    pub(in crate::actions) fn remove_abandoned(temporary: &Path) {
        if let Err(error) = Workdirs::remove_abandoned(temporary) {
            let directory = temporary.display();
            tracing::warn!(%directory, %error, "cannot look for abandoned directories");
        }
    }
}
