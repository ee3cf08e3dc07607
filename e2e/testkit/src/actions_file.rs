//! A temporary file that declares the actions of a worker.

use std::path::PathBuf;

use domain::job::JobId;

/// A TOML file of actions. Dropping it deletes the file.
pub struct ActionsFile(PathBuf);

impl ActionsFile {
    /// Writes `text` to a new file in the temporary directory.
    #[must_use]
    pub fn new(text: &str) -> ActionsFile {
        let path = std::env::temp_dir().join(format!("{}.toml", JobId::random()));
        std::fs::write(&path, text).expect("the temporary directory is writable");
        ActionsFile(path)
    }

    /// The flag that makes a worker read this file.
    #[must_use]
    pub fn flag(&self) -> String {
        format!("--actions={}", self.0.display())
    }
}

impl Drop for ActionsFile {
    fn drop(&mut self) {
        let _ = std::fs::remove_file(&self.0);
    }
}
