//! `imbot dev` as a newcomer uses it: start, paste the printed line, see the answer.

use crate::server::{IMBOT, bare};
use crate::support::{free_port, must, tool};
use std::io::{BufRead as _, BufReader};
use std::process::{Child, Command, Stdio};
use std::sync::mpsc::{Receiver, channel};
use std::time::Duration;

/// Until a line that must come has come.
const PATIENCE: Duration = Duration::from_secs(30);

/// A running `imbot dev`. Ends with the test.
pub(crate) struct Dev {
    child: Child,
    lines: Receiver<String>,
    waiting: Vec<String>,
    public: String,
}

impl Dev {
    pub(crate) fn start() -> Self {
        let address = || format!("127.0.0.1:{}", free_port());
        let public = address();
        let mut child = bare(IMBOT)
            .args([
                "dev",
                "--listen",
                &public,
                "--admin",
                &address(),
                "--portal",
                &address(),
            ])
            .stdin(Stdio::null())
            .stdout(Stdio::piped())
            .spawn()
            .expect("it starts");
        let (say, lines) = channel();
        let stdout = BufReader::new(child.stdout.take().expect("stdout is piped"));
        std::thread::spawn(move || stdout.lines().map_while(Result::ok).all(|line| say.send(line).is_ok()));
        Self {
            child,
            lines,
            waiting: Vec::new(),
            public,
        }
    }

    /// The first line with `part` that was not taken yet. The lines of an event and of its answer come from two threads,
    /// in either order.
    pub(crate) fn line(&mut self, part: &str) -> String {
        loop {
            if let Some(at) = self.waiting.iter().position(|line| line.contains(part)) {
                return self.waiting.remove(at);
            }
            match self.lines.recv_timeout(PATIENCE) {
                Ok(line) => self.waiting.push(line),
                Err(_) => panic!("no line with {part:?} in {:#?}", self.waiting),
            }
        }
    }
}

impl Drop for Dev {
    fn drop(&mut self) {
        let _ = self.child.kill();
        let _ = self.child.wait();
    }
}

fn paste(line: &str) -> String {
    must(Command::new("sh").args(["-c", line]))
}

#[test]
fn the_printed_line_pasted_twice_gives_two_answers() {
    if tool("curl").is_none() {
        return;
    }
    let mut dev = Dev::start();
    let curl = dev.line("curl ");
    for _ in 0..2 {
        assert_eq!(paste(&curl), "{\"status\":\"ok\"}");
        assert!(dev.line("event ").ends_with("accepted"));
        let answer = dev.line("Message.send");
        assert!(
            answer.contains("\"Hello, bot\"") && answer.contains("shown as message"),
            "{answer}"
        );
    }
    let fixed = crate::support::replaced(&curl, "$(date +%s%N | tr -d N | cut -c1-18)", "4242");
    assert_eq!(paste(&fixed), "{\"status\":\"ok\"}");
    assert!(dev.line("event ").ends_with("accepted"));
    assert_eq!(paste(&fixed), "{\"status\":\"ok\"}");
    assert!(dev.line("event ").ends_with("duplicate"));
    crate::server::signal("TERM", dev.child.id());
    let status = crate::server::end_of(&mut dev.child).expect("it ends");
    assert_eq!(status.code(), Some(0));
}

#[test]
fn a_second_one_beside_it_takes_other_ports() {
    let mut first = Dev::start();
    first.line("server ");
    let mut second = bare(IMBOT)
        .args([
            "dev",
            "--listen",
            &first.public,
            "--admin",
            &first.public,
            "--portal",
            &first.public,
        ])
        .stdout(Stdio::piped())
        .spawn()
        .expect("it starts");
    let mut stdout = BufReader::new(second.stdout.take().expect("stdout is piped"));
    let mut said = String::new();
    while !said.contains("server ") && stdout.read_line(&mut said).expect("text") > 0 {}
    let _ = second.kill();
    let _ = second.wait();
    assert!(
        said.contains("http://127.0.0.1:") && !said.contains(&first.public),
        "{said}"
    );
}
