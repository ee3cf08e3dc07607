//! The service as a whole: its routes in their layers, and the tasks that live beside serving.
//!
//! Shutdown goes in this order: no new connections, open requests are answered (at most `GRACE`),
//! followed logs end, then the submission drivers, which have nothing left to do.

mod accept;
mod bodies;
mod headers;
mod seats;
mod settings;
mod stream;

use std::sync::Arc;
use std::time::Duration;

use axum::extract::Request;
use axum::middleware::Next;
use axum::response::Response;
use axum::{Router, middleware};
use prometheus_client::registry::Registry;
use shared::store::{Store, StoreError};
use shared::telemetry::{Admin, Health, serve_admin};
use tokio::net::TcpListener;
use tokio::sync::Semaphore;
use tokio::task::JoinSet;
use tokio_util::sync::CancellationToken;
use tower::Layer;
use tower_http::catch_panic::CatchPanicLayer;
use tower_http::normalize_path::NormalizePathLayer;

use crate::app::{App, MOST_SCANS, MOST_STREAMS};
use crate::audit::Recorder;
use crate::auth::{self, Access};
use crate::error::Error;
use crate::events::Hub;
use crate::metrics::{self, Metrics};
use crate::page;
use crate::submit::Submissions;
use crate::surface;
use crate::tls::Tls;
use crate::v0::{self, Refusal};
use crate::v1::{self, Sockets};
use crate::{Config, RunError};

pub use settings::{Exposure, Origins};

/// An answer begins within this time, whatever its handler does.
const ANSWER_LIMIT: Duration = Duration::from_secs(60);
/// How long open requests may take to end after shutdown was asked for.
const GRACE: Duration = Duration::from_secs(10);
/// How often the store is asked whether it is there.
const PING: Duration = Duration::from_secs(1);
/// The store has not answered for so long: not ready.
const SILENCE: Duration = Duration::from_secs(5);
/// Jobs by status are counted every so many pings.
const PINGS_PER_COUNT: u32 = 5;

/// Serves until shutdown.
pub(crate) async fn serve(
    listener: TcpListener,
    config: Config,
    shutdown: CancellationToken,
) -> Result<(), RunError> {
    let store = Store::new(&config.store)?;
    let access = Arc::new(Access::new(&config.exposure)?);
    let tls = Tls::new(&config.exposure)?;
    let mut registry = Registry::default();
    let metrics = Metrics::new(&mut registry);
    let health = Health::default();
    let admin = Admin { health: health.clone(), registry: Arc::new(registry) };
    let mut tasks = JoinSet::new();
    let stop = shutdown.child_token();
    // Whatever way this ends, everything beside it ends too.
    let _stopping = stop.clone().drop_guard();

    let submissions = Submissions::start(&store, &mut tasks);
    let audit = Recorder::start(store.clone(), &metrics, &mut tasks);
    follow(&access, tls.as_ref(), &config, &stop, &mut tasks);
    tasks.spawn(watch(store.clone(), health, metrics.clone(), stop.clone()));
    let events = Hub::new(store.clone());
    let reading = events.clone().read(stop.clone());
    tasks.spawn(async move { reading.await.map_err(RunError::Store) });
    let address = config.telemetry.admin_address();
    let serving = serve_admin(address, admin, stop.clone());
    tasks.spawn(async move { serving.await.map_err(RunError::Admin) });

    let (socket_layer, sockets) = Sockets::new(config.event_streams.into());
    let telling = sockets.tell(events.clone(), store.clone(), stop.clone());
    tasks.spawn(async move {
        telling.await;
        Ok(())
    });

    let (router, mut docs) = v0::routes().split_for_parts();
    auth::describe(&mut docs);
    let app = App {
        store,
        namespace: config.store.namespace,
        submissions,
        access,
        audit,
        metrics,
        streams: Arc::new(Semaphore::new(MOST_STREAMS)),
        scans: Semaphore::new(MOST_SCANS),
        events,
        event_streams: Arc::new(Semaphore::new(config.event_streams.into())),
        docs: docs.to_json().map_err(RunError::Docs)?.into(),
        shutdown: stop.clone(),
    };
    let address = listener.local_addr().map_err(RunError::Serve)?;
    tracing::info!(%address, namespace = app.namespace, tls = tls.is_some(), "the api serves");
    let router = router.merge(v1::routes()).merge(page::routes());
    let router = surface::with_fallbacks::<_, Refusal>(router).layer(socket_layer);
    let router = layered(router, Arc::new(app), &config.exposure);
    let service = NormalizePathLayer::trim_trailing_slash().layer(router);
    let serving = accept::serve(listener, service, &config.exposure, tls, stop.clone());
    finish(Box::pin(serving), tasks, &stop).await
}

/// Keeps reading the files that may change while the service runs.
fn follow(
    access: &Arc<Access>,
    tls: Option<&Arc<Tls>>,
    config: &Config,
    stop: &CancellationToken,
    tasks: &mut JoinSet<Result<(), RunError>>,
) {
    let (access, exposure, shutdown) = (Arc::clone(access), config.exposure.clone(), stop.clone());
    tasks.spawn(async move {
        access.follow(exposure, shutdown).await;
        Ok(())
    });
    if let Some(tls) = tls.cloned() {
        let shutdown = stop.clone();
        tasks.spawn(async move {
            tls.follow(shutdown).await;
            Ok(())
        });
    }
}

/// Waits until serving is over or a task fails, then until the tasks are over too.
async fn finish(
    serving: impl Future<Output = std::io::Result<()>> + Unpin,
    mut tasks: JoinSet<Result<(), RunError>>,
    stop: &CancellationToken,
) -> Result<(), RunError> {
    let mut outcome = Ok(());
    let graceful = async {
        stop.cancelled().await;
        tokio::time::sleep(GRACE).await;
    };
    tokio::select! {
        served = serving => outcome = served.map_err(RunError::Serve),
        failed = first_failure(&mut tasks) => outcome = Err(failed),
        () = graceful => tracing::warn!("requests were cut off, because they took too long to end"),
    }
    stop.cancel();
    // `serving` is dropped: with it went the last `App`, and so the drivers come to their end.
    let rest = async { while tasks.join_next().await.is_some() {} };
    if tokio::time::timeout(GRACE, rest).await.is_err() {
        tracing::warn!("tasks were cut off, because they took too long to end");
    }
    outcome
}

/// The error of the first task that fails; a task that ends well ends nothing.
async fn first_failure(tasks: &mut JoinSet<Result<(), RunError>>) -> RunError {
    loop {
        match tasks.join_next().await {
            Some(Ok(Ok(()))) => {}
            Some(Ok(Err(error))) => return error,
            Some(Err(error)) => return RunError::Task(error),
            None => std::future::pending().await,
        }
    }
}

/// Keeps asking the store whether it is there, and what it holds.
async fn watch(
    store: Store,
    health: Health,
    metrics: Metrics,
    shutdown: CancellationToken,
) -> Result<(), RunError> {
    health.expect("store", SILENCE);
    let watching = async {
        let (mut pings, mut there) = (0_u32, true);
        loop {
            let answer = if pings.is_multiple_of(PINGS_PER_COUNT) {
                store.counts().await.map(|counts| metrics.jobs(&counts))
            } else {
                store.ping().await
            };
            pings = pings.wrapping_add(1);
            note(&health, there, &answer);
            there = answer.is_ok();
            tokio::select! {
                () = shutdown.cancelled() => return,
                () = tokio::time::sleep(PING) => {}
            }
        }
    };
    tokio::join!(store.wait_until_ready(&shutdown), watching);
    Ok(())
}

/// Notes whether the store answered; logs it when it did otherwise before.
fn note(health: &Health, was_there: bool, answer: &Result<(), StoreError>) {
    match answer {
        Ok(()) => {
            health.progress("store");
            if !was_there {
                tracing::info!("the store answers");
            }
        }
        Err(error) => {
            health.trouble("store", error);
            if was_there {
                tracing::warn!(%error, "the store does not answer");
            }
        }
    }
}

/// The routes with everything that holds for all of them.
fn layered(router: Router<Arc<App>>, app: Arc<App>, exposure: &Exposure) -> Router {
    let router = router
        .layer(CatchPanicLayer::custom(surface::panicked::<Refusal>))
        .layer(middleware::from_fn_with_state(bodies::Room::default(), bodies::bound))
        .layer(middleware::from_fn(in_time))
        .layer(middleware::from_fn_with_state(Arc::clone(&app), auth::guard))
        .layer(middleware::from_fn_with_state(Arc::clone(&app), metrics::count))
        .layer(middleware::from_fn(headers::add));
    // A browser asks what it may before it sends anything, and without a token.
    let cors = headers::cors(&exposure.cors_origins);
    let router = if exposure.cors_origins.0.is_empty() { router } else { router.layer(cors) };
    router.with_state(app)
}

async fn in_time(request: Request, next: Next) -> Response {
    let path = request.uri().path().to_owned();
    let late = |_| surface::refusal(&path, Error::Unavailable("it took too long"));
    tokio::time::timeout(ANSWER_LIMIT, next.run(request)).await.unwrap_or_else(late)
}

#[cfg(test)]
mod tests {
    use super::*;
    use axum::routing::get;
    use serde_json::{Value, json};
    use shared::config::StoreConfig;

    async fn broken() -> &'static str {
        panic!("on purpose")
    }

    async fn app(tasks: &mut JoinSet<Result<(), RunError>>) -> Arc<App> {
        let redis_url = "redis://127.0.0.1:1".to_owned();
        let namespace = "unused".to_owned();
        let store = Store::new(&StoreConfig::new(redis_url, namespace)).unwrap();
        let metrics = Metrics::new(&mut Registry::default());
        Arc::new(App {
            submissions: Submissions::start(&store, tasks),
            access: Arc::new(Access::new(&Exposure::default()).unwrap()),
            audit: Recorder::start(store.clone(), &metrics, tasks),
            store: store.clone(),
            namespace: "unused".to_owned(),
            metrics,
            streams: Arc::new(Semaphore::new(1)),
            scans: Semaphore::new(1),
            events: Hub::new(store.clone()),
            event_streams: Arc::new(Semaphore::new(1)),
            docs: "{}".into(),
            shutdown: CancellationToken::new(),
        })
    }

    #[tokio::test]
    async fn a_handler_that_panics_answers_in_the_shape_of_the_surface() {
        let mut tasks = JoinSet::new();
        let routes = Router::new().route("/panic", get(broken));
        let router: Router = layered(routes, app(&mut tasks).await, &Exposure::default());
        let listener = TcpListener::bind("127.0.0.1:0").await.unwrap();
        let address = listener.local_addr().unwrap();
        tasks.spawn(async { axum::serve(listener, router).await.map_err(RunError::Serve) });
        let answer = reqwest::get(format!("http://{address}/panic")).await.unwrap();
        assert_eq!(answer.status(), 500);
        let body: Value = answer.json().await.unwrap();
        assert_eq!(body["errors"][0]["code"], json!("INTERNAL_ERROR"));
    }
}
