//! The sorts of servers that services connect to.

use std::fmt;

use crate::fleet::Role;

/// A server that services connect to.
#[derive(Debug, Clone, Copy, PartialEq, Eq)]
pub(crate) enum Server {
    Redis,
    RabbitMq,
}

impl Server {
    /// Whether processes of this role connect to the server through a proxy.
    pub(crate) fn has_clients_of(self, role: Role) -> bool {
        match role {
            Role::Scheduler | Role::Worker => true,
            Role::Api => self == Server::Redis,
            Role::Redis | Role::Sentinel | Role::RabbitMq => false,
        }
    }
}

impl fmt::Display for Server {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        f.write_str(match self {
            Server::Redis => "Redis",
            Server::RabbitMq => "RabbitMQ",
        })
    }
}
