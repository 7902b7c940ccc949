//! The wires between the orchestrator and the terminals, as bytes: slow, noisy, cut. What the orchestrator writes is looked at here
//! before anything happens to it: no money frame may leave before its intent is durable (G1).

use std::collections::VecDeque;
use std::future::Future;
use std::io;
use std::pin::Pin;
use std::sync::Arc;
use std::time::Duration;

use bytes::BytesMut;
use quittance::id::TerminalSessionId;
use quittance::journal::record::{DeadManAction, Decision};
use quittance::protocol::request::TimeoutAction;
use quittance::protocol::{Family, Request};
use quittance::sim::{Heard, Parcel, Port};
use tokio::io::{AsyncReadExt, AsyncWriteExt, DuplexStream};
use tokio::sync::mpsc;
use tokio::time::Instant;

use super::world::World;

/// So much is under way in a wire at most.
const WIRE: usize = 1 << 16;

/// PSP, List Sessions Response.
const LIST: u8 = 0x30;

/// PSP, Result.
const RESULT: u8 = 0x00;

type Coming = Pin<Box<dyn Future<Output = io::Result<DuplexStream>>>>;

/// The orchestrator connects to the terminal of this index.
pub(crate) fn connect(world: &Arc<World>, terminal: usize) -> Coming {
    let world = Arc::clone(world);
    Box::pin(async move {
        let (wait, refused, hangs, panics) = {
            let (plan, mut dice) = (&world.plan.line, world.dice());
            let wait = dice.millis(1, 20);
            let stormy = world.stormy();
            let refused = stormy && dice.chance(plan.refused);
            (wait, refused, refused && dice.chance(0.3), stormy && dice.chance(plan.panics))
        };
        tokio::time::sleep(if hangs { Duration::from_secs(5) } else { wait }).await;
        if panics && !std::thread::panicking() {
            world.note(|| format!("{}      PANIC in the task of the link", world.name(terminal)));
            world.inject_panic();
            std::panic::resume_unwind(Box::new("told to"));
        }
        if refused || !world.port(terminal).plugged() {
            world.note(|| format!("{}      the connection is refused", world.name(terminal)));
            return Err(if hangs { io::ErrorKind::TimedOut } else { io::ErrorKind::ConnectionRefused }.into());
        }
        let (ours, theirs) = tokio::io::duplex(WIRE);
        if world.alive() && world.arrive(terminal, theirs) {
            return Ok(ours);
        }
        std::future::pending().await
    })
}

/// Bytes on their way.
type Flying = VecDeque<Piece>;

struct Piece {
    due: Instant,
    bytes: BytesMut,
    noise: bool,
}

struct Guest {
    stream: DuplexStream,
    /// What the orchestrator has written, for the witness.
    seen: BytesMut,
    to_terminal: Flying,
    /// What has arrived at the terminal.
    heard: BytesMut,
    to_host: Flying,
    /// The session whose Commit or Void the terminal has not answered yet.
    owed: Option<TerminalSessionId>,
    /// It is not the terminal that the orchestrator expects.
    wrong: bool,
    /// The last list was caught in the middle of a change: the next one is as it is.
    list_moved: bool,
}

enum Event {
    Arrived(DuplexStream),
    Read(io::Result<usize>),
    Woken,
}

/// The terminal's end, for as long as the orchestrator lives.
pub(crate) async fn serve(world: Arc<World>, terminal: usize, mut arrivals: mpsc::UnboundedReceiver<DuplexStream>) {
    let port = world.port(terminal);
    let mut guest: Option<Guest> = None;
    let mut buffer = BytesMut::with_capacity(1024);
    while world.alive() {
        port.tick();
        if !port.plugged() && guest.take().is_some() {
            port.disconnected();
        }
        pack(&world, terminal, &port, &mut guest);
        deliver(&world, terminal, &port, &mut guest).await;
        if !world.alive() {
            break;
        }
        let next = next_wake(&port, guest.as_ref());
        let event = tokio::select! {
            biased;
            Some(stream) = arrivals.recv() => Event::Arrived(stream),
            read = read(guest.as_mut(), &mut buffer) => Event::Read(read),
            () = port.woken() => Event::Woken,
            () = until(next) => Event::Woken,
        };
        match event {
            Event::Arrived(stream) => {
                if guest.take().is_some() {
                    port.disconnected();
                }
                world.note(|| format!("{}      the link is open", world.name(terminal)));
                guest = Some(Guest {
                    stream,
                    seen: BytesMut::new(),
                    to_terminal: Flying::new(),
                    heard: BytesMut::new(),
                    to_host: Flying::new(),
                    owed: None,
                    wrong: world.is_wrong(terminal),
                    list_moved: false,
                });
                port.connected();
            }
            Event::Read(Ok(1..)) => {
                if let Some(guest) = guest.as_mut() {
                    guest.seen.extend_from_slice(&buffer);
                    while let Some((heard, _)) = port.take_frame(&mut guest.seen) {
                        witness(&world, terminal, &heard, guest.wrong && world.is_wrong(terminal));
                        if let Heard::Request(Request::CommitSession { session, .. } | Request::VoidSession { session }) = heard
                        {
                            guest.owed = Some(session);
                        }
                    }
                    let bytes = std::mem::take(&mut buffer);
                    send(&world, terminal, Towards::Terminal, &mut guest.to_terminal, bytes);
                    buffer = BytesMut::with_capacity(1024);
                }
            }
            Event::Read(_) => {
                world.note(|| format!("{}      the orchestrator has closed the link", world.name(terminal)));
                // What is under way may still arrive, or not.
                let arrives = world.dice().chance(0.5);
                if let Some(mut guest) = guest.take().filter(|_| arrives) {
                    for piece in std::mem::take(&mut guest.to_terminal) {
                        guest.heard.extend_from_slice(&piece.bytes);
                    }
                    while let Some((heard, bytes)) = port.take_frame(&mut guest.heard) {
                        port.receive(heard, bytes);
                    }
                }
                port.disconnected();
            }
            Event::Woken => {}
        }
    }
    drop(guest);
    port.disconnected();
}

/// What the terminal has to say goes on its way.
fn pack(world: &World, terminal: usize, port: &Port, guest: &mut Option<Guest>) {
    while let Some(parcel) = port.next_parcel(guest.is_some()) {
        match (parcel, guest.as_mut()) {
            (Parcel::Bytes(bytes), Some(open)) => {
                world.note(|| format!("{}   -> {}", world.name(terminal), told(&bytes)));
                let mut bytes = BytesMut::from(bytes.as_ref());
                if bytes.get(3) == Some(&LIST) {
                    open.list_moved = !open.list_moved && move_list(world, terminal, &mut bytes);
                }
                send(world, terminal, Towards::Host, &mut open.to_host, bytes);
            }
            (Parcel::Cut, Some(_)) => {
                world.note(|| format!("{}      THE LINK IS CUT", world.name(terminal)));
                *guest = None;
                port.disconnected();
            }
            (_, None) => {}
        }
    }
}

/// Bytes that have arrived, at either end.
async fn deliver(world: &Arc<World>, terminal: usize, port: &Port, guest: &mut Option<Guest>) {
    let Some(open) = guest.as_mut() else { return };
    let now = now();
    while open.to_host.front().is_some_and(|piece| piece.due <= now) {
        let Some(Piece { bytes, noise, .. }) = open.to_host.pop_front() else { break };
        match open.owed {
            Some(number) if noise => world.disk.noise_over(world.id(terminal), number),
            _ if bytes.get(3) == Some(&RESULT) => open.owed = None,
            _ => {}
        }
        if open.stream.write_all(&bytes).await.is_err() {
            break;
        }
    }
    while open.to_terminal.front().is_some_and(|piece| piece.due <= now) {
        let Some(Piece { bytes, .. }) = open.to_terminal.pop_front() else { break };
        open.heard.extend_from_slice(&bytes);
    }
    while let Some((heard, bytes)) = port.take_frame(&mut open.heard) {
        world.note(|| format!("{} <-   {heard:?}", world.name(terminal)));
        let money = is_money(&heard);
        if money && world.crashes_at_frame() {
            let processed = world.dice().chance(0.5);
            if processed {
                port.receive(heard, bytes);
            }
            return world.crash(if processed {
                "right after a money frame was processed"
            } else {
                "with a money frame on the wire"
            });
        }
        port.receive(heard, bytes);
    }
    pack(world, terminal, port, guest);
}

/// A list is no snapshot: one may miss a session, or show one that is no more. Says whether it does.
fn move_list(world: &World, terminal: usize, bytes: &mut BytesMut) -> bool {
    let count = bytes.len().saturating_sub(6) / 4;
    let whole = bytes.get(4).map(|total| usize::from(*total)) == Some(count) && count < 60;
    let mut dice = world.dice();
    if count == 0 && !whole || !world.stormy() || !dice.chance(world.plan.line.moves_list) {
        return false;
    }
    if !whole {
        world.note(|| format!("{}      the list changes between its pages", world.name(terminal)));
        bytes[4] = bytes[4].saturating_add(1);
        let last = bytes.len() - 1;
        bytes[last] = sum(&bytes[..last]);
        return true;
    }
    let mut ids: Vec<[u8; 4]> = bytes[5..5 + 4 * count].chunks_exact(4).map(|id| [id[0], id[1], id[2], id[3]]).collect();
    if !ids.is_empty() && dice.chance(0.5) {
        ids.remove(dice.index(count));
    } else {
        ids.push(dice.number(900_000, 999_999).to_be_bytes());
    }
    world.note(|| format!("{}      the list is caught in the middle of a change", world.name(terminal)));
    let head = [bytes[0], u8::try_from(3 + 4 * ids.len()).unwrap(), bytes[2], bytes[3], u8::try_from(ids.len()).unwrap()];
    let mut moved: BytesMut = head.iter().copied().chain(ids.into_iter().flatten()).collect();
    moved.extend_from_slice(&[sum(&moved)]);
    *bytes = moved;
    true
}

/// PSP, Result: a frame that says OK (0) or Not OK (1).
fn result(preamble: u8, verdict: u8) -> Vec<u8> {
    let mut frame = vec![preamble, 0x03, 0x3C, 0x00, verdict];
    frame.push(sum(&frame));
    frame
}

/// PSP, Frame format.
fn sum(bytes: &[u8]) -> u8 {
    bytes.iter().fold(0, |sum, byte| sum.wrapping_add(*byte))
}

/// Where bytes are going.
#[derive(Clone, Copy, PartialEq, Eq)]
enum Towards {
    Host,
    Terminal,
}

/// Bytes set out, and meet what they meet on the way.
fn send(world: &World, terminal: usize, towards: Towards, flying: &mut Flying, mut bytes: BytesMut) {
    // An Apollo that gets Auth twice may refuse one and carry out the other: no host could tell, and no TCP does it.
    let doubles = towards == Towards::Host || world.terminal(terminal).family() == Family::P6x;
    let (plan, mut dice) = (&world.plan.line, world.dice());
    let mut wait = if plan.latency_millis > 0 { dice.millis(0, plan.latency_millis) } else { Duration::ZERO };
    let (mut twice, mut noisy) = (false, false);
    if world.stormy() {
        let at = dice.index(bytes.len());
        if dice.chance(plan.drop_byte) {
            world.note(|| format!("{}      a byte is lost", world.name(terminal)));
            bytes = bytes.iter().enumerate().filter(|(place, _)| *place != at).map(|(_, byte)| *byte).collect();
            noisy = true;
        } else if dice.chance(plan.flip_bit) {
            world.note(|| format!("{}      a bit is turned over", world.name(terminal)));
            bytes[at] ^= 1 << dice.index(8);
            noisy = true;
        } else if dice.chance(plan.noise) {
            world.note(|| format!("{}      noise", world.name(terminal)));
            let mut noise: Vec<u8> = (0..dice.number(1, 9)).map(|_| u8::try_from(dice.number(0, 255)).unwrap()).collect();
            if towards == Towards::Host && dice.chance(0.3) {
                // One sum in 256 is right by chance.
                world.note(|| format!("{}      that ends like a Result", world.name(terminal)));
                noise.extend(result(bytes[0], u8::from(dice.chance(0.5))));
            }
            bytes = noise.iter().chain(bytes.iter()).copied().collect();
            noisy = true;
        } else if dice.chance(plan.cut) {
            world.note(|| format!("{}      the link is cut in the middle of bytes", world.name(terminal)));
            bytes.truncate(at);
            drop(dice);
            world.cut(terminal);
            dice = world.dice();
        }
        if dice.chance(plan.late) {
            wait = dice.millis(200, 30_000);
            world.note(|| format!("{}      bytes are {wait:?} late", world.name(terminal)));
        }
        twice = dice.chance(plan.twice) && doubles;
    }
    drop(dice);
    let due = flying.back().map_or(now() + wait, |last| last.due.max(now() + wait));
    if twice {
        world.note(|| format!("{}      bytes come twice", world.name(terminal)));
        flying.push_back(Piece { due, bytes: bytes.clone(), noise: noisy });
    }
    flying.push_back(Piece { due, bytes, noise: noisy });
}

/// G1: whatever can move money has its intent in the journal when it leaves.
fn witness(world: &World, terminal: usize, heard: &Heard, wrong_device: bool) {
    let Heard::Request(request) = heard else { return };
    let name = world.id(terminal);
    let allowed = world.disk.books(|books| match request {
        Request::AuthSession => books.of(name).any(|(_, page)| page.may_authorise),
        Request::CommitSession { session, amount } => books.of(name).any(|(_, page)| {
            page.may_dispose
                && page.hold.is_some_and(|hold| hold.number == *session)
                && page.decision.is_some_and(|(decision, ..)| decision == Decision::Commit(*amount))
        }),
        Request::VoidSession { session } => books.of(name).any(|(_, page)| {
            page.may_dispose
                && page.hold.is_some_and(|hold| hold.number == *session)
                && page.decision.is_some_and(|(decision, ..)| decision == Decision::Void)
        }),
        // G9: the terminal's own timer is what the configuration says.
        Request::Setup(setup) => {
            let policy = &world.plan.terminals[terminal].policy;
            let action = match policy.terminal_timeout_action {
                DeadManAction::Void => TimeoutAction::Void,
                DeadManAction::Commit => TimeoutAction::Commit,
            };
            u64::from(setup.timeout_seconds) == policy.terminal_timeout.as_secs() && setup.action == action
        }
        Request::UpdateSession { session, amount } => books
            .of(name)
            .any(|(_, page)| page.may_update == Some(*amount) && page.hold.is_some_and(|hold| hold.number == *session)),
        Request::RemoveSessions(_) => false,
        _ => true,
    });
    if wrong_device && is_about_sessions(request) {
        world.violate(format!("{name} is another device, and was sent {request:?}"));
    }
    if matches!(request, Request::StartSession(_)) && !world.takes_cards(terminal) {
        world.violate(format!("{name} was asked for a card by an orchestrator that was told to end"));
    }
    if !allowed {
        world.violate(format!("G1: {name} was sent {request:?}, and the journal holds no intent for it"));
    }
}

/// What is for the terminal whose sessions these are, and for no other.
fn is_about_sessions(request: &Request) -> bool {
    let cards = matches!(request, Request::AuthSession | Request::StartSession(_) | Request::ReadCard(_));
    let sessions = matches!(
        request,
        Request::CommitSession { .. }
            | Request::VoidSession { .. }
            | Request::UpdateSession { .. }
            | Request::ListSessions { .. }
    );
    cards || sessions
}

fn is_money(heard: &Heard) -> bool {
    use Request::{AuthSession, CommitSession, UpdateSession, VoidSession};
    matches!(heard, Heard::Request(AuthSession | CommitSession { .. } | VoidSession { .. } | UpdateSession { .. }))
}

/// A terminal's frame in words.
fn told(bytes: &[u8]) -> String {
    use quittance::protocol::{BlockFormat, Response, response::Context};
    let [_, _, _, code, payload @ .., _] = bytes else { return format!("{} bytes", bytes.len()) };
    let read = [Family::Apollo, Family::P6x]
        .into_iter()
        .find_map(|family| Response::decode(*code, payload, &Context::of(family, BlockFormat::Default)).ok());
    read.map_or_else(|| format!("code {code:#04x}, {} bytes", payload.len()), |response| format!("{response:?}"))
}

fn next_wake(port: &Port, guest: Option<&Guest>) -> Option<Instant> {
    let flying = |flying: &Flying| flying.front().map(|piece| piece.due);
    let guest = guest.and_then(|guest| [flying(&guest.to_host), flying(&guest.to_terminal)].into_iter().flatten().min());
    [port.next_wake(), guest].into_iter().flatten().min()
}

async fn read(guest: Option<&mut Guest>, buffer: &mut BytesMut) -> io::Result<usize> {
    match guest {
        Some(guest) => guest.stream.read_buf(buffer).await,
        None => std::future::pending().await,
    }
}

async fn until(moment: Option<Instant>) {
    match moment {
        Some(moment) => tokio::time::sleep_until(moment).await,
        None => std::future::pending().await,
    }
}

#[expect(clippy::disallowed_methods, reason = "the simulation's own clock")]
fn now() -> Instant {
    Instant::now()
}
