//! A bot in another language at the real `imbot portal`: it registers itself, gets an event and answers.

use crate::link;
use crate::server::{IMBOT, bare};
use crate::support::{free_port, root, tool};
use serde_json::{Value, json};
use std::io::{BufRead as _, BufReader};
use std::net::SocketAddr;
use std::process::{Child, Command, Stdio};
use std::thread;
use std::time::Duration;

/// A process that ends with its test.
struct Running(Child);

impl Running {
    fn start(command: &mut Command) -> Self {
        let command = command
            .stdin(Stdio::null())
            .stdout(Stdio::piped())
            .stderr(Stdio::null());
        Self(command.spawn().expect("it starts"))
    }

    /// The first line with `part`; what follows it is read and dropped, so that the process can go on printing.
    fn line(&mut self, part: &str) -> String {
        let stdout = self.0.stdout.take().expect("stdout is piped");
        let mut lines = BufReader::new(stdout).lines().map_while(Result::ok);
        let found = lines.find(|line| line.contains(part));
        thread::spawn(move || lines.for_each(drop));
        found.unwrap_or_else(|| panic!("no line with {part:?}"))
    }
}

impl Drop for Running {
    fn drop(&mut self) {
        let _ = self.0.kill();
        let _ = self.0.wait();
    }
}

#[test]
fn a_python_bot_registers_gets_an_event_and_answers() {
    let Some(python) = tool("python3") else { return };
    let address = || format!("127.0.0.1:{}", free_port());
    let (portal, control) = (address(), address());
    let control: SocketAddr = control.parse().expect("an address");
    let mut running =
        Running::start(bare(IMBOT).args(["portal", "--listen", &portal, "--control", &control.to_string()]));
    let line = running.line("  webhook");
    let webhook = line.split_whitespace().nth(1).expect("the address of the webhook");
    let mut bot = Running::start(Command::new(python).arg(root().join("tests/bot.py")).arg(webhook));
    let id: i64 = bot.line("").trim().parse().expect("the number of the bot");

    let said = json!({ "user": 27, "dialog": id.to_string(), "text": "hello from another language" });
    let said = link::post_to(control, "/_mock/say", "application/json", said.to_string().as_bytes())
        .expect("the control API answers");
    let said: Value = serde_json::from_str(&said.body).expect("JSON");
    assert_eq!(said["deliveries"][0]["event"], "ONIMBOTV2MESSAGEADD");
    assert_eq!(said["deliveries"][0]["status"], 200);
    let answered = (0..3000).any(|_| {
        let messages = link::get(control, "/_mock/messages?dialog=27")
            .expect("the control API answers")
            .body;
        let messages: Vec<Value> = serde_json::from_str(&messages).expect("JSON");
        let there = messages
            .iter()
            .any(|message| message["bot"] == id && message["text"] == "HELLO FROM ANOTHER LANGUAGE");
        if !there {
            thread::sleep(Duration::from_millis(10));
        }
        there
    });
    assert!(answered, "the bot did not answer");
    let page: SocketAddr = portal.parse().expect("an address");
    assert!(
        link::get(page, "/")
            .expect("the page is there")
            .body
            .contains("<title>imbot desk</title>")
    );
}
