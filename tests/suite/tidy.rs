//! The rules of the house: who may import whom, what lies at the top level, how long a file may be.

use std::fs;
use std::path::{Path, PathBuf};

/// A file imports only equal or lower rows.
const ROWS: [(&str, u8); 18] = [
    ("id", 0),
    ("money", 0),
    ("time", 0),
    ("random", 0),
    ("card", 0),
    ("tls", 0),
    ("protocol", 1),
    ("metrics", 1),
    ("link", 2),
    ("journal", 2),
    ("recorder", 2),
    ("session", 3),
    ("reconcile", 4),
    ("terminal", 5),
    ("fleet", 6),
    ("api", 7),
    ("config", 7),
    ("cli", 8),
];
const SIM_MAY_IMPORT: [&str; 7] = ["sim", "protocol", "id", "money", "time", "card", "tls"];
const TOP_LEVEL: [&str; 7] = ["Cargo.lock", "Cargo.toml", "README.md", "config", "dashboards", "src", "tests"];
const LONGEST: usize = 600;

#[test]
fn nobody_imports_upwards() {
    let found: Vec<String> = production().iter().flat_map(|(name, text)| wrong_imports(name, text)).collect();
    assert_eq!(found, Vec::<String>::new());
}

#[test]
fn the_import_rule_can_fail() {
    let cases = [
        ("link/task.rs", "use crate::session::State;", 1),
        ("link/task.rs", "use crate::{journal::record::Cause, fleet};", 1),
        ("link/task.rs", "fn f() { crate::api::go() }", 1),
        ("session/actor.rs", "use crate::sim::Bank;", 1),
        ("sim/bank.rs", "use crate::link::Wire;", 1),
        ("cli/run.rs", "use crate::cli::check;", 0),
        ("api/mod.rs", "use crate::cli::check;", 1),
        ("newcomer/mod.rs", "use crate::id;", 1),
        ("bin/termsim.rs", "use quittance::sim::Bank;", 0),
        ("main.rs", "use quittance::sim::Bank;", 1),
        ("protocol/mod.rs", "/// See [`crate::terminal`].\nuse crate::id::{Connector, SessionId};", 0),
    ];
    for (name, text, mistakes) in cases {
        assert_eq!(wrong_imports(name, text).len(), mistakes, "{name}: {text}");
    }
}

#[test]
fn nothing_in_production_gives_up() {
    let found: Vec<String> = production().iter().filter(|(_, text)| gives_up(text)).map(|(name, _)| name.clone()).collect();
    assert_eq!(found, Vec::<String>::new());
    assert!(gives_up("let x = y.unwrap();") && gives_up("todo!()"));
    assert!(!gives_up("y.unwrap_or(1) // never .unwrap()"));
}

#[test]
fn the_top_level_is_as_agreed() {
    let entries = fs::read_dir(root()).unwrap().map(|entry| entry.unwrap().file_name().into_string().unwrap());
    let strange: Vec<String> =
        entries.filter(|name| !name.starts_with('.') && name != "target" && !TOP_LEVEL.contains(&name.as_str())).collect();
    assert_eq!(strange, Vec::<String>::new());
}

#[test]
fn no_file_is_too_long() {
    let mut files = rust_files("src");
    files.extend(rust_files("tests"));
    assert!(files.len() > 10);
    let long: Vec<String> =
        files.into_iter().filter(|(_, text)| text.lines().count() > LONGEST).map(|(name, _)| name).collect();
    assert_eq!(long, Vec::<String>::new());
}

fn wrong_imports(name: &str, text: &str) -> Vec<String> {
    let home = name.split('/').next().unwrap_or(name).trim_end_matches(".rs");
    let legal = |to: &str| match home {
        "bin" | "lib" => true,
        "main" => to != "sim",
        "sim" => SIM_MAY_IMPORT.contains(&to),
        _ => row(home).is_some_and(|from| row(to).is_some_and(|to| to <= from)),
    };
    imports(text).into_iter().filter(|to| !legal(to)).map(|to| format!("{name} imports {to}")).collect()
}

fn row(folder: &str) -> Option<u8> {
    ROWS.iter().find(|(name, _)| *name == folder).map(|(_, row)| *row)
}

/// The first name after every `crate::` or `quittance::`, also within braces.
fn imports(text: &str) -> Vec<String> {
    let code = code(text);
    let mut found = Vec::new();
    for start in ["crate::", "quittance::"] {
        for after in code.split(start).skip(1) {
            match after.strip_prefix('{') {
                Some(group) => found.extend(heads(group)),
                None => found.push(head(after)),
            }
        }
    }
    found
}

fn head(text: &str) -> String {
    text.chars().take_while(|c| c.is_alphanumeric() || *c == '_').collect()
}

/// The names at the outermost level of a group whose brace is already open.
fn heads(group: &str) -> Vec<String> {
    let (mut depth, mut names, mut fresh) = (0, Vec::new(), true);
    for (at, c) in group.char_indices() {
        match c {
            '{' => depth += 1,
            '}' if depth == 0 => break,
            '}' => depth -= 1,
            ',' if depth == 0 => fresh = true,
            c if c.is_whitespace() => {}
            _ if fresh => {
                names.push(head(&group[at..]));
                fresh = false;
            }
            _ => {}
        }
    }
    names
}

fn gives_up(text: &str) -> bool {
    [".unwrap()", ".expect(\"", "todo!", "unimplemented!"].iter().any(|word| code(text).contains(word))
}

/// Without comments, and without a test module at the end.
fn code(text: &str) -> String {
    let body = text.split("#[cfg(test)]\nmod tests {").next().unwrap_or(text);
    body.lines().map(|line| line.split("//").next().unwrap_or(line)).collect::<Vec<_>>().join("\n")
}

/// Every file of `src/` that is not only for tests.
fn production() -> Vec<(String, String)> {
    let mut files = rust_files("src");
    files.retain(|(name, _)| !name.ends_with("tests.rs") && !name.contains("tests/"));
    assert!(files.len() > 10);
    files
}

fn root() -> PathBuf {
    PathBuf::from(env!("CARGO_MANIFEST_DIR"))
}

/// Names below the folder, and texts.
fn rust_files(folder: &str) -> Vec<(String, String)> {
    let (top, mut files) = (root().join(folder), Vec::new());
    collect(&top, &top, &mut files);
    files
}

fn collect(top: &Path, at: &Path, files: &mut Vec<(String, String)>) {
    for entry in fs::read_dir(at).unwrap() {
        let path = entry.unwrap().path();
        if path.is_dir() {
            collect(top, &path, files);
        } else if path.extension().is_some_and(|extension| extension == "rs") {
            let name = path.strip_prefix(top).unwrap().to_str().unwrap().replace('\\', "/");
            files.push((name, fs::read_to_string(&path).unwrap()));
        }
    }
}
