//! What all commands of a worker share: the directory of their working directories, and cgroups
//! where the machine allows them.

use std::io;
use std::path::Path;
use std::sync::Arc;

use domain::job::ActionName;

use super::cgroup::Cgroups;
use super::workdir::Workdirs;

/// The environment of a worker's commands. Cheap to clone.
#[derive(Debug, Clone)]
pub(in crate::actions) struct ExecEnvironment {
    pub(super) workdirs: Arc<Workdirs>,
    /// `None` when no action needs cgroups or the machine does not allow them.
    pub(super) cgroups: Option<Arc<Cgroups>>,
}

impl ExecEnvironment {
    /// Creates the environment. `limited` names the actions with limits that need cgroups.
    pub(in crate::actions) fn create(
        temporary: &Path,
        limited: &[ActionName],
    ) -> io::Result<ExecEnvironment> {
        let workdirs = Arc::new(Workdirs::create(temporary)?);
        if limited.is_empty() {
            return Ok(ExecEnvironment { workdirs, cgroups: None });
        }
        let cgroups = Cgroups::of_this_worker().inspect_err(|why| {
            let actions: Vec<_> = limited.iter().map(ActionName::as_str).collect();
            tracing::warn!(
                actions = actions.join(", "),
                why,
                "memory and cpu limits are not enforced"
            );
        });
        Ok(ExecEnvironment { workdirs, cgroups: cgroups.ok().map(Arc::new) })
    }

    /// Removes what the commands of killed workers left behind.
    pub(in crate::actions) fn remove_abandoned(temporary: &Path) {
        if let Err(error) = Workdirs::remove_abandoned(temporary) {
            let directory = temporary.display();
            tracing::warn!(%directory, %error, "cannot look for abandoned directories");
        }
    }
}
