//! Why a terminal has no link any more.

use crate::link::Loss;

/// How a link has ended: by itself, or because the terminal's actor gave it up.
#[derive(Clone, Debug, PartialEq, Eq)]
pub enum Ending {
    /// It was lost.
    Lost(Loss),
    /// It works, but is of no use, or somebody wants another one.
    GivenUp(Trouble),
}

/// Why a link that works is given up.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub enum Trouble {
    /// Requests and answers do not fit each other.
    OutOfStep,
    /// The terminal did not accept its set-up.
    RefusedSetUp,
    /// The terminal has forgotten its set-up: it was powered off in between.
    Restarted,
    /// A session needs the terminal set up again.
    SetUpAgain,
    /// Our holds cannot be compared with the terminal's.
    Reconciliation,
    /// Another device answers than the one that is configured.
    Identity,
    /// Somebody asked for another link.
    Asked,
}

impl Ending {
    /// The `reason` label of `quittance_link_restarts_total`.
    pub const fn label(&self) -> &'static str {
        match self {
            Self::Lost(loss) => loss.label(),
            Self::GivenUp(trouble) => trouble.label(),
        }
    }
}

impl Trouble {
    /// Every one.
    pub const ALL: [Self; 7] = [
        Self::OutOfStep,
        Self::RefusedSetUp,
        Self::Restarted,
        Self::SetUpAgain,
        Self::Reconciliation,
        Self::Identity,
        Self::Asked,
    ];

    /// The `reason` label of `quittance_link_restarts_total`.
    pub const fn label(self) -> &'static str {
        match self {
            Self::OutOfStep => Loss::OutOfStep.label(),
            Self::RefusedSetUp => "refused_set_up",
            Self::Restarted => "terminal_restarted",
            Self::SetUpAgain => "set_up_again",
            Self::Reconciliation => "reconciliation",
            Self::Identity => "identity",
            Self::Asked => "asked",
        }
    }
}
