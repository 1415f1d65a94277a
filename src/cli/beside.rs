//! Commands beside a running server: who has the store is found by its lock file; a server is asked over its admin
//! address, and without one the store is opened here and the same routes answer in process. Never a second client beside
//! an owner: one that does not answer within 5 s ends the command with 75.

use super::output::complain;
use super::text::one_line;
use super::{exit, settings_for};
use crate::app::{ADMIN_TOKEN, App, Aside, StartError};
use crate::http;
use crate::settings::{Environment, Settings};
use crate::store::{self, OpenError};
use crate::types::Secret;
use reqwest::{Method, StatusCode};
use serde_json::Value;
use std::path::{Path, PathBuf};
use std::sync::OnceLock;
use std::time::Duration;
use url::Url;

/// What a running server may take to answer before it counts as stuck.
pub(super) const PATIENCE: Duration = Duration::from_secs(5);
/// More than any answer; a server that sends more is not imbot.
const LONGEST_ANSWER: usize = 256 << 20;

/// What every such command takes.
#[derive(Debug, clap::Args)]
pub(super) struct Common {
    /// The configuration file.
    #[arg(long)]
    config: Option<PathBuf>,
    /// The store folder, without a configuration (for example of `imbot dev --data DIR`).
    #[arg(long, conflicts_with = "config")]
    data: Option<PathBuf>,
    /// JSON instead of a table.
    #[arg(long)]
    pub(super) json: bool,
}

/// Where the store is, and the settings unless it was named by its folder.
pub(super) struct Place {
    folder: PathBuf,
    pub(super) settings: Option<Settings>,
}

impl Place {
    pub(super) fn of(app: &App, common: &Common, environment: &Environment) -> Result<Self, u8> {
        let (folder, settings) = match &common.data {
            Some(folder) => (folder.clone(), None),
            None => {
                let settings = settings_for(app, common.config.as_deref(), environment)?.settings;
                (settings.store.path.clone(), Some(settings))
            }
        };
        Ok(Self { folder, settings })
    }

    /// The store folder.
    pub(super) fn folder(&self) -> &Path {
        &self.folder
    }
}

/// Who answers.
pub(super) enum Beside {
    /// The server that has the store.
    Server(Line),
    /// Nobody has it but this command.
    Alone(Box<Aside>),
}

/// The way to a running server.
pub(super) struct Line {
    base: Url,
    token: Secret,
    pid: Option<u32>,
    /// Made with the first question: each new one would read the machine's certificates again.
    client: OnceLock<reqwest::Client>,
}

/// Why there is no answer.
#[derive(Debug, thiserror::Error)]
pub(super) enum Trouble {
    /// It holds the store and says nothing: exit code 75.
    #[error("{}", stuck(address, *pid))]
    Silent { address: String, pid: Option<u32> },
    /// Nobody listens, or the connection broke.
    #[error("{0} cannot be reached: {1}")]
    Unreachable(String, &'static str),
    /// It answered and refused.
    #[error("{detail}")]
    Refused {
        /// A word for programs.
        reason: String,
        detail: String,
        body: Value,
    },
    /// What answers is not imbot.
    #[error("{0} answered something that is not imbot's JSON; is it the [admin] address?")]
    Foreign(String),
}

fn stuck(address: &str, pid: Option<u32>) -> String {
    let (who, end) = match pid {
        Some(pid) => (format!("process {pid}"), format!(" (`kill {pid}`)")),
        None => ("another process".to_owned(), String::new()),
    };
    format!(
        "{who} at {address} holds the store and did not answer within {} s: look at its log; if it hangs, end it{end} and \
         try again",
        PATIENCE.as_secs()
    )
}

impl Trouble {
    /// The exit code, where a command has none of its own for it.
    pub(super) fn exit(&self) -> u8 {
        match self {
            Self::Silent { .. } | Self::Unreachable(..) => exit::BUSY,
            Self::Refused { reason, .. } if reason == "storage_failed" => exit::STORE_FAILED,
            Self::Refused { .. } | Self::Foreign(_) => exit::REFUSED,
        }
    }
}

impl Beside {
    /// Finds the owner and hears from it; or takes the store.
    pub(super) async fn find(place: &Place) -> Result<Self, u8> {
        let folder = &place.folder;
        if !folder.exists() {
            complain(&format!("{}: there is no store in this folder", folder.display()));
            return Err(exit::REFUSED);
        }
        let Some(owner) = store::owner(folder) else {
            let aside = Aside::open(place.settings.as_ref(), folder).map_err(|error| {
                complain(&error.to_string());
                match error {
                    StartError::Store(OpenError::Locked { .. }) => exit::BUSY,
                    StartError::Store(_) => exit::STORE_FAILED,
                    _ => exit::REFUSED,
                }
            })?;
            return Ok(Self::Alone(Box::new(aside)));
        };
        let (Some(admin), Some(token)) = (owner.admin, admin_token(place)) else {
            let who = owner
                .pid
                .map_or_else(|| "a process".to_owned(), |pid| format!("process {pid}"));
            complain(&format!(
                "{who} has the store and has no admin address yet: it is starting, or another command; try again in a moment"
            ));
            return Err(exit::BUSY);
        };
        let Ok(base) = Url::parse(&format!("http://{admin}/")) else {
            complain(&format!(
                "the lock file names an admin address that cannot be read: {admin}"
            ));
            return Err(exit::BUSY);
        };
        let line = Line {
            base,
            token,
            pid: owner.pid,
            client: OnceLock::new(),
        };
        line.ask(Method::GET, "/healthz", None, PATIENCE)
            .await
            .map_err(|trouble| {
                complain(&trouble.to_string());
                trouble.exit()
            })?;
        Ok(Self::Server(line))
    }

    /// Asks a route of the operator's API. `patience` is for what is known to take longer than 5 s.
    pub(super) async fn ask(
        &self,
        method: Method,
        path: &str,
        body: Option<&Value>,
        patience: Duration,
    ) -> Result<Value, Trouble> {
        match self {
            Self::Server(line) => line.ask(method, path, body, patience).await,
            Self::Alone(aside) => {
                let body = body.map(|body| body.to_string().into_bytes());
                let (status, answer) = aside.ask(method.as_str(), path, body).await;
                read(status, &answer, "this process")
            }
        }
    }

    pub(super) async fn get(&self, path: &str) -> Result<Value, Trouble> {
        self.ask(Method::GET, path, None, PATIENCE).await
    }

    pub(super) async fn post(&self, path: &str, body: &Value) -> Result<Value, Trouble> {
        self.ask(Method::POST, path, Some(body), PATIENCE).await
    }

    /// What the running server's door answers to a probe with this nonce; `None` without a server.
    pub(super) fn proof(&self, nonce: &str) -> Option<String> {
        match self {
            Self::Server(line) => Some(http::proof(&line.token, nonce)),
            Self::Alone(_) => None,
        }
    }

    pub(super) async fn close(self) {
        if let Self::Alone(aside) = self {
            aside.close().await;
        }
    }
}

/// Finds who answers, does the work, lets the store go.
pub(super) fn with(place: &Place, work: impl AsyncFnOnce(&Beside) -> Result<u8, u8>) -> u8 {
    let done = blocking(async {
        let beside = Beside::find(place).await?;
        let done = work(&beside).await;
        beside.close().await;
        done
    });
    done.unwrap_or_else(|code| code)
}

/// Says what went wrong; the exit code.
pub(super) fn failed(trouble: &Trouble) -> u8 {
    complain(&trouble.to_string());
    trouble.exit()
}

pub(super) fn blocking<T>(work: impl Future<Output = Result<T, u8>>) -> Result<T, u8> {
    let runtime = tokio::runtime::Builder::new_current_thread()
        .enable_all()
        .build()
        .map_err(|error| {
            complain(&format!("cannot start: {error}"));
            exit::REFUSED
        })?;
    runtime.block_on(work)
}

fn admin_token(place: &Place) -> Option<Secret> {
    let configured = place
        .settings
        .as_ref()
        .and_then(|settings| settings.admin.token.clone());
    configured.or_else(|| written_token(&place.folder))
}

fn written_token(folder: &Path) -> Option<Secret> {
    std::fs::read_to_string(folder.join(ADMIN_TOKEN)).ok().map(Secret::new)
}

impl Line {
    pub(super) fn new(base: Url, token: Secret) -> Self {
        Self {
            base,
            token,
            pid: None,
            client: OnceLock::new(),
        }
    }

    fn client(&self) -> reqwest::Result<reqwest::Client> {
        if let Some(client) = self.client.get() {
            return Ok(client.clone());
        }
        // A server that was restarted meanwhile has closed whatever was kept.
        let client = super::client::builder(PATIENCE).pool_max_idle_per_host(0).build()?;
        Ok(self.client.get_or_init(|| client).clone())
    }

    /// Sends one request. None of its errors contains the token.
    pub(super) async fn ask(
        &self,
        method: Method,
        path: &str,
        body: Option<&Value>,
        patience: Duration,
    ) -> Result<Value, Trouble> {
        let address = self.base.as_str().trim_end_matches('/').to_owned();
        let failed = |error: reqwest::Error| {
            let address = address.clone();
            if error.is_timeout() {
                Trouble::Silent { address, pid: self.pid }
            } else if error.is_connect() {
                Trouble::Unreachable(address, "nobody listens there")
            } else {
                Trouble::Unreachable(address, "the connection broke")
            }
        };
        let target = self.base.join(path).map_err(|_| Trouble::Foreign(address.clone()))?;
        let client = self.client().map_err(failed)?;
        let mut request = client.request(method, target).bearer_auth(self.token.expose());
        request = request.timeout(patience);
        if let Some(body) = body {
            request = request.json(body);
        }
        let mut response = request.send().await.map_err(failed)?;
        let status = response.status();
        let mut body = Vec::new();
        while let Some(piece) = response.chunk().await.map_err(failed)? {
            body.extend_from_slice(&piece);
            if body.len() > LONGEST_ANSWER {
                return Err(Trouble::Foreign(address));
            }
        }
        read(status, &body, &address)
    }
}

fn read(status: StatusCode, body: &[u8], address: &str) -> Result<Value, Trouble> {
    let parsed = serde_json::from_slice::<Value>(body).ok();
    if status.is_success() {
        return parsed.ok_or_else(|| Trouble::Foreign(address.to_owned()));
    }
    let body = parsed.unwrap_or_default();
    let text = |key: &str| body[key].as_str().map(str::to_owned);
    let detail = match (status.as_u16(), text("detail")) {
        (401, _) => format!("{address} refused: the admin token is not the one it runs with"),
        (_, Some(detail)) => one_line(&detail),
        (404, None) => format!("{address} refused: no such thing there, or the server is of another version"),
        (503, None) => format!("{address} refused: it is starting or stopping"),
        (code, None) => format!("{address} refused: HTTP {code}"),
    };
    Err(Trouble::Refused {
        reason: text("error").unwrap_or_default(),
        detail,
        body,
    })
}

#[cfg(test)]
mod tests {
    use super::*;
    use axum::Router;
    use axum::http::{HeaderMap, Uri};
    use axum::routing::get;
    use serde_json::json;

    /// An operator API that knows one list and one token.
    async fn api() -> Url {
        let answer = |headers: HeaderMap, uri: Uri| async move {
            if headers.get("authorization").is_none_or(|value| value != "Bearer right") {
                return (StatusCode::UNAUTHORIZED, String::new());
            }
            match uri.path_and_query().map(|path| path.as_str()) {
                Some("/api/v1/dead-letters?queue=calls&limit=5") => (StatusCode::OK, "{\"letters\":[]}".to_owned()),
                Some("/api/v1/html") => (StatusCode::OK, "<html>".to_owned()),
                Some("/api/v1/told") => (
                    StatusCode::CONFLICT,
                    "{\"error\":\"x\",\"detail\":\"because\"}".to_owned(),
                ),
                _ => (StatusCode::NOT_FOUND, String::new()),
            }
        };
        let listener = tokio::net::TcpListener::bind("127.0.0.1:0").await.unwrap();
        let address = listener.local_addr().unwrap();
        tokio::spawn(async move { axum::serve(listener, Router::new().fallback(get(answer))).await });
        Url::parse(&format!("http://{address}")).unwrap()
    }

    async fn fetch(base: &Url, token: &str, path: &str) -> Result<Value, Trouble> {
        let line = Line::new(base.clone(), Secret::new(token));
        line.ask(Method::GET, path, None, PATIENCE).await
    }

    #[tokio::test]
    async fn a_request_carries_path_query_and_token() {
        let found = fetch(&api().await, "right", "/api/v1/dead-letters?queue=calls&limit=5").await;
        assert_eq!(found.unwrap(), json!({ "letters": [] }));
    }

    #[tokio::test]
    async fn a_request_that_fails_says_why_and_hides_the_token() {
        let api = api().await;
        let closed = std::net::TcpListener::bind("127.0.0.1:0")
            .unwrap()
            .local_addr()
            .unwrap();
        let closed = Url::parse(&format!("http://{closed}")).unwrap();
        for (base, token, path, expected, code) in [
            (
                &api,
                "wrong",
                "/api/v1/dead-letters",
                "refused: the admin token is not",
                exit::REFUSED,
            ),
            (&api, "right", "/api/v1/none", "refused: no such thing", exit::REFUSED),
            (&api, "right", "/api/v1/told", "because", exit::REFUSED),
            (&api, "right", "/api/v1/html", "is not imbot's JSON", exit::REFUSED),
            (
                &closed,
                "right",
                "/api/v1/dead-letters",
                "nobody listens there",
                exit::BUSY,
            ),
        ] {
            let trouble = fetch(base, token, path).await.unwrap_err();
            let error = trouble.to_string();
            assert!(error.contains(expected), "{error}");
            assert!(!error.contains("wrong") && !error.contains("right"), "{error}");
            assert_eq!(trouble.exit(), code, "{error}");
        }
    }

    #[tokio::test(start_paused = true)]
    async fn a_server_that_does_not_answer_is_called_stuck_and_its_process_is_named() {
        // It accepts (the backlog does) and says nothing; the paused clock jumps to the deadline.
        let silent = std::net::TcpListener::bind("127.0.0.1:0").unwrap();
        let base = Url::parse(&format!("http://{}", silent.local_addr().unwrap())).unwrap();
        let line = Line {
            base,
            token: Secret::new("right"),
            pid: Some(4711),
            client: OnceLock::new(),
        };
        let trouble = line.ask(Method::GET, "/healthz", None, PATIENCE).await.unwrap_err();
        assert_eq!(trouble.exit(), exit::BUSY);
        assert!(trouble.to_string().contains("`kill 4711`"), "{trouble}");
    }
}
