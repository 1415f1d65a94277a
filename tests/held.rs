//! A server whose public socket is held by another process, as systemd does it: restarted and killed on order.

use crate::link;
use crate::server::{IMBOT, Server, bare};
use crate::support::root;
use std::io::{BufRead as _, BufReader, Lines, Write as _};
use std::path::Path;
use std::process::{Child, ChildStdin, ChildStdout, Stdio};
use std::thread;

/// hold_socket.py with a server in it. Ends with the test.
pub(crate) struct Held {
    child: Child,
    orders: ChildStdin,
    lines: Lines<BufReader<ChildStdout>>,
}

impl Held {
    pub(crate) fn start(python: &Path, port: u16, config: &Path) -> Self {
        let mut child = bare(python.to_str().expect("a path"))
            .arg(root().join("tests/support/hold_socket.py"))
            .arg(port.to_string())
            .args([IMBOT, "serve", "--config"])
            .arg(config)
            .env("IMBOT_LOG", "error")
            .stdin(Stdio::piped())
            .stdout(Stdio::piped())
            .spawn()
            .expect("python starts");
        let orders = child.stdin.take().expect("stdin is piped");
        let mut lines = BufReader::new(child.stdout.take().expect("stdout is piped")).lines();
        assert!(next(&mut lines).starts_with("started "));
        Self { child, orders, lines }
    }

    /// The exit code of the server that was running.
    pub(crate) fn order(&mut self, word: &str) -> String {
        writeln!(self.orders, "{word}").expect("it listens");
        next(&mut self.lines)
    }

    /// The same, for an order after which a new server starts: `restart` or `kill`.
    pub(crate) fn restart(&mut self, word: &str) -> String {
        let ended = self.order(word);
        assert!(next(&mut self.lines).starts_with("started "));
        ended
    }
}

impl Drop for Held {
    fn drop(&mut self) {
        // The end of its input ends the server; the lines must not stop it meanwhile.
        let _ = writeln!(self.orders, "stop");
        let _ = self.child.wait();
    }
}

fn next(lines: &mut Lines<BufReader<ChildStdout>>) -> String {
    lines.next().expect("it goes on").expect("text")
}

/// Waits for the admin address of the new process: then the public socket is served again.
pub(crate) fn ready(server: &Server) {
    for _ in 0..3000 {
        if link::get(server.admin, "/readyz").is_ok_and(|reply| reply.status == 200) {
            return;
        }
        thread::sleep(std::time::Duration::from_millis(10));
    }
    panic!("the server is not ready");
}
