//! Who looks at what a command prints: a person at a terminal, with or without colours, once or for as long as they watch, or a
//! program at the other end of a pipe.

#[cfg(test)]
mod tests;

use std::io::{self, IsTerminal, Write};
use std::time::Duration;

use tokio::runtime;
use tokio::signal::unix::{Signal, SignalKind, signal};

use super::client::Failure;
use crate::time::{Clock, Timestamp};

/// The usual interval of `--watch`.
pub(super) const WATCH_EVERY: &str = "2s";

/// More often than this only costs the server's time.
const WATCH_EVERY_MIN: Duration = Duration::from_millis(200);

/// Another screen than the one with the shell's lines, without a cursor; what does not fit into a line is cut off.
const BEGIN: &str = "\u{1b}[?1049h\u{1b}[?25l\u{1b}[?7l";

/// Undoes [`BEGIN`].
const END: &str = "\u{1b}[?7h\u{1b}[?25h\u{1b}[?1049l";

/// Whoever reads stdout.
#[derive(Clone, Copy, Debug)]
pub struct Screen {
    /// Colours are wanted: it is a terminal, and neither `NO_COLOR` nor the like says otherwise.
    pub colours: bool,
    /// How many lines the terminal has, if it is one.
    pub lines: Option<usize>,
    /// What time it is for ages.
    pub clock: Clock,
}

impl Screen {
    /// The reader of this process's stdout.
    pub fn of_stdout() -> Self {
        let stdout = io::stdout();
        let choice = anstream::AutoStream::choice(&stdout);
        let lines = stdout.is_terminal().then(|| rustix::termios::tcgetwinsize(&stdout).map_or(0, |size| size.ws_row.into()));
        Self { colours: choice != anstream::ColorChoice::Never, lines, clock: Clock::start() }
    }

    /// The time.
    pub fn now(&self) -> Timestamp {
        self.clock.now()
    }
}

/// How often a watcher looks, such as `2s`.
pub(super) fn parse_every(text: &str) -> Result<Duration, String> {
    let every = humantime::parse_duration(text).map_err(|error| error.to_string())?;
    if every < WATCH_EVERY_MIN {
        return Err(format!("at least {} is expected", humantime::format_duration(WATCH_EVERY_MIN)));
    }
    Ok(every)
}

/// Draws again and again until Ctrl-C, a SIGTERM, or until nobody reads any more. Who cannot be asked at first ends it; later it
/// is only said, since a server that is being restarted is just what somebody may be watching.
pub(super) fn watch(
    head: &str,
    every: Duration,
    screen: &Screen,
    draw: impl Fn() -> Result<String, Failure> + Clone + Send + 'static,
    out: &mut dyn Write,
) -> Result<(), Failure> {
    let runtime = runtime::Builder::new_current_thread().enable_all().build()?;
    let watched = runtime.block_on(async {
        let mut stop = Stop::listen()?;
        let first = match stop.unless(asked(draw.clone())).await {
            Some(first) => first?,
            None => return Ok(()),
        };
        let mut painter = Painter::begin(screen, out)?;
        let mut table = Ok(first);
        loop {
            painter.paint(&title(head, every, screen.now()), &table)?;
            let next = async {
                tokio::time::sleep(every).await;
                asked(draw.clone()).await
            };
            match stop.unless(next).await {
                Some(Err(Failure::Output(error))) => return Err(error.into()),
                Some(next) => table = next,
                None => return Ok(()),
            }
        }
    });
    // A question that is still under way is not waited for.
    runtime.shutdown_background();
    watched
}

async fn asked(draw: impl Fn() -> Result<String, Failure> + Send + 'static) -> Result<String, Failure> {
    match tokio::task::spawn_blocking(draw).await {
        Ok(drawn) => drawn,
        Err(error) => Err(Failure::Output(io::Error::other(error))),
    }
}

fn title(head: &str, every: Duration, now: Timestamp) -> String {
    let now = now.to_string();
    let clock = now.get(11..19).unwrap_or_default();
    format!("{head}, {clock} UTC, every {}; Ctrl-C ends it", humantime::format_duration(every))
}

/// What ends a watch.
struct Stop {
    interrupted: Signal,
    terminated: Signal,
}

impl Stop {
    fn listen() -> io::Result<Self> {
        Ok(Self { interrupted: signal(SignalKind::interrupt())?, terminated: signal(SignalKind::terminate())? })
    }

    /// What comes of it, or none when somebody wants an end first.
    async fn unless<T>(&mut self, doing: impl Future<Output = T>) -> Option<T> {
        tokio::select! {
            biased;
            _ = self.interrupted.recv() => None,
            _ = self.terminated.recv() => None,
            done = doing => Some(done),
        }
    }
}

/// Draws in place on a terminal, and one below the other elsewhere. Gives the terminal back as it was.
struct Painter<'a> {
    screen: &'a Screen,
    out: &'a mut dyn Write,
}

impl<'a> Painter<'a> {
    fn begin(screen: &'a Screen, out: &'a mut dyn Write) -> io::Result<Self> {
        if screen.lines.is_some() {
            out.write_all(BEGIN.as_bytes())?;
        }
        Ok(Self { screen, out })
    }

    fn paint(&mut self, title: &str, table: &Result<String, Failure>) -> io::Result<()> {
        let failed;
        let text = match table {
            Ok(table) => table.as_str(),
            Err(failure) => {
                failed = format!("{failure}\n");
                &failed
            }
        };
        match self.screen.lines {
            None => writeln!(self.out, "{title}\n{text}")?,
            Some(_) => {
                // The window may have another size by now.
                let height = rustix::termios::tcgetwinsize(io::stdout()).map_or(0, |size| usize::from(size.ws_row));
                self.out.write_all(in_place(title, text, height).as_bytes())?;
            }
        }
        self.out.flush()
    }
}

impl Drop for Painter<'_> {
    fn drop(&mut self) {
        if self.screen.lines.is_some() {
            // Whoever has closed the terminal does not need it back.
            let _ = self.out.write_all(END.as_bytes()).and_then(|()| self.out.flush());
        }
    }
}

/// The text from the upper left corner on, over whatever was there; as much of it as the height allows (0: nobody knows it).
fn in_place(title: &str, text: &str, height: usize) -> String {
    let lines: Vec<&str> = [title, ""].into_iter().chain(text.lines()).collect();
    let room = if height == 0 { lines.len() } else { height.saturating_sub(1).max(1) };
    let mut painted = String::from("\u{1b}[H");
    let shown = if lines.len() > room { room.saturating_sub(1) } else { room };
    for line in lines.iter().take(shown) {
        painted.push_str(line);
        painted.push_str("\u{1b}[K\n");
    }
    if lines.len() > shown {
        painted.push_str(&format!("… and {} more lines\u{1b}[K\n", lines.len() - shown));
    }
    painted.push_str("\u{1b}[J");
    painted
}
