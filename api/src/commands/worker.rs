//! Operations on a worker.

use domain::capacity::CapacityMap;
use domain::job::WorkerId;
use store::{CapacityChangeError, CommandAnswer, WorkerCommand};

use crate::app::App;
use crate::deadline::in_time;
use crate::error::Error;

/// Sends a command to a worker, which receives it with its next heartbeat.
pub(crate) async fn send(app: &App, id: &WorkerId, command: &WorkerCommand) -> Result<(), Error> {
    let sending = async { Ok::<_, Error>(app.store.command_worker(id, command).await?) };
    accepted(id, in_time(sending).await?)
}

/// Changes some types of a worker's capacity. The others stay unchanged.
pub(crate) async fn change_capacity(
    app: &App,
    id: &WorkerId,
    changes: &CapacityMap,
) -> Result<(), Error> {
    let changing = async {
        app.store.change_capacity(id, changes).await.map_err(|error| match error {
            CapacityChangeError::Invalid(why) => Error::invalid("capacityMap", why),
            CapacityChangeError::Store(error) => error.into(),
        })
    };
    accepted(id, in_time(changing).await?)
}

fn accepted(id: &WorkerId, answer: CommandAnswer) -> Result<(), Error> {
    match answer {
        CommandAnswer::Accepted => Ok(()),
        CommandAnswer::Over => Err(Error::WorkerGone(id.clone())),
        CommandAnswer::Gone => Err(Error::NoSuchWorker(id.to_string())),
    }
}
