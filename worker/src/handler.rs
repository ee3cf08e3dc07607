//! Actions that are Rust functions: parameters and results are types, and the function runs on a thread of its own, so
//! that one that blocks or panics harms neither the worker nor other jobs.

use std::marker::PhantomData;
use std::panic::{AssertUnwindSafe, catch_unwind, resume_unwind};
use std::sync::Arc;

use futures_util::FutureExt;
use futures_util::future::BoxFuture;
use serde::Serialize;
use serde::de::DeserializeOwned;
use serde_json::{Map, Value};
use domain::job::Exception;
use store::ActionDefaults;
use tokio::runtime::Handle;
use tokio::sync::oneshot;
use tokio_util::sync::CancellationToken;

use crate::actions::{Action, Context, Ended};

/// An async function as an action.
pub(crate) struct Handler<Run, Parameters> {
    run: Arc<Run>,
    defaults: ActionDefaults,
    parameters: PhantomData<fn(Parameters)>,
}

impl<Run, Parameters> Handler<Run, Parameters> {
    pub(crate) fn new(run: Run, defaults: ActionDefaults) -> Handler<Run, Parameters> {
        Handler { run: Arc::new(run), defaults, parameters: PhantomData }
    }
}

impl<Run, Parameters, Running, Output, Error> Action for Handler<Run, Parameters>
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

    fn run(&self, context: Context) -> BoxFuture<'_, Ended> {
        let run = Arc::clone(&self.run);
        async move {
            let parameters = parameters_of(context.job.spec.parameters.as_ref())?;
            on_a_thread(move || async move {
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

/// Runs a future on a thread of its own. When nobody waits for it any more it is dropped where it next waits itself; a
/// thread that never does cannot be ended, and is left to itself.
async fn on_a_thread<Running>(begin: impl FnOnce() -> Running + Send + 'static) -> Ended
where
    Running: Future<Output = Ended>,
{
    let (runtime, given_up) = (Handle::current(), CancellationToken::new());
    let _waiting = given_up.clone().drop_guard();
    let (done, ended) = oneshot::channel();
    let work = move || {
        let running = || runtime.block_on(given_up.run_until_cancelled(begin()));
        let _ = done.send(catch_unwind(AssertUnwindSafe(running)));
    };
    let spawned = std::thread::Builder::new().name("action".to_owned()).spawn(work);
    if let Err(error) = spawned {
        return Err(Exception::new("CannotStart", format!("cannot start a thread: {error}")));
    }
    match ended.await {
        Ok(Ok(Some(ended))) => ended,
        // The attempt tells what a panic said.
        Ok(Err(panic)) => resume_unwind(panic),
        Ok(Ok(None)) | Err(_) => Err(Exception::new("Stopped", "the action was given up")),
    }
}

/// A job's parameters as a type; what is wrong is said by the name of its field.
pub(crate) fn parameters_of<T: DeserializeOwned>(
    given: Option<&Map<String, Value>>,
) -> Result<T, Exception> {
    let given = Value::Object(given.cloned().unwrap_or_default());
    serde_path_to_error::deserialize(given).map_err(|error| {
        let path = error.path().to_string();
        let field = if path == "." { String::new() } else { format!(".{path}") };
        Exception::new("BadParameter", format!("parameters{field}: {}", error.inner()))
    })
}

/// What serialises to `null` is no result.
fn result_of(output: &impl Serialize) -> Ended {
    let value = serde_json::to_value(output);
    let value = value.map_err(|error| Exception::new("BadResult", error.to_string()))?;
    Ok(Some(value).filter(|value| !value.is_null()))
}

/// An [`Exception`] stays what it is; of any other error the whole chain is told.
fn exception_of(error: anyhow::Error) -> Exception {
    match error.downcast::<Exception>() {
        Ok(exception) => exception,
        Err(error) => Exception::new("Failed", format!("{error:#}")),
    }
}

#[cfg(test)]
mod tests {
    use super::*;
    use serde::Deserialize;
    use serde_json::json;

    #[derive(Debug, Deserialize)]
    #[serde(deny_unknown_fields)]
    #[expect(dead_code, reason = "it is only read into")]
    struct Resize {
        width: u32,
        sizes: Option<Vec<u32>>,
    }

    #[test]
    fn a_wrong_parameter_is_named() {
        let cases = [
            (json!({}), "parameters: missing field `width`"),
            (json!({"width": "x"}), "parameters.width: invalid type: string \"x\", expected u32"),
            (json!({"width": 1, "sizes": [1, -1]}), "parameters.sizes[1]: invalid value"),
            (json!({"width": 1, "hight": 2}), "parameters.hight: unknown field"),
        ];
        for (given, why) in cases {
            let error = parameters_of::<Resize>(given.as_object()).unwrap_err();
            assert_eq!(error.kind, "BadParameter");
            assert!(error.message.starts_with(why), "{given}: {}", error.message);
        }
    }

    #[test]
    fn an_error_is_told_with_its_causes_and_an_exception_as_it_is() {
        let error = anyhow::anyhow!("no route").context("cannot reach the printer");
        assert_eq!(exception_of(error).message, "cannot reach the printer: no route");
        let own = Exception::new("PaperJam", "tray 2");
        assert_eq!(exception_of(own.clone().into()), own);
        assert_eq!(result_of(&()), Ok(None));
    }
}
