//! What can be made to go wrong between a terminal and its wire, on purpose and exactly once: handles, not moods.

use std::collections::VecDeque;
use std::time::Duration;

use bytes::{Bytes, BytesMut};

use super::chance::Dice;
use super::command::Command;
use crate::protocol::checksum;
use crate::protocol::response::Reason;

/// What goes wrong with one request or its answer.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub enum Fault {
    /// The request is lost: the terminal never hears it.
    LoseRequest,
    /// The request is lost, and with it the link.
    CutBefore,
    /// The request is refused with this reason (sent where reasons exist), whatever the terminal would have said.
    Refuse(Reason),
    /// The request is processed; its answer is lost.
    LoseAnswer,
    /// The request is processed; the link is cut in place of the answer.
    CutAfter,
    /// The answer comes twice.
    Duplicate,
    /// A byte of the answer is another one, and the checksum shows it.
    Corrupt,
    /// A byte of the answer is another one, and the checksum agrees with it all the same.
    CorruptUnseen,
    /// The answer, and so everything behind it, comes this much later.
    Delay(Duration),
}

impl Fault {
    /// Whether it befalls the request; otherwise its answer.
    pub(super) const fn befalls_request(self) -> bool {
        matches!(self, Self::LoseRequest | Self::CutBefore | Self::Refuse(_))
    }
}

/// Faults that wait for their request, each for one; and those that come by chance.
#[derive(Debug, Default)]
pub(super) struct Faults {
    planned: VecDeque<(Option<Command>, Fault)>,
    dice: Option<Dice>,
}

impl Faults {
    /// The next request of this kind (or of any), or its answer, meets this fault.
    pub(super) fn plan(&mut self, command: Option<Command>, fault: Fault) {
        self.planned.push_back((command, fault));
    }

    /// From now on, what is not planned may happen by chance.
    pub(super) fn set_dice(&mut self, dice: Dice) {
        self.dice = Some(dice);
    }

    /// Nothing is planned any more, and nothing happens by chance.
    pub(super) fn clear(&mut self) {
        *self = Self::default();
    }

    /// What befalls this request.
    pub(super) fn for_request(&mut self, command: Command) -> Option<Fault> {
        self.take(|wanted, fault| fault.befalls_request() && wanted.is_none_or(|wanted| wanted == command))
            .or_else(|| self.dice.as_mut()?.roll(true))
    }

    /// What befalls this answer.
    pub(super) fn for_answer(&mut self, to: Option<Command>) -> Option<Fault> {
        self.take(|wanted, fault| !fault.befalls_request() && (wanted.is_none() || wanted == to))
            .or_else(|| self.dice.as_mut()?.roll(false))
    }

    fn take(&mut self, fits: impl Fn(Option<Command>, Fault) -> bool) -> Option<Fault> {
        let index = self.planned.iter().position(|(wanted, fault)| fits(*wanted, *fault))?;
        self.planned.remove(index).map(|(_, fault)| fault)
    }
}

/// The frame with one bit of its last byte before the checksum turned over, with or without a checksum that hides it.
pub(super) fn corrupt(frame: &Bytes, hidden: bool) -> Bytes {
    let mut bytes = BytesMut::from(frame.as_ref());
    if let [body @ .., sum] = bytes.as_mut() {
        if let Some(last) = body.last_mut() {
            *last ^= 0x01;
        }
        if hidden {
            *sum = checksum(body);
        }
    }
    bytes.freeze()
}
