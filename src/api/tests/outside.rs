//! The API on a real socket.

use std::io::{Read, Write};
use std::net::{SocketAddr, TcpListener, TcpStream};

use actix_web::dev::ServerHandle;

use super::*;
use crate::api::{Settings, serve};

/// Serves on a free port of its own thread.
pub(crate) struct Served {
    pub(crate) address: SocketAddr,
    handle: ServerHandle,
    thread: std::thread::JoinHandle<std::io::Result<()>>,
}

impl Served {
    pub(crate) fn start(depot: Scripted, tokens: Vec<Token>) -> Self {
        let (tell, told) = std::sync::mpsc::channel();
        let thread = std::thread::spawn(move || {
            actix::System::new().block_on(async move {
                let settings = Settings::at("127.0.0.1:0".parse().unwrap());
                let live = live(&depot, tokens);
                let (server, address) = serve("depot".to_owned(), settings, live, None, depot, String::new)?;
                tell.send((address, server.handle())).unwrap();
                server.await
            })
        });
        let (address, handle) = told.recv().unwrap();
        Self { address, handle, thread }
    }

    /// Stops it in the orderly way, and sees that it ended well.
    pub(crate) fn stop(self) {
        let stopped = self.handle.stop(true);
        let runtime = tokio::runtime::Builder::new_current_thread().build().unwrap();
        runtime.block_on(stopped);
        self.thread.join().unwrap().unwrap();
    }
}

/// What a plain socket gets for these bytes, until the server closes.
fn raw(address: SocketAddr, request: &str) -> String {
    let mut socket = TcpStream::connect(address).unwrap();
    socket.set_read_timeout(Some(Duration::from_secs(30))).unwrap();
    socket.write_all(request.as_bytes()).unwrap();
    let mut reply = String::new();
    socket.read_to_string(&mut reply).unwrap();
    reply
}

/// Over a socket: an answer, a refused one, one that is cut off, and after all that the server still serves and stops.
#[test]
fn a_real_server() {
    let served = Served::start(Scripted::new(held()), tokens());
    let request = |line: &str, more: &str| format!("{line} HTTP/1.1\r\nHost: x\r\nConnection: close\r\n{more}\r\n");
    let ready = raw(served.address, &request("GET /readyz", ""));
    assert!(ready.starts_with("HTTP/1.1 200 OK\r\n") && ready.ends_with(r#"{"ready":true,"reasons":[]}"#), "{ready}");
    assert!(ready.contains("cache-control: no-store\r\n"), "{ready}");

    let one = request(&format!("GET {}", path("")), "Authorization: Bearer viewer-token\r\n");
    let one = raw(served.address, &one);
    assert!(one.contains(r#""state":"approved""#), "{one}");
    let refused = raw(served.address, &request(&format!("GET {}", path("")), ""));
    assert!(refused.starts_with("HTTP/1.1 401 ") && refused.contains("www-authenticate: Bearer"), "{refused}");

    // More is announced than is ever sent: the answer does not wait for it.
    let endless = "Authorization: Bearer operator-token\r\nContent-Type: application/json\r\nContent-Length: 1000000\r\n";
    let cut = raw(served.address, &format!("{}{}", request("POST /v1/sessions", endless), " ".repeat(17_000)));
    assert!(cut.starts_with("HTTP/1.1 413 "), "{cut}");

    let noise = raw(served.address, "\u{1}\u{2}\u{3}\r\n\r\n");
    assert!(noise.starts_with("HTTP/1.1 400 "), "{noise}");
    let again = raw(served.address, &request("GET /healthz", ""));
    assert!(again.ends_with(r#"{"status":"ok"}"#), "{again}");
    served.stop();
}

/// A port that somebody else has is one clear line, and no panic.
#[test]
fn an_address_in_use() {
    let taken = TcpListener::bind("127.0.0.1:0").unwrap();
    let listen = taken.local_addr().unwrap();
    let settings = Settings::at(listen);
    let depot = Scripted::new(opened());
    let error = serve("depot".to_owned(), settings, live(&depot, Vec::new()), None, depot, String::new).err().unwrap();
    assert_eq!(error.kind(), std::io::ErrorKind::AddrInUse);
    assert!(error.to_string().starts_with(&format!("the API cannot listen on {listen}: ")), "{error}");
}
