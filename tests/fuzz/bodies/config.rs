//! The text of a configuration.

use quittance::config::{Environment, parse};

/// Up to the first NUL, the text of a file; after that, a variable of the environment and its value for each NUL.
pub(crate) fn config(data: &[u8]) {
    let text = String::from_utf8_lossy(data);
    let mut parts = text.split('\0');
    let text = parts.next().unwrap_or_default();
    let mut environment = Environment::new();
    while let (Some(name), Some(value)) = (parts.next(), parts.next()) {
        environment.insert(format!("QUITTANCE__{name}"), value.to_owned());
    }
    match parse(text, &environment) {
        Ok(config) => assert!(!format!("{config:?}").is_empty()),
        Err(mistakes) => {
            assert!(!mistakes.0.is_empty(), "refused, but nothing is wrong");
            for (index, mistake) in mistakes.0.iter().enumerate() {
                assert!(!mistake.message.is_empty());
                assert!(!mistakes.0[..index].contains(mistake), "said twice: {mistake}");
            }
        }
    }
}
