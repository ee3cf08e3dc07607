//! Why the API could not start, or ended.

use std::net::SocketAddr;

use domain::settings::InvalidSetting;
use store::StoreError;

/// Why the API could not start, or ended.
#[derive(Debug, thiserror::Error)]
pub enum RunError {
    /// Any client on the network would have full access.
    #[error(
        "CAPSTAN_LISTEN={0} is reachable from other machines, but requests need no token. \
         Create a token with `capstan token new --role admin --name NAME --file FILE` and set \
         --tokens FILE (CAPSTAN_TOKENS), or listen on a loopback address like 127.0.0.1:8080, or \
         set --open (CAPSTAN_OPEN=true) to give every client full access"
    )]
    Open(SocketAddr),
    /// One setting requires tokens, another one requires none.
    #[error("CAPSTAN_TOKENS and CAPSTAN_OPEN exclude each other: set only one of them")]
    OpenWithTokens,
    /// A setting is invalid.
    #[error(transparent)]
    Setting(#[from] InvalidSetting),
    /// The address is not available.
    #[error("cannot listen on CAPSTAN_LISTEN={0}: {1}")]
    Listen(SocketAddr, #[source] std::io::Error),
    /// The settings of the store are invalid.
    #[error(transparent)]
    Store(#[from] StoreError),
    /// The listener for health and metrics failed.
    #[error(transparent)]
    Admin(std::io::Error),
    /// Serving failed.
    #[error("cannot serve: {0}")]
    Serve(#[source] std::io::Error),
    /// The OpenAPI document could not be serialized.
    #[error("cannot write the OpenAPI document: {0}")]
    Docs(#[source] serde_json::Error),
    /// A background task panicked.
    #[error("a background task failed: {0}")]
    Task(#[source] tokio::task::JoinError),
}
