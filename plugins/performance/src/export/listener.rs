//! The listener: `GET /metrics`, at most so many connections, ended with the plugin.
//!
//! The exporter crate has a listener of its own, which spawns tasks that nobody can end and does not say on which port it listens.

use std::convert::Infallible;
use std::net::SocketAddr;
use std::time::Duration;

use http_body_util::Full;
use hyper::body::{Bytes, Incoming};
use hyper::header::{ALLOW, CONTENT_TYPE, HeaderValue};
use hyper::server::conn::http1;
use hyper::service::service_fn;
use hyper::{Method, Request, Response, StatusCode};
use hyper_util::rt::TokioIo;
use metrics_exporter_prometheus::PrometheusHandle;
use tokio::net::{TcpListener, TcpStream};
use tokio::task::JoinSet;
use tokio::time::{MissedTickBehavior, interval, timeout};
use tokio_util::sync::CancellationToken;
use universal_orchestrator::plugin::PluginError;

/// Version 0.0.4 of the text format.
const TEXT_FORMAT: &str = "text/plain; version=0.0.4; charset=utf-8";
/// A connection ends after this long; scrapers connect again.
const CONNECTION_TIME: Duration = Duration::from_secs(300);
/// Samples of histograms are kept one by one until they are put into their buckets.
const UPKEEP: Duration = Duration::from_secs(1);
/// After a connection could not be accepted, for example because there are no file descriptors left.
const ACCEPT_PAUSE: Duration = Duration::from_millis(100);

/// Binds, or says what to change.
pub(crate) async fn bind(address: SocketAddr) -> Result<(TcpListener, SocketAddr), PluginError> {
    let failed = |source| {
        PluginError::caused(
            format!(
                "prometheus_listen: {address} cannot be listened on ({source}): end the program that uses the port, choose another, or write port 0 for a free one"
            ),
            source,
        )
    };
    let listener = TcpListener::bind(address)
        .await
        .map_err(|source: std::io::Error| {
            // The text needs the cause, and the cause goes along: an error of the system is copied by its code.
            failed(copy(&source))
        })?;
    let bound = listener
        .local_addr()
        .map_err(|source| failed(copy(&source)))?;
    Ok((listener, bound))
}

fn copy(error: &std::io::Error) -> std::io::Error {
    match error.raw_os_error() {
        Some(code) => std::io::Error::from_raw_os_error(code),
        None => std::io::Error::new(error.kind(), error.to_string()),
    }
}

/// Answers scrapers until the token is cancelled.
pub(crate) async fn serve(
    listener: TcpListener,
    handle: PrometheusHandle,
    connections_max: usize,
    stop: CancellationToken,
) {
    let mut connections = JoinSet::new();
    let mut upkeep = interval(UPKEEP);
    upkeep.set_missed_tick_behavior(MissedTickBehavior::Delay);
    loop {
        tokio::select! {
            biased;
            () = stop.cancelled() => break,
            _ = upkeep.tick() => {
                let handle = handle.clone();
                let tidied = tokio::task::spawn_blocking(move || handle.run_upkeep()).await;
                if let Err(error) = tidied {
                    tracing::error!(%error, "upkeep of the Prometheus recorder panicked");
                }
            }
            Some(_) = connections.join_next(), if !connections.is_empty() => {}
            accepted = listener.accept() => match accepted {
                // Closed at once when it is one too many.
                Ok(_) if connections.len() >= connections_max => {
                    tracing::warn!(connections_max, "a scraper was turned away at prometheus_connections_max");
                }
                Ok((stream, _)) => {
                    connections.spawn(answer(stream, handle.clone()));
                }
                Err(error) => {
                    tracing::warn!(%error, "a scraper could not be accepted");
                    tokio::time::sleep(ACCEPT_PAUSE).await;
                }
            },
        }
    }
    connections.shutdown().await;
}

async fn answer(stream: TcpStream, handle: PrometheusHandle) {
    let service = service_fn(move |request| respond(request, handle.clone()));
    let connection = http1::Builder::new()
        .timer(hyper_util::rt::TokioTimer::new())
        .serve_connection(TokioIo::new(stream), service);
    // A scraper that goes away or says nonsense is its own trouble.
    if let Ok(Err(error)) = timeout(CONNECTION_TIME, connection).await {
        tracing::debug!(%error, "a scraper's connection ended");
    }
}

async fn respond(
    request: Request<Incoming>,
    handle: PrometheusHandle,
) -> Result<Response<Full<Bytes>>, Infallible> {
    let (status, text) = match (request.method(), request.uri().path()) {
        (&Method::GET, "/metrics") => {
            match tokio::task::spawn_blocking(move || handle.render()).await {
                Ok(text) => (StatusCode::OK, text),
                Err(error) => {
                    tracing::error!(%error, "rendering the metrics panicked");
                    (StatusCode::INTERNAL_SERVER_ERROR, String::new())
                }
            }
        }
        (_, "/metrics") => (StatusCode::METHOD_NOT_ALLOWED, "use GET\n".to_owned()),
        _ => (
            StatusCode::NOT_FOUND,
            "the metrics are at /metrics\n".to_owned(),
        ),
    };
    let mut response = Response::new(Full::new(Bytes::from(text)));
    *response.status_mut() = status;
    let headers = response.headers_mut();
    headers.insert(CONTENT_TYPE, HeaderValue::from_static(TEXT_FORMAT));
    if status == StatusCode::METHOD_NOT_ALLOWED {
        headers.insert(ALLOW, HeaderValue::from_static("GET"));
    }
    Ok(response)
}
