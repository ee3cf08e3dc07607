//! TLS and passwords: which certificates are trusted, and which errors reveal nothing.

use std::net::SocketAddr;
use std::sync::Arc;

use broker::{Broker, BrokerConfig, QueueType};
use rcgen::{CertifiedKey, generate_simple_self_signed};
use testkit::TestEnv;
use tokio::io::copy_bidirectional;
use tokio::net::{TcpListener, TcpStream};
use tokio::task::JoinSet;
use tokio_rustls::TlsAcceptor;
use tokio_rustls::rustls::ServerConfig;

/// Splits a URL like `amqp://guest:guest@127.0.0.1:5672/%2f` into credentials, address and virtual
/// host.
fn parts(url: &str) -> (&str, &str, &str) {
    let (user, rest) = url.trim_start_matches("amqp://").split_once('@').unwrap();
    let (address, vhost) = rest.split_once('/').unwrap_or((rest, "%2f"));
    (user, address, vhost)
}

/// Starts a proxy that terminates TLS, until the task is dropped. Returns its address and its
/// certificate.
async fn terminator(broker: &str) -> (SocketAddr, String, JoinSet<()>) {
    let CertifiedKey { cert, signing_key } =
        generate_simple_self_signed(vec!["127.0.0.1".to_owned()]).unwrap();
    let key = signing_key.serialize_der().try_into().unwrap();
    let config = ServerConfig::builder().with_no_client_auth();
    let config = config.with_single_cert(vec![cert.der().clone()], key).unwrap();
    let acceptor = TlsAcceptor::from(Arc::new(config));
    let listener = TcpListener::bind("127.0.0.1:0").await.unwrap();
    let (address, broker) = (listener.local_addr().unwrap(), broker.to_owned());
    let mut tasks = JoinSet::new();
    tasks.spawn(async move {
        let mut connections = JoinSet::new();
        while let Ok((connection, _)) = listener.accept().await {
            let (acceptor, broker) = (acceptor.clone(), broker.clone());
            connections.spawn(async move {
                let Ok(mut client) = acceptor.accept(connection).await else { return };
                let mut upstream = TcpStream::connect(broker).await.unwrap();
                let _ = copy_bidirectional(&mut client, &mut upstream).await;
            });
        }
    });
    (address, cert.pem(), tasks)
}

#[tokio::test]
async fn a_certificate_is_trusted_only_if_its_authority_is_configured() {
    let env = TestEnv::new().await;
    let (user, broker, vhost) = parts(&env.broker_config().amqp_url);
    let (address, pem, _tasks) = terminator(broker).await;
    let url = format!("amqps://{user}@{address}/{vhost}");
    let mut config = BrokerConfig::new(url, QueueType::Quorum);
    let untrusted = Broker::connect(&config, "test", "tls").await.err().unwrap();
    assert!(untrusted.to_string().contains("certificate"), "{untrusted}");
    config.authorities = Some(pem);
    let broker = Broker::connect(&config, "test", "tls").await.unwrap();
    assert_eq!(broker.depth(&"none=1.normal".parse().unwrap()).await.unwrap(), None);
    broker.close().await;
    env.close().await;
}

#[tokio::test]
async fn the_password_file_overrides_the_url_and_no_error_contains_a_password() {
    let env = TestEnv::new().await;
    let (user, broker, vhost) = parts(&env.broker_config().amqp_url);
    let (user, password) = user.split_once(':').unwrap();
    let url = format!("amqp://{user}:wrong-secret@{broker}/{vhost}");
    let mut config = BrokerConfig::new(url, QueueType::Quorum);
    let mut output = format!("{config:?}");
    let refused = Broker::connect(&config, "test", "wrong").await.err().unwrap();
    output.push_str(&format!("{refused} {refused:?}"));
    assert!(output.contains("ACCESS_REFUSED") || output.contains("refused"), "{output}");
    config.password = Some(password.to_owned());
    Broker::connect(&config, "test", "right").await.unwrap().close().await;
    for url in [
        "amqp:guest:wrong-secret@a",
        "wrong-secret",
        "http://:wrong-secret@a",
        "amqp://a:wrong-secret@[::1",
    ] {
        let config = BrokerConfig::new(url, QueueType::Quorum);
        let refused = Broker::connect(&config, "test", "none").await.err().unwrap();
        output.push_str(&format!("{refused} {refused:?}"));
    }
    assert!(!output.contains("wrong-secret"), "{output}");
    env.close().await;
}
