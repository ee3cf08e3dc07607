//! Errors of the broker, and the time limit of every call.

use std::time::Duration;

use domain::queue::QueueName;
use domain::settings::InvalidSetting;
use lapin::protocol::{AMQPErrorKind, AMQPHardError, AMQPSoftError};

/// A call to RabbitMQ failed.
#[derive(Debug, thiserror::Error)]
pub enum BrokerError {
    /// A setting of the broker is not valid.
    #[error(transparent)]
    Setting(#[from] InvalidSetting),
    /// RabbitMQ refused the call, or the connection is gone.
    #[error("rabbitmq: {0}")]
    Amqp(#[from] lapin::Error),
    /// RabbitMQ did not answer in time.
    #[error("rabbitmq: timeout after {}s: {operation}", limit.as_secs())]
    Timeout {
        /// What was attempted.
        operation: &'static str,
        /// The time limit.
        limit: Duration,
    },
    /// Too many channels of the connection have failed; a new connection is needed.
    #[error("too many channels of the connection to rabbitmq have failed")]
    TooManyFailedChannels,
    /// RabbitMQ returned or refused an offer.
    #[error("rabbitmq did not accept an offer for queue {0}")]
    NotAccepted(QueueName),
    /// RabbitMQ did not confirm an offer in time. It may be overloaded and accept the offer later.
    #[error("rabbitmq did not confirm an offer for queue {queue} within {}s", limit.as_secs())]
    NotConfirmed {
        /// The queue.
        queue: QueueName,
        /// The time limit.
        limit: Duration,
    },
}

/// The time limit of a call.
pub const CALL_LIMIT: Duration = Duration::from_secs(10);

impl BrokerError {
    /// Returns true if RabbitMQ closed only the channel; the connection continues.
    #[must_use]
    pub fn is_channel_error(&self) -> bool {
        matches!(self.amqp_kind(), Some(AMQPErrorKind::Soft(_)))
    }

    /// Returns true if RabbitMQ failed internally and closed the connection.
    #[must_use]
    pub fn is_internal(&self) -> bool {
        matches!(self.amqp_kind(), Some(AMQPErrorKind::Hard(AMQPHardError::INTERNALERROR)))
    }

    /// Returns true if RabbitMQ could not start the process of a quorum queue.
    pub(crate) fn is_cluster_not_formed(&self) -> bool {
        self.is_internal() && self.to_string().contains("cluster_not_formed")
    }

    /// Returns true if RabbitMQ did not answer in time.
    #[must_use]
    pub fn is_timeout(&self) -> bool {
        matches!(self, BrokerError::Timeout { .. })
    }

    /// Returns true if RabbitMQ closed the channel with this error.
    pub(crate) fn is(&self, expected: &AMQPSoftError) -> bool {
        matches!(self.amqp_kind(), Some(AMQPErrorKind::Soft(kind)) if kind == expected)
    }

    fn amqp_kind(&self) -> Option<&AMQPErrorKind> {
        let BrokerError::Amqp(error) = self else { return None };
        let lapin::ErrorKind::ProtocolError(error) = error.kind() else { return None };
        Some(error.kind())
    }
}

/// Runs a call with the time limit.
pub(crate) async fn limited<T>(
    operation: &'static str,
    call: impl Future<Output = Result<T, lapin::Error>>,
) -> Result<T, BrokerError> {
    limited_to(CALL_LIMIT, operation, call).await
}

/// Runs a call with a time limit of its own.
pub(crate) async fn limited_to<T>(
    limit: Duration,
    operation: &'static str,
    call: impl Future<Output = Result<T, lapin::Error>>,
) -> Result<T, BrokerError> {
    match tokio::time::timeout(limit, call).await {
        Ok(answer) => Ok(answer?),
        Err(_) => Err(BrokerError::Timeout { operation, limit }),
    }
}
