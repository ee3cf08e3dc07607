//! The lifetime of an endless response, which would otherwise outlive the token that allowed it.

use std::time::Duration;

use tokio::time::Instant;
use tokio_util::sync::CancellationToken;

use crate::auth::Caller;

/// The maximum age of a stream. Its client then reconnects and resumes.
const MAX_AGE: Duration = Duration::from_secs(60 * 60);

/// Ends a stream at shutdown, when its token is revoked, and after [`MAX_AGE`].
pub(crate) struct StreamLifetime {
    caller: Caller,
    shutdown: CancellationToken,
    ends_at: Instant,
}

impl StreamLifetime {
    /// Begins a stream for this caller.
    pub(crate) fn new(caller: Caller, shutdown: CancellationToken) -> StreamLifetime {
        StreamLifetime { caller, shutdown, ends_at: Instant::now() + MAX_AGE }
    }

    /// Returns true if the stream must end.
    pub(crate) fn is_over(&self) -> bool {
        self.shutdown.is_cancelled() || self.caller.is_revoked() || Instant::now() >= self.ends_at
    }

    /// Waits until the stream must end.
    pub(crate) async fn ended(&self) {
        tokio::select! {
            () = self.shutdown.cancelled() => {}
            () = self.caller.revoked() => {}
            () = tokio::time::sleep_until(self.ends_at) => {}
        }
    }
}

#[cfg(test)]
mod tests {
    use super::*;
    use futures_util::FutureExt;

    #[tokio::test]
    async fn a_stream_ends_at_its_age_and_at_shutdown() {
        let shutdown = CancellationToken::new();
        let mut stream = StreamLifetime::new(Caller::default(), shutdown.clone());
        assert!(!stream.is_over() && stream.ended().now_or_never().is_none());
        stream.ends_at = Instant::now();
        assert!(stream.is_over());
        stream.ended().await;
        let stream = StreamLifetime::new(Caller::default(), shutdown.clone());
        shutdown.cancel();
        assert!(stream.is_over());
        stream.ended().await;
    }
}
