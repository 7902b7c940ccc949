//! The API with TLS, and the commands that ask it: what they believe, what they say when something is wrong, and a certificate that is
//! renewed while everything runs.

use std::path::Path;
use std::process::{Command, Output};

use quittance::cli::check;
use quittance::config::Environment;
use rcgen::CertificateParams;

use super::rig::certificates::{Authority, year};
use super::rig::{BINARY, Rig};

/// The first second of 2050, and of 2060, in seconds since 1970.
const Y2050: f64 = 2_524_608_000.0;
const Y2060: f64 = 2_840_140_800.0;

fn until(year_of: i32) -> impl FnOnce(&mut CertificateParams) {
    move |params| params.not_after = year(year_of)
}

fn terminals(url: &str, ca: Option<&Path>) -> Output {
    let mut command = Command::new(BINARY);
    command.args(["terminals", "--url", url]).env_remove("QUITTANCE_CA");
    if let Some(ca) = ca {
        command.arg("--ca").arg(ca);
    }
    command.output().unwrap()
}

/// Exit code 1, nothing on stdout, one line on stderr.
fn failure(output: Output) -> String {
    assert_eq!((output.status.code(), output.stdout.len()), (Some(1), 0));
    let said = String::from_utf8(output.stderr).unwrap();
    assert_eq!(said.lines().count(), 1, "{said}");
    said.trim_end().to_owned()
}

/// A charger and the commands work through TLS, and whatever is wrong with how they are called has its line.
#[test]
fn the_api_is_asked_through_tls() {
    let folder = tempfile::tempdir().unwrap();
    let (ca, stranger) = (Authority::new(folder.path(), "ca"), Authority::new(folder.path(), "stranger"));
    let rig = Rig::builder().apollos(1).api_tls(ca.sign("api", &["127.0.0.1"]), ca.file()).start();
    let session = rig.approve("apollo-1", 5000);
    assert_eq!(rig.commit(&session, 1500)["state"], "committed");

    let (url, address) = (rig.api.url(""), rig.api.url("").replace("https://", ""));
    let listed = terminals(&url, Some(&ca.file()));
    assert!(listed.status.success(), "{listed:?}");
    assert!(String::from_utf8(listed.stdout).unwrap().contains("apollo-1"));
    let by_environment =
        Command::new(BINARY).args(["sessions", "--url", &url]).env("QUITTANCE_CA", ca.file()).output().unwrap();
    assert!(String::from_utf8(by_environment.stdout).unwrap().contains(&session));

    let plain = Rig::builder().apollos(1).start();
    let plain_address = plain.api.url("").replace("http://", "");
    let port = address.rsplit_once(':').unwrap().1;
    let none = folder.path().join("none.pem");
    let hint = "is the orchestrator running (`systemctl status quittance`), and is --url or QUITTANCE_URL right?";
    for (url, ca_file, line) in [
        (url.clone(), None, format!("{url} has TLS: give the CA that signed its certificate by --ca FILE or QUITTANCE_CA")),
        (url.clone(), Some(none.clone()), format!("--ca: {} cannot be read: there is no such file", none.display())),
        (
            url.clone(),
            Some(stranger.file()),
            format!(
                "there is no API at {url}: the certificate shown is signed by a CA that {} does not hold: put the certificate of \
                 the CA that signed it there; {hint}",
                stranger.file().display()
            ),
        ),
        (
            format!("https://localhost:{port}"),
            Some(ca.file()),
            format!("there is no API at https://localhost:{port}: its certificate is for 127.0.0.1, not for localhost; {hint}"),
        ),
        (
            format!("https://{plain_address}"),
            Some(ca.file()),
            format!("there is no API at https://{plain_address}: it speaks no TLS, so --url begins with http://; {hint}"),
        ),
    ] {
        assert_eq!(failure(terminals(&url, ca_file.as_deref())), line);
    }
    let said = failure(terminals(&format!("http://{address}"), None));
    let wanted =
        format!("there is no API at http://{address}: it speaks no plain HTTP; with TLS, --url begins with https:// (");
    assert!(said.starts_with(&wanted), "{said}");
    plain.finish();
    rig.finish();
}

/// New files are shown as soon as they fit together; until then the old certificate is, and the log says why.
#[test]
fn the_api_certificate_is_renewed_without_a_restart() {
    let folder = tempfile::tempdir().unwrap();
    let ca = Authority::new(folder.path(), "ca");
    let files = ca.sign_with("api", &["127.0.0.1"], until(2050));
    let rig = Rig::builder().apollos(1).api_tls(files.clone(), ca.file()).start();
    let url = rig.api.url("");
    let expiry = || rig.metric("quittance_api_certificate_expiry_timestamp_seconds", &[]);
    assert_eq!(expiry(), Y2050);

    std::fs::write(&files.cert, "half of a renewal").unwrap();
    rig.until("told", || {
        assert!(terminals(&url, Some(&ca.file())).status.success(), "the old certificate is still shown");
        rig.said().contains("has changed but cannot be used; the old one is still shown").then_some(())
    });
    assert_eq!(expiry(), Y2050);

    ca.sign_with("api", &["127.0.0.1"], until(2060));
    rig.until("renewed", || {
        assert!(terminals(&url, Some(&ca.file())).status.success());
        (expiry() == Y2060).then_some(())
    });
    rig.finish();
}

/// Files that are of no use are mistakes at `check` and at a start; what only will be trouble is a warning, and no mistake.
#[test]
fn check_looks_at_certificates() {
    let folder = tempfile::tempdir().unwrap();
    let path = |name: &str| folder.path().join(name).display().to_string();
    let ca = Authority::new(folder.path(), "ca");
    ca.sign("api", &["127.0.0.1"]);
    ca.sign_with("old", &["127.0.0.1"], until(2020));
    ca.sign_with("early", &["127.0.0.1"], |params| params.not_before = year(2090));
    let token = format!("{{ name = \"a\", role = \"viewer\", sha256 = \"{}\" }}", "0".repeat(64));
    let checked = |api: &str, link: &str| {
        let text = format!(
            "[site]\nid = \"x\"\ncurrency = \"EUR\"\n[policy]\nterminal_timeout_action = \"void\"\n[api]\n{api}\n\
             [[terminals]]\nid = \"a\"\nfamily = \"apollo\"\nlink = {{ {link} }}\n"
        );
        let file = folder.path().join("quittance.toml");
        std::fs::write(&file, text.replace('@', &folder.path().display().to_string())).unwrap();
        let mut out = Vec::new();
        let code = check::run(&file, &Environment::new(), &mut out).unwrap();
        let lines = String::from_utf8(out).unwrap().replace(&format!("{}: ", file.display()), "");
        // The last line counts the mistakes, or says that there are none, and more about terminals after that.
        let of_interest = lines.lines().take_while(|line| line.contains(": ") && !line.starts_with("ok: "));
        (code, of_interest.map(str::to_owned).collect::<Vec<_>>())
    };
    let (quiet, private) = ("", "tcp = \"10.1.0.1:1\"");
    let open = format!("listen = \"0.0.0.0:8470\"\ntokens = [{token}]");
    let mistake = |name: &str, what: &str| vec![format!("{name}: {what}")];
    let cases = [
        (quiet.to_owned(), private.to_owned(), (0, vec![])),
        (
            "tls = { cert = \"@/api.pem\", key = \"@/old.key\" }".to_owned(),
            private.to_owned(),
            (
                1,
                mistake(
                    "api.tls.key",
                    &format!("{} holds another key than that of the certificate in {}", path("old.key"), path("api.pem")),
                ),
            ),
        ),
        (
            "tls = {}".to_owned(),
            private.to_owned(),
            (1, vec!["api.tls.cert: is missing".to_owned(), "api.tls.key: is missing".to_owned()]),
        ),
        ("tls = 1".to_owned(), private.to_owned(), (1, mistake("api.tls", "must be a table, but is 1"))),
        (
            open.clone(),
            private.to_owned(),
            (
                0,
                mistake(
                    "warning: api.listen",
                    "plain HTTP to the network: everybody on the way can read the tokens and use them; set api.tls, or listen on a \
                     loopback address behind a TLS proxy",
                ),
            ),
        ),
        (format!("{open}\ntls = {{ cert = \"@/api.pem\", key = \"@/api.key\" }}"), private.to_owned(), (0, vec![])),
        (
            "tls = { cert = \"@/old.pem\", key = \"@/old.key\" }".to_owned(),
            "tls = \"10.1.0.1:1\", ca = \"@/old.pem\", cert = \"@/early.pem\", key = \"@/early.key\"".to_owned(),
            (
                0,
                vec![
                    format!(
                        "warning: api.tls.cert: the certificate in {} has expired on 2020-01-01T00:00:00.000Z: renew it",
                        path("old.pem")
                    ),
                    format!(
                        "warning: terminals[0].link.ca: the certificate in {} has expired on 2020-01-01T00:00:00.000Z: renew it",
                        path("old.pem")
                    ),
                    format!(
                        "warning: terminals[0].link.cert: the certificate in {} is not valid before 2090-01-01T00:00:00.000Z: is the \
                         clock right?",
                        path("early.pem")
                    ),
                ],
            ),
        ),
    ];
    for (api, link, wanted) in cases {
        assert_eq!(checked(&api, &link), wanted, "{api}, {link}");
    }
}
