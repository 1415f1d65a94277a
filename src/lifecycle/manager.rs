//! Words to the service manager (systemd): ready, reloading, stopping, still alive. Without one they go nowhere.

use sd_notify::NotifyState;
use std::time::Duration;

/// The server accepts events.
pub(crate) fn ready() {
    tell(&[NotifyState::Ready]);
}

/// The configuration is being read again; `ready` follows.
pub(crate) fn reloading() {
    // Since version 253 systemd wants to know when, or it takes the reload for failed.
    match NotifyState::monotonic_usec_now() {
        Ok(now) => tell(&[NotifyState::Reloading, now]),
        Err(_) => tell(&[NotifyState::Reloading]),
    }
}

/// The drain has begun.
pub(crate) fn stopping() {
    tell(&[NotifyState::Stopping]);
}

/// All parts answered just now.
pub(crate) fn alive() {
    tell(&[NotifyState::Watchdog]);
}

/// How long systemd waits for a sign of life (`WatchdogSec=`); `None`: it does not wait for one.
pub(crate) fn watchdog() -> Option<Duration> {
    sd_notify::watchdog_enabled().filter(|every| !every.is_zero())
}

fn tell(words: &[NotifyState<'_>]) {
    // No manager, or one that does not listen: nobody to tell.
    let _ = sd_notify::notify(words);
}
