//! The names that `imbot.toml` knows. A key is added here and where its section is read.

/// Tables and lists at the root.
pub(super) const ROOT: [&str; 8] = [
    "server", "admin", "store", "workers", "deliver", "capture", "portal", "app",
];

/// The sections whose keys the environment may set, with those keys.
pub(crate) const SECTIONS: [(&str, &[&str]); 6] = [
    (
        "server",
        &["listen", "path", "max_body_bytes", "ack", "trusted_proxies"],
    ),
    ("admin", &["listen", "token"]),
    ("store", &["path", "max_bytes", "dedup_window", "key"]),
    (
        "workers",
        &["concurrency", "handler_timeout", "max_attempts", "retry", "hold"],
    ),
    ("deliver", &["max_age", "on_unknown", "answer_via", "hold"]),
    (
        "capture",
        &[
            "enabled",
            "path",
            "keep",
            "max_bytes",
            "max_files",
            "max_age",
            "stop_after",
            "redact_text",
        ],
    ),
];

/// `[[portal]]`.
pub(super) const PORTAL: [&str; 10] = [
    "name",
    "domain",
    "member_id",
    "plan",
    "endpoint",
    "incoming_webhook",
    "application_token",
    "allow_insecure",
    "app",
    "bot",
];

/// `[[app]]`.
pub(super) const APP: [&str; 8] = [
    "name",
    "client_id",
    "client_secret",
    "install",
    "auth_servers",
    "allow_insecure",
    "plan",
    "bot",
];

/// `plan = { … }`.
pub(super) const PLAN: [&str; 2] = ["burst", "rate"];

/// `profile = { … }`.
pub(super) const PROFILE: [&str; 6] = ["name", "last_name", "work_position", "gender", "color", "avatar"];

/// `[[portal.bot]]` and `[[app.bot]]`. The keys after `event_mode` are for registering alone.
pub(super) const BOT: [&str; 13] = [
    "id",
    "code",
    "handler",
    "bot_token",
    "application_token",
    "event_url",
    "event_mode",
    "type",
    "hidden",
    "reactions",
    "openline",
    "background",
    "profile",
];

/// The keys of one of [`SECTIONS`]; none for any other name.
pub(super) fn of_section(name: &str) -> &'static [&'static str] {
    SECTIONS
        .iter()
        .find(|(section, _)| *section == name)
        .map_or(&[], |(_, keys)| keys)
}
