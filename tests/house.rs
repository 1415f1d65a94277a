//! The house rules that a compiler does not know: floors, no cycles, file sizes, cards, and that the documents name what is there.

use crate::support::{root, text};
use std::collections::{BTreeMap, BTreeSet};
use std::fs;
use std::path::{Path, PathBuf};

/// No file is longer, counted up to its tests.
const LONGEST_FILE: usize = 400;

/// The floors of ARCHITECTURE.md, lowest first.
fn floors() -> Vec<Vec<String>> {
    let document = text("ARCHITECTURE.md");
    let block = document
        .split("```floors\n")
        .nth(1)
        .and_then(|rest| rest.split("```").next());
    let block = block.expect("ARCHITECTURE.md has a ```floors block");
    block
        .lines()
        .map(|line| line.split_whitespace().map(str::to_owned).collect())
        .collect()
}

/// Every Rust file below `folder`, as (path from the root of the repository, text).
fn sources(folder: &str) -> Vec<(PathBuf, String)> {
    let mut found = Vec::new();
    let mut waiting = vec![root().join(folder)];
    while let Some(folder) = waiting.pop() {
        for entry in fs::read_dir(&folder).expect("a readable folder") {
            let path = entry.expect("a readable entry").path();
            if path.is_dir() {
                waiting.push(path);
            } else if path.extension().is_some_and(|extension| extension == "rs") {
                let text = fs::read_to_string(&path).expect("a readable file");
                found.push((path.strip_prefix(root()).expect("below the root").to_path_buf(), text));
            }
        }
    }
    found.sort();
    assert!(!found.is_empty(), "{folder} has no Rust files");
    found
}

/// The room of a file: `src/http/webhook.rs` and `src/http.rs` are `http`; `src/lib.rs` is none.
fn room_of(file: &Path) -> Option<String> {
    let inside = file.strip_prefix("src").ok()?;
    let first = Path::new(inside.components().next()?.as_os_str());
    let name = first.file_stem()?.to_str()?;
    (name != "lib").then(|| name.to_owned())
}

/// What follows each `crate::` in the code: first segments, grouped imports taken apart. Comments do not import.
fn imports(code: &str) -> BTreeSet<String> {
    let code: String = code
        .lines()
        .map(|line| line.split("//").next().unwrap_or("").to_owned() + "\n")
        .collect();
    let mut found = BTreeSet::new();
    for after in code.split("crate::").skip(1) {
        match after.trim_start().strip_prefix('{') {
            Some(group) => found.extend(group_heads(group)),
            None => found.extend(head(after)),
        }
    }
    found
}

/// The first segments of `a::b, c::{d, e}, f}`.
fn group_heads(group: &str) -> Vec<String> {
    let (mut depth, mut heads, mut item) = (1, Vec::new(), String::new());
    for sign in group.chars() {
        match sign {
            '{' => depth += 1,
            '}' => depth -= 1,
            _ => {}
        }
        if depth == 0 || (sign == ',' && depth == 1) {
            heads.extend(head(&item));
            item.clear();
        } else {
            item.push(sign);
        }
        if depth == 0 {
            break;
        }
    }
    heads
}

/// The name at the start of a path; macros (`crate::markup!`) belong to no room.
fn head(path: &str) -> Option<String> {
    let path = path.trim_start();
    let name: String = path
        .chars()
        .take_while(|sign| sign.is_alphanumeric() || *sign == '_')
        .collect();
    (!name.is_empty() && !path[name.len()..].starts_with('!')).then_some(name)
}

/// Rooms reached by chains of `super::` that are long enough to arrive at the crate's root.
fn imports_by_super(file: &Path, code: &str, rooms: &BTreeSet<String>) -> BTreeSet<String> {
    let inside = file.strip_prefix("src").expect("a file of src");
    // `mod.rs` is its folder; every other file is a module of its own.
    let depth = inside.components().count() - usize::from(file.ends_with("mod.rs"));
    let mut found = BTreeSet::new();
    for line in code.lines().filter(|line| !line.trim_start().starts_with("//")) {
        let mut chain = 0;
        for piece in line.split("super::").skip(1) {
            chain += 1;
            if !piece.is_empty() {
                // An inline `mod tests` needs one step more, so the root is at least `depth` steps away.
                found.extend(head(piece).filter(|name| chain >= depth && rooms.contains(name)));
                chain = 0;
            }
        }
    }
    found
}

/// Complaints about `files`: each names file, import and rule.
fn upward(files: &[(PathBuf, String)], floors: &[Vec<String>]) -> Vec<String> {
    let level: BTreeMap<&str, usize> = floors
        .iter()
        .enumerate()
        .flat_map(|(level, rooms)| rooms.iter().map(move |room| (room.as_str(), level)))
        .collect();
    let rooms = level.keys().map(|room| (*room).to_owned()).collect();
    let mut complaints = Vec::new();
    for (file, code) in files {
        let Some(room) = room_of(file) else { continue };
        let Some(own) = level.get(room.as_str()) else {
            complaints.push(format!("{}: room `{room}` has no floor", file.display()));
            continue;
        };
        let reached = imports(code).into_iter().chain(imports_by_super(file, code, &rooms));
        for other in reached.filter(|other| *other != room && room != "testing") {
            match level.get(other.as_str()) {
                None => complaints.push(format!(
                    "{}: `crate::{other}` is no room; name the room it lives in",
                    file.display()
                )),
                Some(floor) if floor >= own => complaints.push(format!(
                    "{}: `{room}` imports `{other}`, which is not below it",
                    file.display()
                )),
                Some(_) if room == "portal" && other != "types" => {
                    complaints.push(format!(
                        "{}: `portal` imports `{other}`; it shares only `types`",
                        file.display()
                    ));
                }
                Some(_) => {}
            }
        }
    }
    complaints
}

/// A cycle in the graph of rooms, as the names along it.
fn cycle(graph: &BTreeMap<String, BTreeSet<String>>) -> Option<Vec<String>> {
    fn walk(
        room: &str,
        graph: &BTreeMap<String, BTreeSet<String>>,
        path: &mut Vec<String>,
        done: &mut BTreeSet<String>,
    ) -> bool {
        if path.iter().any(|on_path| on_path == room) {
            path.push(room.to_owned());
            return true;
        }
        if !done.insert(room.to_owned()) {
            return false;
        }
        path.push(room.to_owned());
        if graph
            .get(room)
            .into_iter()
            .flatten()
            .any(|next| walk(next, graph, path, done))
        {
            return true;
        }
        path.pop();
        false
    }
    let mut done = BTreeSet::new();
    graph.keys().find_map(|room| {
        let mut path = Vec::new();
        walk(room, graph, &mut path, &mut done).then_some(path)
    })
}

#[test]
fn a_file_imports_only_from_floors_below_its_own() {
    let complaints = upward(&sources("src"), &floors());
    assert!(complaints.is_empty(), "{}", complaints.join("\n"));
}

#[test]
fn an_upward_import_is_noticed_however_it_is_written() {
    let floors = floors();
    for (file, code) in [
        ("src/store/mod.rs", "use crate::dispatch::Worker;"),
        ("src/store/mod.rs", "use crate::{types::Clock, http::{self, Door}};"),
        (
            "src/store/mod.rs",
            "use crate::{\n    types::{Clock, Secret},\n    app,\n};",
        ),
        ("src/store/mod.rs", "fn f() { crate::cli::run() }"),
        ("src/store/mod.rs", "use crate::event::Event;"),
        ("src/store/mod.rs", "use super::cli::Args;"),
        ("src/store/mod.rs", "use crate::MessageAdd;"),
        ("src/portal/mod.rs", "use crate::wire::Tree;"),
        ("src/attic.rs", ""),
    ] {
        let files = [(PathBuf::from(file), code.to_owned())];
        assert_eq!(upward(&files, &floors).len(), 1, "{file}: {code}");
    }
    for (file, code) in [
        ("src/store/mod.rs", "use crate::types::Clock; // not crate::http::Door"),
        (
            "src/store/mod.rs",
            "use crate::{store::records, types::{Clock, Secret}};",
        ),
        ("src/dispatch/mod.rs", "fn f() { crate::markup!(\"x\") }"),
        ("src/lib.rs", "pub use crate::app::App;"),
        ("src/testing/mod.rs", "use crate::cli::run;"),
    ] {
        let files = [(PathBuf::from(file), code.to_owned())];
        assert_eq!(upward(&files, &floors), Vec::<String>::new(), "{file}: {code}");
    }
}

#[test]
fn rooms_do_not_import_in_a_circle() {
    let mut graph: BTreeMap<String, BTreeSet<String>> = BTreeMap::new();
    for (file, code) in sources("src") {
        if let Some(room) = room_of(&file) {
            let others = imports(&code).into_iter().filter(|other| *other != room);
            graph.entry(room.clone()).or_default().extend(others);
        }
    }
    assert_eq!(cycle(&graph), None);
}

#[test]
fn a_circle_is_found_where_there_is_one() {
    let graph = |edges: &[(&str, &str)]| {
        let mut graph: BTreeMap<String, BTreeSet<String>> = BTreeMap::new();
        for (from, to) in edges {
            graph.entry((*from).to_owned()).or_default().insert((*to).to_owned());
        }
        graph
    };
    assert!(cycle(&graph(&[("a", "b"), ("b", "c"), ("c", "b")])).is_some());
    assert_eq!(cycle(&graph(&[("a", "b"), ("a", "c"), ("b", "c")])), None);
}

#[test]
fn the_floors_name_the_rooms_that_exist_and_no_other() {
    let named: BTreeSet<String> = floors().into_iter().flatten().collect();
    let built: BTreeSet<String> = sources("src").iter().filter_map(|(file, _)| room_of(file)).collect();
    assert_eq!(named, built);
}

#[test]
fn no_file_is_too_long() {
    let mut long = Vec::new();
    for (file, code) in sources("src").into_iter().chain(sources("handlers/src")) {
        let is_test = file.file_stem().is_some_and(|stem| stem == "tests")
            || file.components().any(|part| part.as_os_str() == "tests");
        let lines = code
            .lines()
            .take_while(|line| !line.starts_with("#[cfg(test)]"))
            .count();
        if lines > LONGEST_FILE && !is_test {
            long.push(format!("{}: {lines} lines", file.display()));
        }
    }
    assert!(long.is_empty(), "longer than {LONGEST_FILE}: {long:?}");
}

#[test]
fn every_file_opens_with_its_card() {
    let files = ["src", "handlers/src", "tests"].map(sources).concat();
    let without: Vec<_> = files
        .iter()
        // A file that is included into others cannot have one.
        .filter(|(file, code)| !code.starts_with("//! ") && !file.ends_with("fuzz/check.rs"))
        .map(|(file, _)| file)
        .collect();
    assert!(without.is_empty(), "no //! at the top of {without:?}");
}

#[test]
fn every_arrow_of_the_flow_has_its_function() {
    let document = text("ARCHITECTURE.md");
    let section = document
        .split("## The flow, arrow by arrow")
        .nth(1)
        .expect("the section");
    let section = section.split("\n## ").next().expect("its end");
    let (mut arrows, mut missing) = (0, Vec::new());
    for row in section
        .lines()
        .filter(|line| line.starts_with("| ") && line.contains(".rs`"))
    {
        let cells: Vec<&str> = row
            .trim_matches('|')
            .split('|')
            .map(|cell| cell.trim().trim_matches('`'))
            .collect();
        let [_, _, file, function] = cells[..] else {
            panic!("four cells: {row}")
        };
        arrows += 1;
        let code = fs::read_to_string(root().join(file)).unwrap_or_default();
        let defines = |line: &str| {
            ["(", "<"]
                .iter()
                .any(|after| line.contains(&format!("fn {function}{after}")))
        };
        if !code
            .lines()
            .any(|line| !line.trim_start().starts_with("//") && defines(line))
        {
            missing.push(format!("{file}: fn {function}"));
        }
    }
    assert!(arrows >= 10, "the table has {arrows} rows");
    assert!(
        missing.is_empty(),
        "ARCHITECTURE.md names what is not there: {missing:#?}"
    );
}

#[test]
fn documents_link_to_files_that_exist() {
    let mut broken = Vec::new();
    for document in [
        "README.md",
        "ARCHITECTURE.md",
        "CONTRIBUTING.md",
        "CHANGELOG.md",
        "docs/first-bot.md",
        "deploy/README.md",
    ] {
        let folder = root().join(document).parent().expect("a folder").to_path_buf();
        for link in text(document)
            .split("](")
            .skip(1)
            .filter_map(|rest| rest.split(')').next())
        {
            let file = link.split('#').next().unwrap_or("");
            if !file.is_empty() && !file.contains("://") && !folder.join(file).exists() {
                broken.push(format!("{document}: {link}"));
            }
        }
    }
    assert!(broken.is_empty(), "{broken:?}");
}
