//! What makes a terminal ready for work, and what ends it (PSP, Setup flow).

use super::{INCORRECT_MESSAGE, Output, SimTerminal};
use crate::protocol::request::{Options, Protocol, Setup};
use crate::protocol::response::{Ids, TerminalState};
use crate::protocol::{Family, Response};
use crate::sim::command::Command;
use crate::sim::quirks::Occasion;
use crate::sim::wire::Style;
use crate::time::Timestamp;

impl SimTerminal {
    pub(super) fn reset(&mut self, out: &mut Vec<Output>) {
        self.tell_dropped_flow(Command::Reset, out);
        // Assumption 2: answered in the format that was in force.
        self.ok(Command::Reset, out);
        self.go_offline();
        self.forget_at(Occasion::Reset);
    }

    pub(super) fn synchronize(&mut self, out: &mut Vec<Output>) {
        self.tell_dropped_flow(Command::Synchronize, out);
        self.drop_flow();
        self.display.clear();
        self.state = TerminalState::Online;
        self.forget_at(Occasion::Synchronize);
        self.say(Response::Synchronize, Command::Synchronize, out);
    }

    fn tell_dropped_flow(&self, command: Command, out: &mut Vec<Output>) {
        if self.quirks.tells_dropped_flow && self.flow.is_some() {
            self.say(Response::Cancelled, command, out);
        }
    }

    pub(super) fn negotiate(&mut self, wanted: Protocol, out: &mut Vec<Output>) {
        if !(1..=3).contains(&wanted.version) {
            return self.refuse(Command::Protocol, INCORRECT_MESSAGE, out);
        }
        // Assumption 12: options of the other family are left out of the echo.
        let options = Options(wanted.options.0 & self.family.options().0 & self.quirks.accepted_options.0);
        let echoed = if self.quirks.echoes_all_options { wanted.options } else { options };
        let echo = Protocol { version: wanted.version, options: echoed };
        self.say(Response::Protocol(echo), Command::Protocol, out);
        // PSP, Extended block: the answer itself still has the old format.
        self.options = options;
        self.style =
            Style { extended: options.contains(Options::EXTENDED_BLOCK), detailed: options.contains(Options::DETAILED_CODES) };
    }

    pub(super) fn set_up(&mut self, setup: Setup, now: Timestamp, out: &mut Vec<Output>) {
        self.setup = Some(setup);
        self.forget_at(Occasion::Setup);
        if self.quirks.setup_rearms {
            self.memory.rearm(setup, &self.quirks, now);
        }
        self.state = TerminalState::Disabled;
        self.ok(Command::Setup, out);
    }

    pub(super) fn ids(&self) -> Ids {
        let serial_number = self.serial_number.clone();
        match self.family {
            Family::Apollo => {
                let software = ["platform", "2.4.1", "2025-11", "psp", "3.1.0"].map(str::to_owned).to_vec();
                Ids { serial_number, model: Some("Apollo".to_owned()), software }
            }
            Family::P6x => Ids { serial_number, model: None, software: vec!["P6X-PSP-4.7.0".to_owned()] },
        }
    }

    /// The connection is gone, or another one is there.
    pub(super) fn lose_host(&mut self) {
        if !self.quirks.keeps_state {
            self.go_offline();
        }
    }

    /// Assumptions 2 and 3: no card flow, default block, no options. Sessions stay.
    pub(super) fn go_offline(&mut self) {
        self.state = TerminalState::Offline;
        self.style = Style::default();
        self.options = Options::default();
        self.drop_flow();
        self.display.clear();
        // Nobody is there to be told what the bank says to Updates.
        self.updated.clear();
        self.dialogue = self.dialogue.wrapping_add(1);
    }
}
