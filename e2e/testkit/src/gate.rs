//! A command that runs until the test lets it end, so that no test guesses how long a job must
//! take.

use std::path::PathBuf;

use domain::job::JobId;

/// A file that commands wait for. Dropping it deletes the file.
pub struct Gate(PathBuf);

impl Gate {
    /// Creates a closed gate.
    #[must_use]
    pub fn new() -> Gate {
        Gate(std::env::temp_dir().join(format!("gate-{}", JobId::random())))
    }

    /// Declares an action whose command prints its process group and waits until the gate is open.
    #[must_use]
    pub fn action(&self, name: &str) -> String {
        let script = format!("echo $$; until [ -e {} ]; do sleep 0.02; done", self.0.display());
        format!("[actions.{name}]\nargv = ['sh', '-c', '{script}']\n")
    }

    /// Lets the commands end.
    pub fn open(&self) {
        std::fs::write(&self.0, "").expect("the temporary directory is writable");
    }
}

impl Default for Gate {
    fn default() -> Gate {
        Gate::new()
    }
}

impl Drop for Gate {
    fn drop(&mut self) {
        let _ = std::fs::remove_file(&self.0);
    }
}
