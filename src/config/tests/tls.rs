//! `link = { tls = … }`: what is read, and every mistake by its key path.

use std::path::PathBuf;

use super::{GOOD, good, paths};
use crate::link::{Address, MinVersion, Tls};
use crate::tls::IdentityFiles;

const PLAIN: &str = "tcp = \"10.1.0.11:3201\"";

/// A folder with `a.pem`, `a.key`, and a pair of others.
fn folder() -> tempfile::TempDir {
    let folder = tempfile::tempdir().unwrap();
    for name in ["a", "b"] {
        let made = rcgen::generate_simple_self_signed(vec![format!("{name}.local")]).unwrap();
        std::fs::write(folder.path().join(format!("{name}.pem")), made.cert.pem()).unwrap();
        std::fs::write(folder.path().join(format!("{name}.key")), made.signing_key.serialize_pem()).unwrap();
    }
    folder
}

/// The good file with this link to its first terminal, where `@` stands for the folder.
fn with(link: &str, folder: &tempfile::TempDir) -> String {
    GOOD.replacen(PLAIN, &link.replace('@', &folder.path().display().to_string()), 1)
}

fn tls(link: &str, folder: &tempfile::TempDir) -> Tls {
    match good(&with(link, folder), &[]).terminals[0].link.address.clone() {
        Address::Tls(tls) => *tls,
        other => panic!("{other:?}"),
    }
}

#[test]
fn the_name_defaults_to_the_host_and_the_rest_to_the_usual() {
    let folder = folder();
    let file = |name: &str| -> PathBuf { folder.path().join(name) };
    let usual = tls("tls = \"Bay-01.local:3201\", ca = \"@/a.pem\"", &folder);
    assert_eq!((usual.address.as_str(), usual.ca), ("Bay-01.local:3201", file("a.pem")));
    assert_eq!((usual.client, usual.min_version), (None, MinVersion::V1_2));
    assert_eq!(usual.server_name, "bay-01.local".try_into().unwrap());
    for (host, name) in [("8.8.8.8", "8.8.8.8"), ("[2001:db8::1]", "2001:db8::1")] {
        let read = tls(&format!("tls = \"{host}:3201\", ca = \"@/a.pem\""), &folder);
        assert_eq!(read.server_name, name.try_into().unwrap(), "a public address is good enough for TLS");
    }
    let all = "tls = \"10.1.0.1:1\", ca = \"@/a.pem\", server_name = \"x.y\", cert = \"@/b.pem\", key = \"@/b.key\", min_version = \"1.3\"";
    let read = tls(all, &folder);
    assert_eq!(read.client, Some(IdentityFiles { cert: file("b.pem"), key: file("b.key") }));
    assert_eq!((read.server_name, read.min_version), ("x.y".try_into().unwrap(), MinVersion::V1_3));
}

#[test]
fn every_mistake_has_its_path() {
    let folder = folder();
    let (ca, link) = ("ca = \"@/a.pem\"", "terminals[0].link");
    let sound = format!("tls = \"10.1.0.1:1\", {ca}");
    let cases: [(String, &[&str]); 17] = [
        ("tls = \"10.1.0.1:1\"".to_owned(), &["ca"]),
        ("tls = \"10.1.0.1\", ca = \"@/none.pem\"".to_owned(), &["ca", "tls"]),
        ("tls = \"10.1.0.1:1\", ca = \"@/a.key\"".to_owned(), &["ca"]),
        ("tls = \"10.1.0.1:1\", ca = 1".to_owned(), &["ca"]),
        (format!("{sound}, server_name = \"two words\""), &["server_name"]),
        (format!("{sound}, server_name = \"\""), &["server_name"]),
        (format!("{sound}, cert = \"@/a.pem\""), &["key"]),
        (format!("{sound}, key = \"@/a.key\""), &["cert"]),
        (format!("{sound}, cert = \"@/a.pem\", key = \"@/b.key\""), &["key"]),
        (format!("{sound}, cert = \"@/none.pem\", key = \"@/none.key\""), &["cert", "key"]),
        (format!("{sound}, min_version = \"1.1\""), &["min_version"]),
        (format!("{sound}, min_version = 1.3"), &["min_version"]),
        (format!("{sound}, baud = 9600"), &[""]),
        (format!("{sound}, tcp = \"10.1.0.1:1\""), &[""]),
        (format!("{PLAIN}, {ca}, server_name = \"x\""), &["ca", "server_name"]),
        (format!("{PLAIN}, min_version = \"1.3\", cert = \"x\", key = \"x\""), &["cert", "key", "min_version"]),
        (
            "tls = \"a:1\", ca = \"@/none\", server_name = \"-\", cert = \"@/none\", key = \"@/none\", min_version = 1, x = 1"
                .to_owned(),
            &["ca", "cert", "key", "min_version", "server_name", "x"],
        ),
    ];
    for (text, wrong) in cases {
        let wanted: Vec<String> =
            wrong.iter().map(|key| if key.is_empty() { link.to_owned() } else { format!("{link}.{key}") }).collect();
        assert_eq!(paths(&with(&text, &folder), &[]), wanted, "{text}");
    }
    let p6x = GOOD.replacen("serial = \"/dev/ttyS0\"", &sound.replace('@', &folder.path().display().to_string()), 1);
    assert_eq!(paths(&p6x, &[]), ["terminals[1].link"]);
    let twice = with("tls = \"10.1.0.11:3201\", ca = \"@/a.pem\"", &folder).replace(
        "family = \"p6x\"\nlink = { serial = \"/dev/ttyS0\" }",
        "family = \"apollo\"\nlink = { tcp = \"10.1.0.11:3201\" }",
    );
    assert_eq!(paths(&twice, &[]), ["terminals[1].link"], "TLS or not, it is the same port");
}
