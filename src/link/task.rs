//! The task that owns a wire: waits for one thing, feeds the machine ([`Exchanges`]), does what it says.

use std::collections::VecDeque;
use std::future::Future;
use std::io;
use std::time::Duration;

use actix::Recipient;
use bytes::{Buf, BytesMut};
use tokio::io::{AsyncReadExt, AsyncWriteExt};
use tokio::sync::{mpsc, oneshot};
use tokio::time::{sleep_until, timeout, timeout_at};
use tokio_util::codec::{Decoder, Encoder};

use crate::protocol::{BlockFormat, CodecError, Discipline, HostCodec, ProtocolError, Response};
use crate::recorder::Tap;
use crate::time::{Clock, Timestamp};
use crate::tls::Fault;

use super::exchange::{Action, Exchanges, Lane};
use super::wire::Wire;
use super::{Address, Event, Generation, Loss, Order, Outcome, Settings, Told, serial, tcp, tls};

/// Two lanes hold one order each. As many again may be on the way while the link waits for its listener; whoever asks for
/// more does not wait for answers, and is refused.
const ORDERS: usize = 4;

/// How much is read at a time. Twice the longest default frame: more would only delay orders on a noisy line.
const READ: usize = 512;

/// A line that has just been opened counts as quiet when nothing came for so long.
const QUIET: Duration = Duration::from_millis(100);

/// How long to wait for it to become quiet. One that never does is noisy, and the decoder will say so.
const QUIET_AT_MOST: Duration = Duration::from_secs(1);

/// Within a frame no sender pauses for so long (assumed: PSP, Frame format, names no inter-byte timeout).
const SILENCE: Duration = Duration::from_millis(500);

/// How long what has come before may still be read after the other side takes no more bytes.
const LAST_WORDS: Duration = Duration::from_secs(1);

/// What every record of TLS begins with whose sender answers a stranger: an alert, or something of a handshake, and the version.
const TLS_RECORDS: [[u8; 2]; 2] = [[0x15, 0x03], [0x16, 0x03]];

/// The handle of a link. Dropping it closes the wire; [`Event::Lost`] then follows the ends of all exchanges.
#[derive(Debug)]
pub struct Orders {
    orders: mpsc::Sender<Order>,
    /// Dropped with this handle, which the task notices before it takes another order.
    _held: oneshot::Sender<()>,
}

impl Orders {
    /// Asks for an exchange. Never waits: an order comes back when the link is gone, or has more than it can hold. An order
    /// that does not come back gets exactly one [`Event::Ended`].
    #[expect(
        clippy::result_large_err,
        reason = "an order comes back only when the link is gone, and is moved then, not copied"
    )]
    pub fn ask(&self, order: Order) -> Result<(), Order> {
        self.orders.try_send(order).map_err(|error| match error {
            mpsc::error::TrySendError::Full(order) | mpsc::error::TrySendError::Closed(order) => order,
        })
    }

    /// Nobody carries out orders any more. [`Event::Lost`] has come or is on its way, unless the link's task has crashed.
    pub fn is_gone(&self) -> bool {
        self.orders.is_closed()
    }
}

/// Opens a link; must be called on an arbiter. The first event is [`Event::Opened`] or [`Event::Lost`]; with TLS, what is known about
/// certificates comes before. `format` is what the terminal is thought to use so far.
pub fn open(
    settings: Settings,
    format: BlockFormat,
    generation: Generation,
    clock: Clock,
    events: Recipient<Told>,
    tap: Option<Tap>,
) -> Orders {
    let (address, listener) = (settings.address.clone(), events.clone());
    let tell = async move |event| {
        // A listener that is gone has let go of the link, which the task will notice.
        let _ = listener.send(Told { link: generation, event }).await;
    };
    open_with(settings, format, generation, clock, events, tap, async move {
        match address {
            Address::Tcp(address) => tcp::connect(&address).await.map(Wire::Tcp),
            Address::Tls(tls) => tls::open(*tls, tell).await,
            Address::Serial { path, baud } => serial::open(&path, baud),
            Address::Pipe(pipe) => pipe.connect().await.map(Wire::Pipe),
        }
    })
}

/// Opens a link over a wire of the caller's making, such as a [`Wire::Pipe`]. The address still says what kind of line it is.
pub fn open_with<F>(
    settings: Settings,
    format: BlockFormat,
    generation: Generation,
    clock: Clock,
    events: Recipient<Told>,
    tap: Option<Tap>,
    wire: F,
) -> Orders
where
    F: Future<Output = io::Result<Wire>> + 'static,
{
    let (orders, asked) = mpsc::channel(ORDERS);
    let (held, dropped) = oneshot::channel();
    let discipline = settings.address.discipline();
    let mut codec = HostCodec::with_quirks(settings.family, discipline, settings.quirks);
    codec.set_format(format);
    let task = Task {
        patience: settings.timeouts.command,
        discipline,
        clock,
        generation,
        events,
        asked,
        exchanges: Exchanges::new(settings.timeouts),
        codec,
        input: BytesMut::with_capacity(READ),
        heard: false,
        silent_at: None,
        output: VecDeque::new(),
        stalled_at: None,
        place: settings.address.to_string(),
        tap,
    };
    actix::spawn(task.run(wire, dropped));
    Orders { orders, _held: held }
}

/// A frame to be written.
struct Outgoing {
    lane: Lane,
    name: &'static str,
    bytes: BytesMut,
    began: bool,
    /// All of its bytes, for the tap.
    copy: Option<BytesMut>,
}

struct Task {
    /// How long the other side may refuse to take bytes.
    patience: Duration,
    discipline: Discipline,
    clock: Clock,
    generation: Generation,
    events: Recipient<Told>,
    asked: mpsc::Receiver<Order>,
    exchanges: Exchanges,
    codec: HostCodec,
    input: BytesMut,
    /// A sound frame has come.
    heard: bool,
    /// When an incomplete frame stays incomplete (serial only).
    silent_at: Option<Timestamp>,
    /// At most one frame for each lane.
    output: VecDeque<Outgoing>,
    /// When the other side has refused to take bytes for too long.
    stalled_at: Option<Timestamp>,
    /// The address, for the tap.
    place: String,
    /// Records what crosses the wire.
    tap: Option<Tap>,
}

/// What the codec gives.
type Decoded = Result<Option<Result<Response, ProtocolError>>, CodecError>;

/// Why the task stops.
type Stop = Result<(), Loss>;

impl Task {
    async fn run(mut self, wire: impl Future<Output = io::Result<Wire>>, mut dropped: oneshot::Receiver<()>) {
        let ready = tokio::select! {
            biased;
            _ = &mut dropped => Err(Loss::Dropped),
            ready = prepare(wire, self.discipline) => ready,
        };
        let loss = match ready {
            Ok(wire) => self.live(wire, dropped).await.err().unwrap_or(Loss::Dropped),
            Err(loss) => loss,
        };
        // The wire has been closed by now, so whoever hears of the loss can open the next one.
        self.record_loss(&loss);
        let now = self.clock.now();
        let actions = self.exchanges.lost(loss.clone(), now);
        let _ = self.carry_out(actions).await;
        self.asked.close();
        while let Some(order) = self.asked.recv().await {
            let unsent = Event::Ended { ticket: order.ticket, outcome: Outcome::Unsent, took: Duration::ZERO };
            let _ = self.tell(unsent).await;
        }
        let _ = self.tell(Event::Lost(loss)).await;
    }

    /// Until the link is lost, or the handle dropped. Only the waiting is ever interrupted, never what follows from it.
    async fn live(&mut self, wire: Wire, mut dropped: oneshot::Receiver<()>) -> Stop {
        let (mut reader, mut writer) = tokio::io::split(wire);
        if let Some(tap) = &mut self.tap {
            tap.opened(std::mem::take(&mut self.place));
        }
        self.tell(Event::Opened).await?;
        loop {
            let deadline = [self.exchanges.next_deadline(), self.silent_at, self.stalled_at].into_iter().flatten().min();
            self.input.reserve(READ);
            let known = self.input.len();
            // In this order, so that runs can be replayed. Orders come first since there are few of them: noise cannot hold
            // them up. Time comes last, so that an answer that is already here is not late.
            tokio::select! {
                biased;
                _ = &mut dropped => return Ok(()),
                Some(order) = self.asked.recv() => self.take_order(order).await?,
                written = write_some(&mut writer, self.output.front().map(|outgoing| &outgoing.bytes)),
                    if !self.output.is_empty() => match written {
                        Ok(count) => self.wrote(count)?,
                        Err(error) => return Err(self.last_words(&mut reader, error).await),
                    },
                read = reader.read_buf(&mut self.input) => {
                    if read.map_err(io_loss)? == 0 {
                        return Err(Loss::Closed);
                    }
                    if let Some(tap) = &mut self.tap {
                        tap.came(&self.input[known..]);
                    }
                    self.silent_at = None;
                    self.take_frames().await?;
                }
                () = until(self.clock, deadline) => {}
            }
            self.check_time().await?;
        }
    }

    async fn take_order(&mut self, order: Order) -> Stop {
        // A request that cannot be put into bytes never leaves.
        if let Err(error) = self.codec.check(&order.request) {
            tracing::error!(request = order.request.name(), %error, "the request cannot be sent");
            return self.tell(Event::Ended { ticket: order.ticket, outcome: Outcome::Unsent, took: Duration::ZERO }).await;
        }
        let actions = self.exchanges.ask(order, self.clock.now());
        self.carry_out(actions).await
    }

    fn wrote(&mut self, count: usize) -> Stop {
        if count == 0 {
            return Err(Loss::Closed);
        }
        let now = self.clock.now();
        if let Some(outgoing) = self.output.front_mut() {
            outgoing.bytes.advance(count);
            if !outgoing.began {
                outgoing.began = true;
                self.exchanges.began(outgoing.lane, now);
            }
            if outgoing.bytes.is_empty() {
                if let (Some(tap), Some(copy)) = (&mut self.tap, &outgoing.copy) {
                    tap.sent(copy);
                }
                self.output.pop_front();
            }
        }
        self.stalled_at = (!self.output.is_empty()).then(|| now.after(self.patience));
        Ok(())
    }

    /// The other side takes no more bytes. It may have answered before, or said why: that it does not want our certificate is told
    /// only after the handshake (TLS 1.3), when a request may be on its way already.
    async fn last_words(&mut self, reader: &mut (impl AsyncReadExt + Unpin), error: io::Error) -> Loss {
        let until = self.clock.instant_of(self.clock.now().after(LAST_WORDS));
        loop {
            self.input.reserve(READ);
            let known = self.input.len();
            match timeout_at(until, reader.read_buf(&mut self.input)).await {
                Ok(Ok(1..)) => {
                    if let Some(tap) = &mut self.tap {
                        tap.came(&self.input[known..]);
                    }
                    if let Err(loss) = self.take_frames().await {
                        return loss;
                    }
                }
                Ok(Err(said)) => return io_loss(said),
                Ok(Ok(0)) | Err(_) => return io_loss(error),
            }
        }
    }

    async fn take_frames(&mut self) -> Stop {
        let speaks_tls = !self.heard && TLS_RECORDS.iter().any(|record| self.input.starts_with(record));
        loop {
            self.codec.set_status_outstanding(self.exchanges.status_outstanding());
            let before = self.input.len();
            let decoded = self.codec.decode(&mut self.input);
            self.record(before - self.input.len(), &decoded);
            let dropped = self.codec.decoder().resynchronised();
            self.codec.decoder().forget_resynchronisation();
            if let Ok(Some(Err(error))) = &decoded {
                self.report(*error).await?;
            }
            // Before the frame: it was found behind what was dropped.
            if dropped {
                self.resynchronised().await?;
            }
            match decoded {
                Ok(Some(Ok(response))) => {
                    self.heard = true;
                    self.take_frame(response).await?;
                }
                // A whole frame, with a code that answers nothing that we ever ask.
                Ok(Some(Err(ProtocolError::UnknownMessage { .. }))) => {}
                Ok(Some(Err(_))) if self.discipline == Discipline::Strict => return Err(garbage(speaks_tls)),
                Ok(Some(Err(_))) => self.resynchronised().await?,
                Ok(None) => break,
                Err(CodecError::Protocol(error)) => {
                    self.report(error).await?;
                    return Err(garbage(speaks_tls));
                }
                Err(CodecError::Io(error)) => return Err(io_loss(error)),
            }
        }
        if self.discipline == Discipline::Resynchronise && !self.input.is_empty() && self.silent_at.is_none() {
            self.silent_at = Some(self.clock.now().after(SILENCE));
        }
        Ok(())
    }

    async fn take_frame(&mut self, response: Response) -> Stop {
        let actions = self.exchanges.frame(response, self.clock.now());
        self.carry_out(actions).await
    }

    async fn report(&self, error: ProtocolError) -> Stop {
        tracing::warn!(%error, "bytes that are no frame");
        self.tell(Event::FrameError(error.kind())).await
    }

    async fn resynchronised(&mut self) -> Stop {
        let actions = self.exchanges.resynchronised(self.clock.now());
        self.carry_out(actions).await
    }

    async fn check_time(&mut self) -> Stop {
        let now = self.clock.now();
        let past = |moment: Option<Timestamp>| moment.is_some_and(|moment| moment <= now);
        if past(self.silent_at) {
            self.silent_at = None;
            self.codec.decoder().line_fell_silent(&self.input);
            self.take_frames().await?;
        }
        let actions = self.exchanges.tick(now);
        self.carry_out(actions).await?;
        match (self.output.front(), self.stalled_at) {
            (Some(outgoing), Some(moment)) if moment <= now => Err(Loss::Timeout(outgoing.name)),
            _ => Ok(()),
        }
    }

    async fn carry_out(&mut self, actions: Vec<Action>) -> Stop {
        for action in actions {
            match action {
                Action::Write { lane, request } => {
                    let mut bytes = BytesMut::new();
                    self.codec.encode(&request, &mut bytes).map_err(|error| Loss::Io(error.to_string()))?;
                    let copy = self.tap.is_some().then(|| bytes.clone());
                    self.output.push_back(Outgoing { lane, name: request.name(), bytes, began: false, copy });
                    if self.stalled_at.is_none() {
                        self.stalled_at = Some(self.clock.now().after(self.patience));
                    }
                }
                Action::Ended { ticket, outcome, took } => self.tell(Event::Ended { ticket, outcome, took }).await?,
                Action::Unasked(response) => self.tell(Event::Unasked(response)).await?,
                Action::Lose(loss) => return Err(loss),
            }
        }
        Ok(())
    }

    /// What the decoder made of so many bytes.
    fn record(&mut self, taken: usize, decoded: &Decoded) {
        let Some(tap) = &mut self.tap else { return };
        match decoded {
            Ok(Some(Ok(_))) => tap.frame(taken, self.codec.decoder().last_size()),
            Ok(Some(Err(error))) if !error.breaks_framing() => tap.frame(taken, self.codec.decoder().last_size()),
            Ok(Some(Err(error))) | Err(CodecError::Protocol(error)) => tap.noise(taken, error.kind()),
            Ok(None) | Err(CodecError::Io(_)) => tap.noise(taken, "noise"),
        }
    }

    fn record_loss(&mut self, loss: &Loss) {
        let Some(tap) = &mut self.tap else { return };
        if let Some(Outgoing { began: true, bytes, copy: Some(copy), .. }) = self.output.front() {
            tap.cut(copy.len() - bytes.len(), copy.len());
        }
        tap.lost(loss.to_string());
    }

    /// Tells the listener, as fast as it can listen. One that is gone has let go of the link.
    async fn tell(&self, event: Event) -> Stop {
        let told = Told { link: self.generation, event };
        self.events.send(told).await.map_err(|_| Loss::Dropped)
    }
}

/// A wire that nothing old comes out of any more.
async fn prepare(wire: impl Future<Output = io::Result<Wire>>, discipline: Discipline) -> Result<Wire, Loss> {
    let refused = |error: io::Error| fault(&error).map_or_else(|| Loss::Refused(error.to_string()), Loss::Tls);
    let mut wire = wire.await.map_err(refused)?;
    if discipline == Discipline::Resynchronise {
        wait_for_quiet(&mut wire).await?;
    }
    Ok(wire)
}

/// Reads and forgets until nothing comes any more: what is still on a serial line is not for us.
async fn wait_for_quiet(wire: &mut Wire) -> Stop {
    let mut scratch = [0; READ];
    let quiet = async {
        while let Ok(read) = timeout(QUIET, wire.read(&mut scratch)).await {
            if read.map_err(io_loss)? == 0 {
                return Err(Loss::Closed);
            }
        }
        Ok(())
    };
    timeout(QUIET_AT_MOST, quiet).await.unwrap_or(Ok(()))
}

async fn write_some(writer: &mut (impl AsyncWriteExt + Unpin), bytes: Option<&BytesMut>) -> io::Result<usize> {
    match bytes {
        Some(bytes) => writer.write(bytes).await,
        None => std::future::pending().await,
    }
}

async fn until(clock: Clock, moment: Option<Timestamp>) {
    match moment {
        Some(moment) => sleep_until(clock.instant_of(moment)).await,
        None => std::future::pending().await,
    }
}

fn garbage(speaks_tls: bool) -> Loss {
    if speaks_tls { Loss::Tls(Fault::SpeaksTls) } else { Loss::Garbage }
}

/// What TLS has to say about it.
fn fault(error: &io::Error) -> Option<Fault> {
    error.get_ref().and_then(|inner| inner.downcast_ref::<Fault>()).cloned()
}

fn io_loss(error: io::Error) -> Loss {
    if let Some(fault) = fault(&error) {
        return Loss::Tls(fault);
    }
    match error.kind() {
        io::ErrorKind::ConnectionReset
        | io::ErrorKind::ConnectionAborted
        | io::ErrorKind::BrokenPipe
        | io::ErrorKind::UnexpectedEof => Loss::Closed,
        _ => Loss::Io(error.to_string()),
    }
}
