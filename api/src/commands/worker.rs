//! Commands to a worker, which it receives with its next heartbeat.

use domain::job::WorkerId;
use store::{CommandAnswer, WorkerCommand};

use crate::app::App;
use crate::deadline::in_time;
use crate::error::Error;

/// Sends a command to a worker.
pub(crate) async fn send(app: &App, id: &WorkerId, command: &WorkerCommand) -> Result<(), Error> {
    let sending = async { Ok::<_, Error>(app.store.command_worker(id, command).await?) };
    match in_time(sending).await? {
        CommandAnswer::Accepted => Ok(()),
        CommandAnswer::Over => Err(Error::WorkerGone(id.clone())),
        CommandAnswer::Gone => Err(Error::NoSuchWorker(id.to_string())),
    }
}
