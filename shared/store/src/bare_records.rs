//! Records without indexes, events and scripts. The bench writes them to measure what Redis alone
//! needs for a job.

use domain::job::{JobId, Status};

use crate::error::StoreError;
use crate::store::Store;

impl Store {
    /// Writes the status of these records in one round trip.
    pub async fn write_bare_records(
        &self,
        ids: &[JobId],
        status: Status,
    ) -> Result<(), StoreError> {
        let mut connection = self.connection.clone();
        let mut pipe = redis::pipe();
        for id in ids {
            pipe.cmd("HSET").arg(self.keys.job(*id)).arg("action").arg("noop");
            pipe.arg("status").arg(status.as_str()).ignore();
        }
        Ok(pipe.exec_async(&mut connection).await?)
    }

    /// Deletes these records.
    pub async fn delete_bare_records(&self, ids: &[JobId]) -> Result<(), StoreError> {
        let mut connection = self.connection.clone();
        for some in ids.chunks(1000) {
            let keys: Vec<String> = some.iter().map(|id| self.keys.job(*id)).collect();
            redis::cmd("UNLINK").arg(keys).exec_async(&mut connection).await?;
        }
        Ok(())
    }
}
