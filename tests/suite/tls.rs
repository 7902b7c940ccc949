//! TLS to terminals, on real sockets with throw-away certificates: money moves as on any other wire, every wrong setting has its one
//! line, and a renewed certificate needs no restart.

use std::io::{Read, Write};
use std::net::{SocketAddr, TcpListener};
use std::path::Path;

use quittance::sim::{Listen, SimConfig, TlsListen, TlsVersions};
use quittance::tls::IdentityFiles;
use rcgen::ExtendedKeyUsagePurpose;
use serde_json::Value;

use super::rig::Rig;
use super::rig::certificates::{Authority, self_signed, year};
use super::wires::main_scenarios;

const ANY_PORT: SocketAddr = SocketAddr::new(std::net::IpAddr::V4(std::net::Ipv4Addr::LOCALHOST), 0);

/// The first second of 2050, and of 2060, in seconds since 1970.
const Y2050: f64 = 2_524_608_000.0;
const Y2060: f64 = 2_840_140_800.0;

/// An Apollo behind TLS.
struct Device {
    config: SimConfig,
    tls: TlsListen,
}

impl Device {
    fn new(name: &str, identity: IdentityFiles) -> Self {
        let tls = TlsListen { address: ANY_PORT, identity, client_ca: None, versions: TlsVersions::Both };
        Self { config: SimConfig::apollo(name.parse().unwrap()), tls }
    }

    fn speaking(mut self, versions: TlsVersions) -> Self {
        self.tls.versions = versions;
        self
    }

    fn wanting_clients_of(mut self, authority: &Authority) -> Self {
        self.tls.client_ca = Some(authority.file());
        self
    }

    fn config(self) -> SimConfig {
        SimConfig { listen: Listen::Tls(Box::new(self.tls)), ..self.config }
    }
}

/// A link that leads to such a device; what more there is to say about it, in TOML.
fn link(ca: &Path, more: &str) -> String {
    format!("{{ tls = \"ADDRESS\", ca = \"{}\"{more} }}", ca.display())
}

fn client(files: &IdentityFiles) -> String {
    format!(", cert = \"{}\", key = \"{}\"", files.cert.display(), files.key.display())
}

/// What a charger sees of the terminal.
fn view(rig: &Rig, terminal: &str) -> Value {
    let (status, view) = rig.api.get(&format!("/v1/terminals/{terminal}"));
    assert_eq!(status, 200, "{view}");
    view
}

/// The first thing that is said of a link that does not come up.
fn first_error(rig: &Rig, terminal: &str) -> String {
    rig.until("an error", || view(rig, terminal)["last_error"].as_str().map(str::to_owned))
}

/// Every version of TLS that is spoken, with the server known by name and by address, with a client certificate and without.
#[test]
fn money_moves_through_tls() {
    let folder = tempfile::tempdir().unwrap();
    let ca = Authority::new(folder.path(), "ca");
    let ours = ca.sign("ours", &["orchestrator"]);
    let by_address = ca.sign("by-address", &["127.0.0.1"]);
    let by_name = ca.sign("by-name", &["bay.local", "other.local"]);
    let named = ", server_name = \"bay.local\"";
    let rig = Rig::builder()
        .other(Device::new("both", by_address.clone()).config(), link(&ca.file(), ""))
        .other(Device::new("old", by_name.clone()).speaking(TlsVersions::Only12).config(), link(&ca.file(), named))
        .other(
            Device::new("new", by_name).speaking(TlsVersions::Only13).wanting_clients_of(&ca).config(),
            link(&ca.file(), &format!("{named}, min_version = \"1.3\"{}", client(&ours))),
        )
        .other(
            Device::new("old-careful", by_address).speaking(TlsVersions::Only12).wanting_clients_of(&ca).config(),
            link(&ca.file(), &client(&ours)),
        )
        .timeout("commit", "\"500ms\"")
        .start();
    for terminal in rig.names() {
        main_scenarios(&rig, &terminal);
    }
    rig.finish();
}

/// A wrong setting is told by its one line, which is there as soon as anything is.
#[test]
fn every_wrong_setting_has_its_line() {
    let folder = tempfile::tempdir().unwrap();
    let (ca, stranger) = (Authority::new(folder.path(), "ca"), Authority::new(folder.path(), "stranger"));
    let sound = ca.sign("sound", &["127.0.0.1"]);
    let special = |name: &str, change: fn(&mut rcgen::CertificateParams)| ca.sign_with(name, &["127.0.0.1"], change);
    let expired = special("expired", |params| params.not_after = year(2020));
    let early = special("early", |params| params.not_before = year(2090));
    let for_clients = special("clients", |params| params.extended_key_usages = vec![ExtendedKeyUsagePurpose::ClientAuth]);
    let unknown_client = stranger.sign("unknown-client", &["orchestrator"]);
    let (from_ca, from_stranger) = (ca.file(), stranger.file());
    let other_names = ca.sign("other-names", &["bay-04.local", "10.1.0.4"]);
    let no_names = ca.sign("no-names", &[]);
    let own = self_signed(folder.path(), "own", &["127.0.0.1"]);

    // The terminal, the link to it, and what is said about that.
    let devices = [
        (
            Device::new("wrong-name", other_names),
            link(&from_ca, ", server_name = \"bay-03.local\""),
            "the certificate shown is for bay-04.local, 10.1.0.4, not for bay-03.local: set server_name to what it is for, or have \
             it made for bay-03.local"
                .to_owned(),
        ),
        (
            Device::new("nameless", no_names),
            link(&from_ca, ""),
            "the certificate shown holds no name at all (a common name does not count): have it made with \
             subjectAltName=IP:127.0.0.1"
                .to_owned(),
        ),
        (
            Device::new("expired", expired.clone()),
            link(&from_ca, ""),
            "the certificate shown has expired (2020-01-01T00:00:00.000Z): renew it; if it is newer than that, the clock of this \
             machine is wrong"
                .to_owned(),
        ),
        (
            Device::new("early", early),
            link(&from_ca, ""),
            "the certificate shown is not valid yet (2090-01-01T00:00:00.000Z): is the clock of this machine right, and was that \
             of the other one?"
                .to_owned(),
        ),
        (
            Device::new("unknown-ca", sound.clone()),
            link(&from_stranger, ""),
            format!(
                "the certificate shown is signed by a CA that {} does not hold: put the certificate of the CA that signed it there \
                 (it is called CN=ca)",
                from_stranger.display()
            ),
        ),
        (
            Device::new("own-ca", own.clone()),
            link(&own.cert, ""),
            "the certificate shown is a CA's, which no server may show as its own: have one signed by that CA, or make it with \
             basicConstraints=CA:FALSE"
                .to_owned(),
        ),
        (
            Device::new("for-clients", for_clients),
            link(&from_ca, ""),
            "the certificate shown is not for servers: its extendedKeyUsage lacks serverAuth".to_owned(),
        ),
        (
            Device::new("speaks-tls", sound.clone()),
            "{ tcp = \"ADDRESS\" }".to_owned(),
            "what answers there speaks TLS: use tls instead of tcp here, or switch TLS off at the other side".to_owned(),
        ),
        (
            Device::new("too-old", sound.clone()).speaking(TlsVersions::Only12),
            link(&from_ca, ", min_version = \"1.3\""),
            "no version of TLS in common; here TLS 1.3 only is spoken: allow it at the other side, or set min_version lower".to_owned(),
        ),
    ];
    let demands = [TlsVersions::Only12, TlsVersions::Only13].into_iter().zip(["1-2", "1-3"]).flat_map(|(versions, label)| {
        let device = |what: &str| {
            let device = Device::new(&format!("{what}-{label}"), sound.clone());
            device.speaking(versions).wanting_clients_of(&ca)
        };
        [
            (
                device("demanded"),
                link(&from_ca, ""),
                "the other side demands a client certificate, and none is configured: set cert and key".to_owned(),
            ),
            (
                device("refused"),
                link(&from_ca, &client(&unknown_client)),
                "the other side refuses our client certificate: it does not know the CA that signed it".to_owned(),
            ),
            (
                device("expired-client"),
                link(&from_ca, &client(&expired)),
                "the other side refuses our client certificate: it has expired".to_owned(),
            ),
        ]
    });
    // One try is enough to hear the line, and its log is long enough.
    let mut builder = Rig::builder().supervision("backoff_min", "\"2s\"").supervision("backoff_max", "\"2s\"");
    let mut lines = Vec::new();
    for (device, link, line) in devices.into_iter().chain(demands) {
        lines.push((device.config.id.to_string(), line));
        builder = builder.other(device.config(), link);
    }

    // Three that know nothing of TLS. Each has a simulated terminal that nobody ever talks to.
    let silence = strange(|_| {});
    let talk = strange(|socket| drop(socket.write_all(b"\xAA\x03\x3C\x00\x00\xE9 and more of it")));
    let hang_up = strange(|socket| drop(socket.shutdown(std::net::Shutdown::Both)));
    for (name, address, line) in [
        (
            "silent",
            silence,
            "no answer to the TLS handshake within 5 s: is TLS switched on at the other side? A port of plain TCP waits in silence",
        ),
        ("talks", talk, "what answers there does not speak TLS: switch TLS on at the other side, or use plain TCP here, too"),
        ("hangs-up", hang_up, "the other side closed the connection during the TLS handshake: is TLS switched on there?"),
    ] {
        lines.push((name.to_owned(), line.to_owned()));
        builder = builder
            .other(SimConfig::apollo(name.parse().unwrap()), link(&from_ca, "").replace("ADDRESS", &address.to_string()));
    }

    let rig = builder.start();
    assert_eq!(lines.len(), 18);
    for (terminal, line) in &lines {
        assert_eq!(first_error(&rig, terminal), format!("TLS: {line}"), "{terminal}");
        let reason = [("terminal", terminal.as_str()), ("reason", "tls")];
        rig.until("counted", || (rig.metric("quittance_link_restarts_total", &reason) >= 1.0).then_some(()));
        rig.until("logged", || rig.said().contains(line).then_some(()));
    }
    let expiry = |terminal: &str| rig.metric("quittance_link_certificate_expiry_timestamp_seconds", &[("terminal", terminal)]);
    assert_eq!((expiry("expired"), expiry("silent")), (1_577_836_800.0, 0.0));
    rig.finish();
}

/// A server that does this with everybody who connects, and then holds the connection for ever.
fn strange(what: impl Fn(&mut std::net::TcpStream) + Send + 'static) -> SocketAddr {
    let listener = TcpListener::bind(ANY_PORT).unwrap();
    let address = listener.local_addr().unwrap();
    std::thread::spawn(move || {
        let mut held = Vec::new();
        while let Ok((mut socket, _)) = listener.accept() {
            // The first bytes are waited for, so that nobody hangs up on a connection that is still being made.
            let _ = socket.read(&mut [0; 1]);
            what(&mut socket);
            held.push(socket);
        }
    });
    address
}

/// Renewed files on both sides count from the next connection on; a file that is spoilt says so, and mending it is enough.
#[test]
fn a_renewed_certificate_is_taken_without_a_restart() {
    let folder = tempfile::tempdir().unwrap();
    let ca = Authority::new(folder.path(), "ca");
    let until = |year_of: i32| move |params: &mut rcgen::CertificateParams| params.not_after = year(year_of);
    let theirs = ca.sign_with("theirs", &["127.0.0.1"], until(2050));
    let ours = ca.sign_with("ours", &["orchestrator"], until(2050));
    let rig = Rig::builder()
        .other(Device::new("bay", theirs).wanting_clients_of(&ca).config(), link(&ca.file(), &client(&ours)))
        .apollos(1)
        .start();
    let expiries = |terminal: &str| {
        let names = ["link", "client"].map(|whose| format!("quittance_{whose}_certificate_expiry_timestamp_seconds"));
        names.map(|name| rig.metric(&name, &[("terminal", terminal), ("family", "apollo")]))
    };
    assert_eq!(expiries("bay"), [Y2050, Y2050]);
    assert_eq!(expiries("apollo-1"), [0.0, 0.0], "plain TCP knows no certificates");
    let session = rig.approve("bay", 5000);

    ca.sign_with("theirs", &["127.0.0.1"], until(2060));
    ca.sign_with("ours", &["orchestrator"], until(2060));
    rig.terminal("bay").cut();
    rig.until("renewed", || (expiries("bay") == [Y2060, Y2060]).then_some(()));
    assert_eq!(rig.commit(&session, 1500)["state"], "committed");

    let good = std::fs::read(ca.file()).unwrap();
    std::fs::write(ca.file(), "nothing of use").unwrap();
    rig.terminal("bay").cut();
    let spoilt =
        format!("TLS: {} holds no certificate; a PEM file is needed, with -----BEGIN CERTIFICATE-----", ca.file().display());
    rig.until("spoilt", || (view(&rig, "bay")["last_error"] == spoilt).then_some(()));
    std::fs::write(ca.file(), good).unwrap();
    rig.wait_ready();
    rig.until("up", || (rig.metric("quittance_link_up", &[("terminal", "bay")]) == 1.0).then_some(()));
    rig.finish();
}
