//! The running program reads its configuration again, on SIGHUP and on request: everything is judged before anything is changed.

use std::collections::BTreeMap;
use std::future::Future;
use std::path::{Path, PathBuf};
use std::pin::Pin;
use std::sync::Arc;
use std::sync::atomic::{AtomicBool, Ordering};

use serde_json::Value;
use tokio::sync::Mutex;
use tracing::{error, info, warn};
use tracing_subscriber::{EnvFilter, Registry, reload};

use crate::api::Tokens;
use crate::api::reload::{Changed, Draining, NotReloaded, Reloaded, Reloader, Waiting};
use crate::config::{self, Config, Environment, Mistakes};
use crate::fleet::Fleet;
use crate::id::TerminalId;
use crate::journal::PacedJournal;
use crate::session::Refusal;
use crate::time::Clock;

use super::{former, service};

/// Changes what is logged; none when `RUST_LOG` has said it, which stays.
pub(super) type LogFilter = Option<reload::Handle<EnvFilter, Registry>>;

/// See the module.
pub(super) struct Reload {
    pub(super) file: PathBuf,
    pub(super) environment: Environment,
    pub(super) clock: Clock,
    pub(super) journal: Arc<PacedJournal>,
    pub(super) fleet: Fleet,
    pub(super) tokens: Arc<Tokens>,
    pub(super) resolve_requires_two: Arc<AtomicBool>,
    pub(super) log_filter: LogFilter,
    pub(super) running: Mutex<Running>,
}

/// What holds at present.
pub(super) struct Running {
    pub(super) config: Config,
    /// How the journal knows each terminal.
    pub(super) remembered: BTreeMap<TerminalId, Value>,
}

impl Reload {
    /// As SIGHUP wants it: what comes of it is logged, and the service manager is told.
    pub(super) async fn on_signal(self: Arc<Self>) {
        // Whatever came of it has been logged, and there is nobody to answer.
        drop(self.reload("SIGHUP".to_owned()).await);
    }

    async fn read_and_follow(&self, by: &str) -> Result<Reloaded, NotReloaded> {
        let mut running = self.running.lock().await;
        service::reloading();
        let done = self.follow(&mut running, by).await;
        match &done {
            Ok(_) => service::reloaded("the configuration was read again"),
            Err(_) => service::reloaded("the configuration was read again and refused; what was before holds"),
        }
        done
    }

    async fn follow(&self, running: &mut Running, by: &str) -> Result<Reloaded, NotReloaded> {
        let (config, settings) = config::follow(&running.config, self.read().await.map_err(NotReloaded::Invalid)?);
        // Also those that run already, if the journal could not be told of them at the start.
        for terminals in [&running.config.terminals, &config.terminals] {
            let told = former::tell(self.journal.as_ref(), terminals, &mut running.remembered, self.clock).await;
            told.map_err(|error| Refusal::JournalUnavailable(error.to_string()))?;
        }
        let applied = self.fleet.reconfigure(config.terminals.clone(), config.supervision.clone()).await?;
        self.journal.limit(config.journal_slow_after);
        self.tokens.replace(config.api.tokens.clone());
        self.resolve_requires_two.store(config.api.resolve_requires_two, Ordering::Relaxed);
        if let Some(handle) = &self.log_filter {
            let filter = EnvFilter::builder().parse_lossy(&config.log_filter);
            if let Err(error) = handle.reload(filter) {
                warn!(%error, "what is logged could not be changed");
            }
        }
        let concerns = config::warnings(&config, self.clock.now()).into_iter().map(|concern| concern.to_string());
        let dangers = applied.warnings.iter().map(|(terminal, danger)| format!("{terminal}: {danger}"));
        let warnings: Vec<String> = concerns.chain(dangers).collect();
        warnings.iter().for_each(|warning| warn!("{warning}"));
        running.config = config;
        let name = |terminal: &TerminalId| terminal.to_string();
        let reloaded = Reloaded {
            added: applied.added.iter().map(name).collect(),
            removed: applied.removed.iter().map(name).collect(),
            draining: applied.draining.iter().map(|(id, open)| Draining { terminal: name(id), open: *open }).collect(),
            changed: applied
                .changed
                .into_iter()
                .map(|(id, change)| Changed { terminal: name(&id), keys: change.keys, reopens: change.reopens })
                .collect(),
            unchanged: applied.unchanged.iter().map(name).collect(),
            waiting: applied.waiting.into_iter().map(|(id, why)| Waiting { terminal: name(&id), why }).collect(),
            settings: settings.changed,
            needs_restart: settings.needs_restart,
            warnings,
        };
        info!(by, added = ?reloaded.added, removed = ?reloaded.removed, draining = ?reloaded.draining, changed = ?reloaded.changed,
            waiting = ?reloaded.waiting, settings = ?reloaded.settings, needs_restart = ?reloaded.needs_restart,
            unchanged = reloaded.unchanged.len(), "the configuration was read again");
        Ok(reloaded)
    }

    /// Files are read elsewhere: nobody waits for a disk here.
    async fn read(&self) -> Result<Config, Mistakes> {
        let (file, environment) = (self.file.clone(), self.environment.clone());
        let read = tokio::task::spawn_blocking(move || config::load(&file, &environment));
        read.await.unwrap_or_else(|error| Err(Mistakes::one(format!("could not be read: {error}"))))
    }
}

impl Reloader for Reload {
    fn reload(self: Arc<Self>, by: String) -> Pin<Box<dyn Future<Output = Result<Reloaded, NotReloaded>>>> {
        // Whoever asked may hang up; what was begun is done to its end.
        let done = actix::spawn(async move {
            let done = self.read_and_follow(&by).await;
            match &done {
                Ok(_) => {}
                Err(NotReloaded::Invalid(mistakes)) => say(&self.file, &by, mistakes),
                Err(NotReloaded::Refused(refusal)) => error!(by, error = %refusal, "the configuration cannot be followed now"),
            }
            done
        });
        let lost = || NotReloaded::Refused(Refusal::Draining("the orchestrator".to_owned()));
        Box::pin(async move { done.await.unwrap_or_else(|_| Err(lost())) })
    }
}

fn say(file: &Path, by: &str, mistakes: &Mistakes) {
    for mistake in &mistakes.0 {
        error!(by, file = %file.display(), key = mistake.path, "{}", mistake.message);
    }
    let count = mistakes.0.len();
    error!(by, file = %file.display(), count, "the configuration is invalid, so nothing was changed");
}
