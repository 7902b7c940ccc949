//! The hands of a test, a demo or `termsim` on one simulated terminal: hold cards against it, break things, watch.

use std::sync::Arc;
use std::time::Duration;

use bytes::Bytes;

use super::bank::{Bank, Hold};
use super::card::SimCard;
use super::chance::{Chances, Dice};
use super::command::Command;
use super::fault::Fault;
use super::papers::Paper;
use super::port::Port;
use super::stage::{Snapshot, Stage};
use super::terminal::Input;
use super::traffic::{Fate, Traffic};
use crate::id::TerminalId;
use crate::protocol::response::{Reason, TerminalState};
use crate::protocol::{Family, Response};
use crate::time::Clock;

/// A simulated terminal. Copies are the same terminal.
#[derive(Clone, Debug)]
pub struct SimHandle {
    pub(super) id: TerminalId,
    pub(super) family: Family,
    pub(super) bank: Bank,
    pub(super) stage: Arc<Stage>,
}

/// Cards and power.
impl SimHandle {
    /// Its name.
    pub const fn id(&self) -> &TerminalId {
        &self.id
    }

    /// Its family.
    pub const fn family(&self) -> Family {
        self.family
    }

    /// The bank behind it.
    pub const fn bank(&self) -> &Bank {
        &self.bank
    }

    /// Its holds that nobody has ended.
    pub fn open_holds(&self) -> Vec<Hold> {
        self.bank.open_holds(&self.id)
    }

    /// Its end of a wire.
    pub fn port(&self) -> Port {
        Port(Arc::clone(&self.stage))
    }

    /// From now on this is its clock: the time of a simulation that goes on in another runtime.
    pub fn set_clock(&self, clock: Clock) {
        self.stage.set_clock(clock);
    }

    /// Presses a button of its screen. Says whether there was such a button.
    pub fn press(&self, button: &str) -> bool {
        self.stage.press(button)
    }

    /// From now on it gives these bytes; none where its configuration does not provide them.
    pub fn set_paper(&self, paper: Paper, bytes: Option<&[u8]>) {
        self.stage.configure(|terminal| terminal.papers.set(paper, bytes));
    }

    /// Holds a card against it for a moment. Says whether it was read: only a terminal in WAIT_CARD reads.
    pub fn tap(&self, card: &SimCard) -> bool {
        self.stage.tap(card.clone())
    }

    /// Leaves a card on it: it is read whenever the terminal waits for one.
    pub fn leave_card(&self, card: &SimCard) {
        self.stage.lay(Some(card.clone()));
    }

    /// Takes that card away.
    pub fn take_card(&self) {
        self.stage.lay(None);
    }

    /// The power fails and comes back at once; its sessions stay (assumption 2).
    pub fn power_cycle(&self) {
        self.stage.power_cycle(false);
    }

    /// The power fails and comes back at once, and the terminal has forgotten its sessions.
    pub fn power_cycle_forgetting(&self) {
        self.stage.power_cycle(true);
    }

    /// The terminal forgets its sessions; the bank keeps the holds.
    pub fn forget_sessions(&self) {
        self.stage.input(Input::ForgetSessions);
    }

    /// From now on this is its serial number.
    pub fn set_serial_number(&self, serial_number: &str) {
        self.stage.configure(|terminal| serial_number.clone_into(&mut terminal.serial_number));
    }

    /// From now on it changes its configuration so.
    pub fn set_quirks(&self, change: impl FnOnce(&mut super::Quirks)) {
        self.stage.configure(|terminal| change(&mut terminal.quirks));
    }
}

/// Faults.
impl SimHandle {
    /// The next request of this kind, or its answer, meets this fault. Several may be planned; each happens once, in this order.
    pub fn plan(&self, command: Command, fault: Fault) {
        self.stage.plan(Some(command), fault);
    }

    /// The answer to the next such request never comes: since the request was lost, or though it was processed.
    pub fn drop_answer_to(&self, command: Command, processed: bool) {
        self.plan(command, if processed { Fault::LoseAnswer } else { Fault::LoseRequest });
    }

    /// The link is cut in place of the answer to the next such request: before it was processed, or afterwards.
    pub fn cut_at(&self, command: Command, processed: bool) {
        self.plan(command, if processed { Fault::CutAfter } else { Fault::CutBefore });
    }

    /// The bank receives the next Auth and makes the hold, but the link is cut and nobody is told (assumption 8).
    pub fn approve_while_cut(&self) {
        self.plan(Command::Auth, Fault::CutAfter);
    }

    /// The next such request is refused with this reason.
    pub fn refuse_next(&self, command: Command, reason: u8) {
        self.plan(command, Fault::Refuse(Reason(reason)));
    }

    /// From now on, what is not planned may happen by chance; the seed decides.
    pub fn set_chances(&self, chances: Chances, seed: u64) {
        self.stage.set_dice(Dice::new(chances, seed));
    }

    /// Forgets planned faults and chances, speaks again, without delay and without permits.
    pub fn clear_faults(&self) {
        self.stage.clear_faults();
    }

    /// Hears nothing and says nothing that was not said before, until told otherwise.
    pub fn set_silent(&self, silent: bool) {
        self.stage.set_silent(silent);
    }

    /// From now on every frame takes this much longer; their order stays.
    pub fn set_answer_delay(&self, delay: Duration) {
        self.stage.set_answer_delay(delay);
    }

    /// From now on sends only as many frames as it is [granted](Self::grant_answers). It goes on working.
    pub fn hold_answers(&self) {
        self.stage.set_permits(|_| Some(0));
    }

    /// Lets it send so many more frames.
    pub fn grant_answers(&self, frames: u32) {
        self.stage.set_permits(|permits| permits.map(|permits| permits.saturating_add(frames)));
    }

    /// Lets it send as it likes again.
    pub fn release_answers(&self) {
        self.stage.set_permits(|_| None);
    }

    /// Cuts the link, now. On a pty the device goes and comes back.
    pub fn cut(&self) {
        self.stage.cut();
    }

    /// Takes away what a host could connect to: the listening socket, or the device.
    pub fn unplug(&self) {
        self.stage.set_plugged(false);
    }

    /// Puts it back, under the same address.
    pub fn plug(&self) {
        self.stage.set_plugged(true);
    }

    /// Whether a host may connect.
    pub fn refuse_connections(&self, refuse: bool) {
        self.stage.set_plugged(!refuse);
    }

    /// Sends these bytes, whatever they are.
    pub fn send_bytes(&self, bytes: &[u8]) {
        self.stage.send_bytes(Bytes::copy_from_slice(bytes));
    }

    /// Says this though nobody asked.
    pub fn send(&self, response: Response) {
        self.stage.send(response);
    }
}

/// Observation.
impl SimHandle {
    /// What there is to see now.
    pub fn snapshot(&self) -> Snapshot {
        self.stage.snapshot()
    }

    /// The payload of the last Select Language that it took.
    pub fn language(&self) -> Option<Vec<u8>> {
        self.stage.language()
    }

    /// The frames of both directions, oldest first: the last ten thousand.
    pub fn frames(&self) -> Vec<Traffic> {
        self.stage.traffic()
    }

    /// The requests of this kind that came, lost ones included.
    pub fn requests(&self, command: Command) -> Vec<Traffic> {
        self.frames().into_iter().filter(|frame| frame.heard.is_some() && frame.command == Some(command)).collect()
    }

    /// The answers to this kind of request that were really sent.
    pub fn answers(&self, command: Command) -> Vec<Traffic> {
        let answers = |frame: &Traffic| frame.heard.is_none() && frame.command == Some(command) && frame.fate == Fate::Sent;
        self.frames().into_iter().filter(answers).collect()
    }

    /// How many requests of this kind have come since the start.
    pub fn count(&self, command: Command) -> u64 {
        self.snapshot().heard.get(&command).copied().unwrap_or(0)
    }

    /// Waits until this is so; returns what was seen then.
    pub async fn wait_for(&self, condition: impl FnMut(&Snapshot) -> bool) -> Snapshot {
        let mut board = self.stage.board().subscribe();
        // The sender lives in the stage, which this handle keeps alive.
        match board.wait_for(condition).await {
            Ok(snapshot) => snapshot.clone(),
            Err(_) => self.snapshot(),
        }
    }

    /// Waits until the terminal is in this state.
    pub async fn wait_until(&self, state: TerminalState) {
        self.wait_for(|snapshot| snapshot.state == state).await;
    }

    /// Waits until the terminal is ENABLED.
    pub async fn wait_until_enabled(&self) {
        self.wait_until(TerminalState::Enabled).await;
    }

    /// Waits until so many requests of this kind have come since the start.
    pub async fn wait_for_requests(&self, command: Command, count: u64) {
        self.wait_for(|snapshot| snapshot.heard.get(&command).is_some_and(|heard| *heard >= count)).await;
    }
}
