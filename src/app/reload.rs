//! SIGHUP: what of a changed configuration takes effect at once, and what waits for a restart. Reads no file itself.

use super::Running;
use super::sites::sites;
use crate::settings::{PortalSettings, Settings};

/// What a reload did.
#[derive(Clone, Debug, Default, PartialEq, Eq)]
pub(crate) struct Reloaded {
    /// Portals that came, went, or have other bots, tokens or addresses: in effect now.
    pub(crate) portals: Vec<String>,
    /// Keys that differ from those the process was started with: in effect after a restart.
    pub(crate) waiting: Vec<&'static str>,
}

impl Running {
    /// Serves the portals of `new` from now on. `started` are the settings of the start, `now` those in effect.
    ///
    /// # Errors
    /// The store cannot number a new portal, or be read.
    pub(crate) fn reload(&self, started: &Settings, now: &Settings, new: &Settings) -> Result<Reloaded, String> {
        let sites = sites(new, &self.store).map_err(|error| error.to_string())?;
        self.identities.configure(sites).map_err(|error| error.to_string())?;
        Ok(Reloaded {
            portals: changed_portals(&now.portals, &new.portals),
            waiting: waiting(started, new),
        })
    }
}

/// By name: new, gone, or different. Portals of an application stay as they are until a restart.
fn changed_portals(now: &[PortalSettings], new: &[PortalSettings]) -> Vec<String> {
    let other = |portal: &&PortalSettings, among: &[PortalSettings]| portal.app.is_none() && !among.contains(portal);
    let gone = now
        .iter()
        .filter(|portal| portal.app.is_none() && new.iter().all(|other| other.name != portal.name));
    let mut names: Vec<String> = new
        .iter()
        .filter(|portal| other(portal, now))
        .chain(gone)
        .map(|portal| portal.name.clone())
        .collect();
    names.sort();
    names
}

/// The keys that only a restart changes: sockets, the store, and the engines' sizes and schedules.
fn waiting(started: &Settings, new: &Settings) -> Vec<&'static str> {
    let (server, store) = (&started.server, &started.store);
    let (workers, deliver) = (&started.workers, &started.deliver);
    let capture = &started.capture;
    let of_apps = |settings: &Settings| -> Vec<PortalSettings> {
        let portals = settings.portals.iter().filter(|portal| portal.app.is_some());
        portals.cloned().collect()
    };
    let differs = [
        ("server.listen", server.listen != new.server.listen),
        ("server.path", server.path != new.server.path),
        (
            "server.max_body_bytes",
            server.max_body_bytes != new.server.max_body_bytes,
        ),
        ("server.ack", server.ack != new.server.ack),
        (
            "server.trusted_proxies",
            server.trusted_proxies != new.server.trusted_proxies,
        ),
        ("admin.listen", started.admin.listen != new.admin.listen),
        ("admin.token", started.admin.token != new.admin.token),
        ("store.path", store.path != new.store.path),
        ("store.key", store.key != new.store.key),
        ("store.max_bytes", store.max_bytes != new.store.max_bytes),
        ("store.dedup_window", store.dedup_window != new.store.dedup_window),
        ("workers.concurrency", workers.concurrency != new.workers.concurrency),
        (
            "workers.handler_timeout",
            workers.handler_timeout != new.workers.handler_timeout,
        ),
        ("workers.max_attempts", workers.max_attempts != new.workers.max_attempts),
        ("workers.retry", workers.retry != new.workers.retry),
        ("workers.hold", workers.hold != new.workers.hold),
        ("deliver.max_age", deliver.max_age != new.deliver.max_age),
        ("deliver.on_unknown", deliver.on_unknown != new.deliver.on_unknown),
        ("deliver.answer_via", deliver.answer_via != new.deliver.answer_via),
        ("deliver.hold", deliver.hold != new.deliver.hold),
        ("capture.enabled", capture.enabled != new.capture.enabled),
        ("capture.path", capture.path != new.capture.path),
        ("capture.keep", capture.keep != new.capture.keep),
        ("capture.max_bytes", capture.max_bytes != new.capture.max_bytes),
        ("capture.max_files", capture.max_files != new.capture.max_files),
        ("capture.max_age", capture.max_age != new.capture.max_age),
        ("capture.stop_after", capture.stop_after != new.capture.stop_after),
        ("capture.redact_text", capture.redact_text != new.capture.redact_text),
        ("[[app]]", started.apps != new.apps),
        ("portals of an [[app]]", of_apps(started) != of_apps(new)),
    ];
    let differs = differs.into_iter().filter(|(_, differs)| *differs);
    differs.map(|(key, _)| key).collect()
}

#[cfg(test)]
mod tests {
    use super::*;
    use crate::settings::{self, Environment};
    use std::path::Path;

    fn settings(head: &str, portals: &[(&str, &str)]) -> Settings {
        let mut text = head.to_owned();
        for (name, token) in portals {
            text.push_str(&format!(
                "[[portal]]\nname = \"{name}\"\ndomain = \"{name}.example.com\"\napplication_token = \"{token}\"\n\
                 [[portal.bot]]\nid = 1\nhandler = \"echo\"\n"
            ));
        }
        let parsed = settings::parse(&text, Path::new("imbot.toml"), &["echo"], &Environment::default());
        parsed.unwrap().settings
    }

    #[test]
    fn portals_that_came_went_or_changed_are_named_once() {
        let now = settings("", &[("same", "a"), ("token", "a"), ("gone", "a")]);
        let new = settings("", &[("same", "a"), ("token", "b"), ("came", "a")]);
        assert_eq!(changed_portals(&now.portals, &new.portals), ["came", "gone", "token"]);
    }

    #[test]
    fn every_key_of_every_section_is_live_or_named_as_waiting() {
        let sections = settings::KEYS;
        let started = settings("", &[("a", "a")]);
        assert_eq!(waiting(&started, &started), [""; 0]);
        let named: Vec<&str> = {
            let other = "server = { listen = \"127.0.0.1:1\", path = \"/x\", max_body_bytes = 2048, ack = \"memory\", \
                 trusted_proxies = [\"10.0.0.0/8\"] }\nadmin = { listen = \"127.0.0.1:2\", token = \"0123456789abcdef0123456789abcdef\" }\n\
                 store = { path = \"x\", max_bytes = \"1GiB\", key = \"00112233445566778899aabbccddeeff00112233445566778899aabbccddeeff\", dedup_window = \"1h\" }\n\
                 workers = { concurrency = 3, handler_timeout = \"3s\", max_attempts = 3, retry = [\"3s\"], hold = \"3s\" }\n\
                 deliver = { max_age = \"3h\", on_unknown = \"repeat\", answer_via = \"send\", hold = \"3s\" }\n\
                 capture = { enabled = true, path = \"y\", keep = \"all\", max_bytes = \"1MiB\", max_files = 3, \
                 max_age = \"3h\", stop_after = \"3h\", redact_text = true }\n";
            waiting(&started, &settings(other, &[("a", "a")]))
        };
        for (section, keys) in sections {
            for key in keys {
                let whole = format!("{section}.{key}");
                assert!(
                    named.contains(&whole.as_str()),
                    "{whole} takes effect neither now nor after a restart"
                );
            }
        }
    }
}
