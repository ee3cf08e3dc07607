//! The ends of many logs at once, for who follows everything that runs.

use redis::streams::StreamRangeReply;

use super::{LogLine, Store, StoreError, log_line};
use domain::job::JobId;

impl Store {
    /// Of each log, the lines from this number on, at most `limit`.
    pub async fn log_tails(
        &self,
        from: &[(JobId, u64)],
        limit: u64,
    ) -> Result<Vec<Vec<LogLine>>, StoreError> {
        if from.is_empty() {
            return Ok(Vec::new());
        }
        let mut pipe = redis::pipe();
        for (id, first) in from {
            let range = pipe.cmd("XRANGE").arg(self.keys.log(*id)).arg(first.saturating_add(1));
            range.arg("+").arg("COUNT").arg(limit);
        }
        let mut connection = self.connection.clone();
        let replies: Vec<StreamRangeReply> = pipe.query_async(&mut connection).await?;
        Ok(replies.into_iter().map(|log| log.ids.iter().map(log_line).collect()).collect())
    }

    /// How many lines each log has.
    pub async fn log_lengths(&self, ids: &[JobId]) -> Result<Vec<u64>, StoreError> {
        if ids.is_empty() {
            return Ok(Vec::new());
        }
        let mut pipe = redis::pipe();
        for id in ids {
            pipe.cmd("XLEN").arg(self.keys.log(*id));
        }
        Ok(pipe.query_async(&mut self.connection.clone()).await?)
    }
}
