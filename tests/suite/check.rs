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
    assert_eq!((code, said.lines().next()), (0, Some("ok: 2 terminals, 0 tokens, site depot-demo, API on 127.0.0.1:8470")));
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

/// Every quirk is shown with its usual value, and a terminal that is believed otherwise is named.
#[test]
fn quirks_are_explained() {
    let mut file = tempfile::NamedTempFile::new().unwrap();
    let text = "[site]\nid = 'x'\ncurrency = 'EUR'\n[policy]\nterminal_timeout_action = 'void'\n[[terminals]]\nid = 'a'\nfamily = 'p6x'
link = { serial = '/dev/x' }\nquirks = { preamble = 0x15, list_offset = 'bytes' }\n[[terminals]]\nid = 'b'\nfamily = 'apollo'
link = { tcp = '10.0.0.1:3201' }\nquirks = { read_card = 0x40, select_language = 0x41, keeps_sessions = false }\n";
    file.write_all(text.as_bytes()).unwrap();
    let mut out = Vec::new();
    assert_eq!(check::run(file.path(), &Environment::new(), &mut out).unwrap(), 0);
    let said = String::from_utf8(out).unwrap();
    for (usual, own) in [
        ("read_card = 0x41", Some("b: 0x40")),
        ("select_language = 0x40", Some("b: 0x41")),
        ("ui_request = 0x28", None),
        ("status_as_result = true", None),
        ("preamble = 0xAA on an Apollo, \"any\" on a P6X", Some("a: 0x15")),
        ("magic = 0x3C on an Apollo, \"any\" on a P6X", None),
        ("magic_sent = 0x3C", None),
        ("card_read_length = 2", None),
        ("ui_layout = \"pairs\"", None),
        ("list_offset = \"sessions\"", Some("a: \"bytes\"")),
        ("keeps_sessions = true", Some("b: false")),
    ] {
        let (_, after) = said.split_once(&format!("\n  {usual}\n")).unwrap_or_else(|| panic!("no {usual:?} in {said}"));
        let paragraph: Vec<&str> = after.lines().take_while(|line| !line.is_empty()).map(str::trim).collect();
        assert!(paragraph[0].starts_with("the pages: ") && paragraph[1].starts_with("it sets: "), "{usual}: {paragraph:?}");
        assert_eq!(paragraph.get(2).copied(), own, "{usual}");
        assert!(paragraph.len() <= 3);
    }
}
