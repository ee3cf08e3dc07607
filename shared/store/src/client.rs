//! Clients whose connections notice when the other side has vanished.

use std::time::Duration;

use domain::settings::InvalidSetting;
use redis::io::tcp::{TcpSettings, socket2::TcpKeepalive};
use redis::{Client, ConnectionAddr, ConnectionInfo, TlsCertificates};

use crate::error::StoreError;

/// How long sent data may stay unacknowledged before the connection counts as lost.
const UNACKNOWLEDGED: Duration = Duration::from_secs(6);

/// A client whose connections notice within seconds that the other side has vanished.
pub(crate) fn client(
    info: ConnectionInfo,
    authorities: Option<&str>,
) -> Result<Client, StoreError> {
    let probes = TcpKeepalive::new()
        .with_time(UNACKNOWLEDGED)
        .with_interval(Duration::from_secs(2))
        .with_retries(3);
    let settings = TcpSettings::default()
        .set_nodelay(true)
        .set_keepalive(probes)
        .set_user_timeout(UNACKNOWLEDGED);
    let info = info.set_tcp_settings(settings);
    if !matches!(info.addr(), ConnectionAddr::TcpTls { .. }) {
        return Ok(Client::open(info)?);
    }
    let root_cert = authorities.map(|text| text.as_bytes().to_vec());
    Client::build_with_tls(info, TlsCertificates { client_tls: None, root_cert })
        .map_err(|error| InvalidSetting::new("CAPSTAN_REDIS_CA", error).into())
}
