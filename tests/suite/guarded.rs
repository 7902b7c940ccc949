//! Whoever asks without a token, too much, too slowly or too often is refused, cut or bounded, and disposals go on.

use std::io::{ErrorKind, Read, Write};
use std::net::TcpStream;
use std::time::Duration;

use rustix::process::{Resource, Rlimit, getrlimit, setrlimit};
use serde_json::Value;

use super::rig::{LIMIT, Rig};

/// The whole answer to these bytes, or its beginning if it does not end.
fn raw(rig: &Rig, request: &str, enough: impl Fn(&str) -> bool) -> String {
    let mut socket = TcpStream::connect(rig.api.address()).unwrap();
    socket.set_read_timeout(Some(LIMIT)).unwrap();
    socket.write_all(request.as_bytes()).unwrap();
    let (mut answer, mut buffer) = (String::new(), [0; 4096]);
    while !enough(&answer) {
        match socket.read(&mut buffer).unwrap() {
            0 => break,
            count => answer.push_str(&String::from_utf8_lossy(&buffer[..count])),
        }
    }
    answer
}

fn request(method: &str, path: &str, token: Option<&str>, more: &str) -> String {
    let token = token.map(|token| format!("Authorization: Bearer {token}\r\n")).unwrap_or_default();
    format!("{method} {path} HTTP/1.1\r\nHost: x\r\nConnection: close\r\n{token}{more}\r\n")
}

/// The status of an answer; the rest is not waited for, since events never end.
fn status(rig: &Rig, request: &str) -> u16 {
    let answer = raw(rig, request, |answer| answer.contains("\r\n\r\n"));
    answer.split(' ').nth(1).unwrap_or_else(|| panic!("{answer:?}")).parse().unwrap()
}

/// Every operation that is described, with no token, a wrong one, and one of each role: 401 without, 403 below the role that is described,
/// and neither from that role on.
#[test]
fn every_operation_with_every_role() {
    let rig = Rig::pair().token("admin-token").bearer("viewer", "viewer-token").bearer("operator", "operator-token").start();
    let described = rig.api.get("/openapi.json").1;
    let bearers = [None, Some("wrong"), Some("viewer-token"), Some("operator-token"), Some("admin-token")];
    let mut tried = 0;
    for (path, item) in described["paths"].as_object().unwrap() {
        for (method, operation) in item.as_object().unwrap() {
            let role = operation["security"][0]["token"][0].as_str();
            // Nobody has this name, so that nothing is done.
            let path = path.replace("{id}", "nobody");
            for (rank, token) in bearers.iter().enumerate() {
                let least = match role {
                    None => 0,
                    Some("viewer") => 2,
                    Some("operator") => 3,
                    Some("admin") => 4,
                    Some(other) => panic!("{other} is no role"),
                };
                let came = status(&rig, &request(&method.to_uppercase(), &path, *token, ""));
                let case = format!("{method} {path} as {token:?}: {came}");
                match rank {
                    _ if rank >= least => assert!(came != 401 && came != 403 && came != 405, "{case}"),
                    0 | 1 => assert_eq!(came, 401, "{case}"),
                    _ => assert_eq!(came, 403, "{case}"),
                }
                tried += 1;
            }
        }
    }
    assert!(tried >= 5 * 20);
    rig.finish();
}

/// Bodies that are too long are refused before they have come, announced or not; one that does not come is told so; a head that does
/// not end is cut. All of them at once keep nobody from a commit.
#[test]
fn bodies_and_heads_without_end() {
    let rig = Rig::pair().token("secret").start();
    let session = rig.approve("apollo-1", 5000);
    let path = format!("/v1/sessions/{session}/commit");
    let post = |more: &str| request("POST", &path, Some("secret"), &format!("Content-Type: application/json\r\n{more}"));
    let long = format!("{}{}", post("Content-Length: 1000000000\r\n"), " ".repeat(17_000));
    let chunks = format!("4000\r\n{}\r\n", " ".repeat(0x4000)).repeat(2);
    let chunked = format!("{}{chunks}", post("Transfer-Encoding: chunked\r\n"));
    let slow = format!("{}{{", post("Content-Length: 15\r\n"));
    let endless = "POST /v1/sessions HTTP/1.1\r\nHost:".to_owned();
    let cases = [
        (long, "HTTP/1.1 413 ", "\"code\":\"too_large\""),
        (chunked, "HTTP/1.1 413 ", "\"code\":\"too_large\""),
        (slow, "HTTP/1.1 408 ", "\"code\":\"too_slow\""),
        (endless, "HTTP/1.1 408 ", ""),
    ];
    std::thread::scope(|scope| {
        for (request, status, code) in cases.iter().cycle().take(8 * cases.len()) {
            let rig = &rig;
            scope.spawn(move || {
                // The connection is closed soon after; a body in chunks is read to its end and thrown away.
                let answer = raw(rig, request, |answer| answer.contains("\r\n\r\n") && answer.contains(code));
                assert!(answer.starts_with(status) && answer.contains("connection: close\r\n"), "{answer}");
            });
        }
        let other = rig.approve("p6x-1", 5000);
        assert_eq!(rig.commit(&other, 1500)["state"], "committed");
    });
    assert_eq!(rig.session(&session)["state"], "approved", "half a commit is none");
    assert_eq!(rig.commit(&session, 700)["state"], "committed");
    rig.finish();
}

/// A client that asks without end is told when to come again; its commits and energy are taken all the same, and others do not notice.
#[test]
fn too_many_requests_are_refused_and_disposals_go_on() {
    let rig = Rig::builder().apollos(1).token("secret").bearer("viewer", "other").api("requests_per_second", "2").start();
    let session = rig.approve("apollo-1", 5000);
    let read = |token| raw(&rig, &request("GET", "/v1/terminals", Some(token), ""), |_| false);
    let refused = (0..1000).map(|_| read("secret")).find(|answer| !answer.starts_with("HTTP/1.1 200 ")).unwrap();
    assert!(refused.starts_with("HTTP/1.1 429 ") && refused.contains("\"code\":\"too_many_requests\""), "{refused}");
    assert!(refused.contains("retry-after: 1\r\n"), "{refused}");
    (1..100).for_each(|amount| rig.energy(&session, amount));
    assert_eq!(rig.commit(&session, 700)["state"], "committed");
    assert!(read("other").starts_with("HTTP/1.1 200 "));
    assert!((0..100).all(|_| status(&rig, &request("GET", "/readyz", None, "")) == 200));
    rig.finish();
}

/// Ten thousand connections that say nothing: no more of them are kept than may be, a connection that was there before goes on, and so
/// does a new one.
#[test]
fn ten_thousand_idle_connections() {
    const MOST: usize = 500;
    let limit = getrlimit(Resource::Nofile);
    setrlimit(Resource::Nofile, Rlimit { current: limit.maximum, ..limit }).unwrap();
    let possible = limit.maximum.map_or(usize::MAX, |most| usize::try_from(most.saturating_sub(2000)).unwrap());
    let wanted = possible.min(10_000);
    if wanted < 10_000 {
        eprintln!("only {wanted} idle connections: this process may not open more files (ulimit -Hn)");
    }
    let rig = Rig::pair().token("secret").api("max_connections", &MOST.to_string()).start();
    // The rig keeps the connection on which it asks.
    let sessions = ["apollo-1", "p6x-1"].map(|terminal| rig.approve(terminal, 5000));
    let mut idle = Vec::with_capacity(wanted);
    for number in 0..wanted {
        let socket = TcpStream::connect(rig.api.address()).unwrap();
        socket.set_nonblocking(true).unwrap();
        idle.push(socket);
        if number == wanted / 2 {
            assert_eq!(rig.commit(&sessions[0], 1500)["state"], "committed");
        }
    }
    let path = format!("/v1/sessions/{}/commit", sessions[1]);
    let body = "{\"amount\":700}";
    let more = format!("Content-Type: application/json\r\nContent-Length: {}\r\n", body.len());
    let answer = raw(&rig, &format!("{}{body}", request("POST", &path, Some("secret"), &more)), |_| false);
    assert!(answer.starts_with("HTTP/1.1 200 ") && answer.contains("\"state\":\"committed\""), "{answer}");
    // Each may cost a second descriptor; terminals, journal and the rest have some dozens.
    let files = rig.metric("process_open_fds", &[]);
    assert!(files < (2 * MOST + 1000) as f64, "{files} files are open");
    let mut open = || idle.iter_mut().filter_map(|socket| is_open(socket).then_some(())).count();
    rig.until("bounded", || (open() <= MOST).then_some(()));
    assert!(rig.said().contains("more connections to the API than there may be"));
    rig.finish();
}

fn is_open(socket: &mut TcpStream) -> bool {
    let mut byte = [0];
    matches!(socket.read(&mut byte), Err(error) if error.kind() == ErrorKind::WouldBlock)
}

/// With TLS, connections that never begin their handshake are cut, and keep nobody from theirs.
#[test]
fn handshakes_that_never_begin() {
    let folder = tempfile::tempdir().unwrap();
    let ca = super::rig::certificates::Authority::new(folder.path(), "ca");
    let rig = Rig::builder().apollos(1).api_tls(ca.sign("api", &["127.0.0.1"]), ca.file()).start();
    let session = rig.approve("apollo-1", 5000);
    // More than the usual limit of handshakes at once, and one of them after another.
    let mut silent: Vec<TcpStream> = (0..1000).map(|_| TcpStream::connect(rig.api.address()).unwrap()).collect();
    assert_eq!(rig.commit(&session, 1500)["state"], "committed");
    for socket in &mut silent {
        socket.set_read_timeout(Some(Duration::from_secs(60))).unwrap();
        // Closed, in one way or the other.
        let closed = match socket.read(&mut [0]) {
            Ok(read) => read == 0,
            Err(error) => !matches!(error.kind(), ErrorKind::WouldBlock | ErrorKind::TimedOut),
        };
        assert!(closed);
    }
    let described: Value = rig.api.get("/openapi.json").1;
    assert_eq!(described["openapi"], "3.1.0");
    rig.finish();
}
