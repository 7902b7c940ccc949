//! People who come to charge: they ask the API for a session, present a card, draw energy, leave. Each parking space has its
//! own task, and whatever the API does not answer is asked again, as a charger would.

use std::time::Duration;

use quittance::money::Amount;
use quittance::protocol::response::TerminalState;
use quittance::sim::{Policy, SimCard, SimHandle};
use rand::RngExt;
use rand::rngs::StdRng;
use serde_json::{Value, json};

use super::client::{Client, number, text};
use super::diary::{Diary, euros};

/// PSP, Session Declined: insufficient funds.
const INSUFFICIENT_FUNDS: u8 = 0x09;

/// Cards of one space; no two spaces share any.
const CARDS: u32 = 10_000;

/// How often energy is told.
const EVERY: Duration = Duration::from_secs(1);

/// How long to wait before asking again.
const AGAIN: Duration = Duration::from_secs(1);

/// A parking space at a terminal.
#[derive(Debug)]
pub(crate) struct Space {
    /// Which one, in the whole depot.
    pub(crate) number: u32,
    /// The terminal that it belongs to.
    pub(crate) terminal: SimHandle,
    /// Whether a card alone opens a session there.
    pub(crate) scans: bool,
    /// The way to the orchestrator.
    pub(crate) client: Client,
    /// Where to tell what happens.
    pub(crate) diary: Diary,
    /// Tells this run's wishes from another's.
    pub(crate) run: i64,
    /// What people do.
    pub(crate) dice: StdRng,
}

/// What somebody has in mind.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
enum Plan {
    /// Charge and pay.
    Charge,
    /// Charge with a card that does not hold all that is asked for.
    ChargeOnLess,
    /// Find that the card is declined.
    BadCard,
    /// Walk away before presenting a card.
    NoCard,
    /// Be approved, and never plug in.
    NeverPlug,
    /// Be approved, and have it voided at once.
    ChangeMind,
}

impl Space {
    /// People come, one after the other, for ever.
    pub(crate) async fn serve(mut self) {
        for visit in 0.. {
            self.pause(500, 6_000).await;
            self.visit(visit).await;
        }
    }

    async fn visit(&mut self, visit: u32) {
        let plan = match self.dice.random_range(0..100u32) {
            0..55 => Plan::Charge,
            55..62 => Plan::ChargeOnLess,
            62..74 => Plan::BadCard,
            74..82 => Plan::NoCard,
            82..91 => Plan::NeverPlug,
            _ => Plan::ChangeMind,
        };
        if self.scans {
            return self.tap_alone(plan, visit).await;
        }
        let Some(session) = self.open(visit).await else { return };
        if plan == Plan::NoCard {
            self.pause(2_000, 4_000).await;
            let _ = self.insist(&session, "cancel", json!({})).await;
            return;
        }
        self.present(plan, visit).await;
        self.after_card(plan, &session).await;
    }

    /// Presents a card without having asked for anything.
    async fn tap_alone(&mut self, plan: Plan, visit: u32) {
        if plan == Plan::NoCard || !self.present(plan, visit).await {
            return;
        }
        if let Some(session) = self.session_of(&self.card(visit)).await {
            self.after_card(plan, &session).await;
        }
    }

    /// Whatever somebody does once the terminal has read the card.
    async fn after_card(&mut self, plan: Plan, session: &str) {
        let Some(answer) = self.outcome(session).await else { return };
        match (text(&answer, "state"), plan) {
            // The plug-in deadline voids it.
            ("approved", Plan::NeverPlug) => self.tell("approved, but nobody plugs in"),
            ("approved", Plan::ChangeMind) => {
                self.pause(500, 3_000).await;
                let voided = self.insist(session, "void", json!({})).await;
                self.tell(&format!("changed their mind: {}", described(&voided)));
            }
            ("approved", _) => {
                let (asked, held) = (number(&answer, "amount_requested"), number(&answer, "amount_held").unwrap_or(0));
                if let Some(asked) = asked.filter(|asked| *asked > held) {
                    self.tell(&format!("the bank holds only {} of the {} asked for", euros(held), euros(asked)));
                }
                self.charge(session, held).await;
            }
            ("declined", _) => self.tell("declined"),
            _ => {}
        }
    }

    /// Asks for a session until there is one; gives up when the terminal stays busy.
    async fn open(&mut self, visit: u32) -> Option<String> {
        let amount = *[2_000, 3_500, 5_000].get(self.dice.random_range(0..3usize))?;
        let key = format!("demo-{}-{}-{visit}", self.run, self.number);
        let wish = json!({ "terminal": self.terminal.id().as_str(), "amount": amount, "reference": format!("visit {visit}") });
        for _ in 0..30 {
            match self.client.post("/v1/sessions", Some(key.clone()), wish.clone()).await {
                Ok((201, session)) => return Some(text(&session, "id").to_owned()),
                Ok((409 | 503, _)) | Err(_) => self.pause(800, 2_500).await,
                Ok((_, problem)) => {
                    self.tell(text(&problem, "detail"));
                    return None;
                }
            }
        }
        None
    }

    /// The session that this card has opened; none if the card opened none.
    async fn session_of(&self, card: &SimCard) -> Option<String> {
        let path = format!("/v1/sessions?limit=20&terminal={}", self.terminal.id());
        for _ in 0..10 {
            if let Ok((200, answer)) = self.client.get(&path).await {
                let sessions = answer.get("sessions").and_then(Value::as_array);
                let own = |session: &&Value| session["card"]["hash"] == card.hash().reveal();
                if let Some(session) = sessions.and_then(|sessions| sessions.iter().find(own)) {
                    return Some(text(session, "id").to_owned());
                }
            }
            tokio::time::sleep(AGAIN).await;
        }
        None
    }

    fn card(&self, visit: u32) -> SimCard {
        SimCard::numbered(self.number.wrapping_mul(CARDS).wrapping_add(visit % CARDS).wrapping_add(1))
    }

    /// Presents a card when the terminal waits for one. Says whether it was read.
    async fn present(&mut self, plan: Plan, visit: u32) -> bool {
        let card = self.card(visit);
        match plan {
            Plan::BadCard => self.terminal.bank().set_policy(&card, slow(Policy::decline(INSUFFICIENT_FUNDS))),
            Plan::ChargeOnLess => self.terminal.bank().set_policy(&card, slow(Policy::partial(Amount::from_minor(1_500)))),
            _ => self.terminal.bank().set_policy(&card, slow(Policy::APPROVE)),
        }
        for _ in 0..5 {
            let waiting = self.terminal.wait_until(TerminalState::WaitCard);
            if tokio::time::timeout(Duration::from_secs(4), waiting).await.is_err() {
                return false;
            }
            self.pause(500, 1_500).await;
            if self.terminal.tap(&card) {
                return true;
            }
        }
        false
    }

    /// Waits until it is known whether there is a hold.
    async fn outcome(&self, session: &str) -> Option<Value> {
        let mut path = format!("/v1/sessions/{session}");
        loop {
            match self.client.get(&path).await {
                Ok((200, answer)) => match text(&answer, "state") {
                    "waiting_card" | "card_read" | "authorising" => {
                        let version = number(&answer, "version").unwrap_or(0);
                        path = format!("/v1/sessions/{session}?wait=10&version={version}");
                    }
                    "in_doubt" => {
                        self.tell("in doubt: the answer to Auth is lost");
                        return None;
                    }
                    _ => return Some(answer),
                },
                Ok((404, _)) => return None,
                Ok(_) | Err(_) => tokio::time::sleep(AGAIN).await,
            }
        }
    }

    /// Draws energy for a while, then pays for it.
    async fn charge(&mut self, session: &str, held: u64) {
        let seconds = self.dice.random_range(5..30u32);
        let mut total = 0;
        for _ in 0..seconds {
            tokio::time::sleep(EVERY).await;
            total = (total + self.dice.random_range(10..150u64)).min(held);
            let told = self.client.post(&format!("/v1/sessions/{session}/energy"), None, json!({ "amount": total })).await;
            let over = matches!(&told, Ok((200, answer)) if text(answer, "state") != "approved");
            if over || total == held {
                break;
            }
        }
        let paid = self.insist(session, "commit", json!({ "amount": total })).await;
        self.tell(&format!("charged for {}: {}", euros(total), described(&paid)));
    }

    /// Says it until somebody answers.
    async fn insist(&self, session: &str, what: &str, body: Value) -> Value {
        let path = format!("/v1/sessions/{session}/{what}");
        loop {
            match self.client.post(&path, None, body.clone()).await {
                Ok((503, _)) | Err(_) => tokio::time::sleep(AGAIN).await,
                Ok((_, answer)) => return answer,
            }
        }
    }

    async fn pause(&mut self, least: u64, most: u64) {
        tokio::time::sleep(Duration::from_millis(self.dice.random_range(least..most))).await;
    }

    fn tell(&self, what: &str) {
        self.diary.note(&format!("{}: {what}", self.terminal.id()));
    }
}

/// A bank thinks for a moment.
const fn slow(policy: Policy) -> Policy {
    Policy { answers_after: Duration::from_millis(700), ..policy }
}

/// What has become of a disposal.
fn described(answer: &Value) -> String {
    let state = text(answer, "state");
    match state {
        "committing" | "voiding" => format!("{state}, decided and durable, not yet confirmed"),
        "" => text(answer, "detail").to_owned(),
        _ => state.to_owned(),
    }
}
