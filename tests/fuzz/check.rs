// What must hold for any bytes at all. Included by the fuzz target and by a test of the library, which both bring
// `wire`, `event` and `is_credential` into scope: no panic, a label that agrees with the event, and a kept body that
// reads to the same tree without the credentials.

fn check(body: &[u8]) {
    for json in [false, true] {
        let Ok(tree) = wire::parse(body, json, &wire::Limits::default()) else {
            continue;
        };
        let label = event::Label::of(&tree);
        match event::Event::from_tree(&tree) {
            Ok(event) => {
                assert_eq!(label.usable, Ok(()));
                assert_eq!((label.kind, &label.name), (event.kind, &event.name));
                assert_eq!((label.bot, label.ts), (event.bot_id(), event.ts));
                assert_eq!(label.dialog, event.dialog().unwrap_or_default());
                let shown = serde_json::to_value(&event).expect("an event serializes");
                assert!(no_secret_shown(&shown), "a credential is shown");
            }
            Err(unusable) => assert_eq!(label.usable, Err(unusable)),
        }
        let cut = wire::cut_credentials(&tree);
        let kept = wire::parse(&cut, json, &wire::Limits::default()).expect("a cut body still reads");
        assert_eq!(kept.ignored_pairs(), tree.ignored_pairs());
        assert_eq!(
            without_credentials(kept.root().to_json()),
            without_credentials(tree.root().to_json()),
        );
        assert_eq!(wire::cut_credentials(&kept), cut, "cutting twice changes nothing");
    }
}

fn without_credentials(value: serde_json::Value) -> serde_json::Value {
    match value {
        serde_json::Value::Array(items) => items.into_iter().map(without_credentials).collect(),
        serde_json::Value::Object(fields) => fields
            .into_iter()
            .map(|(name, field)| {
                let field = if is_credential(&name) { serde_json::Value::Null } else { without_credentials(field) };
                (name, field)
            })
            .collect(),
        leaf => leaf,
    }
}

fn no_secret_shown(value: &serde_json::Value) -> bool {
    match value {
        serde_json::Value::Array(items) => items.iter().all(no_secret_shown),
        serde_json::Value::Object(fields) => fields.iter().all(|(name, field)| {
            if is_credential(name) { *field == "***" || *field == "" } else { no_secret_shown(field) }
        }),
        _ => true,
    }
}
