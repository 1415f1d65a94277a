//! Signs of life to the service manager: only while door, engines and store answer. Stops nothing itself; a manager that
//! hears nothing for `WatchdogSec` ends the process and starts it anew, and the store has everything acknowledged.

use super::Running;
use crate::lifecycle::manager;
use crate::store::Store;
use crate::types::Clock;
use std::time::Duration;
use tokio::runtime::Handle;

impl Running {
    /// Keeps telling the service manager that all parts answer, if it asked to be told (`WatchdogSec=`).
    pub(crate) fn watch(&self) {
        if let Some(every) = manager::watchdog() {
            tokio::spawn(watch(self.store.clone(), self.door.runtime.clone(), every / 3));
        }
    }
}

/// Runs on the engines' runtime: where every thread is blocked it says nothing, which is the point.
async fn watch(store: Store, door: Handle, pause: Duration) {
    let clock = Clock::system();
    loop {
        let answered = tokio::time::timeout(pause, async {
            let open = door.spawn(async {}).await.is_ok();
            open && store.counts().await.is_ok()
        });
        if matches!(answered.await, Ok(true)) {
            manager::alive();
        } else {
            tracing::error!("a part of the server does not answer: the service manager is not told that it lives");
        }
        clock.sleep(pause).await;
    }
}
