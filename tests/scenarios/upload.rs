//! The scenario about a large upload: the real server, its memory read from the system.

use crate::server::{ECHO, Far, Server};
use std::fs;

/// 100 MiB but a byte, in base64.
const CONTENT: usize = 139_810_132;
/// How many times the upload's text the server may hold at its height: read, checked, written and sent.
const COPIES: usize = 6;

/// The most memory that a process has had, in bytes.
fn peak(pid: u32) -> usize {
    let status = fs::read_to_string(format!("/proc/{pid}/status")).unwrap();
    let line = status.lines().find_map(|line| line.strip_prefix("VmHWM:")).unwrap();
    let kib: usize = line.trim().trim_end_matches(" kB").parse().unwrap();
    kib * 1024
}

#[test]
fn s22_an_upload_of_100_mb_keeps_memory_bounded() {
    let far = Far::start(50);
    let mut server = Server::beside(&far);
    let before = peak(server.pid());
    let file = server.folder().join("upload.json");
    let content = "A".repeat(CONTENT);
    let params = format!("{{\"dialogId\":\"27\",\"fields\":{{\"name\":\"big.bin\",\"content\":\"{content}\"}}}}");
    fs::write(&file, params).unwrap();
    let (file, bot) = (format!("@{}", file.display()), ECHO.to_string());
    let mut peaks = Vec::new();
    for _ in 0..3 {
        let arguments = [
            "call",
            "imbot.v2.File.upload",
            &file,
            "--bot",
            &bot,
            "--timeout",
            "300s",
        ];
        let output = server.command(&arguments);
        assert!(output.status.success(), "{}", String::from_utf8_lossy(&output.stderr));
        peaks.push(peak(server.pid()) - before);
    }
    let messages = far.portal.messages("27");
    assert_eq!(messages.len(), 3, "each is there");
    // As much after the third as after the first: nothing is kept.
    assert!(peaks.iter().all(|peak| *peak < COPIES * CONTENT), "{peaks:?}");
    assert!(server.terminate().success());
}
