//! The explanation of frames to people (`quittance decode`).

use quittance::protocol::{Direction, trace};

use super::source::Source;
use super::within;

/// The first byte says who sends, if anybody does; the rest is frames.
pub(crate) fn explain(data: &[u8]) {
    let mut source = Source::new(data);
    let from = source.one_of(&[None, Some(Direction::FromHost), Some(Direction::FromTerminal)]);
    let bytes = source.rest();
    // A line of text for every few bytes; a frame takes at least five.
    let explanations = within(16 * 1024 + 1024 * bytes.len(), || trace::explain(from, bytes));
    assert_eq!(explanations.is_empty(), bytes.is_empty());
    assert!(explanations.len() <= bytes.len() / 5 + 1);
    for explanation in explanations {
        assert!(!explanation.to_string().trim().is_empty());
        assert_eq!(explanation.sound, !explanation.to_string().contains("  WRONG "));
    }
}
