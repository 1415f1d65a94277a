//! A disk whose sync fails, by strace's fault injection on the real binary: from the first failure on nothing is
//! acknowledged, the process ends with its own code, and all that was acknowledged before is handled after a restart.

use crate::link;
use crate::server::{Far, Server};
use crate::support::{not_run, run, tool};
use std::process::Command;

const FORM: &str = "application/x-www-form-urlencoded";
/// The store has failed.
const STORE_FAILED: i32 = 74;

#[test]
fn after_a_failed_sync_nothing_is_acknowledged_and_nothing_acknowledged_is_lost() {
    let Some(strace) = tool("strace") else { return };
    if !run(Command::new(&strace).args(["-D", "-o", "/dev/null", "true"])).0 {
        return not_run("strace may not trace here");
    }
    let far = Far::start(10_000);
    let mut server = Server::new(&far.table());
    // -D leaves the server as our child and makes the tracer its grandchild.
    let trace = ["-D", "-f", "-o", "/dev/null", "-e", "trace=fdatasync,fsync"];
    let inject = [
        "-e",
        "inject=fdatasync:error=EIO:when=40+",
        "-e",
        "inject=fsync:error=EIO:when=40+",
    ];
    server.wrapper = [strace.to_str().expect("a path")]
        .into_iter()
        .chain(trace)
        .chain(inject)
        .map(str::to_owned)
        .collect();
    server.start();

    let mut acknowledged = Vec::new();
    let mut refused = 0;
    for number in 0..2000_i64 {
        let text = format!("number {number}");
        match link::post(server.public, FORM, &far.body(9, 90_000 + number, &text)) {
            Ok(reply) if reply.status == 200 => {
                assert_eq!(refused, 0, "acknowledged after a failure: {reply:?}\n{}", server.said());
                acknowledged.push(text);
            }
            Ok(reply) => {
                assert_eq!((reply.status, reply.outcome()), (503, None), "{reply:?}");
                refused += 1;
            }
            // The process has ended.
            Err(_) => break,
        }
    }
    assert!(!acknowledged.is_empty(), "the disk failed before the first event");
    assert_eq!(server.ended().code(), Some(STORE_FAILED), "{}", server.said());

    server.wrapper.clear();
    server.start();
    server.settled();
    let heard = far.heard(9);
    for text in &acknowledged {
        assert_eq!(
            heard.iter().filter(|heard| *heard == text).count(),
            1,
            "{text} of {heard:?}"
        );
    }
}
