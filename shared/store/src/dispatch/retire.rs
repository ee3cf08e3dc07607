//! Retires queues that are not used any more, so that a namespace does not run out of queues.

use std::time::Duration;

use crate::error::StoreError;
use crate::script::Script;
use crate::store::Store;
use domain::queue::QueueName;

static RETIRE_QUEUE: Script = Script::new("retire_queue", include_str!("retire_queue.lua"));
static FORGET_QUEUE: Script = Script::new("forget_queue", include_str!("forget_queue.lua"));

impl Store {
    /// Takes a queue out of use when no job waits in it and none was offered through it for
    /// `unused`. Returns true if it was. The broker still has it, and it is still announced: see
    /// [`Store::forget_queue`].
    pub async fn retire_queue(
        &self,
        queue: &QueueName,
        unused: Duration,
    ) -> Result<bool, StoreError> {
        let answer = self.call(&RETIRE_QUEUE, |call| {
            call.arg(queue.to_string()).arg(unused.as_millis() as u64);
        });
        answer.await?.decode(|words| match words {
            ["retired"] => Some(true),
            ["in_use" | "gone"] => Some(false),
            _ => None,
        })
    }

    /// The queues that are announced and not in use, sorted: they were retired.
    pub async fn retired_queues(&self) -> Result<Vec<QueueName>, StoreError> {
        // In this order: a queue that is announced in between must be seen in use.
        let declared = self.declared_queues().await?;
        let used = self.queue_names().await?;
        Ok(declared.into_iter().filter(|queue| used.binary_search(queue).is_err()).collect())
    }

    /// Records that the broker has a retired queue no more, and tells the workers. Returns false and
    /// does nothing when the queue is in use again.
    pub async fn forget_queue(&self, queue: &QueueName) -> Result<bool, StoreError> {
        let answer = self.call(&FORGET_QUEUE, |call| {
            call.arg(queue.to_string());
        });
        answer.await?.decode(|words| match words {
            ["forgotten"] => Some(true),
            ["in_use"] => Some(false),
            _ => None,
        })
    }
}
