//! Holds `docs/methods.md` to the catalogue: each method has its section, in order, with its facts and an example. That
//! the examples compile is the doc tests' part (`lib.rs`).

use crate::method::{CATALOGUE, Entry, Repeat};

const PAGE: &str = include_str!("../../../docs/methods.md");

/// What the page says of a method, as the catalogue knows it.
fn facts(entry: &Entry) -> String {
    let kind = if entry.read { "Read" } else { "Write" };
    let repeat = match entry.repeat {
        Repeat::Harmless => "harmless",
        Repeat::ByTemplate => "by template id",
        Repeat::Never => "never",
    };
    let batch = if entry.batch { "yes" } else { "no" };
    let params: Vec<String> = entry.params.iter().map(|path| format!("`{path}`")).collect();
    let params = if params.is_empty() {
        "none".to_owned()
    } else {
        params.join(", ")
    };
    format!("{kind} · repeat: {repeat} · batch: {batch} · parameters: {params}")
}

#[test]
fn the_page_has_every_method_of_the_catalogue_with_its_facts_and_an_example() {
    let sections: Vec<&str> = PAGE.split("\n## ").skip(1).collect();
    let titles: Vec<&str> = sections.iter().filter_map(|section| section.lines().next()).collect();
    let names: Vec<&str> = CATALOGUE.iter().map(|entry| entry.name).collect();
    assert_eq!(titles, names);
    for (section, entry) in sections.iter().zip(CATALOGUE) {
        let facts = facts(entry);
        assert!(
            section.lines().any(|line| line == facts),
            "docs/methods.md, {}: {facts}",
            entry.name
        );
        let examples: Vec<&str> = section.split("```rust\n").skip(1).collect();
        assert_eq!(examples.len(), 1, "{}: one example", entry.name);
        assert!(examples[0].contains("use imbot::method::"), "{}", entry.name);
        assert_eq!(
            examples[0].contains("ctx.ask("),
            entry.read,
            "{}: a read is asked",
            entry.name
        );
    }
}
