//! Deletes a cron.

use crate::error::StoreError;
use crate::script::Script;
use crate::store::Store;
use domain::cron::CronName;

static DELETE_CRON: Script = Script::new("delete_cron", include_str!("delete_cron.lua"));

impl Store {
    /// Deletes a cron; false when it does not exist.
    pub async fn delete_cron(&self, name: &CronName) -> Result<bool, StoreError> {
        let answer = self.call(&DELETE_CRON, |call| {
            call.arg(name.as_str());
        });
        answer.await?.decode(|words| match words {
            ["deleted"] => Some(true),
            ["gone"] => Some(false),
            _ => None,
        })
    }
}
