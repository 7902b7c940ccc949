//! The way from an open wire to a terminal that takes cards, and the watch over it. Pure: inputs are what the link says and the
//! time; outputs are requests to send, or that the link is of no use and must be opened anew.
//!
//! ```text
//!            Opened          Ok / echo at each step (PSP, Setup flow)
//!   Down ───────────► Reset ► Synchronize ► Request Ids ► Protocol ► Setup ► Enable ► Get Status ──► Up
//!    ▲                  │                                                              │              │ every `keepalive`:
//!    └──────────────────┴──────────── anything else, and every lost link ──────────────┴──────────────┘ Get Status
//! ```
//!
//! Reset comes first because it ends whatever card flow an earlier life has left behind, and restores the default block. Get
//! Status comes last because its answer cannot be mistaken for a Result: had an answer got out of step on the way, the link
//! would see one too many (see `link`).
//!
//! Nobody tells a terminal on a serial line that its host has gone: it keeps the block format that was agreed on, and does not understand
//! Reset in another. The next link begins in that format therefore, and in the other one after a Reset that came to nothing.

use std::time::Duration;

use crate::link::Outcome;
use crate::protocol::request::{Options, Protocol, Setup, TimeoutAction};
use crate::protocol::response::{Response, Status, TerminalState, Verdict};
use crate::protocol::{BlockFormat, Family, Request};
use crate::time::Timestamp;

use super::trouble::Trouble;
use super::view::Identity;

/// How far the set-up has come.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub enum Phase {
    /// There is no link.
    Down,
    /// This request of the set-up is under way.
    SettingUp(Stage),
    /// The terminal is set up.
    Up,
}

/// The requests of the set-up, in their order.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub enum Stage {
    /// To OFFLINE, whatever was.
    Reset,
    /// To ONLINE.
    Synchronize,
    /// Who is it?
    Identify,
    /// Detailed reasons, data objects.
    Protocol,
    /// The terminal's own timer. To DISABLED.
    Setup,
    /// To ENABLED.
    Enable,
    /// Is it really ENABLED, and is no answer left over?
    Confirm,
}

/// What is to be done.
#[derive(Clone, Debug, PartialEq, Eq)]
pub enum Action {
    /// Send this in the command lane; the answer comes to [`Machine::answered`].
    Ask(Request),
    /// The terminal is set up.
    SetUp,
    /// The link is of no use, or leads to another terminal: close it and open it anew. Says why, for a person.
    GiveUp(Trouble, String),
}

/// What the machine must know of its terminal.
#[derive(Clone, Debug)]
pub struct Plan {
    /// What it can do.
    pub family: Family,
    /// Whether it is on a serial line, where it does not notice that its host goes.
    pub serial: bool,
    /// The serial number that it must have, if one is configured.
    pub serial_number: Option<String>,
    /// Which Protocol options to ask for.
    pub options: Options,
    /// The terminal's own timer (`policy.terminal_timeout`), in seconds, and what it does.
    pub setup: Setup,
    /// How long the command lane may be idle before a status is asked for.
    pub keepalive: Duration,
}

/// See the module.
#[derive(Debug)]
pub struct Machine {
    plan: Plan,
    phase: Phase,
    state: Option<TerminalState>,
    identity: Option<Identity>,
    accepted: Option<Protocol>,
    spoke_at: Timestamp,
    asking_status: bool,
    /// In which format the next link begins.
    format: BlockFormat,
    /// Reset was sent, and Setup has not been answered with OK since, not even on an earlier link.
    timer_in_question: bool,
}

impl Plan {
    const fn protocol(&self) -> Protocol {
        Protocol { version: 3, options: self.options }
    }
}

impl Machine {
    /// A machine for a terminal that is not linked yet.
    pub fn new(plan: Plan, now: Timestamp) -> Self {
        Self {
            plan,
            phase: Phase::Down,
            state: None,
            identity: None,
            accepted: None,
            spoke_at: now,
            asking_status: false,
            format: BlockFormat::Default,
            timer_in_question: false,
        }
    }

    /// In which format the next link is to begin.
    pub fn format(&self) -> BlockFormat {
        self.format
    }

    /// How far it has come.
    pub fn phase(&self) -> Phase {
        self.phase
    }

    /// Whether the terminal is set up.
    pub fn is_up(&self) -> bool {
        self.phase == Phase::Up
    }

    /// Who it said it is, on this link or the last one.
    pub fn identity(&self) -> Option<&Identity> {
        self.identity.as_ref()
    }

    /// Whether the terminal may have another timer than the policy's: what Reset does to it is not told (PSP, Reset).
    pub fn timer_in_question(&self) -> bool {
        self.timer_in_question
    }

    /// What it has accepted of Protocol on this link or the last one.
    pub fn accepted(&self) -> Option<Protocol> {
        self.accepted
    }

    /// What it has not accepted as it was asked, in words; none when it has accepted everything.
    pub fn disagreement(&self) -> Option<String> {
        match self.accepted {
            None => Some("it accepts no Protocol at all".to_owned()),
            Some(accepted) => {
                let comparison = self.plan.protocol().compared_with(accepted);
                (!comparison.is_agreed()).then(|| comparison.to_string())
            }
        }
    }

    /// The `state` of the terminal object (see `super::view::STATES`).
    pub fn state_name(&self) -> &'static str {
        match (self.phase, self.state) {
            (Phase::Down, _) => "unreachable",
            (_, None | Some(TerminalState::Offline)) => "offline",
            (_, Some(TerminalState::Online)) => "online",
            (_, Some(TerminalState::Disabled)) => "disabled",
            (_, Some(TerminalState::Enabled)) => "enabled",
            (_, Some(TerminalState::WaitCard)) => "wait_card",
            (_, Some(TerminalState::WaitAuth)) => "wait_auth",
        }
    }

    /// The wire is open.
    pub fn opened(&mut self, now: Timestamp) -> Action {
        self.state = None;
        self.accepted = None;
        self.asking_status = false;
        self.timer_in_question = true;
        self.go(Stage::Reset, now)
    }

    /// The link is gone.
    pub fn lost(&mut self) {
        let wanted = self.plan.serial && self.plan.options.contains(Options::EXTENDED_BLOCK);
        if wanted && self.phase == Phase::SettingUp(Stage::Reset) {
            self.format = match self.format {
                BlockFormat::Default => BlockFormat::Extended,
                BlockFormat::Extended => BlockFormat::Default,
            };
        }
        self.phase = Phase::Down;
        self.state = None;
        self.asking_status = false;
    }

    /// The card flow has taken the terminal to another state.
    pub fn moved(&mut self, state: TerminalState) {
        self.state = Some(state);
    }

    /// A request of somebody else's was answered: the link is alive.
    pub fn spoke(&mut self, now: Timestamp) {
        self.spoke_at = now;
    }

    /// Something was refused that a terminal that is set up does not refuse: it may have been restarted, so a status is due at once.
    pub fn doubt(&mut self) {
        self.spoke_at = Timestamp::from_unix_millis(0);
    }

    /// When a status is to be asked for, if nobody else says anything before.
    pub fn status_due_at(&self) -> Option<Timestamp> {
        (self.phase == Phase::Up && !self.asking_status).then(|| self.spoke_at.after(self.plan.keepalive))
    }

    /// The command lane is free and a status is due.
    pub fn ask_status(&mut self) -> Request {
        self.asking_status = true;
        Request::GetStatus
    }

    /// A request of the machine's own has ended.
    pub fn answered(&mut self, outcome: &Outcome, now: Timestamp) -> Option<Action> {
        self.spoke_at = now;
        let Outcome::Answered(response) = outcome else {
            // The link itself ends with it, and says so.
            return None;
        };
        match self.phase {
            Phase::Down => None,
            Phase::SettingUp(stage) => Some(self.next(stage, response, now)),
            Phase::Up => {
                self.asking_status = false;
                match response {
                    Response::Status(status) => self.status(*status),
                    other => Some(Action::GiveUp(Trouble::OutOfStep, format!("Get Status was answered with {}", other.name()))),
                }
            }
        }
    }

    fn go(&mut self, stage: Stage, now: Timestamp) -> Action {
        self.phase = Phase::SettingUp(stage);
        self.spoke_at = now;
        Action::Ask(match stage {
            Stage::Reset => Request::Reset,
            Stage::Synchronize => Request::Synchronize,
            Stage::Identify => Request::RequestIds,
            Stage::Protocol => Request::Protocol(self.plan.protocol()),
            Stage::Setup => Request::Setup(self.plan.setup),
            Stage::Enable => Request::Enable,
            Stage::Confirm => Request::GetStatus,
        })
    }

    fn next(&mut self, stage: Stage, response: &Response, now: Timestamp) -> Action {
        match (stage, response) {
            // A terminal that refuses Reset is reset by Synchronize as well as it can be.
            (Stage::Reset, Response::Result(_)) => {
                self.state = Some(TerminalState::Offline);
                self.go(Stage::Synchronize, now)
            }
            (Stage::Synchronize, Response::Synchronize) => {
                self.state = Some(TerminalState::Online);
                self.go(Stage::Identify, now)
            }
            (Stage::Identify, Response::Ids(ids)) => {
                self.identity = Some(Identity {
                    serial_number: ids.serial_number.clone(),
                    model: ids.model.clone(),
                    software: ids.software.clone(),
                });
                match &self.plan.serial_number {
                    Some(expected) if *expected != ids.serial_number => Action::GiveUp(
                        Trouble::Identity,
                        format!("expected serial number {expected:?}, but {:?} answers", ids.serial_number),
                    ),
                    Some(_) | None => self.go(Stage::Protocol, now),
                }
            }
            (Stage::Identify, Response::Result(Verdict::NotOk(_))) => match &self.plan.serial_number {
                Some(expected) => Action::GiveUp(
                    Trouble::Identity,
                    format!("expected serial number {expected:?}, but it does not tell its own"),
                ),
                None => self.go(Stage::Protocol, now),
            },
            // What is not accepted is done without: the codec follows the answer, not the wish (extended block), and an answer without
            // a reason is met as a P6X's.
            (Stage::Protocol, Response::Protocol(accepted)) => {
                self.accepted = Some(*accepted);
                self.format = if self.plan.serial { BlockFormat::agreed(*accepted) } else { BlockFormat::Default };
                self.go(Stage::Setup, now)
            }
            // Protocol is optional (PSP, Protocol): without it there are no reasons, and doubt is met with the list or a person.
            (Stage::Protocol, Response::Result(Verdict::NotOk(_))) => self.go(Stage::Setup, now),
            (Stage::Setup, Response::Result(Verdict::Ok)) => {
                self.timer_in_question = false;
                self.state = Some(TerminalState::Disabled);
                self.go(Stage::Enable, now)
            }
            (Stage::Enable, Response::Result(Verdict::Ok)) => {
                self.state = Some(TerminalState::Enabled);
                self.go(Stage::Confirm, now)
            }
            (Stage::Confirm, Response::Status(Status { state: TerminalState::Enabled, .. })) => {
                self.phase = Phase::Up;
                Action::SetUp
            }
            (Stage::Setup, Response::Result(Verdict::NotOk(_))) => Action::GiveUp(
                Trouble::RefusedSetUp,
                "the terminal did not accept its own timer (Setup); without it no card is taken".to_owned(),
            ),
            (
                Stage::Reset
                | Stage::Synchronize
                | Stage::Identify
                | Stage::Protocol
                | Stage::Setup
                | Stage::Enable
                | Stage::Confirm,
                other,
            ) => Action::GiveUp(Trouble::RefusedSetUp, format!("the set-up failed at {stage:?}: {}", other.name())),
        }
    }

    fn status(&mut self, status: Status) -> Option<Action> {
        self.state = Some(status.state);
        match status.state {
            TerminalState::Enabled | TerminalState::WaitCard | TerminalState::WaitAuth => None,
            // PSP, Setup flow: the terminal forgets its set-up when powered off, and Commit and Void are refused until it is set
            // up again.
            TerminalState::Offline | TerminalState::Online | TerminalState::Disabled => Some(Action::GiveUp(
                Trouble::Restarted,
                format!("the terminal is {}: it must be set up again", self.state_name()),
            )),
        }
    }
}

/// The terminal's timer as the policy wants it, in the words of PSP.
pub fn setup(policy: &crate::session::policy::Policy) -> Setup {
    use crate::journal::record::DeadManAction;
    Setup {
        timeout_seconds: u32::try_from(policy.terminal_timeout.as_secs()).unwrap_or(u32::MAX - 1),
        action: match policy.terminal_timeout_action {
            DeadManAction::Void => TimeoutAction::Void,
            DeadManAction::Commit => TimeoutAction::Commit,
        },
    }
}
