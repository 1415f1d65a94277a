//! The chat page in a real browser: headless Chromium, steered by its WebDriver, beside a running `imbot dev`. This file
//! is the way in; the walks are in the folder.

mod access;
mod messages;
mod people;

use crate::dev::Dev;
use crate::support::{free_port, tool};
use fantoccini::elements::Element;
use fantoccini::key::Key;
use fantoccini::{Client, ClientBuilder, Locator};
use hyper_util::client::legacy::connect::HttpConnector;
use serde_json::{Value, json};
use std::future::Future;
use std::panic::resume_unwind;
use std::path::Path;
use std::process::{Child, Command, Stdio};

/// In milliseconds, until something that must come has come.
const PATIENCE: u64 = 60_000;

/// The browser's driver. Ends with its test.
struct Driver {
    child: Child,
    port: u16,
}

impl Driver {
    fn start(program: &Path) -> Self {
        let port = free_port();
        let child = Command::new(program)
            .arg(format!("--port={port}"))
            .stdin(Stdio::null())
            .stdout(Stdio::null())
            .stderr(Stdio::null())
            .spawn()
            .expect("the driver starts");
        Self { child, port }
    }
}

impl Drop for Driver {
    fn drop(&mut self) {
        let _ = self.child.kill();
        let _ = self.child.wait();
    }
}

/// The chat page of a running `imbot dev`.
#[derive(Clone)]
struct Page {
    client: Client,
    address: String,
}

/// Opens the page and lets the test do something with it; says that it did not run where there is no browser.
fn browse<F, W>(walk: F)
where
    F: FnOnce(Page) -> W + Send + 'static,
    W: Future<Output = ()> + Send + 'static,
{
    let (Some(chromium), Some(driver)) = (tool("chromium"), tool("chromedriver")) else {
        return;
    };
    let mut dev = Dev::start();
    let line = dev.line("  open ");
    let address = line.split_whitespace().nth(1).expect("an address").to_owned();
    let driver = Driver::start(&driver);
    let runtime = tokio::runtime::Runtime::new().expect("a runtime");
    runtime.block_on(async {
        let client = connected(&driver, &chromium).await;
        let page = Page {
            client: client.clone(),
            address,
        };
        let walked = tokio::spawn(async move {
            page.open("").await;
            walk(page).await;
        })
        .await;
        // The browser ends with its session, whatever became of the test.
        let _ = client.close().await;
        if let Err(failed) = walked {
            resume_unwind(failed.into_panic());
        }
    });
}

async fn connected(driver: &Driver, chromium: &Path) -> Client {
    let options = json!({
        "binary": chromium,
        // Without its sandbox it starts for root and in containers, too; it sees our own page only.
        "args": ["--headless=new", "--no-sandbox", "--disable-dev-shm-usage", "--disable-gpu", "--window-size=1400,900"],
    });
    let Value::Object(capabilities) = json!({
        "goog:chromeOptions": options,
        "timeouts": { "script": PATIENCE + 5_000, "pageLoad": PATIENCE },
    }) else {
        unreachable!("it is an object")
    };
    let mut builder = ClientBuilder::new(HttpConnector::new());
    builder.capabilities(capabilities);
    let address = format!("http://127.0.0.1:{}", driver.port);
    for _ in 0..600 {
        match builder.connect(&address).await {
            Ok(client) => return client,
            Err(fantoccini::error::NewSessionError::NotW3C(answer)) => panic!("no browser: {answer}"),
            Err(fantoccini::error::NewSessionError::SessionNotCreated(why)) => panic!("no browser: {why}"),
            // The driver does not listen yet.
            Err(_) => std::thread::sleep(std::time::Duration::from_millis(50)),
        }
    }
    panic!("the driver does not answer");
}

impl Page {
    /// Loads the page, with this behind its address, and waits until it has heard from the portal.
    async fn open(&self, fragment: &str) {
        self.client.goto("about:blank").await.unwrap();
        self.client.goto(&format!("{}{fragment}", self.address)).await.unwrap();
        self.until("document.querySelector('#link[data-state=live]')").await;
    }

    async fn run(&self, script: &str) -> Value {
        let ran = self.client.execute(script, Vec::new()).await;
        ran.unwrap_or_else(|error| panic!("{script}: {error}"))
    }

    /// Waits until an expression is true in the page; fails the test with what the page shows otherwise.
    async fn until(&self, expression: &str) {
        let script = format!(
            "return new Promise((done) => {{
               const end = Date.now() + {PATIENCE};
               const look = () => {{
                 if ({expression}) done('');
                 else if (Date.now() > end) done(document.body.innerText);
                 else setTimeout(look, 20);
               }};
               look();
             }});"
        );
        let shown = self.run(&script).await;
        assert_eq!(shown, "", "never came true: {expression}");
    }

    async fn find(&self, css: &str) -> Element {
        let found = self.client.find(Locator::Css(css)).await;
        found.unwrap_or_else(|error| panic!("{css}: {error}"))
    }

    async fn click(&self, css: &str) {
        self.find(css).await.click().await.unwrap();
    }

    /// Presses the first button of these whose text is this.
    async fn press(&self, css: &str, label: &str) {
        let buttons = format!(
            "[...document.querySelectorAll('{css}')].filter((one) => one.textContent.trim() === {})",
            json!(label)
        );
        self.until(&format!("{buttons}.length")).await;
        self.run(&format!("{buttons}.at(-1).click()")).await;
    }

    async fn dialog(&self, name: &str) {
        let button = format!(
            "[...document.querySelectorAll('.dialog')].find((one) => one.querySelector('.dialog-name').textContent === {})",
            json!(name)
        );
        self.until(&button).await;
        self.run(&format!("{button}.click()")).await;
        self.until(&format!(
            "document.querySelector('#talk-title').textContent === {}",
            json!(name)
        ))
        .await;
    }

    /// Types a message and sends it with Enter.
    async fn write(&self, words: &str) {
        let field = self.find("#text").await;
        field.send_keys(words).await.unwrap();
        field.send_keys(&Key::Enter.to_string()).await.unwrap();
    }

    /// Waits for a message of somebody else that has these words.
    async fn hears(&self, words: &str) {
        let bubbles = "[...document.querySelectorAll('.msg:not(.own) .bubble')]";
        self.until(&format!(
            "{bubbles}.some((one) => one.textContent.includes({}))",
            json!(words)
        ))
        .await;
    }

    async fn becomes(&self, user: i64) {
        self.run(&format!(
            "const me = document.querySelector('#me'); me.value = '{user}'; me.dispatchEvent(new Event('change'))"
        ))
        .await;
    }

    /// One REST call at the portal, as a bot in any language makes it; the browser only carries it.
    async fn call(&self, method: &str, params: Value) -> Value {
        let body = json!(params.to_string());
        let headers = "{ 'Content-Type': 'application/json' }";
        let address = format!("/rest/1/demowebhookcode0/{method}");
        self.run(&format!(
            "return fetch('{address}', {{ method: 'POST', headers: {headers}, body: {body} }}).then((one) => one.json())"
        ))
        .await
    }

    /// A bot that fetches its events, so that nobody needs to listen for it; its number.
    async fn stranger(&self) -> i64 {
        let fields = json!({ "code": "stranger", "botToken": "tok", "properties": { "name": "Stranger" }, "eventMode": "fetch" });
        let answer = self.call("imbot.v2.Bot.register", json!({ "fields": fields })).await;
        let id = answer["result"]["bot"]["id"].as_i64().expect("an id");
        self.dialog("Stranger").await;
        id
    }
}

fn bot(id: i64, more: Value) -> Value {
    let mut params = json!({ "botId": id, "botToken": "tok", "dialogId": "27" });
    params
        .as_object_mut()
        .unwrap()
        .extend(more.as_object().unwrap().clone());
    params
}
