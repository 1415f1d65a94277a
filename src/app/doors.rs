//! The two addresses served, on a thread and a runtime of their own. Knows neither handlers nor portals.

use super::StartError;
use crate::http::{self, Admin, Door, Doors};
use crate::lifecycle::Stop;
use std::io;
use std::sync::Arc;
use std::thread::{self, JoinHandle};

/// The thread of the door, and the runtime it holds.
pub(super) struct DoorThread {
    pub(super) thread: JoinHandle<io::Result<()>>,
    pub(super) runtime: tokio::runtime::Handle,
}

/// The door on a runtime of its own, so that a handler that blocks its thread cannot slow an answer to Bitrix24.
pub(super) fn open_doors(
    doors: Doors,
    path: String,
    (door, admin): (Arc<Door>, Arc<Admin>),
    stop: Stop,
) -> Result<DoorThread, StartError> {
    let runtime = tokio::runtime::Builder::new_multi_thread()
        .enable_all()
        .thread_name("imbot-door")
        .build()
        .map_err(|error| StartError::Machine(error.to_string()))?;
    let handle = runtime.handle().clone();
    let serve = move || {
        let public = http::serve(doors.public, http::public_router(&path, door), stop.clone());
        let admin = http::serve(doors.admin, http::admin_router(admin), stop);
        // On worker threads, not on this one: the runtime's own are closer to its sockets.
        runtime.block_on(async {
            let (public, admin) = (tokio::spawn(public), tokio::spawn(admin));
            let (public, admin) = tokio::join!(public, admin);
            public.map_err(io::Error::other)??;
            admin.map_err(io::Error::other)?
        })
    };
    thread::Builder::new()
        .name("imbot-doors".to_owned())
        .spawn(serve)
        .map(|thread| DoorThread {
            thread,
            runtime: handle,
        })
        .map_err(|error| StartError::Machine(error.to_string()))
}
