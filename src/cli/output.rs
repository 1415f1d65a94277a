//! Reading and printing for subcommands: results on stdout, everything else on stderr. Decides nothing.

use std::io::{self, BufRead as _, IsTerminal as _, Read, Write};
use std::path::Path;

/// A result, on stdout. A closed pipe (`| head`) is no failure. Returns the exit code.
pub(super) fn print(text: &str) -> u8 {
    let mut out = io::stdout().lock();
    let done = out.write_all(text.as_bytes()).and_then(|()| out.flush());
    match done {
        Err(error) if error.kind() != io::ErrorKind::BrokenPipe => super::exit::REFUSED,
        _ => 0,
    }
}

/// A line for people, on stderr. If stderr is gone there is nobody to tell.
pub(super) fn complain(text: &str) {
    let _ = writeln!(io::stderr().lock(), "{text}");
}

/// Asks back on a terminal; `None` where there is none.
pub(super) fn agreed(question: &str) -> Option<bool> {
    if !io::stdin().is_terminal() || !io::stderr().is_terminal() {
        return None;
    }
    let _ = write!(io::stderr().lock(), "{question} Go on? [y/N] ");
    let mut answer = String::new();
    // No answer is a no.
    let _ = io::stdin().lock().read_line(&mut answer);
    Some(matches!(answer.trim(), "y" | "Y" | "yes"))
}

/// The bytes of a file; `-` is standard input.
pub(super) fn read(path: &Path) -> io::Result<Vec<u8>> {
    if path == Path::new("-") {
        let mut bytes = Vec::new();
        io::stdin().lock().read_to_end(&mut bytes)?;
        return Ok(bytes);
    }
    std::fs::read(path)
}

/// Text as a TOML string. JSON's escapes are a subset of TOML's, but for the control character 0x7f.
pub(super) fn quoted(text: &str) -> String {
    serde_json::Value::from(text).to_string().replace('\u{7f}', "\\u007f")
}
