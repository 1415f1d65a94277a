//! The store opened by a command, because no server has it: the operator's routes in process, without a socket. Its lock
//! keeps a server from starting meanwhile; handles no event and sends nothing that is queued.

use super::terms::{ack, rules};
use super::token::{random, random_token};
use super::{StartError, identities, open_store};
use crate::capture::Capture;
use crate::deliver::{Deliver, DeliverView};
use crate::dispatch::Outbox;
use crate::http::{self, Admin, Probes};
use crate::identity::{Changes, Identities, Setup};
use crate::lifecycle::Stop;
use crate::rest::{Client, Desk};
use crate::settings::Settings;
use crate::store::{self, Store};
use crate::telemetry;
use crate::types::{Clock, Secret};
use axum::Router;
use axum::body::{Body, Bytes};
use axum::http::{Request, StatusCode, header};
use std::path::Path;
use std::sync::Arc;
use std::time::Duration;
use tokio::task::JoinHandle;
use tower::Service as _;

/// How long a queued call may wait where no settings say it: their default.
const MAX_AGE: Duration = Duration::from_secs(24 * 3600);

/// A store in a command's hands.
pub(crate) struct Aside {
    store: Store,
    router: Router,
    token: Secret,
    stop: Stop,
    delivering: JoinHandle<()>,
}

impl Aside {
    /// Opens the store of these settings; `folder` instead, where there are none (then nothing can be called).
    ///
    /// # Errors
    /// Another process has the store, or it cannot be opened.
    pub(crate) fn open(settings: Option<&Settings>, folder: &Path) -> Result<Self, StartError> {
        let machine = |error: String| StartError::Machine(error);
        let clock = Clock::system();
        let store = match settings {
            Some(settings) => open_store(settings, &clock)?,
            None => Store::open(folder, store::Options::new(clock.clone()))?,
        };
        store.hold_everything();
        let (stop, token) = (Stop::new(), random_token()?);
        let (desk, errands) = Desk::open();
        let (view, orders) = DeliverView::open();
        let mut delivering = tokio::spawn(async {});
        let client = Client::new().map_err(|error| machine(error.to_string()))?;
        let known = match settings {
            Some(settings) => identities(settings, &store, &clock, &client),
            None => Identities::new(Setup {
                store: store.clone(),
                clock: clock.clone(),
                client: client.clone(),
                sites: Vec::new(),
                applications: Vec::new(),
            }),
        };
        let known = known.map_err(|error| machine(error.to_string()))?;
        if let Some(settings) = settings {
            let ends = (errands, orders);
            let deliver = Deliver::new(
                store.clone(),
                clock.clone(),
                client,
                rules(settings),
                known.clone(),
                ends,
            );
            delivering = tokio::spawn(deliver.work(stop.clone()));
        }
        let admin = Admin {
            store: store.clone(),
            changes: Changes::new(known.clone(), desk.clone(), random),
            desk,
            deliver: view,
            outbox: Outbox::default(),
            probes: Arc::new(Probes::new(token.clone(), clock.clone())),
            identities: known,
            max_age: settings.map_or(MAX_AGE, |settings| settings.deliver.max_age),
            clock,
            metrics: telemetry::install().map_err(|error| machine(error.to_string()))?,
            stop: stop.clone(),
            token: token.clone(),
            ack: settings.map_or(store::Ack::Durable, ack).as_str(),
            capture: Capture::default(),
        };
        let router = http::admin_router(Arc::new(admin));
        Ok(Self {
            store,
            router,
            token,
            stop,
            delivering,
        })
    }

    /// Asks a route of the operator's API.
    pub(crate) async fn ask(&self, method: &str, path: &str, body: Option<Vec<u8>>) -> (StatusCode, Bytes) {
        let request = Request::builder()
            .method(method)
            .uri(path)
            .header(header::HOST, "localhost")
            .header(header::CONTENT_TYPE, "application/json")
            .header(header::AUTHORIZATION, format!("Bearer {}", self.token.expose()))
            .body(body.map_or_else(Body::empty, Body::from));
        let Ok(request) = request else {
            return (StatusCode::BAD_REQUEST, Bytes::new());
        };
        let Ok(answer) = self.router.clone().call(request).await;
        let status = answer.status();
        let body = axum::body::to_bytes(answer.into_body(), usize::MAX).await;
        (status, body.unwrap_or_default())
    }

    /// Lets the folder go, with the budget's level written down.
    pub(crate) async fn close(self) {
        self.stop.soft();
        // It ends with what is under way; a panic there has been logged.
        let _ = self.delivering.await;
        self.store.close().await;
    }
}
