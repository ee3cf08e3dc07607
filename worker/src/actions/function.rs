//! Actions that are Rust functions with typed parameters and results. Each job runs on a
//! separate thread, so a function that blocks or panics affects neither the worker nor other jobs.

use std::marker::PhantomData;
use std::panic::{AssertUnwindSafe, catch_unwind, resume_unwind};
use std::sync::Arc;

use domain::job::Exception;
use futures_util::FutureExt;
use futures_util::future::BoxFuture;
use serde::Serialize;
use serde::de::DeserializeOwned;
use store::ActionDefaults;
use tokio::runtime::Handle;
use tokio::sync::oneshot;
use tokio_util::sync::CancellationToken;

use super::parameters;
use crate::action::{Action, ActionResult};
use crate::context::Context;

/// An async function as an action.
pub(crate) struct Function<Run, Parameters> {
    run: Arc<Run>,
    defaults: ActionDefaults,
    parameters: PhantomData<fn(Parameters)>,
}

impl<Run, Parameters> Function<Run, Parameters> {
    pub(crate) fn new(run: Run, defaults: ActionDefaults) -> Function<Run, Parameters> {
        Function { run: Arc::new(run), defaults, parameters: PhantomData }
    }
}

impl<Run, Parameters, Running, Output, Error> Action for Function<Run, Parameters>
where
    Run: Fn(Parameters, Context) -> Running + Send + Sync + 'static,
    Running: Future<Output = Result<Output, Error>>,
    Parameters: DeserializeOwned + Send + 'static,
    Output: Serialize,
    Error: Into<anyhow::Error>,
{
    fn defaults(&self) -> ActionDefaults {
        self.defaults.clone()
    }

    fn run(&self, context: Context) -> BoxFuture<'_, ActionResult> {
        let run = Arc::clone(&self.run);
        async move {
            let parameters = parameters::deserialize(context.job.spec.parameters.as_ref())?;
            on_own_thread(move || async move {
                match run(parameters, context).await {
                    Ok(output) => result_of(&output),
                    Err(error) => Err(exception_of(error.into())),
                }
            })
            .await
        }
        .boxed()
    }
}

/// Runs a future on a separate thread. When the returned future is dropped, the inner one is
/// dropped at its next await point. A thread that never reaches one cannot be stopped and is left
/// alone.
async fn on_own_thread<Running>(start: impl FnOnce() -> Running + Send + 'static) -> ActionResult
where
    Running: Future<Output = ActionResult>,
{
    let (runtime, dropped) = (Handle::current(), CancellationToken::new());
    let _cancel_on_drop = dropped.clone().drop_guard();
    let (sender, receiver) = oneshot::channel();
    let work = move || {
        let running = || runtime.block_on(dropped.run_until_cancelled(start()));
        let _ = sender.send(catch_unwind(AssertUnwindSafe(running)));
    };
    let spawned = std::thread::Builder::new().name("action".to_owned()).spawn(work);
    if let Err(error) = spawned {
        return Err(Exception::new("CannotStart", format!("cannot start a thread: {error}")));
    }
    match receiver.await {
        Ok(Ok(Some(result))) => result,
        // The attempt turns the panic into an error of the job.
        Ok(Err(panic)) => resume_unwind(panic),
        Ok(Ok(None)) | Err(_) => Err(Exception::new("Stopped", "the action was dropped")),
    }
}

/// Serializes an output. An output that serializes to `null` is not kept as a result.
fn result_of(output: &impl Serialize) -> ActionResult {
    let value = serde_json::to_value(output);
    let value = value.map_err(|error| Exception::new("BadResult", error.to_string()))?;
    Ok(Some(value).filter(|value| !value.is_null()))
}

/// Returns an [`Exception`] unchanged, and any other error with its chain of causes.
fn exception_of(error: anyhow::Error) -> Exception {
    match error.downcast::<Exception>() {
        Ok(exception) => exception,
        Err(error) => Exception::new("Failed", format!("{error:#}")),
    }
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn an_error_keeps_its_causes_and_an_exception_is_unchanged() {
        let error = anyhow::anyhow!("no route").context("cannot reach the printer");
        assert_eq!(exception_of(error).message, "cannot reach the printer: no route");
        let exception = Exception::new("PaperJam", "tray 2");
        assert_eq!(exception_of(exception.clone().into()), exception);
        assert_eq!(result_of(&()), Ok(None));
    }
}
