//! `capstan-worker`: one worker in one process, with the actions that its file declares.

use worker::{Config, Worker};

#[tokio::main]
async fn main() -> anyhow::Result<()> {
    Worker::new(Config::from_arguments()).run().await
}
