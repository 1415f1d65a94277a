//! The tutorial says what is compiled and run: its code is `first_bot/`, word for word, and its packages are ours.

use crate::support::text;

/// The code blocks of this language, joined as a reader joins them.
fn code(document: &str, language: &str) -> Vec<String> {
    let fence = format!("```{language}\n");
    let blocks = document.split(&fence).skip(1);
    blocks
        .map(|rest| rest.split("```").next().unwrap_or_default().to_owned())
        .collect()
}

#[test]
fn the_code_of_the_tutorial_is_what_is_compiled_and_run() {
    let document = text("docs/first-bot.md");
    let code = code(&document, "rust");
    assert_eq!(code[0], text("tests/first_bot/main.rs"), "src/main.rs");
    assert_eq!(code[1..].join("\n"), text("tests/first_bot/tests.rs"), "src/tests.rs");
}

#[test]
fn the_packages_of_the_tutorial_are_those_it_is_compiled_with() {
    let document = text("docs/first-bot.md");
    let ours = text("handlers/Cargo.toml");
    let added = document.lines().filter_map(|line| line.strip_prefix("cargo add "));
    let names: Vec<&str> = added.map(|line| line.split(' ').next().unwrap_or_default()).collect();
    assert_eq!(names, ["imbot", "imbot", "tokio", "insta"]);
    for name in names {
        assert!(ours.contains(&format!("\n{name} = ")), "{name}");
    }
    assert!(text("Cargo.toml").contains("\ntesting = ["), "the feature is there");
}

#[test]
fn every_verb_that_the_tutorial_lists_is_there() {
    let document = text("docs/first-bot.md");
    let person = text("src/testing/person.rs");
    let list = document
        .split("People also ")
        .nth(1)
        .unwrap()
        .split(';')
        .next()
        .unwrap();
    let verbs: Vec<&str> = list.split('`').skip(1).step_by(2).collect();
    assert!(verbs.len() >= 8, "{verbs:?}");
    for verb in verbs {
        assert!(person.contains(&format!("pub async fn {verb}(")), "{verb}");
    }
}
