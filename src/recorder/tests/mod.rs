mod line;
mod mask;
mod ring;
mod tap;

use std::path::{Path, PathBuf};
use std::sync::Arc;

use super::{Cards, Recording, Settings};
use crate::id::TerminalId;
use crate::metrics::Metrics;
use crate::protocol::{Family, Quirks};

fn id() -> TerminalId {
    "bay-01".parse().unwrap()
}

fn metrics() -> Arc<Metrics> {
    Arc::new(Metrics::new("0", "0", "EUR".parse().unwrap(), &[(id(), Family::Apollo)]))
}

fn recording(path: &Path, size: u64, cards: Cards, metrics: &Arc<Metrics>) -> Arc<Recording> {
    let settings = Settings { path: path.to_owned(), size, cards };
    Arc::new(Recording::new(id(), Family::Apollo, Quirks::of(Family::Apollo), settings, Arc::clone(metrics)))
}

fn dropped(metrics: &Metrics) -> u64 {
    let text = metrics.render();
    let line = text.lines().find(|line| line.starts_with("quittance_recorder_dropped_total{")).unwrap();
    line.rsplit_once(' ').unwrap().1.parse().unwrap()
}

/// All files of the recording, oldest first, as one text.
fn all(path: &Path) -> String {
    super::parts(path).iter().map(|part: &PathBuf| std::fs::read_to_string(part).unwrap()).collect()
}
