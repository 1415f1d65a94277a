//! The servers that are measured: built, started on their core, known to be ready, stopped. Each imbot gets a fresh folder.

use crate::Failed;
use crate::body::{BOT_ID, BOT_TOKEN, DOMAIN, MEMBER_ID};
use crate::machine::Pins;
use crate::replies::{NO_LIMIT, incoming_webhook};
use std::fs;
use std::io::{Read as _, Write as _};
use std::net::{Ipv4Addr, SocketAddr, TcpListener, TcpStream};
use std::os::unix::fs::OpenOptionsExt as _;
use std::path::{Path, PathBuf};
use std::process::{Child, Command, Stdio};
use std::time::{Duration, Instant};

/// A server must answer this long after its start.
const START: Duration = Duration::from_secs(10);

/// Builds the binary `imbot` as users get it; says where it is.
pub(crate) fn build() -> Result<PathBuf, Failed> {
    let manifest = Path::new(env!("CARGO_MANIFEST_DIR")).join("../../Cargo.toml");
    let mut cargo = Command::new(option_env!("CARGO").unwrap_or("cargo"));
    cargo
        .args([
            "build",
            "--release",
            "-p",
            "handlers",
            "--bin",
            "imbot",
            "--manifest-path",
        ])
        .arg(manifest);
    let built = cargo.status().is_ok_and(|status| status.success());
    let path = target_folder()?.join("release/imbot");
    if !built || !path.is_file() {
        let path = path.display();
        return Err(format!("there is no {path}; build it with: cargo build --release -p handlers").into());
    }
    Ok(path)
}

/// `target`, found from where this program lies: `target/release/bench`.
pub(crate) fn target_folder() -> Result<PathBuf, Failed> {
    let program = std::env::current_exe()?;
    Ok(program
        .ancestors()
        .nth(2)
        .ok_or("this program lies in no target folder")?
        .to_path_buf())
}

/// A port nobody listens on at this moment.
pub(crate) fn free_address() -> Result<SocketAddr, Failed> {
    Ok(TcpListener::bind((Ipv4Addr::LOCALHOST, 0))?.local_addr()?)
}

/// How imbot is started.
#[derive(Clone, Copy, Debug)]
pub(crate) struct Setup<'a> {
    pub(crate) program: &'a Path,
    pub(crate) ack: &'a str,
    /// Where the emulated portal listens. Without it no handler runs (`--accept-only`).
    pub(crate) portal: Option<SocketAddr>,
    /// `IMBOT_LOG`; the default level logs a line for each event, and that cost belongs to the figures.
    pub(crate) log: Option<&'a str>,
}

/// A configuration, and the addresses it names.
#[derive(Clone, Copy, Debug)]
pub(crate) struct Config<'a> {
    pub(crate) text: &'a str,
    pub(crate) listen: SocketAddr,
    pub(crate) admin: SocketAddr,
}

/// A running server. Killed, and its data removed, when dropped.
#[derive(Debug)]
pub(crate) struct Server {
    child: Child,
    pub(crate) address: SocketAddr,
    folder: Option<PathBuf>,
}

impl Server {
    /// The reference.
    pub(crate) fn bare(pins: Pins, multi_thread: bool) -> Result<Self, Failed> {
        let address = free_address()?;
        let mut command = pins.command(Pins::SERVER, &std::env::current_exe()?);
        command.args(["bare-axum", "--listen", &address.to_string()]);
        if multi_thread {
            command.arg("--multi-thread");
        }
        let server = Self {
            child: quiet(command)?,
            address,
            folder: None,
        };
        server.ready(address, "/", "HTTP/1.1 404 ")
    }

    /// imbot, with its data in `data`, which is made new.
    pub(crate) fn imbot(pins: Pins, setup: Setup<'_>, data: &Path) -> Result<Self, Failed> {
        // Only what an earlier run left: the folder is this program's own.
        let _ = fs::remove_dir_all(data);
        fs::create_dir_all(data)?;
        let (address, admin) = (free_address()?, free_address()?);
        let config = data.join("imbot.toml");
        // It holds a token, if only an invented one.
        let mut file = fs::OpenOptions::new()
            .write(true)
            .create_new(true)
            .mode(0o600)
            .open(&config)?;
        file.write_all(configuration(setup, data, address, admin).as_bytes())?;
        let mut command = pins.command(Pins::SERVER, setup.program);
        command.arg("serve").arg("--config").arg(&config);
        command
            .env_remove("IMBOT_LOG")
            .envs(setup.log.map(|log| ("IMBOT_LOG", log)));
        if setup.portal.is_none() {
            command.arg("--accept-only");
        }
        let server = Self {
            child: quiet(command)?,
            address,
            folder: Some(data.to_owned()),
        };
        server.ready(admin, "/readyz", "HTTP/1.1 200 ")
    }

    /// imbot with a configuration of the caller's, which says where it listens, on whatever `data` holds.
    pub(crate) fn configured(pins: Pins, program: &Path, data: &Path, config: &Config<'_>) -> Result<Self, Failed> {
        let file = data.join("imbot.toml");
        fs::create_dir_all(data)?;
        let _ = fs::remove_file(&file);
        let mut open = fs::OpenOptions::new()
            .write(true)
            .create_new(true)
            .mode(0o600)
            .open(&file)?;
        open.write_all(config.text.as_bytes())?;
        let mut command = pins.command(Pins::SERVER, program);
        command.arg("serve").arg("--config").arg(&file).env("IMBOT_LOG", "warn");
        let server = Self {
            child: quiet(command)?,
            address: config.listen,
            folder: Some(data.to_owned()),
        };
        server.ready(config.admin, "/readyz", "HTTP/1.1 200 ")
    }

    /// Kills it and leaves its data for the next one.
    pub(crate) fn kill(mut self) {
        self.folder = None;
    }

    /// Its process.
    pub(crate) fn pid(&self) -> u32 {
        self.child.id()
    }

    fn ready(mut self, address: SocketAddr, path: &str, wanted: &str) -> Result<Self, Failed> {
        let begin = Instant::now();
        while !ask(address, path).is_ok_and(|answer| answer.starts_with(wanted)) {
            if let Some(status) = self.child.try_wait()? {
                // Keeps the configuration, so that the reason can be seen by hand.
                let folder = self.folder.take().unwrap_or_default();
                return Err(format!("a server did not start ({status}); see {}", folder.display()).into());
            }
            if begin.elapsed() > START {
                return Err(format!("no answer from {address}{path} after {} s", START.as_secs()).into());
            }
            std::thread::sleep(Duration::from_millis(20));
        }
        Ok(self)
    }
}

impl Drop for Server {
    fn drop(&mut self) {
        // It may have ended by itself; either way it is gone afterwards.
        let _ = self.child.kill();
        let _ = self.child.wait();
        if let Some(folder) = &self.folder {
            let _ = fs::remove_dir_all(folder);
        }
    }
}

fn quiet(mut command: Command) -> Result<Child, Failed> {
    command.stdin(Stdio::null()).stdout(Stdio::null()).stderr(Stdio::null());
    command
        .spawn()
        .map_err(|error| format!("cannot start {command:?}: {error}").into())
}

/// The answer to a GET, as text.
pub(crate) fn ask(address: SocketAddr, path: &str) -> Result<String, Failed> {
    let mut stream = TcpStream::connect_timeout(&address, Duration::from_secs(1))?;
    stream.set_read_timeout(Some(Duration::from_secs(1)))?;
    stream.write_all(format!("GET {path} HTTP/1.1\r\nHost: bench\r\nConnection: close\r\n\r\n").as_bytes())?;
    let mut answer = String::new();
    stream.read_to_string(&mut answer)?;
    Ok(answer)
}

fn configuration(setup: Setup<'_>, data: &Path, listen: SocketAddr, admin: SocketAddr) -> String {
    // Accept-only never calls it.
    let portal = setup.portal.unwrap_or(listen);
    format!(
        r#"[server]
listen = "{listen}"
ack = "{ack}"
[admin]
listen = "{admin}"
[store]
path = "{store}"
max_bytes = "16GiB"
[[portal]]
name = "bench"
domain = "{DOMAIN}"
member_id = "{MEMBER_ID}"
plan = {{ burst = {NO_LIMIT}, rate = 1000000.0 }}
endpoint = "http://{portal}/rest/"
incoming_webhook = "{webhook}"
allow_insecure = true
[[portal.bot]]
id = {BOT_ID}
handler = "echo"
bot_token = "{BOT_TOKEN}"
"#,
        ack = setup.ack,
        store = data.join("store").display(),
        webhook = incoming_webhook(portal),
    )
}
