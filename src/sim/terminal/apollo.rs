//! What only an Apollo can do besides holds: screens with buttons, cards that cannot pay; and what either family gives as raw bytes.

use super::flow::{Flow, FlowStep};
use super::{INCORRECT_SCREEN, NOT_SUPPORTED, OVERFLOW, Output, SimTerminal, UNKNOWN_CARD};
use crate::protocol::Response;
use crate::protocol::request::{Ui, UiKind};
use crate::protocol::response::Reason;
use crate::sim::command::Command;
use crate::sim::papers::Paper;
use crate::sim::wire;

/// ISO 7816-4: the instruction is not supported. What a card says that has no answer.
const INSTRUCTION_NOT_SUPPORTED: &[u8] = &[0x6D, 0x00];

impl SimTerminal {
    pub(super) fn show(&mut self, ui: Ui, out: &mut Vec<Output>) {
        if matches!(ui.kind, UiKind::Other(_)) {
            return self.refuse(Command::Ui, INCORRECT_SCREEN, out);
        }
        self.display.show(ui);
        self.ok(Command::Ui, out);
    }

    pub(super) fn press(&self, button: &str, out: &mut Vec<Output>) {
        if self.display.screen().is_some_and(|screen| screen.has_button(button)) {
            let response = Response::UiEvent { button: button.to_owned() };
            out.push(Output::Say { response, to: None, style: self.style });
        }
    }

    /// Proprietary Card Exchange, MiFare: what the card that lies there answers.
    pub(super) fn talk_to_badge(&self, command: Command, told: &[u8], out: &mut Vec<Output>) {
        let Some(Flow { step: FlowStep::WaitAuth { card, .. }, .. }) = &self.flow else {
            return self.refuse(command, Reason::INVALID_STATE, out);
        };
        if card.can_pay() {
            return self.refuse(command, UNKNOWN_CARD, out);
        }
        let answer = card.answer_to(told).unwrap_or(INSTRUCTION_NOT_SUPPORTED);
        self.say(Response::ProprietaryResponse(answer.to_vec().into()), command, out);
    }

    pub(super) fn give(&self, paper: Paper, command: Command, out: &mut Vec<Output>) {
        let Some(bytes) = self.papers.of(paper) else {
            return self.refuse(command, NOT_SUPPORTED, out);
        };
        if bytes.len() > wire::payload_max(self.style.extended) {
            return self.refuse(command, OVERFLOW, out);
        }
        let bytes = bytes.to_vec().into();
        let response = match paper {
            Paper::ConnectionInfo => Response::ConnectionInfo(bytes),
            Paper::Receipt => Response::Receipt(bytes),
            Paper::TransactionRecord => Response::TransactionRecord(bytes),
            Paper::File => Response::File(bytes),
        };
        self.say(response, command, out);
    }
}
