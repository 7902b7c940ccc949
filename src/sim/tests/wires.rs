//! Real wires: bytes of the published frames, typed by hand, over TCP and over a pseudo terminal.

use std::time::Duration;

use tokio::io::{AsyncReadExt, AsyncWriteExt};
use tokio::net::TcpStream;
use tokio_serial::SerialPortBuilderExt;

use crate::id::{TerminalId, TerminalSessionId};
use crate::money::Amount;
use crate::sim::{Command, Depot, HoldState, SimCard, SimConfig};

const SYNCHRONIZE: &[u8] = &[0xCC, 0x02, 0x3C, 0x24, 0x2E];
const SYNCHRONIZED: &[u8] = &[0xAA, 0x02, 0x3C, 0x24, 0x0C];
const SETUP: &[u8] = &[0xCC, 0x07, 0x3C, 0x23, 0x00, 0x02, 0xA3, 0x00, 0x00, 0xD7]; // 48 h, commit
const ENABLE: &[u8] = &[0xCC, 0x02, 0x3C, 0x12, 0x1C];
const OK: &[u8] = &[0xAA, 0x03, 0x3C, 0x00, 0x00, 0xE9];
const NOT_OK: &[u8] = &[0xAA, 0x03, 0x3C, 0x00, 0x01, 0xEA];
const PROTOCOL: &[u8] = &[0xCC, 0x07, 0x3C, 0x13, 0x03, 0x00, 0x00, 0x00, 0x02, 0x27]; // option 0x02
const PROTOCOL_ECHO: &[u8] = &[0xAA, 0x07, 0x3C, 0x13, 0x03, 0x00, 0x00, 0x00, 0x02, 0x05];
const START: &[u8] = &[0xCC, 0x0A, 0x3C, 0x34, 0x00, 0x00, 0x09, 0xC4, 0x00, 0x00, 0x00, 0x0A, 0x1D]; // 2500, reference 10
const GET_STATUS: &[u8] = &[0xCC, 0x02, 0x3C, 0x26, 0x30];
const WAIT_CARD: &[u8] = &[0xAA, 0x04, 0x3C, 0x26, 0x10, 0x01, 0x21];
const OFFLINE: &[u8] = &[0xAA, 0x04, 0x3C, 0x26, 0x01, 0x00, 0x11];
const AUTH: &[u8] = &[0xCC, 0x02, 0x3C, 0x36, 0x40];
/// AA 3D 3C 34 3A, then the data objects below, then 33.
const CARD_READ: &str = "AA3D3C343ADFF0062833303132303431303932424542414632334146433144413137354231463341353239453646324431\
                         DFCA0B0A3031303030303030313833";
const APPROVED: &str = "AA413C310000000B3ADFF0062833303132303431303932424542414632334146433144413137354231463341353239453646\
                        324431DFCA0B0A303130303030303031383F";
const COMMIT_11_FOR_100: &[u8] = &[0xCC, 0x0A, 0x3C, 0x35, 0x00, 0x00, 0x00, 0x0B, 0x00, 0x00, 0x00, 0x64, 0xB6];

/// The card of the published frames.
fn published_card() -> SimCard {
    SimCard::new("301204109 2BEBAF23AFC1DA175B1F3A529E6F2D1".replace(' ', "").as_str(), "0100000018")
}

fn bytes_of(hex: &str) -> Vec<u8> {
    let digits: Vec<u32> = hex.chars().filter_map(|digit| digit.to_digit(16)).collect();
    digits.chunks(2).map(|pair| u8::try_from(pair[0] * 16 + pair[1]).unwrap()).collect()
}

async fn expect(wire: &mut (impl AsyncReadExt + Unpin), bytes: &[u8]) {
    let mut came = vec![0; bytes.len()];
    tokio::time::timeout(Duration::from_secs(10), wire.read_exact(&mut came)).await.expect("no answer").unwrap();
    assert_eq!(came, bytes);
}

/// The whole way of a session with the published frames: what the terminal says is what Payter has printed.
async fn walk(wire: &mut (impl AsyncReadExt + AsyncWriteExt + Unpin), depot: &Depot, id: &TerminalId) {
    let terminal = depot.terminal(id).unwrap();
    for (request, answer) in [
        (GET_STATUS, OFFLINE),
        (ENABLE, NOT_OK),
        (SYNCHRONIZE, SYNCHRONIZED),
        (PROTOCOL, PROTOCOL_ECHO),
        (SETUP, OK),
        (ENABLE, OK),
    ] {
        wire.write_all(request).await.unwrap();
        expect(wire, answer).await;
    }
    wire.write_all(START).await.unwrap();
    wire.write_all(GET_STATUS).await.unwrap();
    expect(wire, WAIT_CARD).await;
    assert!(terminal.tap(&published_card()));
    expect(wire, &bytes_of(CARD_READ)).await;
    wire.write_all(AUTH).await.unwrap();
    expect(wire, &bytes_of(APPROVED)).await;
    assert_eq!(terminal.snapshot().sessions, [TerminalSessionId(11)]);
    wire.write_all(COMMIT_11_FOR_100).await.unwrap();
    expect(wire, OK).await;
    wire.write_all(COMMIT_11_FOR_100).await.unwrap();
    expect(wire, NOT_OK).await;

    let holds = depot.bank().holds();
    assert_eq!(holds.len(), 1);
    assert_eq!(holds[0].amount, Amount::from_minor(2500));
    assert!(matches!(holds[0].state, HoldState::Captured { amount, .. } if amount == Amount::from_minor(100)));
    assert_eq!(terminal.count(Command::Commit), 2);
    let ledger = depot.bank().ledger();
    assert!(ledger.balances());
    assert_eq!((ledger.captured, ledger.repeats, ledger.violations.len()), (100, 1, 0));
}

#[tokio::test]
async fn published_frames_over_tcp() {
    let id: TerminalId = "bay-01".parse().unwrap();
    let mut config = SimConfig::apollo(id.clone());
    config.quirks.first_session_id = 11;
    let depot = Depot::start(vec![config]).await.unwrap();
    let mut wire = TcpStream::connect(depot.address(&id).unwrap()).await.unwrap();
    walk(&mut wire, &depot, &id).await;

    // The newest connection wins, and finds the terminal OFFLINE.
    let mut newer = TcpStream::connect(depot.address(&id).unwrap()).await.unwrap();
    assert_eq!(wire.read(&mut [0; 1]).await.unwrap_or(0), 0);
    newer.write_all(GET_STATUS).await.unwrap();
    expect(&mut newer, OFFLINE).await;
}

#[tokio::test]
async fn published_frames_over_a_pty() {
    let folder = tempfile::tempdir().unwrap();
    let path = folder.path().join("bay-02");
    let id: TerminalId = "bay-02".parse().unwrap();
    let mut config = SimConfig::p6x(id.clone(), &path);
    config.quirks.first_session_id = 11;
    let depot = Depot::start(vec![config]).await.unwrap();
    let open = || tokio_serial::new(path.to_str().unwrap(), 57_600).open_native_async();
    let mut wire = open().unwrap();
    walk(&mut wire, &depot, &id).await;

    // The host leaves with an answer unread. The next one finds no stale byte, and a terminal that has not noticed.
    let terminal = depot.terminal(&id).unwrap();
    wire.write_all(SYNCHRONIZE).await.unwrap();
    terminal.wait_for(|seen| seen.waiting == 0 && seen.heard[&Command::Synchronize] == 2).await;
    drop(wire);
    terminal.wait_for(|seen| !seen.connected).await;
    let mut wire = open().unwrap();
    wire.write_all(GET_STATUS).await.unwrap();
    expect(&mut wire, &[0xAA, 0x04, 0x3C, 0x26, 0x02, 0x00, 0x12]).await; // ONLINE

    // Unplugged, the device fails and is gone; plugged, it is back under its name.
    terminal.unplug();
    assert_eq!(wire.read(&mut [0; 1]).await.unwrap_or(0), 0);
    drop(wire);
    assert!(std::fs::symlink_metadata(&path).is_err());
    terminal.plug();
    terminal.set_quirks(|quirks| (quirks.preamble, quirks.magic) = (0x15, 0x41));
    let mut wire = loop {
        match open() {
            Ok(wire) => break wire,
            Err(_) => tokio::task::yield_now().await,
        }
    };
    wire.write_all(SYNCHRONIZE).await.unwrap();
    expect(&mut wire, &[0x15, 0x02, 0x41, 0x24, 0x7C]).await;
}

/// As a host that is killed: it opens the line, speaks and is gone before the terminal has looked. What it said is read when nobody has
/// the line open any more, and must not be taken for somebody who has.
#[tokio::test]
async fn a_host_that_has_gone_is_not_there_for_what_it_has_left_on_the_line() {
    let folder = tempfile::tempdir().unwrap();
    let path = folder.path().join("bay-02");
    let id: TerminalId = "bay-02".parse().unwrap();
    let depot = Depot::start(vec![SimConfig::p6x(id.clone(), &path)]).await.unwrap();
    let terminal = depot.terminal(&id).unwrap();
    let open = || tokio_serial::new(path.to_str().unwrap(), 57_600).open_native_async().unwrap();
    let mut killed = open();
    std::io::Write::write_all(&mut killed, GET_STATUS).unwrap();
    drop(killed);
    // As often as it takes until what the kernel has to say is heard, too.
    for _ in 0..1000 {
        tokio::task::yield_now().await;
    }
    assert!(!terminal.snapshot().connected, "it takes a host for present that has gone");

    let mut next = open();
    next.write_all(SYNCHRONIZE).await.unwrap();
    expect(&mut next, SYNCHRONIZED).await;
    drop(next);
    let gone = terminal.wait_for(|seen| !seen.connected);
    tokio::time::timeout(Duration::from_secs(10), gone).await.expect("it never sees the host leave");
}
