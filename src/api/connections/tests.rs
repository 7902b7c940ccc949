//! Who has to go when there are too many connections.

use std::io::ErrorKind;
use std::net::TcpListener;

use super::*;

/// A client, and the connection as the server has it.
struct Pair {
    client: TcpStream,
    _server: TcpStream,
    connection: Connection,
}

fn connect(listener: &TcpListener, all: &Arc<Connections>) -> Pair {
    let client = TcpStream::connect(listener.local_addr().unwrap()).unwrap();
    client.set_nonblocking(true).unwrap();
    let server = listener.accept().unwrap().0;
    let connection = all.open(&server).unwrap();
    Pair { client, _server: server, connection }
}

impl Pair {
    fn is_open(&mut self) -> bool {
        match self.client.peek(&mut [0]) {
            Ok(_) => false,
            Err(error) => error.kind() == ErrorKind::WouldBlock,
        }
    }
}

fn open(pairs: &mut [Pair]) -> Vec<bool> {
    pairs.iter_mut().map(Pair::is_open).collect()
}

/// Strangers go in the order in which they came, whoever is known stays, and whoever is being answered stays in any case.
#[test]
fn strangers_go_first() {
    let listener = TcpListener::bind("127.0.0.1:0").unwrap();
    let all = Connections::new(4);
    let mut pairs: Vec<Pair> = (0..4).map(|_| connect(&listener, &all)).collect();
    pairs[0].connection.is_known();
    let busy = pairs[1].connection.work();
    pairs.push(connect(&listener, &all));
    assert_eq!(open(&mut pairs), [true, true, false, true, true]);
    pairs.push(connect(&listener, &all));
    assert_eq!(open(&mut pairs), [true, true, false, false, true, true]);

    // Those that are closed go out of the table when their side has noticed, and then there is room again.
    pairs.remove(3);
    pairs.remove(2);
    pairs.pop();
    pairs.push(connect(&listener, &all));
    assert_eq!(open(&mut pairs), [true; 4]);
    drop(busy);
    pairs.push(connect(&listener, &all));
    assert_eq!(open(&mut pairs), [true, true, false, true, true], "who was answered a moment ago was not quiet for longest");
}

/// Where all are being answered, the newcomer goes; those that are known go, too, the one that was quiet for longest first.
#[test]
fn everybody_is_known_or_busy() {
    let listener = TcpListener::bind("127.0.0.1:0").unwrap();
    let all = Connections::new(2);
    let mut pairs: Vec<Pair> = (0..2).map(|_| connect(&listener, &all)).collect();
    let busy: Vec<Busy> = pairs.iter().map(|pair| pair.connection.work()).collect();
    pairs.push(connect(&listener, &all));
    assert_eq!(open(&mut pairs), [true, true, false]);
    pairs.pop();

    drop(busy);
    pairs.iter().rev().for_each(|pair| pair.connection.is_known());
    pairs.push(connect(&listener, &all));
    assert_eq!(open(&mut pairs), [true, false, true], "the second one was heard before the first");
    assert_eq!(all.table().all.len(), 3);
    drop(pairs);
    assert!(all.table().all.is_empty() && all.table().idle.is_empty());
}

/// The journal and the links keep their file descriptors.
#[test]
fn descriptors_are_left_for_others() {
    assert_eq!(affordable(2000, None), 2000);
    assert_eq!(affordable(2000, Some(16_384)), 2000);
    assert_eq!(affordable(2000, Some(4096)), 1194);
    assert_eq!(affordable(2000, Some(1024)), 170);
    assert_eq!(affordable(2000, Some(100)), 16);
    assert_eq!(affordable(17, Some(100)), 16);
}
