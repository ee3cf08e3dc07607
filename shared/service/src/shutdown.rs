//! Shutdown on signals.

use tokio::signal::unix::{SignalKind, signal};
use tokio_util::sync::CancellationToken;

/// Listens for SIGTERM and SIGINT. The first signal cancels the first of `steps`, the second signal
/// the second: a service with two steps drains after the first signal and stops after the second.
///
/// The future never completes, except with an error if the process cannot listen for signals. Run
/// it in a `select!` beside the service, which ends when its token is cancelled.
pub async fn shutdown_on_signals<T>(steps: &[CancellationToken]) -> std::io::Result<T> {
    let mut terminate = signal(SignalKind::terminate())?;
    let mut interrupt = signal(SignalKind::interrupt())?;
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
