//! Where values come from: environment, files, credentials; and that secrets stay secret.

use super::*;

#[test]
fn the_environment_overrides_every_key_outside_lists() {
    let loaded = parsed(
        &format!("[server]\nlisten = \"127.0.0.1:1\"\n{SMALL}"),
        &[
            ("IMBOT_SERVER__LISTEN", "127.0.0.1:2"),
            ("IMBOT_SERVER__TRUSTED_PROXIES", "[\"10.0.0.0/8\"]"),
            ("IMBOT_STORE__MAX_BYTES", "3GiB"),
            ("IMBOT_STORE__PATH", "2024"),
            ("IMBOT_WORKERS__CONCURRENCY", "3"),
            ("IMBOT_WORKERS__HOLD", "90s"),
            ("IMBOT_ADMIN__TOKEN", "12345"),
            ("IMBOT_DELIVER__HOLD", ""),
            ("IMBOT_CONFIG", "elsewhere.toml"),
            ("IMBOT_LOG_FORMAT", "json"),
            ("IMBOT_ADMIN_TOKEN", "x"),
        ],
    );
    let settings = loaded.unwrap().settings;
    assert_eq!(settings.server.listen.port(), 2);
    assert_eq!(settings.server.trusted_proxies, ["10.0.0.0/8".parse().unwrap()]);
    assert_eq!(settings.store.max_bytes, 3 << 30);
    assert_eq!(settings.store.path.to_str(), Some("2024"));
    assert_eq!(settings.workers.concurrency, 3);
    assert_eq!(settings.workers.hold, Duration::from_secs(90));
    assert!(settings.admin.token.unwrap().matches(b"12345"));
}

#[test]
fn a_variable_that_sets_nothing_is_refused_with_the_nearest_name() {
    let refused = parsed(
        SMALL,
        &[
            ("IMBOT_PORTAL__0__NAME", "x"),
            ("IMBOT_SERVER__LISTN", "x"),
            ("IMBOT_WORKERS__HOLD", "soon"),
        ],
    )
    .unwrap_err();
    assert_eq!(
        refused.to_string(),
        "3 mistakes in the configuration
environment variable IMBOT_PORTAL__0__NAME: no setting has this name
    help: unset it; portals and bots are set in the file, all other keys as IMBOT_SECTION__KEY
environment variable IMBOT_SERVER__LISTN: no setting has this name
    help: did you mean `IMBOT_SERVER__LISTEN`?
environment variable IMBOT_WORKERS__HOLD: workers.hold: \"soon\" is not a duration
    help: write a number and ms, s, m, h or d, for example \"30s\""
    );
}

#[test]
fn secrets_come_from_four_places() {
    let folder = tempfile::tempdir().unwrap();
    std::fs::write(folder.path().join("beside"), "from-file\n").unwrap();
    std::fs::create_dir(folder.path().join("credentials")).unwrap();
    std::fs::write(folder.path().join("credentials/bot"), "from-credential\r\n").unwrap();
    let credentials = folder.path().join("credentials");
    let environment = environment(&[
        ("TOKEN", "from-env"),
        ("CREDENTIALS_DIRECTORY", credentials.to_str().unwrap()),
    ]);
    for (source, expected) in [
        ("\"literal\"", "literal"),
        ("{ env = \"TOKEN\" }", "from-env"),
        ("{ file = \"beside\" }", "from-file"),
        ("{ credential = \"bot\" }", "from-credential"),
    ] {
        let file = folder.path().join("imbot.toml");
        let loaded = parse(&with("\"tok\"", source), &file, &HANDLERS, &environment).unwrap();
        let token = loaded.settings.portals[0].bots[0].bot_token.clone().unwrap();
        assert!(token.matches(expected.as_bytes()), "{source}");
    }
}

#[test]
fn a_secret_that_cannot_be_read_is_a_mistake_without_its_value() {
    for (source, expected) in [
        (
            "{ env = \"SECRET MARKER\" }",
            "env does not name an environment variable",
        ),
        ("{ file = \"nowhere\" }", "nowhere does not exist"),
        ("{ credential = \"bot\" }", "there is no $CREDENTIALS_DIRECTORY"),
        ("{ credential = \"../bot\" }", "not a name of a credential"),
        ("{ vault = \"SECRETMARKER\" }", "unknown source of a secret"),
        ("{ env = \"A\", file = \"B\" }", "a secret has exactly one source"),
        ("{ env = 5 }", "the source of a secret is not a string"),
        ("5", "not a secret"),
    ] {
        let text = mistakes(&with("\"tok\"", source));
        assert!(
            text.contains(expected) && text.starts_with("1 mistake "),
            "{source}: {text}"
        );
        assert!(!text.contains("MARKER"), "{text}");
    }
}

#[test]
fn no_secret_is_ever_shown() {
    let marker = "SECRETMARKER";
    let text = with("\"tok\"", "\"SECRETMARKER\"")
        .replace("abc123", marker)
        .replace("domain =", "application_token = \"SECRETMARKER\"\ndomain =");
    let shown = format!("{:?}", parsed(&text, &[("IMBOT_ADMIN__TOKEN", marker)]).unwrap());
    assert!(shown.contains("***") && !shown.contains(marker), "{shown}");
    // A webhook in the wrong key, and a portal that is wrong all over.
    for key in [
        "name",
        "allow_insecure",
        "endpoint",
        "domain",
        "incoming_webhook",
        "application_tokn",
        "member_id",
        "plan",
    ] {
        let text = format!("[[portal]]\n{key} = \"https://a.b/rest/1/{marker}/x?a\"\n");
        assert!(!mistakes(&text).contains(marker), "{key}");
    }
}

#[test]
fn the_expected_token_is_given_or_derived() {
    let bot = |bot_token: &str, given: &str| {
        let text = with("bot_token = \"tok\"", &format!("bot_token = \"{bot_token}\"\n{given}"));
        settings(&text).portals[0].bots[0].expected_token().unwrap()
    };
    assert!(bot("my_secret_token_123", "").matches(b"custommy_secret_token_123"));
    let long = "9f86d081884c7d659a2feaa0c55ad015a3bf4f1b2b0b822cd15d6c15b0f00a08";
    assert!(bot(long, "").matches(b"custom9f86d081884c7d659a2feaa0c55ad015a3bf4f1b2b0b"));
    assert!(bot("tok", "application_token = \"own\"").matches(b"own"));
    let plain = with("bot_token = \"tok\"", "").replace("domain =", "application_token = \"a\"\ndomain =");
    assert!(settings(&plain).portals[0].bots[0].expected_token().is_none());
}

#[test]
fn the_file_is_found_in_the_order_people_are_told() {
    let named = environment(&[("IMBOT_CONFIG", "from-env.toml")]);
    let given = locate(Some(Path::new("given.toml")), &named).unwrap();
    assert_eq!(given, Path::new("given.toml"));
    assert_eq!(locate(None, &named).unwrap(), Path::new("from-env.toml"));
    let error = load(Some(Path::new("/nowhere/imbot.toml")), &HANDLERS, &named).unwrap_err();
    assert!(
        error
            .to_string()
            .starts_with("/nowhere/imbot.toml: the configuration cannot be read"),
        "{error}"
    );
    let nothing = SettingsError::NotFound.to_string();
    for part in [
        "--config",
        "IMBOT_CONFIG",
        "imbot.toml",
        "imbot dev",
        "imbot config example",
    ] {
        assert!(nothing.contains(part), "{part}: {nothing}");
    }
}
