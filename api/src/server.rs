//! The service as a whole: its routes, its connections and its background tasks.
//!
//! Shutdown happens in this order: no new connections; open requests are answered, for at most
//! [`GRACE`]; followed logs and events end; the submission drivers end, with nothing left to do.

mod accept;
mod announcement;
mod answer_budget;
mod background;
mod body_budget;
mod connection;
mod connection_limit;
mod error;
mod guard;
mod headers;
mod origin_policy;
mod refusal;
mod routes;
mod store_monitor;
mod tls;

use std::net::SocketAddr;
use std::sync::Arc;
use std::time::Duration;

use prometheus_client::registry::Registry;
use service::admin::{Admin, serve_admin};
use service::health::Health;
use store::Store;
use tokio::net::TcpListener;
use tokio::sync::Semaphore;
use tokio_util::sync::CancellationToken;

use crate::app::{App, MAX_LOG_STREAMS, MAX_SCANS};
use crate::audit::AuditLog;
use crate::auth::Authenticator;
use crate::bulk::{BulkRunner, NewOperation};
use crate::events::Hub;
use crate::fleet_metrics::FleetMetrics;
use crate::live_pages::LivePages;
use crate::metrics::Metrics;
use crate::settings::{Config, Exposure};
use crate::submit::{StoreRoom, Submissions};
use crate::v0;
use crate::v1::socketio::SocketIoServer;
use background::BackgroundTasks;
use guard::Guard;
use origin_policy::OriginPolicy;
use tls::Tls;

pub use error::RunError;

/// How long open requests may take to end after shutdown was requested.
const GRACE: Duration = Duration::from_secs(10);

/// Serves the API until `shutdown`. It also starts while the store is unavailable, and answers 503.
pub async fn run(config: Config, shutdown: CancellationToken) -> Result<(), RunError> {
    check_exposure(config.listen, &config.exposure)?;
    let listener = TcpListener::bind(config.listen).await;
    let listener = listener.map_err(|error| RunError::Listen(config.listen, error))?;
    run_on(listener, config, shutdown).await
}

/// Serves the API on an existing listener until `shutdown`; `config.listen` is ignored.
pub async fn run_on(
    listener: TcpListener,
    config: Config,
    shutdown: CancellationToken,
) -> Result<(), RunError> {
    let listen = config.listen;
    let address = listener.local_addr().map_err(|error| RunError::Listen(listen, error))?;
    check_exposure(address, &config.exposure)?;
    let ended = serve(listener, config, shutdown).await;
    tracing::info!(%address, "the API has ended");
    ended
}

/// Refuses full access for every client on an address that other machines can reach, unless the
/// settings ask for it.
fn check_exposure(address: SocketAddr, exposure: &Exposure) -> Result<(), RunError> {
    match (exposure.has_tokens(), exposure.open) {
        (true, true) => Err(RunError::OpenWithTokens),
        (true, false) | (false, true) => Ok(()),
        (false, false) if address.ip().to_canonical().is_loopback() => Ok(()),
        (false, false) => Err(RunError::Open(address)),
    }
}

async fn serve(
    listener: TcpListener,
    config: Config,
    shutdown: CancellationToken,
) -> Result<(), RunError> {
    let store = Store::new(&config.store.load()?)?;
    let authenticator = Arc::new(Authenticator::new(&config.exposure)?);
    let tls = Tls::new(&config.exposure)?;
    let mut registry = Registry::default();
    let metrics = Metrics::new(&mut registry);
    let fleet = FleetMetrics::registered(&mut registry);
    let health = Health::default();
    let admin = Admin { health: health.clone(), registry: Arc::new(registry) };
    let mut tasks = BackgroundTasks::default();
    let stop = shutdown.child_token();
    // Background tasks end whenever this function returns.
    let _stop_guard = stop.clone().drop_guard();

    let room = StoreRoom::default();
    let (submissions, singles, batches) = Submissions::new(&store, room.clone());
    tasks.spawn(singles);
    tasks.spawn(batches);
    let (audit, writer) = AuditLog::new(store.clone(), metrics.clone());
    tasks.spawn(writer);
    watch_files(&authenticator, tls.as_ref(), &config.exposure, &stop, &mut tasks);
    let checking = store_monitor::run(store.clone(), (health, room), metrics.clone(), stop.clone());
    tasks.try_spawn(async { checking.await.map_err(RunError::Store) });
    tasks.spawn(announcement::run(store.clone(), stop.clone()));
    let new_operation = NewOperation::default();
    let bulk = BulkRunner::new(store.clone(), metrics.clone(), new_operation.clone());
    tasks.spawn(bulk.run(stop.clone()));
    tasks.spawn(fleet.run(store.clone(), stop.clone()));
    let events = Hub::new(store.clone());
    let reading = events.clone().run(stop.clone());
    tasks.try_spawn(async { reading.await.map_err(RunError::Store) });
    let serving = serve_admin(config.telemetry.admin_address(), admin, stop.clone());
    tasks.try_spawn(async { serving.await.map_err(RunError::Admin) });
    let (socketio_layer, socketio) = SocketIoServer::new(config.event_streams.into());
    tasks.spawn(socketio.broadcast(events.clone(), store.clone(), stop.clone()));

    let (v0_routes, docs) = v0::routes_and_docs();
    let app = App {
        store,
        namespace: config.store.namespace,
        submissions,
        metrics,
        new_operation,
        log_streams: Arc::new(Semaphore::new(MAX_LOG_STREAMS)),
        scans: Semaphore::new(MAX_SCANS),
        events,
        event_streams: Arc::new(Semaphore::new(config.event_streams.into())),
        page_streams: Arc::new(Semaphore::new(config.event_streams.into())),
        live_pages: LivePages::default(),
        authenticator: Arc::clone(&authenticator),
        web: config.exposure.web,
        uses_tls: tls.is_some(),
        docs: docs.to_json().map_err(RunError::Docs)?.into(),
        shutdown: stop.clone(),
    };
    let address = listener.local_addr().map_err(RunError::Serve)?;
    tracing::info!(%address, namespace = app.namespace, tls = tls.is_some(), "serving the API");
    let proxies = config.exposure.trusted_proxies.clone();
    let guard = Guard { authenticator, audit, proxies };
    let policy = OriginPolicy::new(&config.exposure, address);
    let routes = routes::routes(v0_routes, socketio_layer, Arc::new(app), guard, policy);
    let service = accept::Service { routes, tls };
    let serving = accept::serve(listener, service, &config.exposure, stop.clone());
    finish(Box::pin(serving), tasks, &stop).await
}

/// Reloads tokens and certificates when their files change.
fn watch_files(
    authenticator: &Arc<Authenticator>,
    tls: Option<&Arc<Tls>>,
    exposure: &Exposure,
    stop: &CancellationToken,
    tasks: &mut BackgroundTasks,
) {
    let (authenticator, exposure) = (Arc::clone(authenticator), exposure.clone());
    let shutdown = stop.clone();
    tasks.spawn(async move { authenticator.watch(exposure, shutdown).await });
    if let Some(tls) = tls.cloned() {
        let shutdown = stop.clone();
        tasks.spawn(async move { tls.watch(shutdown).await });
    }
}

/// Waits until serving ends or a task fails, then until all tasks have ended.
async fn finish(
    serving: impl Future<Output = std::io::Result<()>> + Unpin,
    mut tasks: BackgroundTasks,
    stop: &CancellationToken,
) -> Result<(), RunError> {
    let mut outcome = Ok(());
    let grace_over = async {
        stop.cancelled().await;
        tokio::time::sleep(GRACE).await;
    };
    tokio::select! {
        served = serving => outcome = served.map_err(RunError::Serve),
        failed = tasks.first_failure() => outcome = Err(failed),
        () = grace_over => tracing::warn!("cut off requests that did not end in time"),
    }
    stop.cancel();
    // `serving` has been dropped, and with it the last `App`, which ends the submission drivers.
    tasks.join().await;
    outcome
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn only_a_loopback_address_is_served_without_tokens_unless_open() {
        let cases = [
            ("127.0.0.1:8080", true),
            ("127.8.0.1:0", true),
            ("[::1]:8080", true),
            ("[::ffff:127.0.0.1]:8080", true),
            ("0.0.0.0:8080", false),
            ("10.0.0.1:8080", false),
            ("[::]:8080", false),
        ];
        for (listen, allowed) in cases {
            let address = listen.parse().unwrap();
            let mut exposure = Exposure::default();
            assert_eq!(check_exposure(address, &exposure).is_ok(), allowed, "{listen}");
            exposure.open = true;
            assert!(check_exposure(address, &exposure).is_ok(), "{listen}");
            exposure.tokens = Some("tokens".into());
            assert!(check_exposure(address, &exposure).is_err(), "{listen}");
            exposure.open = false;
            assert!(check_exposure(address, &exposure).is_ok(), "{listen}");
        }
    }
}
