//! The operator's guide is whole: every refusal reason, error class, alarm and finding of doctor has its entry in one snapshot file,
//! the pages are those of the snapshot, and what the guide links to is there.

use crate::support::{root, text, writes_docs};
use serde_norway::Value;
use std::collections::BTreeSet;
use std::fmt::Write as _;
use std::fs;

const SNAPSHOT: &str = "docs/guide/entries.yaml";
/// Key of the snapshot, page, title, what stands above the entries.
const PAGES: [(&str, &str, &str, &str); 4] = [
    (
        "refusals",
        "docs/guide/refusals.md",
        "Why a request was refused",
        "The word is in the answer's body, in the log line and in the label `reason` of `imbot_webhook_requests_total`.",
    ),
    (
        "errors",
        "docs/guide/errors.md",
        "Why a call to a portal failed",
        "The class is the label `outcome` of `imbot_rest_requests_total` and stands in the log line, next to the portal's own code.",
    ),
    (
        "alarms",
        "docs/guide/alarms.md",
        "What an alarm means",
        "The rules are in `deploy/prometheus.rules.yml`. `page` means that events are being lost or soon will be; `ticket` means today, not tonight.",
    ),
    (
        "findings",
        "docs/guide/doctor.md",
        "What doctor finds",
        "`imbot doctor` checks the set-up from outside in. The name is in its table and in `finding` of `--json`; a *warning* leaves the exit code 0.",
    ),
];

fn entries(key: &str) -> Vec<(String, [String; 3])> {
    let snapshot: Value = serde_norway::from_str(&text(SNAPSHOT)).unwrap_or_else(|error| panic!("{SNAPSHOT}: {error}"));
    let field = |entry: &Value, name: &str| {
        let found = entry[name]
            .as_str()
            .unwrap_or_else(|| panic!("{SNAPSHOT}: {name} is missing in {entry:?}"));
        assert!(
            found.ends_with('.') || name == "name",
            "{SNAPSHOT}: a sentence ends with a full stop: {found}"
        );
        found.to_owned()
    };
    let list = snapshot[key]
        .as_sequence()
        .unwrap_or_else(|| panic!("{SNAPSHOT}: no {key}"));
    list.iter()
        .map(|entry| {
            (
                field(entry, "name"),
                ["what", "where", "do"].map(|name| field(entry, name)),
            )
        })
        .collect()
}

fn page(key: &str, title: &str, above: &str) -> String {
    let mut out = format!("# {title}\n\n{above}\n[Back to the guide](README.md)\n");
    for (name, [what, place, remedy]) in entries(key) {
        let _ = write!(
            out,
            "\n## {name}\n{what}\n\n**Where to look:** {place}\n\n**What to do:** {remedy}\n"
        );
    }
    out
}

fn holds(key: &str, code: &BTreeSet<String>) {
    let listed: Vec<String> = entries(key).into_iter().map(|(name, _)| name).collect();
    let distinct: BTreeSet<String> = listed.iter().cloned().collect();
    assert_eq!(listed.len(), distinct.len(), "{key}: an entry stands twice");
    let missing: Vec<_> = code.difference(&distinct).collect();
    assert!(
        missing.is_empty(),
        "{SNAPSHOT} has no entry under {key} for {missing:?}"
    );
    let gone: Vec<_> = distinct.difference(code).collect();
    assert!(
        gone.is_empty(),
        "{SNAPSHOT} explains under {key} what the code no longer knows: {gone:?}"
    );
}

fn owned(words: Vec<&str>) -> BTreeSet<String> {
    words.into_iter().map(str::to_owned).collect()
}

#[test]
fn every_refusal_reason_is_explained() {
    let mut reasons = owned(imbot::testing::reasons());
    reasons.extend(owned(imbot::testing::forbidden()));
    holds("refusals", &reasons);
}

#[test]
fn every_error_class_is_explained() {
    holds("errors", &owned(imbot::testing::classes()));
}

#[test]
fn every_finding_of_doctor_is_explained() {
    holds("findings", &owned(imbot::testing::findings()));
}

#[test]
fn every_alarm_is_explained_and_names_its_page() {
    let rules: Value = serde_norway::from_str(&text("deploy/prometheus.rules.yml")).expect("YAML");
    let rules = rules["groups"][0]["rules"].as_sequence().expect("rules");
    let names = rules
        .iter()
        .map(|rule| rule["alert"].as_str().expect("a name").to_owned());
    holds("alarms", &names.collect());
}

#[test]
fn the_pages_are_those_of_the_snapshot() {
    for (key, path, title, above) in PAGES {
        if writes_docs() {
            fs::write(root().join(path), page(key, title, above)).expect("a page");
        }
        assert!(
            text(path) == page(key, title, above),
            "{path} is not what {SNAPSHOT} says: IMBOT_WRITE_DOCS=1 cargo test -p handlers --test it guide"
        );
    }
}

/// Targets of `[…](…)` that are files.
fn links(page: &str) -> Vec<(String, String)> {
    let targets = page.split("](").skip(1).filter_map(|rest| rest.split(')').next());
    let files = targets.filter(|target| !target.contains("://"));
    files
        .map(|target| {
            let (file, anchor) = target.split_once('#').unwrap_or((target, ""));
            (file.to_owned(), anchor.to_owned())
        })
        .collect()
}

#[test]
fn every_link_of_the_guide_leads_somewhere() {
    let folder = root().join("docs/guide");
    let mut seen = 0;
    for entry in fs::read_dir(&folder).expect("the guide") {
        let path = entry.expect("an entry").path();
        if path.extension().is_none_or(|extension| extension != "md") {
            continue;
        }
        let own = fs::read_to_string(&path).expect("a page");
        for (file, anchor) in links(&own) {
            let target = if file.is_empty() {
                path.clone()
            } else {
                folder.join(&file)
            };
            assert!(
                target.exists(),
                "{} links to {file}, which is not there",
                path.display()
            );
            if !anchor.is_empty() {
                let there = fs::read_to_string(&target).expect("a page");
                let heading = |line: &str| line.trim_start_matches('#').trim().to_lowercase().replace(' ', "-");
                let found = there
                    .lines()
                    .any(|line| line.starts_with('#') && heading(line) == anchor);
                assert!(
                    found,
                    "{} links to {file}#{anchor}, and there is no such heading",
                    path.display()
                );
            }
            seen += 1;
        }
    }
    assert!(seen > 10, "the guide has only {seen} links");
}
