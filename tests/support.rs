//! What the files of this binary share: where things are, tools of the machine, processes that end with their test.

use std::fs::{self, OpenOptions};
use std::io::Write as _;
use std::net::{Ipv4Addr, TcpListener};
use std::path::{Path, PathBuf};
use std::process::{Command, Output};
use std::sync::atomic::{AtomicU16, Ordering};

/// The root of the repository.
pub(crate) fn root() -> PathBuf {
    Path::new(env!("CARGO_MANIFEST_DIR"))
        .parent()
        .expect("handlers/ lies in the repository")
        .to_path_buf()
}

/// A file of the repository as text; `path` from the root.
pub(crate) fn text(path: &str) -> String {
    fs::read_to_string(root().join(path)).unwrap_or_else(|error| panic!("{path}: {error}"))
}

/// A tool of the machine, or `None` after saying that the calling test did not run. nginx lies in /usr/sbin, where a
/// user's PATH does not look.
pub(crate) fn tool(name: &str) -> Option<PathBuf> {
    #[expect(clippy::disallowed_methods, reason = "a test asks the machine, not the settings")]
    let path = std::env::var_os("PATH").unwrap_or_default();
    let found = std::env::split_paths(&path)
        .chain(["/usr/sbin".into(), "/sbin".into()])
        .map(|folder: PathBuf| folder.join(name))
        .find(|file| file.is_file());
    if found.is_none() {
        not_run(&format!("no {name} on this machine"));
    }
    found
}

/// Whether a test is asked to write its part of the documents anew: `IMBOT_WRITE_DOCS=1 cargo test …`.
#[expect(clippy::disallowed_methods, reason = "a switch of the tests, not a setting")]
pub(crate) fn writes_docs() -> bool {
    std::env::var_os("IMBOT_WRITE_DOCS").is_some()
}

/// Says that the calling test could not run. `tests/run` collects these lines, and in CI they are failures.
pub(crate) fn not_run(why: &str) {
    let test = std::thread::current().name().unwrap_or("a test").to_owned();
    let line = format!("not run: {test}: {why}\n");
    // Not println!: the harness would swallow it.
    std::io::stderr()
        .write_all(line.as_bytes())
        .expect("stderr takes a line");
    #[expect(clippy::disallowed_methods, reason = "a test asks the machine, not the settings")]
    if let Some(file) = std::env::var_os("IMBOT_NOT_RUN_FILE") {
        let opened = OpenOptions::new().create(true).append(true).open(&file);
        // One write, so that lines of parallel tests do not mix.
        opened
            .and_then(|mut f| f.write_all(line.as_bytes()))
            .expect("IMBOT_NOT_RUN_FILE can be written");
    }
}

/// Runs a tool to its end; its output, stderr after stdout, and whether it succeeded.
pub(crate) fn run(command: &mut Command) -> (bool, String) {
    let Output { status, stdout, stderr } = command.output().unwrap_or_else(|error| panic!("{command:?}: {error}"));
    let said = [stdout, stderr]
        .map(|bytes| String::from_utf8_lossy(&bytes).into_owned())
        .concat();
    (status.success(), said)
}

/// Runs a tool that must succeed; fails the test with what it said otherwise.
pub(crate) fn must(command: &mut Command) -> String {
    let (succeeded, said) = run(command);
    assert!(succeeded, "{command:?} said:\n{said}");
    said
}

/// A port nobody listens on. Below the range from which the kernel takes ports for connections and for `:0`, so that it
/// is still free when the process it is meant for binds it.
pub(crate) fn free_port() -> u16 {
    static NEXT: AtomicU16 = AtomicU16::new(0);
    let start = 20_000 + u16::try_from(std::process::id() % 1000).expect("below 1000") * 10;
    (0..1000)
        .map(|_| start + NEXT.fetch_add(1, Ordering::Relaxed))
        .find(|port| TcpListener::bind((Ipv4Addr::LOCALHOST, *port)).is_ok())
        .expect("a free port among a thousand")
}

/// `text` with `from` replaced, which must be there: a template that changed must not pass unnoticed.
pub(crate) fn replaced(text: &str, from: &str, to: &str) -> String {
    assert!(
        text.contains(from),
        "the file no longer contains {from:?}; adjust the test"
    );
    text.replace(from, to)
}

/// A file system of its own in a folder, as large as `size` says; unmounted with the test.
pub(crate) struct Mount(PathBuf);

impl Mount {
    pub(crate) fn at(folder: &Path, size: &str) -> Option<Self> {
        let mount = tool("mount")?;
        fs::create_dir_all(folder).expect("a folder");
        let options = format!("size={size}");
        let (done, said) = run(Command::new(mount)
            .args(["-t", "tmpfs", "-o", &options, "none"])
            .arg(folder));
        if !done {
            not_run(&format!("no file system can be mounted here: {}", said.trim()));
        }
        done.then(|| Self(folder.to_owned()))
    }
}

impl Drop for Mount {
    fn drop(&mut self) {
        run(Command::new("umount").arg(&self.0));
    }
}
