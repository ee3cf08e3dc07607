//! Shutdown on signals.

use tokio::signal::unix::{SignalKind, signal};
use tokio_util::sync::CancellationToken;

/// Cancels the first of `steps` at SIGTERM or SIGINT, the next one at the next. Never returns but with the error that
/// it cannot listen for them.
pub async fn shutdown_on_signals<T>(steps: &[CancellationToken]) -> std::io::Result<T> {
    let (mut terminate, mut interrupt) =
        (signal(SignalKind::terminate())?, signal(SignalKind::interrupt())?);
    loop {
        tokio::select! {
            _ = terminate.recv() => {}
            _ = interrupt.recv() => {}
        }
        if let Some(next) = steps.iter().find(|step| !step.is_cancelled()) {
            next.cancel();
        }
    }
}
