//! What simulated terminals do, compared with PSP: tables and bytes typed by hand.

mod apollo;
mod faults;
mod money;
mod quirks;
mod settings;
mod states;
mod updates;
mod wires;

use std::time::Duration;

use super::{Bank, Heard, Input, Output, Quirks, SimCard, SimTerminal};
use crate::id::SessionReference;
use crate::money::Amount;
use crate::protocol::request::{Options, Protocol, Setup, StartSession, TimeoutAction};
use crate::protocol::response::TerminalState;
use crate::protocol::{Family, Request, Response};
use crate::time::Timestamp;

const START_OF_TIME: Timestamp = Timestamp::from_unix_millis(1_700_000_000_000);

/// A terminal and a moment, moved on by hand.
struct Bench {
    terminal: SimTerminal,
    bank: Bank,
    now: Timestamp,
    next_reference: u32,
}

impl Bench {
    fn new(family: Family) -> Self {
        Self::with(family, Quirks::default())
    }

    fn with(family: Family, quirks: Quirks) -> Self {
        let bank = Bank::new();
        let terminal = SimTerminal::new("bay-01".parse().unwrap(), family, "S-1".into(), quirks, bank.clone());
        Self { terminal, bank, now: START_OF_TIME, next_reference: 1 }
    }

    fn on(&mut self, input: Input) -> Vec<Output> {
        self.terminal.on(input, self.now)
    }

    /// What the terminal says to a request.
    fn ask(&mut self, request: Request) -> Vec<Response> {
        said(self.on(Input::Heard(Heard::Request(request))))
    }

    /// So much time passes, and the terminal is told at every moment that it wants to be.
    fn pass(&mut self, duration: Duration) -> Vec<Output> {
        let end = self.now.after(duration);
        let mut outputs = Vec::new();
        while let Some(at) = self.terminal.next_tick().filter(|at| *at <= end) {
            self.now = self.now.max(at);
            outputs.extend(self.on(Input::Tick));
        }
        self.now = end;
        outputs.extend(self.on(Input::Tick));
        outputs
    }

    fn set_up(&mut self, options: Options, setup: Setup) {
        self.ask(Request::Synchronize);
        self.ask(Request::Protocol(Protocol { version: 3, options }));
        self.ask(Request::Setup(setup));
        self.ask(Request::Enable);
        assert_eq!(self.terminal.state(), TerminalState::Enabled);
    }

    fn enable(&mut self) {
        self.set_up(Options::default(), Setup { timeout_seconds: 86_400, action: TimeoutAction::Void });
    }

    fn start(&mut self, amount: u32) -> Vec<Response> {
        let reference = self.next_reference;
        self.next_reference += 1;
        self.ask(start(amount, reference))
    }

    fn tap(&mut self, card: u32) -> Vec<Response> {
        said(self.on(Input::Tap(SimCard::numbered(card))))
    }

    /// A hold of this amount.
    fn hold(&mut self, amount: u32) -> Vec<Response> {
        self.start(amount);
        self.tap(1);
        self.ask(Request::AuthSession)
    }
}

fn start(amount: u32, reference: u32) -> Request {
    let amount = Amount::from_minor(amount);
    Request::StartSession(StartSession::new(amount, SessionReference(reference)))
}

fn said(outputs: Vec<Output>) -> Vec<Response> {
    let response = |output| match output {
        Output::Say { response, .. } => Some(response),
        Output::Close => None,
    };
    outputs.into_iter().filter_map(response).collect()
}
