//! What a node shows over HTTP: to load balancers, to Prometheus, to people. It only reads.
//!
//! Connections, the size of their headers and their time are bounded, and none shares a thread with clients or replication.

mod measures;
mod page;

use std::future::ready;
use std::io;
use std::net::{IpAddr, TcpListener as StdListener};
use std::sync::Arc;
use std::time::Duration;

use axum::Router;
use axum::extract::State;
use axum::http::uri::Authority;
use axum::http::{HeaderMap, HeaderName, StatusCode, header};
use axum::response::{IntoResponse, Response};
use axum::routing::{MethodRouter, get};
use hyper::server::conn::http1;
use hyper_util::rt::{TokioIo, TokioTimer};
use hyper_util::service::TowerToHyperService;
use tokio::net::{TcpListener, TcpStream};
use tokio::sync::Semaphore;
use tokio::time::{sleep, timeout};

pub(crate) use self::measures::Measures;
use crate::node::shared::Shared;
use crate::report::{Report, Serves};

/// Connections at a time; more wait in the system's queue.
const CONNECTIONS_MAX: usize = 64;
/// A request's head has at most this many bytes.
const HEAD_BYTES_MAX: usize = 16 << 10;
/// How long a request's head may take, and a connection in all: it carries one request.
const HEAD_TIMEOUT: Duration = Duration::from_secs(2);
const CONNECTION_TIMEOUT: Duration = Duration::from_secs(5);

/// What the page may load and do: nothing but its own style.
const POLICY: &str = "default-src 'none'; style-src 'unsafe-inline'; frame-ancestors 'none'";

/// What the answers are made of.
#[derive(Clone, Debug)]
struct Site {
    shared: Arc<Shared>,
    measures: Measures,
    /// It listens for this machine alone.
    is_local: bool,
}

/// Serves until its runtime ends.
pub(crate) async fn serve(listener: StdListener, shared: Arc<Shared>, measures: Measures) -> io::Result<()> {
    listener.set_nonblocking(true)?;
    let listener = TcpListener::from_std(listener)?;
    let is_local = listener.local_addr()?.ip().is_loopback();
    let router = router(Site { shared, measures, is_local });
    let places = Arc::new(Semaphore::new(CONNECTIONS_MAX));
    loop {
        let place = places.clone().acquire_owned().await.map_err(io::Error::other)?;
        match listener.accept().await {
            Ok((stream, _)) => {
                let answers = answer(stream, router.clone());
                tokio::spawn(async move {
                    let _ = timeout(CONNECTION_TIMEOUT, answers).await;
                    drop(place);
                });
            }
            // Out of descriptors, mostly.
            Err(_) => sleep(Duration::from_millis(50)).await,
        }
    }
}

async fn answer(stream: TcpStream, router: Router) {
    let served = http1::Builder::new()
        .timer(TokioTimer::new())
        .header_read_timeout(HEAD_TIMEOUT)
        .max_buf_size(HEAD_BYTES_MAX)
        .keep_alive(false)
        .serve_connection(TokioIo::new(stream), TowerToHyperService::new(router));
    // Whoever asks for nonsense, or goes away, is no error of the node.
    let _ = served.await;
}

fn router(site: Site) -> Router {
    Router::new()
        .route("/", shows(|site| people(site, None)))
        .route("/watch", shows(|site| people(site, Some(5))))
        .route("/live", shows(live))
        .route("/ready", shows(|site| health(site, |serves| serves != Serves::Nothing)))
        .route("/primary", shows(|site| health(site, |serves| serves == Serves::Primary)))
        .route("/replica", shows(|site| health(site, |serves| serves == Serves::Replica)))
        .route("/status", shows(status))
        .route("/metrics", shows(metrics))
        .with_state(site)
}

fn shows(answer: fn(&Site) -> Response) -> MethodRouter<Site> {
    get(move |State(site): State<Site>, headers: HeaderMap| {
        ready(if site.is_local && !names_this_machine(&headers) { misdirected() } else { answer(&site) })
    })
}

/// Whether a request to a port that is for this machine alone asks for it by a name that is this machine's alone. A page from
/// elsewhere, whose own name leads here for a moment, does not, and must not read what its reader may.
fn names_this_machine(headers: &HeaderMap) -> bool {
    let Some(host) = headers.get(header::HOST) else { return true };
    let Some(host) = host.to_str().ok().and_then(|host| host.parse::<Authority>().ok()) else { return false };
    let name = host.host().trim_matches(['[', ']']);
    name.eq_ignore_ascii_case("localhost")
        || name.parse::<IpAddr>().is_ok_and(|address| address.is_loopback())
}

fn misdirected() -> Response {
    let text = "this port is for this machine: ask for localhost or 127.0.0.1\n";
    plain(StatusCode::MISDIRECTED_REQUEST, text.into())
}

/// Whether the node's threads answer at all: if not, whoever supervises it may start it anew.
fn live(site: &Site) -> Response {
    match site.shared.handle.status() {
        Ok(_) => plain(StatusCode::OK, "lives\n".into()),
        Err(gone) => plain(StatusCode::SERVICE_UNAVAILABLE, format!("{gone}\n")),
    }
}

/// 200 while the node is what was asked for, by its lease at this moment; else 503, and why.
fn health(site: &Site, is_wanted: fn(Serves) -> bool) -> Response {
    let serves = Serves::of(&site.shared);
    let code = if is_wanted(serves) { StatusCode::OK } else { StatusCode::SERVICE_UNAVAILABLE };
    plain(code, format!("{serves}: {}\n", why(&site.shared)))
}

fn why(shared: &Shared) -> String {
    match shared.handle.explain() {
        Ok(explanation) => explanation.elector.to_string(),
        Err(gone) => gone.to_string(),
    }
}

fn status(site: &Site) -> Response {
    match Report::of(&site.shared) {
        Ok(report) => typed("application/json", report.to_json()),
        Err(gone) => plain(StatusCode::SERVICE_UNAVAILABLE, format!("{gone}\n")),
    }
}

fn metrics(site: &Site) -> Response {
    match Report::of(&site.shared) {
        Ok(report) => typed("text/plain; version=0.0.4", site.measures.text(&report)),
        Err(gone) => plain(StatusCode::SERVICE_UNAVAILABLE, format!("{gone}\n")),
    }
}

fn people(site: &Site, every: Option<u32>) -> Response {
    match Report::of(&site.shared) {
        Ok(report) => {
            let page = page::render(&report, &why(&site.shared), &site.shared.settings, every);
            typed("text/html; charset=utf-8", page)
        }
        Err(gone) => plain(StatusCode::SERVICE_UNAVAILABLE, format!("{gone}\n")),
    }
}

fn plain(code: StatusCode, text: String) -> Response {
    (code, typed("text/plain; charset=utf-8", text)).into_response()
}

/// What a node says is true for a moment, is nothing but what it says it is, and loads nothing.
fn typed(kind: &'static str, text: String) -> Response {
    const NO_SNIFF: HeaderName = header::X_CONTENT_TYPE_OPTIONS;
    let headers = [
        (header::CONTENT_TYPE, kind),
        (header::CACHE_CONTROL, "no-store"),
        (header::CONTENT_SECURITY_POLICY, POLICY),
        (NO_SNIFF, "nosniff"),
    ];
    (headers, text).into_response()
}
