//! The task, with bytes typed by hand: over memory with a paused clock, then over real sockets and pseudo terminals.

use std::cell::Cell;
use std::fs::File;
use std::future::{Future, pending};
use std::io::{self, Read, Write};
use std::sync::Arc;
use std::thread::JoinHandle;
use std::time::Duration;

use actix::{Actor, Context, Handler, System};
use rustix::pty::{OpenptFlags, grantpt, openpt, ptsname, unlockpt};
use tokio::io::{AsyncReadExt, AsyncWriteExt, DuplexStream};
use tokio::sync::mpsc;

use super::exchange::{COMMIT, OK, approved};

use crate::id::TerminalId;
use crate::journal::record::Cause;
use crate::link::{
    Address, Event, Generation, Loss, Order, Orders, Outcome, Settings, Ticket, Timeouts, Told, Wire, open, open_with,
};
use crate::metrics::Metrics;
use crate::protocol::request::{Request, Setup, TimeoutAction};
use crate::protocol::response::Response;
use crate::protocol::{BlockFormat, Family, Quirks};
use crate::recorder::{self, Cards, Recorders, Tap};
use crate::time::{Clock, Timestamp};

// Host → terminal: preamble, length, magic, code, payload, sum.
const SYNCHRONIZE: [u8; 5] = [0xCC, 0x02, 0x3C, 0x24, 0x2E];
const ENABLE: [u8; 5] = [0xCC, 0x02, 0x3C, 0x12, 0x1C];
const COMMIT_10_100: [u8; 13] = [0xCC, 0x0A, 0x3C, 0x35, 0x00, 0x00, 0x00, 0x0A, 0x00, 0x00, 0x00, 0x64, 0xB5];

// Terminal → host.
const ECHO: [u8; 5] = [0xAA, 0x02, 0x3C, 0x24, 0x0C];
const RESULT_OK: [u8; 6] = [0xAA, 0x03, 0x3C, 0x00, 0x00, 0xE9];
const APPROVED_10: [u8; 9] = [0xAA, 0x06, 0x3C, 0x31, 0x00, 0x00, 0x00, 0x0A, 0x27];
const UNKNOWN: [u8; 6] = [0xAA, 0x03, 0x3C, 0x2A, 0x00, 0x13];

/// What every link here is opened as.
const GENERATION: Generation = Generation(7);

/// Hears what a link says, in order.
struct Ear(mpsc::UnboundedSender<Event>);

impl Actor for Ear {
    type Context = Context<Self>;
}

impl Handler<Told> for Ear {
    type Result = ();

    fn handle(&mut self, told: Told, _: &mut Self::Context) {
        assert_eq!(told.link, GENERATION);
        let _ = self.0.send(told.event);
    }
}

struct Line {
    orders: Option<Orders>,
    events: mpsc::UnboundedReceiver<Event>,
    tickets: Cell<u64>,
}

impl Line {
    fn new(address: Address, wire: Option<impl Future<Output = io::Result<Wire>> + 'static>) -> Self {
        Self::tapped(address, None, wire)
    }

    fn tapped(address: Address, tap: Option<Tap>, wire: Option<impl Future<Output = io::Result<Wire>> + 'static>) -> Self {
        let second = Duration::from_secs;
        let timeouts = Timeouts { command: second(10), commit: second(60), authorise: second(30), card: second(120) };
        let settings = Settings { address, family: Family::Apollo, quirks: Quirks::of(Family::Apollo), timeouts };
        let (ear, events) = mpsc::unbounded_channel();
        let (clock, ear) = (Clock::starting_at(Timestamp::from_unix_millis(0)), Ear(ear).start().recipient());
        let orders = match wire {
            Some(wire) => open_with(settings, BlockFormat::Default, GENERATION, clock, ear, tap, wire),
            None => open(settings, BlockFormat::Default, GENERATION, clock, ear, tap),
        };
        Self { orders: Some(orders), events, tickets: Cell::new(0) }
    }

    fn to(address: Address) -> Self {
        Self::new(address, None::<std::future::Pending<_>>)
    }

    /// Tickets count from 1.
    fn ask(&self, request: Request) {
        self.try_ask(request).unwrap();
    }

    #[expect(clippy::result_large_err, reason = "as in what it calls")]
    fn try_ask(&self, request: Request) -> Result<(), Order> {
        self.tickets.set(self.tickets.get() + 1);
        self.orders.as_ref().unwrap().ask(Order { ticket: Ticket(self.tickets.get()), request })
    }

    async fn event(&mut self) -> Event {
        self.events.recv().await.expect("the link still has something to say")
    }

    /// How this one ended; it must be the next to end.
    async fn end_of(&mut self, expected: u64) -> Outcome {
        match self.event().await {
            Event::Ended { ticket, outcome, .. } if ticket == Ticket(expected) => outcome,
            other => panic!("instead of the end of {expected} came {other:?}"),
        }
    }

    /// The loss, and that nothing follows.
    async fn lost(&mut self) -> Loss {
        let Event::Lost(loss) = self.event().await else { panic!("another event came before the loss") };
        assert_eq!(self.events.recv().await, None);
        loss
    }
}

fn tcp() -> Address {
    Address::Tcp("terminal:3201".into())
}

fn serial() -> Address {
    Address::Serial { path: "/dev/terminal".into(), baud: 57_600 }
}

/// A link over memory, opened, and the terminal's end of it.
async fn pipe(address: Address, size: usize) -> (Line, DuplexStream) {
    let (ours, theirs) = tokio::io::duplex(size);
    let mut line = Line::new(address, Some(async { Ok(Wire::Pipe(ours)) }));
    assert_eq!(line.event().await, Event::Opened);
    (line, theirs)
}

/// The same, after Synchronize, which used ticket 1.
async fn in_step(address: Address) -> (Line, DuplexStream) {
    let (mut line, mut theirs) = pipe(address, 1024).await;
    line.ask(Request::Synchronize);
    assert_eq!(received(&mut theirs).await, SYNCHRONIZE);
    theirs.write_all(&ECHO).await.unwrap();
    assert_eq!(line.end_of(1).await, Outcome::Answered(Response::Synchronize));
    (line, theirs)
}

async fn received<const N: usize>(theirs: &mut DuplexStream) -> [u8; N] {
    let mut bytes = [0; N];
    theirs.read_exact(&mut bytes).await.unwrap();
    bytes
}

/// Runs on an arbiter whose clock moves only when everything waits.
fn paused(test: impl Future<Output = ()>) {
    let runtime = || tokio::runtime::Builder::new_current_thread().enable_all().start_paused(true).build().unwrap();
    System::with_tokio_rt(runtime).block_on(test);
}

#[test]
fn requests_and_answers_cross_the_wire() {
    paused(async {
        let (mut line, mut theirs) = in_step(tcp()).await;
        line.ask(COMMIT);
        assert_eq!(received(&mut theirs).await, COMMIT_10_100);
        tokio::time::sleep(Duration::from_millis(250)).await;
        // In two pieces.
        theirs.write_all(&RESULT_OK[..2]).await.unwrap();
        tokio::time::sleep(Duration::from_millis(750)).await;
        theirs.write_all(&RESULT_OK[2..]).await.unwrap();
        let Event::Ended { ticket: Ticket(2), outcome, took } = line.event().await else { panic!() };
        assert_eq!(outcome, Outcome::Answered(OK));
        assert_eq!(took, Duration::from_secs(1));
    });
}

#[test]
fn a_silent_terminal_is_late() {
    paused(async {
        let (mut line, _theirs) = in_step(tcp()).await;
        line.ask(Request::Enable);
        let expected =
            Event::Ended { ticket: Ticket(2), outcome: Outcome::Unanswered(Cause::Timeout), took: Duration::from_secs(10) };
        assert_eq!(line.event().await, expected);
        assert_eq!(line.lost().await, Loss::Timeout("enable"));
    });
}

#[test]
fn a_terminal_that_takes_no_bytes_is_late() {
    paused(async {
        // One byte fits into the wire, so the request may have begun to arrive.
        let (mut line, _theirs) = pipe(tcp(), 1).await;
        line.ask(Request::Synchronize);
        assert_eq!(line.end_of(1).await, Outcome::Unanswered(Cause::Timeout));
        assert_eq!(line.lost().await, Loss::Timeout("synchronize"));
    });
}

#[test]
fn a_closed_wire_ends_what_is_open() {
    paused(async {
        let (mut line, theirs) = in_step(tcp()).await;
        line.ask(COMMIT);
        tokio::time::sleep(Duration::from_millis(1)).await;
        drop(theirs);
        assert_eq!(line.end_of(2).await, Outcome::Unanswered(Cause::LinkLost));
        assert_eq!(line.lost().await, Loss::Closed);
        assert!(line.try_ask(Request::Enable).is_err());
    });
}

#[test]
fn an_order_that_meets_a_closed_wire_was_not_sent() {
    paused(async {
        let (mut line, theirs) = in_step(tcp()).await;
        line.ask(COMMIT);
        drop(theirs);
        assert_eq!(line.end_of(2).await, Outcome::Unsent);
        assert_eq!(line.lost().await, Loss::Closed);
    });
}

#[test]
fn dropping_the_handle_closes_the_wire() {
    paused(async {
        let (mut line, mut theirs) = in_step(tcp()).await;
        line.ask(COMMIT);
        assert_eq!(received(&mut theirs).await, COMMIT_10_100);
        line.orders = None;
        assert_eq!(line.end_of(2).await, Outcome::Unanswered(Cause::LinkLost));
        assert_eq!(line.lost().await, Loss::Dropped);
        assert_eq!(theirs.read(&mut [0; 1]).await.unwrap(), 0);
    });
}

#[test]
fn orders_wait_for_the_wire_and_come_back_unsent_without_one() {
    paused(async {
        let mut line = Line::new(tcp(), Some(pending()));
        (0..4).for_each(|_| line.ask(Request::Synchronize));
        assert!(line.try_ask(Request::Synchronize).is_err(), "the fifth does not fit");
        line.orders = None;
        for ticket in 1..=4 {
            assert_eq!(line.end_of(ticket).await, Outcome::Unsent);
        }
        assert_eq!(line.lost().await, Loss::Dropped);

        let mut line = Line::new(tcp(), Some(async { Err(io::Error::other("no such place")) }));
        line.ask(Request::Synchronize);
        assert_eq!(line.end_of(1).await, Outcome::Unsent);
        assert_eq!(line.lost().await, Loss::Refused("no such place".into()));
    });
}

#[test]
fn garbage_loses_a_stream() {
    paused(async {
        let (mut line, mut theirs) = in_step(tcp()).await;
        line.ask(COMMIT);
        assert_eq!(received(&mut theirs).await, COMMIT_10_100);
        theirs.write_all(&[0xAA, 0x03, 0x3C, 0x00, 0x00, 0xE8]).await.unwrap();
        assert_eq!(line.event().await, Event::FrameError("checksum"));
        assert_eq!(line.end_of(2).await, Outcome::Unanswered(Cause::LinkLost));
        assert_eq!(line.lost().await, Loss::Garbage);
    });
}

/// Asking an Apollo for what only a P6X has leaves nothing on the wire, and the next request goes its way.
#[test]
fn what_the_family_does_not_know_never_leaves() {
    paused(async {
        let (mut line, mut theirs) = in_step(tcp()).await;
        line.ask(Request::ListSessions { offset: 0 });
        assert_eq!(line.end_of(2).await, Outcome::Unsent);
        line.ask(Request::GetStatus);
        assert_eq!(received(&mut theirs).await, [0xCC, 0x02, 0x3C, 0x26, 0x30]);
    });
}

#[test]
fn a_sound_frame_that_we_do_not_know_is_counted_and_no_more() {
    paused(async {
        let (mut line, mut theirs) = in_step(tcp()).await;
        line.ask(Request::Enable);
        assert_eq!(received(&mut theirs).await, ENABLE);
        theirs.write_all(&UNKNOWN).await.unwrap();
        theirs.write_all(&RESULT_OK).await.unwrap();
        assert_eq!(line.event().await, Event::FrameError("unknown_message"));
        assert_eq!(line.end_of(2).await, Outcome::Answered(OK));
    });
}

#[test]
fn an_approval_out_of_the_blue_is_told_first() {
    paused(async {
        let (mut line, mut theirs) = in_step(tcp()).await;
        theirs.write_all(&APPROVED_10).await.unwrap();
        assert_eq!(line.event().await, Event::Unasked(approved()));
        assert_eq!(line.lost().await, Loss::OutOfStep);
    });
}

/// What came before the other side hung up is heard, although there is something to write that it no longer takes.
#[test]
fn last_words_are_heard() {
    paused(async {
        let (mut line, mut theirs) = in_step(tcp()).await;
        theirs.write_all(&APPROVED_10).await.unwrap();
        drop(theirs);
        line.ask(Request::Enable);
        assert_eq!(line.event().await, Event::Unasked(approved()));
        assert_eq!(line.end_of(2).await, Outcome::Unsent);
        assert_eq!(line.lost().await, Loss::OutOfStep);
    });
}

#[test]
fn a_serial_line_resynchronises() {
    paused(async {
        let (mut line, mut theirs) = in_step(serial()).await;
        line.ask(Request::Enable);
        assert_eq!(received(&mut theirs).await, ENABLE);
        theirs.write_all(&[0x55, 0x00]).await.unwrap();
        theirs.write_all(&RESULT_OK).await.unwrap();
        assert_eq!(line.event().await, Event::FrameError("preamble"));
        assert_eq!(line.end_of(2).await, Outcome::Answered(OK));

        line.ask(COMMIT);
        assert_eq!(line.end_of(3).await, Outcome::Unsent, "set up again before money");
        assert_eq!(line.lost().await, Loss::Garbage);
    });
}

#[test]
fn a_result_after_noise_does_not_settle_a_commit() {
    paused(async {
        let (mut line, mut theirs) = in_step(serial()).await;
        line.ask(COMMIT);
        assert_eq!(received(&mut theirs).await, COMMIT_10_100);
        let mut noisy = vec![0x55];
        noisy.extend(RESULT_OK);
        theirs.write_all(&noisy).await.unwrap();
        assert_eq!(line.event().await, Event::FrameError("preamble"));
        assert_eq!(line.end_of(2).await, Outcome::Unanswered(Cause::Resynchronised));
        assert_eq!(line.lost().await, Loss::Garbage);
    });
}

/// What crosses a noisy serial line is recorded as the link saw it: whole frames of both sides however the bytes came, what was
/// no frame as noise, and what the last frame lacked.
#[test]
fn what_crosses_the_wire_is_recorded() {
    let folder = tempfile::tempdir().unwrap();
    let record = recorder::Settings { path: folder.path().join("a.psp"), size: 1 << 20, cards: Cards::Masked };
    paused(async {
        let terminal: TerminalId = "a".parse().unwrap();
        let clock = Clock::starting_at(Timestamp::from_unix_millis(0));
        let currency = "EUR".parse().unwrap();
        let metrics = Metrics::new("0", "0", currency, &[(terminal.clone(), Family::Apollo)]);
        let recorders = Recorders::new(clock, Arc::new(metrics));
        let tap = recorders.tap(&terminal, Family::Apollo, Quirks::of(Family::Apollo), &record);
        // Nine bytes fit into the wire, so the Setup of ten never leaves as a whole.
        let (ours, mut theirs) = tokio::io::duplex(9);
        let mut line = Line::tapped(serial(), tap, Some(async { Ok(Wire::Pipe(ours)) }));
        assert_eq!(line.event().await, Event::Opened);
        line.ask(Request::Synchronize);
        assert_eq!(received(&mut theirs).await, SYNCHRONIZE);
        for piece in [&[0x55, 0x56][..], &ECHO[..2], &ECHO[2..]] {
            theirs.write_all(piece).await.unwrap();
            tokio::time::sleep(Duration::from_millis(1)).await;
        }
        assert_eq!(line.event_but_errors().await.outcome(), Some(Outcome::Answered(Response::Synchronize)));
        line.ask(Request::Setup(Setup { timeout_seconds: 60, action: TimeoutAction::Void }));
        tokio::time::sleep(Duration::from_millis(10)).await;
        theirs.write_all(&RESULT_OK[..5]).await.unwrap();
        tokio::time::sleep(Duration::from_millis(1)).await;
        drop(theirs);
        while !matches!(line.event().await, Event::Lost(_)) {}
        drop(line);
        recorders.close();
    });
    let text = std::fs::read_to_string(&record.path).unwrap();
    let lines: Vec<&str> = text.lines().map(|line| line.split_once("Z 1 ").map_or(line, |(_, what)| what)).collect();
    let expected = [
        "# quittance-frames 1 terminal=a family=apollo cards=masked part=begun",
        "opened serial /dev/terminal at 57600 baud",
        "host CC 02 3C 24 2E",
        "noise 2 preamble",
        "terminal AA 02 3C 24 0C",
        "host cut 9 of 10",
        "noise 5 incomplete AA 03 3C 00",
        "lost the other side closed the link, or the device was unplugged",
    ];
    assert_eq!(lines, expected);
}

impl Event {
    fn outcome(self) -> Option<Outcome> {
        if let Self::Ended { outcome, .. } = self { Some(outcome) } else { None }
    }
}

#[test]
fn silence_within_a_frame_frees_what_hides_behind_it() {
    paused(async {
        let (mut line, mut theirs) = in_step(serial()).await;
        line.ask(Request::Enable);
        assert_eq!(received(&mut theirs).await, ENABLE);
        // A Request Ids Response of 0x40 bytes, cut off at its beginning; the Result then looks like a part of it.
        theirs.write_all(&[0xAA, 0x40, 0x3C, 0x27]).await.unwrap();
        theirs.write_all(&RESULT_OK).await.unwrap();
        assert_eq!(line.event().await, Event::FrameError("length"));
        let Event::Ended { ticket: Ticket(2), outcome, took } = line.event_but_errors().await else { panic!() };
        assert_eq!(outcome, Outcome::Answered(OK));
        assert_eq!(took, Duration::from_millis(500));
    });
}

impl Line {
    async fn event_but_errors(&mut self) -> Event {
        loop {
            match self.event().await {
                Event::FrameError(_) => {}
                other => return other,
            }
        }
    }
}

#[test]
fn what_is_still_on_a_serial_line_is_forgotten() {
    paused(async {
        let (ours, mut theirs) = tokio::io::duplex(1024);
        theirs.write_all(&APPROVED_10).await.unwrap();
        let mut line = Line::new(serial(), Some(async { Ok(Wire::Pipe(ours)) }));
        assert_eq!(line.event().await, Event::Opened);
        line.ask(Request::Synchronize);
        assert_eq!(received(&mut theirs).await, SYNCHRONIZE);
        theirs.write_all(&ECHO).await.unwrap();
        assert_eq!(line.end_of(1).await, Outcome::Answered(Response::Synchronize));
    });
}

#[test]
fn a_line_that_is_never_quiet_is_used_all_the_same() {
    paused(async {
        let (ours, mut theirs) = tokio::io::duplex(16);
        actix::spawn(async move {
            // A byte every 50 ms, which no frame begins with.
            while theirs.write_all(&[0x00]).await.is_ok() {
                tokio::time::sleep(Duration::from_millis(50)).await;
            }
        });
        let mut line = Line::new(serial(), Some(async { Ok(Wire::Pipe(ours)) }));
        assert_eq!(line.event().await, Event::Opened);
        line.ask(Request::Synchronize);
        assert_eq!(
            line.event_but_errors().await,
            Event::Ended { ticket: Ticket(1), outcome: Outcome::Unanswered(Cause::Timeout), took: Duration::from_secs(10) }
        );
        assert_eq!(line.lost().await, Loss::Timeout("synchronize"));
    });
}

/// The terminal's side of Synchronize and Commit.
fn serve<S: Read + Write>(mut stream: S) -> S {
    let mut bytes = [0; 5];
    stream.read_exact(&mut bytes).unwrap();
    assert_eq!(bytes, SYNCHRONIZE);
    stream.write_all(&ECHO).unwrap();
    let mut bytes = [0; 13];
    stream.read_exact(&mut bytes).unwrap();
    assert_eq!(bytes, COMMIT_10_100);
    stream.write_all(&RESULT_OK).unwrap();
    stream
}

/// Our side of the same; then the terminal hangs up.
async fn use_terminal<S>(mut line: Line, terminal: JoinHandle<S>) {
    assert_eq!(line.event().await, Event::Opened);
    line.ask(Request::Synchronize);
    assert_eq!(line.end_of(1).await, Outcome::Answered(Response::Synchronize));
    line.ask(COMMIT);
    assert_eq!(line.end_of(2).await, Outcome::Answered(OK));
    drop(terminal.join().unwrap());
    assert_eq!(line.lost().await, Loss::Closed);
}

#[actix::test]
async fn a_terminal_is_reached_over_tcp() {
    let listener = std::net::TcpListener::bind("127.0.0.1:0").unwrap();
    let address = Address::Tcp(listener.local_addr().unwrap().to_string());
    let terminal = std::thread::spawn(move || serve(listener.accept().unwrap().0));
    use_terminal(Line::to(address), terminal).await;
}

#[actix::test]
async fn a_refused_connection_says_who_refused() {
    // Bound and let go, so that nobody listens there.
    let nobody = std::net::TcpListener::bind("127.0.0.1:0").unwrap().local_addr().unwrap();
    let Loss::Refused(why) = Line::to(Address::Tcp(nobody.to_string())).lost().await else { panic!() };
    assert!(why.starts_with(&format!("cannot connect to {nobody}: ")), "{why}");

    let Loss::Refused(why) = Line::to(Address::Tcp("no port".into())).lost().await else { panic!() };
    assert!(why.starts_with("cannot look up no port: "), "{why}");
}

/// A pseudo terminal: the side that stands for the terminal, and the path of the other one.
fn pty() -> (File, String) {
    let master = openpt(OpenptFlags::RDWR | OpenptFlags::NOCTTY).unwrap();
    grantpt(&master).unwrap();
    unlockpt(&master).unwrap();
    let path = ptsname(&master, Vec::new()).unwrap().into_string().unwrap();
    (File::from(master), path)
}

#[actix::test]
async fn a_terminal_is_reached_over_a_serial_line() {
    let (master, path) = pty();
    let terminal = std::thread::spawn(move || serve(master));
    use_terminal(Line::to(Address::Serial { path, baud: 57_600 }), terminal).await;
}

#[actix::test]
async fn a_serial_line_is_ours_alone_until_it_is_closed() {
    let (_master, path) = pty();
    let address = Address::Serial { path: path.clone(), baud: 57_600 };
    let mut first = Line::to(address.clone());
    assert_eq!(first.event().await, Event::Opened);
    let Loss::Refused(why) = Line::to(address.clone()).lost().await else { panic!() };
    assert!(why.starts_with(&format!("cannot open {path}: it is in use by another program")), "{why}");

    first.orders = None;
    assert_eq!(first.lost().await, Loss::Dropped);
    assert_eq!(Line::to(address).event().await, Event::Opened, "the loss is told after the wire is closed");
}

#[actix::test]
async fn what_is_no_serial_line_is_explained() {
    let folder = tempfile::tempdir().unwrap();
    let missing = folder.path().join("missing").to_string_lossy().into_owned();
    let file = folder.path().join("file").to_string_lossy().into_owned();
    std::fs::write(&file, "text").unwrap();
    for (path, cause) in [(missing, "there is no such device"), (file, "it is no serial device")] {
        let Loss::Refused(why) = Line::to(Address::Serial { path: path.clone(), baud: 57_600 }).lost().await else { panic!() };
        assert!(why.starts_with(&format!("cannot open {path}: {cause}")), "{why}");
    }
}
