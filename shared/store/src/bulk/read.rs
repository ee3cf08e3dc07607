//! Reads of bulk operations.

use std::collections::HashMap;

use uuid::Uuid;

use super::BulkOperation;
use super::operation::operation;
use crate::error::StoreError;
use crate::store::Store;

impl Store {
    /// One operation; `None` when it does not exist.
    pub async fn bulk_operation(&self, id: Uuid) -> Result<Option<BulkOperation>, StoreError> {
        self.read_bulk(&[id]).await?.pop().transpose()
    }

    /// All operations, the newest first. One that cannot be read is left out.
    pub async fn bulk_operations(&self) -> Result<Vec<BulkOperation>, StoreError> {
        let mut command = redis::cmd("ZRANGE");
        command.arg(self.keys.bulk()).arg(0).arg(-1).arg("REV");
        let ids: Vec<String> = command.query_async(&mut self.connection.clone()).await?;
        let ids: Vec<Uuid> = ids.iter().filter_map(|id| id.parse().ok()).collect();
        let found = self.read_bulk(&ids).await?.into_iter();
        Ok(found.filter_map(|one| self.left_out.readable(one)).collect())
    }

    /// The ids of the operations that are running.
    pub async fn running_bulk(&self) -> Result<Vec<Uuid>, StoreError> {
        let mut command = redis::cmd("SMEMBERS");
        command.arg(self.keys.bulk_running());
        let ids: Vec<String> = command.query_async(&mut self.connection.clone()).await?;
        Ok(ids.iter().filter_map(|id| id.parse().ok()).collect())
    }

    /// Those of these operations that exist; for one that cannot be read, an error instead.
    async fn read_bulk(
        &self,
        ids: &[Uuid],
    ) -> Result<Vec<Result<BulkOperation, StoreError>>, StoreError> {
        if ids.is_empty() {
            return Ok(Vec::new());
        }
        let mut pipe = redis::pipe();
        for id in ids {
            pipe.hgetall(self.keys.bulk_operation(*id));
        }
        let found: Vec<HashMap<String, String>> =
            pipe.query_async(&mut self.connection.clone()).await?;
        let some = ids.iter().zip(found).filter(|(_, fields)| !fields.is_empty());
        Ok(some.map(|(id, fields)| operation(*id, &fields)).collect())
    }
}
