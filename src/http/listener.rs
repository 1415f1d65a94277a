//! Sockets: inherited from the service manager (LISTEN_FDS), else bound here. Accepts nothing itself.
//!
//! An inherited socket outlives the process: across a restart connections wait in its queue and nobody is refused.

use listenfd::ListenFd;
use std::io;
use std::net::{SocketAddr, TcpListener};

/// The two addresses of a server.
#[derive(Debug)]
pub(crate) struct Doors {
    pub(crate) public: TcpListener,
    pub(crate) admin: TcpListener,
    /// Whether the public socket was handed to us.
    pub(crate) inherited: bool,
}

/// Opens both sockets. The first inherited one is the public address, the second, if any, the admin address.
///
/// # Errors
/// An address is taken or not ours; the text says which.
pub(crate) fn open(public: SocketAddr, admin: SocketAddr) -> io::Result<Doors> {
    let mut handed = ListenFd::from_env();
    let inherited = handed.take_tcp_listener(0).ok().flatten();
    let was_inherited = inherited.is_some();
    let public = inherited.map_or_else(|| bind(public, "server.listen"), Ok)?;
    let admin = handed
        .take_tcp_listener(1)
        .ok()
        .flatten()
        .map_or_else(|| bind(admin, "admin.listen"), Ok)?;
    Ok(Doors {
        public: ready(public)?,
        admin: ready(admin)?,
        inherited: was_inherited,
    })
}

fn bind(address: SocketAddr, key: &str) -> io::Result<TcpListener> {
    TcpListener::bind(address).map_err(|error| {
        let text = format!("cannot listen on {address} ({key}): {error}; stop what uses it or change {key}");
        io::Error::new(error.kind(), text)
    })
}

fn ready(listener: TcpListener) -> io::Result<TcpListener> {
    // An inherited socket may be blocking, and tokio would then hang in accept.
    listener.set_nonblocking(true)?;
    Ok(listener)
}
