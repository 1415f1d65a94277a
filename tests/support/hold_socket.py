#!/usr/bin/env python3
"""hold_socket.py PORT COMMAND…: holds a listening socket and hands it to the command, as systemd does (LISTEN_FDS).

Reads lines from standard input: `restart` ends the command with SIGTERM and starts it anew, `kill` does so with
SIGKILL, `stop` or the end of input ends it for good. Prints `started PID` and `ended CODE`. The socket stays open all the time.
"""
import os, signal, socket, sys

held = socket.create_server(("127.0.0.1", int(sys.argv[1])), backlog=1024)
command = sys.argv[2:]


def start():
    pid = os.fork()
    if pid == 0:
        os.dup2(held.fileno(), 3)
        # Also where it was descriptor 3 already, which dup2 leaves as it is.
        os.set_inheritable(3, True)
        environment = {**os.environ, "LISTEN_FDS": "1", "LISTEN_PID": str(os.getpid())}
        os.execve(command[0], command, environment)
    print(f"started {pid}", flush=True)
    return pid


def end(pid, word=signal.SIGTERM):
    os.kill(pid, word)
    _, status = os.waitpid(pid, 0)
    print(f"ended {os.waitstatus_to_exitcode(status)}", flush=True)


running = start()
for line in sys.stdin:
    end(running, signal.SIGKILL if line.strip() == "kill" else signal.SIGTERM)
    if line.strip() not in ("restart", "kill"):
        sys.exit(0)
    running = start()
end(running)
