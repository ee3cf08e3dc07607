//! Steps of scripts that no caller waited for and that failed because a record cannot be read.

use crate::error::StoreError;
use crate::store::Store;

/// How many are read at once; scripts keep the last thousand.
const PAGE: usize = 100;

impl Store {
    /// Takes the reports of failed steps, oldest first, at most a hundred: what each was about, and
    /// why it failed.
    pub async fn take_failures(&self) -> Result<Vec<String>, StoreError> {
        let mut command = redis::cmd("RPOP");
        command.arg(self.keys.failures()).arg(PAGE);
        let found: Option<Vec<String>> = command.query_async(&mut self.connection.clone()).await?;
        Ok(found.unwrap_or_default())
    }
}
