//! The real binary as a process of its own beside an emulated portal in this one: written configuration, start, stop,
//! kill, restart on the same store, metrics, dead letters. Ends with its test; decides nothing about events.

use crate::link::{self, Reply};
use crate::support::free_port;
use imbot::portal::{BotSeed, Portal, PortalConfig};
use imbot::types::Clock;
use serde_json::Value;
use std::fs;
use std::future::Future;
use std::io::Read;
use std::net::{Ipv4Addr, SocketAddr};
use std::path::{Path, PathBuf};
use std::process::{Child, Command, ExitStatus, Output, Stdio};
use std::sync::{Arc, Mutex};
use std::thread::{self, JoinHandle};
use std::time::Duration;
use tempfile::TempDir;
use tokio::runtime::Runtime;

/// The binary under test.
pub(crate) const IMBOT: &str = env!("CARGO_BIN_EXE_imbot");
/// The echo bot's id at the emulated portal.
pub(crate) const ECHO: i64 = 101;
/// Its token there.
pub(crate) const TOKEN: &str = "token-of-the-echo-bot";
const POLL: Duration = Duration::from_millis(10);

/// An emulated portal on a runtime of its own.
pub(crate) struct Far {
    runtime: Runtime,
    pub(crate) portal: Portal,
    /// Its name in the configuration.
    name: String,
    host: String,
    member_id: String,
    plan: String,
}

impl Far {
    /// A portal with the echo bot that makes chats on demand and lets `burst` calls through at once.
    pub(crate) fn start(burst: u32) -> Self {
        Self::with(PortalConfig {
            on_demand: true,
            burst,
            rate: burst / 2,
            // Nor about operating time: a send that takes 120 ms could be made 4,000 times in ten minutes.
            costs: Vec::new(),
            log_limit: 1_000_000,
            bots: vec![BotSeed::webhook(ECHO, "echo", TOKEN).command("help")],
            ..PortalConfig::new(Clock::system())
        })
    }

    /// Another portal than the one of [`start`](Self::start), with a name of its own.
    pub(crate) fn named(name: &str, burst: u32) -> Self {
        let mut far = Self::with(PortalConfig {
            on_demand: true,
            burst,
            rate: burst / 2,
            host: format!("{name}.example.com"),
            member_id: format!("{name:0>32}"),
            bots: vec![BotSeed::webhook(ECHO, "echo", TOKEN)],
            ..PortalConfig::new(Clock::system())
        });
        name.clone_into(&mut far.name);
        far
    }

    pub(crate) fn with(config: PortalConfig) -> Self {
        let runtime = tokio::runtime::Builder::new_multi_thread()
            .worker_threads(2)
            .enable_all()
            .build()
            .expect("a runtime");
        let (host, member_id) = (config.host.clone(), config.member_id.clone());
        // A little below the portal's own budget: the test is not about the budget.
        let plan = format!(
            "{{ burst = {}, rate = {}.0 }}",
            config.burst.div_ceil(2),
            config.rate.div_ceil(2)
        );
        let portal = runtime
            .block_on(Portal::start(config))
            .expect("the emulated portal starts");
        Self {
            runtime,
            portal,
            name: "demo".to_owned(),
            host,
            member_id,
            plan,
        }
    }

    /// Runs what the portal does asynchronously to its end.
    pub(crate) fn wait<T>(&self, work: impl Future<Output = T>) -> T {
        self.runtime.block_on(work)
    }

    /// Its `[[portal]]` table with the echo bot.
    pub(crate) fn table(&self) -> String {
        format!(
            "[[portal]]\nname = \"{}\"\ndomain = \"{}\"\nmember_id = \"{}\"\nplan = {}\nendpoint = \"{}\"\n\
             incoming_webhook = \"{}\"\nallow_insecure = true\n\
             [[portal.bot]]\nid = {ECHO}\nhandler = \"echo\"\nbot_token = \"{TOKEN}\"\n",
            self.name,
            self.host,
            self.member_id,
            self.plan,
            self.portal.endpoint(),
            self.portal.incoming_webhook(),
        )
    }

    /// The body of a message to the echo bot in private.
    pub(crate) fn body(&self, user: i64, message: i64, text: &str) -> Vec<u8> {
        self.portal
            .message_event(ECHO, user, message, text)
            .expect("the echo bot is there")
    }

    /// What the bot has said to this user, in order.
    pub(crate) fn heard(&self, user: i64) -> Vec<String> {
        let messages = self.portal.messages(&user.to_string());
        messages
            .into_iter()
            .filter(|message| message.bot == Some(ECHO))
            .map(|message| message.text)
            .collect()
    }
}

/// `imbot serve` in a folder of its own.
pub(crate) struct Server {
    folder: TempDir,
    pub(crate) public: SocketAddr,
    pub(crate) admin: SocketAddr,
    child: Option<Child>,
    said: Arc<Mutex<String>>,
    listening: Vec<JoinHandle<()>>,
    /// Put before the binary, for example a tracer; it must leave the binary in its own process, which ends with the test.
    pub(crate) wrapper: Vec<String>,
    /// More arguments of `imbot serve`.
    pub(crate) arguments: Vec<String>,
    environment: Vec<(String, String)>,
}

impl Server {
    /// Writes the configuration: addresses and store, then `rest` (sections, then portals). Starts nothing.
    pub(crate) fn new(rest: &str) -> Self {
        let folder = tempfile::Builder::new()
            .prefix("imbot-it-")
            .tempdir()
            .expect("a folder");
        let address = || SocketAddr::from((Ipv4Addr::LOCALHOST, free_port()));
        let (public, admin) = (address(), address());
        let text = format!(
            "server.listen = \"{public}\"\nadmin.listen = \"{admin}\"\nstore.path = {:?}\n{rest}",
            folder.path().join("store").display().to_string()
        );
        fs::write(folder.path().join("imbot.toml"), text).expect("a configuration");
        Self {
            folder,
            public,
            admin,
            child: None,
            said: Arc::default(),
            listening: Vec::new(),
            wrapper: Vec::new(),
            arguments: Vec::new(),
            environment: vec![("IMBOT_LOG".to_owned(), "info".to_owned())],
        }
    }

    /// A running server beside this portal.
    pub(crate) fn beside(far: &Far) -> Self {
        let mut server = Self::new(&far.table());
        server.start();
        server
    }

    /// A variable of the environment it starts with.
    pub(crate) fn set(&mut self, name: &str, value: &str) {
        self.environment.push((name.to_owned(), value.to_owned()));
    }

    pub(crate) fn config(&self) -> PathBuf {
        self.folder.path().join("imbot.toml")
    }

    pub(crate) fn store(&self) -> PathBuf {
        self.folder.path().join("store")
    }

    pub(crate) fn folder(&self) -> &Path {
        self.folder.path()
    }

    /// Starts the process and does not wait for it.
    pub(crate) fn spawn(&mut self) {
        assert!(self.child.is_none(), "it runs already");
        let mut words = self.wrapper.iter().map(String::as_str).chain([IMBOT]);
        let mut command = bare(words.next().expect("at least the binary"));
        command
            .args(words)
            .arg("serve")
            .arg("--config")
            .arg(self.config())
            .args(&self.arguments);
        command.envs(self.environment.iter().map(|(name, value)| (name, value)));
        let mut child = command
            .stdin(Stdio::null())
            .stdout(Stdio::piped())
            .stderr(Stdio::piped())
            .spawn()
            .expect("it starts");
        self.listening
            .push(self.listen(child.stdout.take().expect("stdout is piped")));
        self.listening
            .push(self.listen(child.stderr.take().expect("stderr is piped")));
        self.child = Some(child);
    }

    fn listen(&self, mut stream: impl Read + Send + 'static) -> JoinHandle<()> {
        let said = Arc::clone(&self.said);
        thread::spawn(move || {
            let mut piece = [0; 8192];
            while let Ok(length @ 1..) = stream.read(&mut piece) {
                said.lock()
                    .expect("no test failed here")
                    .push_str(&String::from_utf8_lossy(&piece[..length]));
            }
        })
    }

    /// Starts the process and returns once it says that it is ready.
    pub(crate) fn start(&mut self) {
        self.spawn();
        self.ready();
    }

    /// Returns once `/readyz` answers 200; fails the test if the process ends first.
    pub(crate) fn ready(&mut self) {
        for _ in 0..3000 {
            if link::get(self.admin, "/readyz").is_ok_and(|reply| reply.status == 200) {
                return;
            }
            let child = self.child.as_mut().expect("it was started");
            if let Some(status) = child.try_wait().expect("its state is known") {
                panic!("the server ended with {status}:\n{}", self.said());
            }
            thread::sleep(POLL);
        }
        panic!("the server is not ready:\n{}", self.said());
    }

    /// Everything it has printed so far, over all its starts.
    pub(crate) fn said(&self) -> String {
        self.said.lock().expect("no test failed here").clone()
    }

    pub(crate) fn pid(&self) -> u32 {
        self.child.as_ref().expect("it was started").id()
    }

    /// SIGKILL.
    pub(crate) fn kill(&mut self) {
        let child = self.child.as_mut().expect("it was started");
        child.kill().expect("it can be killed");
        self.ended();
    }

    /// SIGTERM, then its end.
    pub(crate) fn terminate(&mut self) -> ExitStatus {
        signal("TERM", self.pid());
        self.ended()
    }

    /// Waits for its end, and for its last words.
    pub(crate) fn ended(&mut self) -> ExitStatus {
        let child = self.child.as_mut().expect("it was started");
        let status = end_of(child).unwrap_or_else(|| panic!("the server does not end:\n{}", self.said()));
        self.child = None;
        for listening in self.listening.drain(..) {
            listening.join().expect("no reader panics");
        }
        status
    }

    /// Posts a form body over a new connection and asks what became of it.
    pub(crate) fn post(&self, body: &[u8]) -> Reply {
        self.post_as("application/x-www-form-urlencoded", body)
    }

    pub(crate) fn post_as(&self, content_type: &str, body: &[u8]) -> Reply {
        link::post(self.public, content_type, body).unwrap_or_else(|error| panic!("{error}:\n{}", self.said()))
    }

    /// The sum of a metric over its labels; `name` may end in `{label="…"` to choose some.
    pub(crate) fn metric(&self, name: &str) -> f64 {
        let page = link::get(self.admin, "/metrics")
            .expect("the admin address answers")
            .body;
        let lines = page
            .lines()
            .filter_map(|line| line.strip_prefix(name)?.rsplit_once(' '));
        let of_name = lines.filter(|(rest, _)| name.contains('{') || rest.is_empty() || rest.starts_with('{'));
        of_name.filter_map(|(_, value)| value.parse::<f64>().ok()).sum()
    }

    /// Returns once the budget of its portals has room for a call.
    pub(crate) fn may_call(&self) {
        for _ in 0..3000 {
            if self.metric("imbot_portal_budget") > 0.0 {
                return;
            }
            thread::sleep(POLL);
        }
        panic!("a minute has passed and no call may leave:\n{}", self.said());
    }

    /// Returns when no event and no call is pending any more.
    pub(crate) fn settled(&self) {
        for _ in 0..6000 {
            if self.metric("imbot_inbox_pending") + self.metric("imbot_outbox_pending") == 0.0 {
                return;
            }
            thread::sleep(POLL * 2);
        }
        panic!(
            "after two minutes {} events and {} calls are pending:\n{}",
            self.metric("imbot_inbox_pending"),
            self.metric("imbot_outbox_pending"),
            self.said()
        );
    }

    /// Runs `imbot … --config FILE` to its end.
    pub(crate) fn command(&self, arguments: &[&str]) -> Output {
        bare(IMBOT)
            .args(arguments)
            .arg("--config")
            .arg(self.config())
            .output()
            .expect("the binary runs")
    }

    /// The dead letters of a queue, as `imbot dead-letters list --json` gives them.
    pub(crate) fn letters(&self, queue: &str) -> Vec<Value> {
        let output = self.command(&["dead-letters", "list", "--json", "--limit", "1000", "--queue", queue]);
        assert!(output.status.success(), "{output:?}");
        let list: Value = serde_json::from_slice(&output.stdout).expect("JSON");
        list["letters"].as_array().expect("letters").clone()
    }

    /// One letter with its body.
    pub(crate) fn letter(&self, id: &Value) -> Value {
        let output = self.command(&["dead-letters", "show", "--json", &id.to_string()]);
        assert!(output.status.success(), "{output:?}");
        serde_json::from_slice(&output.stdout).expect("JSON")
    }
}

impl Drop for Server {
    fn drop(&mut self) {
        if let Some(mut child) = self.child.take() {
            let _ = child.kill();
            let _ = child.wait();
        }
    }
}

/// A command without the variables that imbot reads.
pub(crate) fn bare(program: &str) -> Command {
    let mut command = Command::new(program);
    let foreign = std::env::vars_os().map(|(name, _)| name);
    for name in foreign.filter(|name| name.to_string_lossy().starts_with("IMBOT_")) {
        command.env_remove(name);
    }
    command
}

/// Sends a signal by the shell's own `kill`.
pub(crate) fn signal(name: &str, pid: u32) {
    let sent = Command::new("sh")
        .args(["-c", &format!("kill -{name} {pid}")])
        .status()
        .expect("a shell");
    assert!(sent.success(), "kill -{name} {pid}");
}

/// The end of a process within a minute.
pub(crate) fn end_of(child: &mut Child) -> Option<ExitStatus> {
    for _ in 0..6000 {
        if let Some(status) = child.try_wait().expect("its state is known") {
            return Some(status);
        }
        thread::sleep(POLL);
    }
    None
}

#[test]
fn a_server_answers_stops_by_itself_and_keeps_what_it_had() {
    let far = Far::start(100);
    let mut server = Server::beside(&far);
    let body = far.body(7, 70, "hello");
    assert_eq!(server.post(&body).outcome(), Some("accepted"));
    server.settled();
    assert_eq!(far.heard(7), ["hello"]);
    assert_eq!(server.terminate().code(), Some(0), "{}", server.said());
    server.start();
    assert_eq!(server.post(&body).outcome(), Some("duplicate"));
    server.kill();
}
