//! `imbot config schema`: a JSON Schema of `imbot.toml`, for editors. Made from the key tables that the settings are read
//! by; owns what an editor may be told of each key. The settings themselves are the judge, this only helps to write them.

use super::{bots, keys};
use crate::method::{Background, Color, Gender};
use serde_json::{Map, Value, json};

/// What a value looks like.
#[derive(Clone, Copy)]
enum Kind {
    Text,
    /// An IP address with a port.
    Address,
    Flag,
    /// A whole number above 0.
    Count,
    Duration,
    Durations,
    Size,
    Words(&'static [&'static str]),
    Texts,
    Secret,
    Plan,
    /// A word of the bot API.
    OneOf(fn() -> Vec<&'static str>),
    Profile,
    /// A table or list of its own.
    Bots(&'static str),
    /// Any value.
    Any,
    /// Not for bots of an application.
    Nothing,
}

use Kind::{
    Address, Any, Bots, Count, Duration, Durations, Flag, Nothing, OneOf, Plan, Profile, Secret, Size, Text, Texts,
    Words,
};

/// Each key of the key tables, once. A test holds the two to each other.
const KINDS: &[(&str, Kind, &str)] = &[
    (
        "server.listen",
        Address,
        "The address that portals post events to, behind a reverse proxy.",
    ),
    ("server.path", Text, "Its path; begins with /."),
    ("server.max_body_bytes", Size, "A longer body is refused."),
    (
        "server.ack",
        Words(&["durable", "written", "memory"]),
        "What a 200 promises: on disk, in the page cache, nothing.",
    ),
    (
        "server.trusted_proxies",
        Texts,
        "Networks whose X-Forwarded-For is believed.",
    ),
    (
        "admin.listen",
        Address,
        "Probes, metrics, operator API; never on the public address.",
    ),
    ("admin.token", Secret, "Default: a random one in the store folder."),
    (
        "store.path",
        Text,
        "The store folder, relative to the working directory.",
    ),
    ("store.max_bytes", Size, "Beyond it events are refused with 503."),
    ("store.dedup_window", Duration, "How long repeats are recognised."),
    (
        "store.key",
        Secret,
        "32 bytes as 64 hexadecimal digits; required as soon as an [[app]] exists.",
    ),
    ("workers.concurrency", Count, "Handlers running at once."),
    (
        "workers.handler_timeout",
        Duration,
        "A handler that takes longer has failed.",
    ),
    (
        "workers.max_attempts",
        Count,
        "Then the event goes to the dead letters.",
    ),
    (
        "workers.retry",
        Durations,
        "Pauses before the second attempt, the third and so on.",
    ),
    (
        "workers.hold",
        Duration,
        "A dialog waits at most this long from the first failure.",
    ),
    (
        "deliver.max_age",
        Duration,
        "An unsent call older than this becomes a dead letter.",
    ),
    (
        "deliver.on_unknown",
        Words(&["stop", "repeat"]),
        "Calls without a deduplication key whose outcome is unknown.",
    ),
    (
        "deliver.answer_via",
        Words(&["auto", "answer", "send"]),
        "Which method carries an answer to a command.",
    ),
    (
        "deliver.hold",
        Duration,
        "A dialog waits at most this long from the first failure.",
    ),
    (
        "capture.enabled",
        Flag,
        "Keep bodies as files, without their credentials.",
    ),
    (
        "capture.path",
        Text,
        "Their folder; default: captures in the store folder.",
    ),
    (
        "capture.keep",
        Words(&["accepted", "all"]),
        "Accepted bodies, or refused, repeated and ignored ones as well.",
    ),
    ("capture.max_bytes", Size, "Of the folder; the oldest go first."),
    ("capture.max_files", Count, "In the folder; the oldest go first."),
    ("capture.max_age", Duration, "Older ones are removed."),
    (
        "capture.stop_after",
        Duration,
        "Nothing is captured later than this after the start.",
    ),
    ("capture.redact_text", Flag, "Texts and names are taken out, too."),
    ("portal.name", Text, "Your own short name, unique."),
    ("portal.domain", Text, "Its host, with a port where it has one."),
    ("portal.member_id", Text, "Default: the first verified one is pinned."),
    ("portal.plan", Plan, "Its REST budget."),
    ("portal.endpoint", Text, "Default: https://{domain}/rest/."),
    (
        "portal.incoming_webhook",
        Secret,
        "https://{host}/rest/{user}/{code}/: REST as this user.",
    ),
    (
        "portal.application_token",
        Secret,
        "Of an OAuth application or an outgoing webhook.",
    ),
    (
        "portal.allow_insecure",
        Flag,
        "http and private addresses: the emulator, or a closed network.",
    ),
    ("portal.app", Text, "The [[app]] that is installed there."),
    ("portal.bot", Bots("portal.bot"), "Its bots."),
    ("app.name", Text, "Your own short name, unique."),
    ("app.client_id", Text, "local.… or app.…"),
    (
        "app.client_secret",
        Secret,
        "From the application's page in the portal.",
    ),
    (
        "app.install",
        Words(&["ask", "listed", "open"]),
        "Which portals may install it.",
    ),
    ("app.auth_servers", Texts, "Hosts of the authorisation server."),
    ("app.allow_insecure", Flag, "http and private addresses: the emulator."),
    ("app.plan", Plan, "The budget of portals that are not listed."),
    (
        "app.bot",
        Bots("app.bot"),
        "Its bots, for portals that list none of their own.",
    ),
    ("bot.id", Count, "Its number at the portal."),
    ("bot.code", Text, "Its code at the portal."),
    ("bot.handler", Text, "Which bot in the program answers."),
    (
        "bot.bot_token",
        Secret,
        "Webhook identity; its application_token is derived from it.",
    ),
    ("bot.application_token", Secret, "Only if it is not the derived one."),
    ("bot.event_url", Text, "What the portal is told."),
    ("bot.event_mode", Words(&["webhook", "fetch"]), "How its events come."),
    (
        "bot.type",
        OneOf(bots::types),
        "For `imbot register`; cannot be changed later.",
    ),
    ("bot.hidden", Flag, "For `imbot register`: not in the list of people."),
    (
        "bot.reactions",
        Flag,
        "For `imbot register`: reactions to its messages.",
    ),
    ("bot.openline", Flag, "For `imbot register`: it may be in open lines."),
    (
        "bot.background",
        OneOf(|| Background::ALL.iter().map(|word| word.as_str()).collect()),
        "For `imbot register`: of its chats.",
    ),
    ("bot.profile", Profile, "For `imbot register`: how people see it."),
];

/// Keys without which a table is refused, whatever the environment sets.
const REQUIRED: [(&str, &[&str]); 4] = [
    ("portal", &["name", "domain"]),
    ("app", &["name", "client_id", "client_secret"]),
    ("portal.bot", &["handler"]),
    ("app.bot", &["handler"]),
];

/// The schema, draft 2020-12.
pub(crate) fn schema() -> Value {
    let mut root = Map::new();
    for name in keys::ROOT {
        let value = match name {
            "portal" => list(table("portal", "portal", &keys::PORTAL)),
            "app" => list(table("app", "app", &keys::APP)),
            section => table(section, section, keys::of_section(section)),
        };
        root.insert(name.to_owned(), value);
    }
    json!({
        "$schema": "https://json-schema.org/draft/2020-12/schema",
        "title": "imbot.toml",
        "type": "object",
        "properties": root,
        "additionalProperties": false,
        "anyOf": [{ "required": ["portal"] }, { "required": ["app"] }],
        "$defs": definitions(),
    })
}

/// The table at `path`; `family` is where its keys are described.
fn table(path: &str, family: &str, keys: &[&str]) -> Value {
    let properties: Map<String, Value> = keys
        .iter()
        .map(|key| ((*key).to_owned(), property(path, family, key)))
        .collect();
    let mut table = json!({ "type": "object", "properties": properties, "additionalProperties": false });
    if let Some((_, required)) = REQUIRED.iter().find(|(known, _)| *known == path) {
        table["required"] = json!(required);
    }
    table
}

fn property(path: &str, family: &str, key: &str) -> Value {
    let whole = format!("{family}.{key}");
    // A key that nobody has described may hold anything; a test tells whoever adds it.
    let known = KINDS.iter().find(|(known, ..)| *known == whole);
    let (kind, description) = known.map_or((Any, ""), |(_, kind, description)| (*kind, *description));
    let of_application = path == "app.bot" && matches!(key, "bot_token" | "application_token");
    let mut value = of_kind(if of_application { Nothing } else { kind });
    if let Some(value) = value.as_object_mut()
        && !description.is_empty()
    {
        value.insert("description".to_owned(), description.into());
    }
    value
}

fn of_kind(kind: Kind) -> Value {
    match kind {
        Text => json!({ "type": "string" }),
        Address => json!({ "type": "string", "pattern": "^[^ ]+:[0-9]{1,5}$" }),
        Flag => json!({ "type": "boolean" }),
        Count => json!({ "type": "integer", "minimum": 1 }),
        Duration => refer("duration"),
        Durations => json!({ "type": "array", "items": refer("duration") }),
        Size => refer("size"),
        Words(words) => json!({ "enum": words }),
        Texts => json!({ "type": "array", "items": { "type": "string" } }),
        Secret => refer("secret"),
        Plan => refer("plan"),
        Bots(path) => {
            let mut bot = table(path, "bot", &keys::BOT);
            bot["anyOf"] = json!([{ "required": ["id"] }, { "required": ["code"] }]);
            list(bot)
        }
        OneOf(words) => json!({ "enum": words() }),
        Profile => profile(),
        Any => json!({}),
        Nothing => json!(false),
    }
}

fn profile() -> Value {
    let of = |key: &str| match key {
        "gender" => json!({ "enum": Gender::ALL.iter().map(|word| word.as_str()).collect::<Vec<_>>() }),
        "color" => json!({ "enum": Color::ALL.iter().map(|word| word.as_str()).collect::<Vec<_>>() }),
        "work_position" => json!({ "type": "string" }),
        _ => json!({ "type": "string", "minLength": 1 }),
    };
    let properties: Map<String, Value> = keys::PROFILE.iter().map(|key| ((*key).to_owned(), of(key))).collect();
    json!({ "type": "object", "properties": properties, "additionalProperties": false })
}

fn definitions() -> Value {
    let source = |name: &str| {
        json!({
            "type": "object",
            "properties": { name: { "type": "string", "minLength": 1 } },
            "required": [name],
            "additionalProperties": false,
        })
    };
    let number = |key: &str| match key {
        "burst" => json!({ "type": "integer", "minimum": 1 }),
        _ => json!({ "type": "number", "exclusiveMinimum": 0 }),
    };
    let plan: Map<String, Value> = keys::PLAN.iter().map(|key| ((*key).to_owned(), number(key))).collect();
    json!({
        "duration": { "type": "string", "pattern": "^[0-9]+ *(ms|s|m|h|d)$", "examples": ["30s", "72h"] },
        "size": {
            "anyOf": [
                { "type": "integer", "minimum": 1 },
                { "type": "string", "pattern": "^[0-9]+ *([KkMmGgTt]?[Ii]?[Bb])?$", "examples": ["64MiB"] },
            ],
        },
        "secret": {
            "anyOf": [
                { "type": "string", "minLength": 1 },
                source("env"),
                source("file"),
                source("credential"),
            ],
        },
        "plan": {
            "anyOf": [
                { "enum": ["standard", "enterprise"] },
                { "type": "object", "properties": plan, "required": keys::PLAN, "additionalProperties": false },
            ],
        },
    })
}

fn list(item: Value) -> Value {
    json!({ "type": "array", "items": item })
}

fn refer(name: &str) -> Value {
    json!({ "$ref": format!("#/$defs/{name}") })
}

#[cfg(test)]
mod tests {
    use super::*;
    use std::collections::BTreeSet;

    #[test]
    fn every_key_is_described_once_and_nothing_else_is() {
        let of =
            |family: &str, keys: &[&str]| -> Vec<String> { keys.iter().map(|key| format!("{family}.{key}")).collect() };
        let mut known: Vec<String> = keys::SECTIONS.iter().flat_map(|(name, keys)| of(name, keys)).collect();
        known.extend(of("portal", &keys::PORTAL));
        known.extend(of("app", &keys::APP));
        known.extend(of("bot", &keys::BOT));
        let known: BTreeSet<String> = known.into_iter().collect();
        let described: BTreeSet<String> = KINDS.iter().map(|(key, ..)| (*key).to_owned()).collect();
        assert_eq!(described.len(), KINDS.len(), "a key is described twice");
        assert_eq!(
            known, described,
            "add the key to KINDS in settings/schema.rs, or take it out there"
        );
        let sections: Vec<&str> = keys::SECTIONS.iter().map(|(name, _)| *name).collect();
        let root: Vec<&str> = sections.into_iter().chain(["portal", "app"]).collect();
        assert_eq!(BTreeSet::from(keys::ROOT), root.into_iter().collect());
    }

    #[test]
    fn every_key_stands_in_the_schema_where_the_settings_read_it() {
        let schema = schema();
        let keys_at = |pointer: &str| -> BTreeSet<String> {
            let table = schema.pointer(pointer).and_then(Value::as_object);
            table.unwrap_or_else(|| panic!("{pointer}")).keys().cloned().collect()
        };
        let set = |keys: &[&str]| -> BTreeSet<String> { keys.iter().map(|key| (*key).to_owned()).collect() };
        assert_eq!(keys_at("/properties"), set(&keys::ROOT));
        for (section, keys) in keys::SECTIONS {
            assert_eq!(keys_at(&format!("/properties/{section}/properties")), set(keys));
        }
        for (list, keys) in [("portal", &keys::PORTAL[..]), ("app", &keys::APP[..])] {
            assert_eq!(keys_at(&format!("/properties/{list}/items/properties")), set(keys));
            let bots = format!("/properties/{list}/items/properties/bot/items/properties");
            assert_eq!(keys_at(&bots), set(&keys::BOT));
        }
        assert_eq!(keys_at("/$defs/plan/anyOf/1/properties"), set(&keys::PLAN));
    }

    /// The part of draft 2020-12 that this schema uses; what it does not know fails the test.
    fn fits(schema: &Value, root: &Value, value: &Value) -> bool {
        let Some(rules) = schema.as_object() else {
            return schema == &json!(true);
        };
        rules.iter().all(|(rule, wanted)| match rule.as_str() {
            "$schema" | "title" | "description" | "examples" | "$defs" => true,
            "$ref" => {
                let pointer = wanted.as_str().unwrap().trim_start_matches('#');
                fits(root.pointer(pointer).unwrap(), root, value)
            }
            "type" => match wanted.as_str().unwrap() {
                "object" => value.is_object(),
                "array" => value.is_array(),
                "string" => value.is_string(),
                "boolean" => value.is_boolean(),
                "integer" => value.is_i64() || value.is_u64(),
                "number" => value.is_number(),
                other => panic!("{other}"),
            },
            "enum" => wanted.as_array().unwrap().contains(value),
            "minimum" => value.as_f64().is_none_or(|number| number >= wanted.as_f64().unwrap()),
            "exclusiveMinimum" => value.as_f64().is_none_or(|number| number > wanted.as_f64().unwrap()),
            "minLength" => value
                .as_str()
                .is_none_or(|text| text.len() as u64 >= wanted.as_u64().unwrap()),
            "pattern" => value
                .as_str()
                .is_none_or(|text| matches(wanted.as_str().unwrap(), text)),
            "required" => value.as_object().is_none_or(|table| {
                wanted
                    .as_array()
                    .unwrap()
                    .iter()
                    .all(|key| table.contains_key(key.as_str().unwrap()))
            }),
            "items" => value
                .as_array()
                .is_none_or(|items| items.iter().all(|item| fits(wanted, root, item))),
            "anyOf" => wanted.as_array().unwrap().iter().any(|one| fits(one, root, value)),
            "properties" => value.as_object().is_none_or(|table| {
                let known = |(key, value): (&String, &Value)| wanted.get(key).is_none_or(|one| fits(one, root, value));
                table.iter().all(known)
            }),
            "additionalProperties" => value.as_object().is_none_or(|table| {
                let known = &schema["properties"];
                wanted == &json!(true) || table.keys().all(|key| known.get(key).is_some())
            }),
            other => panic!("the schema uses {other}: teach this test"),
        })
    }

    /// The three patterns of the schema, by hand: there is no engine here.
    fn matches(pattern: &str, text: &str) -> bool {
        let digits = text.chars().take_while(char::is_ascii_digit).count();
        let unit = text[digits..].trim_start();
        match pattern {
            "^[^ ]+:[0-9]{1,5}$" => text.rsplit_once(':').is_some_and(|(host, port)| {
                !host.is_empty()
                    && !host.contains(' ')
                    && (1..=5).contains(&port.len())
                    && port.bytes().all(|byte| byte.is_ascii_digit())
            }),
            "^[0-9]+ *(ms|s|m|h|d)$" => digits > 0 && ["ms", "s", "m", "h", "d"].contains(&unit),
            "^[0-9]+ *([KkMmGgTt]?[Ii]?[Bb])?$" => {
                let unit = unit.to_ascii_lowercase();
                let unit = unit.trim_start_matches(['k', 'm', 'g', 't']).trim_start_matches('i');
                digits > 0 && matches!(unit, "" | "b")
            }
            other => panic!("{other}"),
        }
    }

    fn accepted(text: &str) -> bool {
        let schema = schema();
        fits(&schema, &schema, &toml::from_str::<Value>(text).unwrap())
    }

    const PORTAL: &str =
        "[[portal]]\nname = \"a\"\ndomain = \"a.example\"\n[[portal.bot]]\nid = 1\nhandler = \"echo\"\n";

    #[test]
    fn the_example_is_accepted_with_its_comments_and_without() {
        let example = include_str!("../cli/imbot.example.toml");
        assert!(accepted(example));
        // Its commented keys are keys, too.
        let spoken = |line: &str| {
            let bare = line.trim_start();
            let code = bare.strip_prefix("# ").or_else(|| bare.strip_prefix("#   "))?;
            let code = code.trim_start();
            let key = code.starts_with("[[")
                || code
                    .split_once(" = ")
                    .is_some_and(|(key, _)| key.bytes().all(|byte| byte.is_ascii_lowercase() || byte == b'_'));
            key.then(|| code.to_owned())
        };
        let whole: Vec<String> = example
            .lines()
            .map(|line| spoken(line).unwrap_or_else(|| line.to_owned()))
            .collect();
        let whole = whole.join("\n");
        assert!(whole.contains("\n[[app]]") && whole.contains("\nstop_after"));
        assert!(accepted(&whole), "{whole}");
    }

    #[test]
    fn what_the_settings_refuse_by_shape_is_refused() {
        assert!(accepted(PORTAL));
        for (from, to) in [
            ("id = 1", "id = \"1\""),
            ("id = 1", "id = 0"),
            ("id = 1\n", ""),
            ("handler = \"echo\"", ""),
            ("name = \"a\"", "name = \"a\"\nplan = \"gold\""),
            ("name = \"a\"", "name = \"a\"\nplan = { burst = 5 }"),
            ("name = \"a\"", "name = \"a\"\nplan = { burst = 5, rate = 0 }"),
            ("name = \"a\"", "name = \"a\"\nallow_insecure = \"yes\""),
            (
                "name = \"a\"",
                "name = \"a\"\napplication_token = { env = \"A\", file = \"B\" }",
            ),
            ("name = \"a\"", "nmae = \"a\""),
            ("[[portal]]", "[server]\nlisten = \"8080\"\n[[portal]]"),
            ("[[portal]]", "[server]\nack = \"durble\"\n[[portal]]"),
            ("[[portal]]", "[deliver]\nhold = \"60\"\n[[portal]]"),
            ("[[portal]]", "[workers]\nretry = \"1s\"\n[[portal]]"),
            ("[[portal]]", "[capture]\nmax_bytes = \"much\"\n[[portal]]"),
            ("[[portal]]", "[captures]\n[[portal]]"),
            (PORTAL, "[capture]\n"),
            ("id = 1", "id = 1\ntype = \"network\""),
            ("id = 1", "id = 1\nhidden = \"Y\""),
            ("id = 1", "id = 1\nbackground = \"red\""),
            ("id = 1", "id = 1\nprofile = \"Ada\""),
            ("id = 1", "id = 1\nprofile = { gender = \"X\" }"),
            ("id = 1", "id = 1\nprofile = { surname = \"A\" }"),
        ] {
            let text = PORTAL.replacen(from, to, 1);
            assert_ne!(text, PORTAL);
            let (file, nobody) = (std::path::Path::new("imbot.toml"), super::super::Environment::default());
            let parsed = super::super::parse(&text, file, &["echo"], &nobody);
            assert!(parsed.is_err(), "the settings take this, so it is no example: {text}");
            assert!(!accepted(&text), "{text}");
        }
    }
}
