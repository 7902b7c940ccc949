//! `quittance check`, and the example file.

use std::io::Write;
use std::path::Path;

use quittance::cli::check;
use quittance::config::Environment;

#[test]
fn the_example_is_good() {
    let mut out = Vec::new();
    let path = Path::new(env!("CARGO_MANIFEST_DIR")).join("config/quittance.toml");
    let code = check::run(&path, &Environment::new(), &mut out).unwrap();
    let said = String::from_utf8(out).unwrap();
    assert_eq!((code, said.as_str()), (0, "ok: 2 terminals, 0 tokens, site depot-demo, API on 127.0.0.1:8470\n"));
}

#[test]
fn every_mistake_has_its_line_and_they_are_counted() {
    let mut file = tempfile::NamedTempFile::new().unwrap();
    file.write_all(b"[site]\nid = 'x'\n[policy]\nterminal_timeout_action = 'void'\n[[terminals]]\nid = 'a'\nfamily = 'p6x'\nlink = { serial = '/dev/x' }\n").unwrap();
    let mut out = Vec::new();
    let code = check::run(file.path(), &Environment::new(), &mut out).unwrap();
    let said = String::from_utf8(out).unwrap();
    assert_eq!(said, format!("{}: site.currency: is missing\n1 mistake\n", file.path().display()));
    assert_eq!(code, 1);
}

#[test]
fn a_missing_file_is_one_line() {
    let mut out = Vec::new();
    let code = check::run(Path::new("no/such/file.toml"), &Environment::new(), &mut out).unwrap();
    let said = String::from_utf8(out).unwrap();
    assert_eq!(said.lines().count(), 2);
    assert!(said.starts_with("no/such/file.toml: cannot be read: ") && said.ends_with("1 mistake\n"));
    assert_eq!(code, 1);
}
