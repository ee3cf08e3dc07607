//! Why a running job must stop, and the signal that carries the reason to its action.

use tokio::sync::watch;

/// Why a running job must stop.
#[derive(Debug, Clone, Copy, PartialEq, Eq)]
pub enum StopReason {
    /// A client cancelled the job.
    Cancel,
    /// The job ran past its deadline.
    Deadline,
    /// The worker is shutting down.
    Shutdown,
    /// The worker lost its claim on the job; another run may have started elsewhere.
    ClaimLost,
    /// The job must stop at once, without its stop timeout: its lease expired, or a second signal
    /// ended the worker's grace period.
    Immediate,
}

impl StopReason {
    /// Returns true when the store no longer accepts writes of this run.
    #[must_use]
    pub fn voids_claim(self) -> bool {
        matches!(self, StopReason::ClaimLost | StopReason::Immediate)
    }
}

/// Holds the reason for which a job must stop, if any. Only a reason that voids the claim replaces
/// an earlier one.
pub type StopSignal = watch::Receiver<Option<StopReason>>;

/// Returns when the job must stop.
pub(crate) async fn stop_requested(signal: &mut StopSignal) {
    if signal.wait_for(Option::is_some).await.is_err() {
        // The sender is dropped when the run is over: no more requests can arrive.
        std::future::pending::<()>().await;
    }
}

/// Returns when the job must stop at once, without its stop timeout.
pub(crate) async fn immediate_stop_requested(signal: &mut StopSignal) {
    let immediate = |reason: &Option<StopReason>| *reason == Some(StopReason::Immediate);
    if signal.wait_for(immediate).await.is_err() {
        std::future::pending::<()>().await;
    }
}
