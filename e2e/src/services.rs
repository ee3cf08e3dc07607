//! Services of a house: each runs as in its own process, with settings as its flags would give them.

use clap::{Args, FromArgMatches};
use tokio::task::JoinHandle;
use tokio_util::sync::DropGuard;

use crate::{House, lifeline};

/// A running service. Dropping it asks it to stop.
pub struct Service {
    task: JoinHandle<()>,
    lifeline: DropGuard,
}

impl Service {
    /// Stops it as SIGTERM does, and waits until it has stopped.
    pub async fn stop(self) {
        drop(self.lifeline);
        self.task.await.expect("the service stops without a panic");
    }

    /// Ends it in the middle of whatever it does, as SIGKILL does to its process.
    pub async fn kill(self) {
        self.task.abort();
        let _ = self.task.await;
    }
}

impl House {
    /// Starts a scheduler.
    #[must_use]
    pub fn scheduler(&self) -> Service {
        self.scheduler_with(&[])
    }

    /// Starts a scheduler with these flags.
    #[must_use]
    pub fn scheduler_with(&self, flags: &[&str]) -> Service {
        let mut all = vec!["--lease=2s"];
        all.extend(flags);
        let config: scheduler::Config = self.config(&all);
        serve(|shutdown| scheduler::run(config, shutdown))
    }

    /// Starts a worker with this capacity.
    #[must_use]
    pub fn worker(&self, capacity: &str) -> Service {
        self.worker_with(&[&format!("--capacity={capacity}")])
    }

    /// Starts a worker with these flags.
    #[must_use]
    pub fn worker_with(&self, flags: &[&str]) -> Service {
        let mut all = vec!["--lease=2s"];
        all.extend(flags);
        let config: worker::Config = self.config(&all);
        serve(|asked| worker::run(config, worker::Shutdown { asked, ..Default::default() }))
    }

    /// Settings of a service of this house, from flags; the last one of a kind counts.
    #[must_use]
    pub fn config<Config: Args + FromArgMatches>(&self, flags: &[&str]) -> Config {
        let (store, broker) = (self.store_config(), self.broker_config());
        let mut all = vec!["test".to_owned(), format!("--redis-url={}", store.redis_url)];
        all.push(format!("--namespace={}", store.namespace));
        let command = Config::augment_args(clap::Command::new("test")).args_override_self(true);
        if command.get_arguments().any(|argument| argument.get_id() == "amqp_url") {
            all.push(format!("--amqp-url={}", broker.amqp_url));
        }
        all.extend(flags.iter().map(ToString::to_string));
        let matches = command.try_get_matches_from(all).expect("the flags are right");
        Config::from_arg_matches(&matches).expect("the flags are right")
    }
}

/// Runs a service until its handle is dropped; an error of it fails the test.
pub fn serve<Running, Error>(
    run: impl FnOnce(tokio_util::sync::CancellationToken) -> Running,
) -> Service
where
    Running: Future<Output = Result<(), Error>> + Send + 'static,
    Error: std::fmt::Debug,
{
    let (token, lifeline) = lifeline();
    let running = run(token);
    #[expect(clippy::disallowed_methods, reason = "the handle owns the task, as a process would")]
    let task = tokio::spawn(async move { running.await.expect("the service runs") });
    Service { task, lifeline }
}
