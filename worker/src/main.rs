//! `capstan-worker`: one worker process with the built-in actions and those of its actions file.

use worker::{Config, Worker};

#[tokio::main]
async fn main() -> anyhow::Result<()> {
    Worker::new(Config::from_arguments()).owns_process().run().await
}
