//! `termsim --console`: what a person types at simulated terminals, through a pipe.

use std::io::{BufRead, BufReader, Read, Write};
use std::net::TcpStream;
use std::process::{Child, ChildStdin, ChildStdout, Command, Stdio};

const TERMSIM: &str = env!("CARGO_BIN_EXE_termsim");

struct Console {
    child: Child,
    input: Option<ChildStdin>,
    output: BufReader<ChildStdout>,
    address: String,
}

impl Console {
    /// `bay-01`, an Apollo.
    fn open(folder: &std::path::Path) -> Self {
        let config = folder.join("termsim.toml");
        let text = "[[terminals]]\nid = \"bay-01\"\nfamily = \"apollo\"\nlisten = { tcp = \"127.0.0.1:0\" }\nquirks = { first_session_id = 10 }\n";
        std::fs::write(&config, text).unwrap();
        let mut command = Command::new(TERMSIM);
        command.arg("--config").arg(&config).arg("--console").env("RUST_LOG", "off");
        let mut child = command.stdin(Stdio::piped()).stdout(Stdio::piped()).spawn().unwrap();
        let (input, output) = (child.stdin.take(), BufReader::new(child.stdout.take().unwrap()));
        let mut console = Self { child, input, output, address: String::new() };
        let line = console.line();
        let words: Vec<&str> = line.split_whitespace().collect();
        let ["bay-01", "apollo", address] = words.as_slice() else { panic!("{line}") };
        console.address = (*address).to_owned();
        console
    }

    fn line(&mut self) -> String {
        let mut line = String::new();
        assert_ne!(self.output.read_line(&mut line).unwrap(), 0, "termsim has ended");
        line.trim_end().to_owned()
    }

    /// The first line of the answer.
    fn say(&mut self, line: &str) -> String {
        writeln!(self.input.as_mut().unwrap(), "{line}").unwrap();
        self.line()
    }

    /// Nothing more; the exit code and the rest of what it says.
    fn end(mut self) -> (Option<i32>, String) {
        let mut rest = String::new();
        self.output.read_to_string(&mut rest).unwrap();
        (self.child.wait().unwrap().code(), rest)
    }
}

/// A host of one frame at a time.
fn ask<const N: usize>(host: &mut TcpStream, frame: &[u8]) -> [u8; N] {
    host.write_all(frame).unwrap();
    let mut answer = [0; N];
    host.read_exact(&mut answer).unwrap();
    answer
}

const SYNCHRONIZE: &[u8] = &[0xCC, 0x02, 0x3C, 0x24, 0x2E];
const SETUP: &[u8] = &[0xCC, 0x07, 0x3C, 0x23, 0x00, 0x02, 0xA3, 0x00, 0x00, 0xD7];
const ENABLE: &[u8] = &[0xCC, 0x02, 0x3C, 0x12, 0x1C];
/// Start Session for 2500 with the reference 10, and Get Status behind it: when that is answered, a card is waited for.
const START: &[u8] =
    &[0xCC, 0x0A, 0x3C, 0x34, 0x00, 0x00, 0x09, 0xC4, 0x00, 0x00, 0x00, 0x0A, 0x1D, 0xCC, 0x02, 0x3C, 0x26, 0x30];
const WAIT_CARD: [u8; 7] = [0xAA, 0x04, 0x3C, 0x26, 0x10, 0x01, 0x21];
const AUTH: &[u8] = &[0xCC, 0x02, 0x3C, 0x36, 0x40];
const APPROVED_10: [u8; 10] = [0xAA, 0x07, 0x3C, 0x31, 0x00, 0x00, 0x00, 0x0A, 0x00, 0x28];

#[test]
fn a_person_holds_a_card_and_pulls_the_plug() {
    let folder = tempfile::tempdir().unwrap();
    let mut console = Console::open(folder.path());
    assert_eq!(console.say("tap bay-01"), "bay-01: it reads no such card now");

    let mut host = TcpStream::connect(&console.address).unwrap();
    ask::<5>(&mut host, SYNCHRONIZE);
    ask::<6>(&mut host, SETUP);
    ask::<6>(&mut host, ENABLE);
    assert_eq!(ask::<7>(&mut host, START), WAIT_CARD);
    let shown = console.say("show bay-01");
    assert!(shown.ends_with("wait_card, a host is connected"), "{shown}");
    assert_eq!(console.line(), "  screen: present your card, 2500, reference 10");
    assert_eq!(console.say("tap bay-01 card 3"), "bay-01: the card was read");
    let mut read = [0; 2];
    host.read_exact(&mut read).unwrap();
    host.read_exact(&mut vec![0; usize::from(read[1]) + 1]).unwrap();
    assert_eq!(ask::<10>(&mut host, AUTH), APPROVED_10);
    let shown = console.say("show");
    assert!(shown.ends_with("enabled, a host is connected"), "{shown}");
    assert!(console.line().starts_with("  session 10 holds 2500 of card "));

    assert_eq!(console.say("unplug bay-01"), "bay-01: unplugged");
    assert_eq!(host.read(&mut [0; 1]).unwrap(), 0, "the link is gone");
    assert_eq!(console.say("plug bay-01"), "bay-01: plugged");
    assert_eq!(console.say("cut bay-02"), "no terminal is called bay-02; `help` says what there is");
    assert_eq!(console.say("tap bay-01 card three"), "three is no number; `help` says what there is");
    assert!(console.say("dance").starts_with("dance is not known"));
    assert!(console.say("help").starts_with("show [TERMINAL]"));
    writeln!(console.input.as_mut().unwrap(), "quit").unwrap();
    let (code, rest) = console.end();
    assert_eq!(code, Some(0));
    assert!(rest.contains("open                      1                     2500"), "{rest}");
}

/// Without a console, and at its end, the terminals go on.
#[test]
fn terminals_outlive_the_console() {
    let folder = tempfile::tempdir().unwrap();
    let mut console = Console::open(folder.path());
    drop(console.input.take());
    let mut host = TcpStream::connect(&console.address).unwrap();
    assert_eq!(ask::<5>(&mut host, SYNCHRONIZE), [0xAA, 0x02, 0x3C, 0x24, 0x0C]);
    rustix::process::kill_process(rustix::process::Pid::from_child(&console.child), rustix::process::Signal::TERM).unwrap();
    assert_eq!(console.end().0, Some(0));
}
