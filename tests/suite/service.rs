//! What the service manager hears: the real program with a socket of the test's in place of systemd's.

use std::os::unix::net::UnixDatagram;
use std::path::Path;

use crate::rig::{LIMIT, Rig};
use crate::tool::tool;

/// Everything that comes until one of the messages holds `wanted`.
fn heard(socket: &UnixDatagram, wanted: &str) -> Vec<String> {
    let mut all = Vec::new();
    let mut buffer = [0; 1024];
    while !all.iter().any(|message: &String| message.contains(wanted)) {
        let length = socket.recv(&mut buffer).unwrap_or_else(|error| panic!("never {wanted}: {error}; only {all:?}"));
        all.push(String::from_utf8(buffer[..length].to_vec()).unwrap());
    }
    all
}

/// It says that it is ready as soon as the API answers, gives signs of life, and says that it goes down.
#[test]
fn the_service_manager_is_told() {
    let folder = tempfile::tempdir().unwrap();
    let path = folder.path().join("notify");
    let socket = UnixDatagram::bind(&path).unwrap();
    socket.set_read_timeout(Some(LIMIT)).unwrap();
    let rig = Rig::pair().env("NOTIFY_SOCKET", path.to_str().unwrap()).env("WATCHDOG_USEC", "200000").start();
    let first = heard(&socket, "READY=1");
    assert!(!first.iter().any(|message| message.contains("STOPPING")), "{first:?}");
    heard(&socket, "WATCHDOG=1");
    heard(&socket, "WATCHDOG=1");
    rig.hang_up();
    // systemd wants to know when it began, and believes no READY from before.
    heard(&socket, "RELOADING=1\nMONOTONIC_USEC=");
    heard(&socket, "READY=1\nSTATUS=the configuration was read again");
    rig.configure(|text| text.replace("[site]", "[sight]"));
    rig.hang_up();
    heard(&socket, "RELOADING=1\nMONOTONIC_USEC=");
    heard(&socket, "READY=1\nSTATUS=the configuration was read again and refused");
    rig.ask_to_end();
    heard(&socket, "STOPPING=1");
    assert_eq!(rig.exit_code(), 0);
}

/// systemd itself finds nothing to complain about in the example unit, and would run it in a tight sandbox.
#[test]
fn the_example_unit_is_sound() {
    let Some(analyze) = tool("systemd-analyze", "systemd") else { return };
    let example = Path::new(env!("CARGO_MANIFEST_DIR")).join("config/quittance.service");
    let text = std::fs::read_to_string(example).unwrap();
    let folder = tempfile::tempdir().unwrap();
    let unit = folder.path().join("quittance.service");
    // The program need not be installed for that.
    std::fs::write(&unit, text.replace("/usr/local/bin/quittance", crate::rig::BINARY)).unwrap();
    let verify = std::process::Command::new(&analyze).arg("verify").arg(&unit).output().unwrap();
    let complaints = String::from_utf8_lossy(&verify.stderr).into_owned();
    assert!(verify.status.success() && !complaints.contains("quittance.service:"), "{complaints}");
    // Of 100; what systemd calls "OK" ends at 50, an unprotected service has 96.
    let sandbox = ["security", "--offline=true", "--threshold=25"];
    let security = std::process::Command::new(&analyze).args(sandbox).arg(&unit).output().unwrap();
    assert!(security.status.success(), "{}", String::from_utf8_lossy(&security.stdout));
}
