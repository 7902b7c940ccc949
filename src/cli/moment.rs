//! A moment as people write it.

use std::str::FromStr;

/// A date (midnight UTC) or RFC 3339.
pub(super) fn moment<T: FromStr>(text: &str) -> Result<T, String> {
    let midnight = format!("{text}T00:00:00Z");
    let whole = if text.len() == "2026-11-01".len() { midnight.as_str() } else { text };
    whole.parse().map_err(|_| "a date such as 2026-11-01 (midnight UTC) or a time such as 2026-11-01T06:00:00Z".to_owned())
}

#[cfg(test)]
mod tests {
    use super::*;
    use crate::recorder::line::Moment;
    use crate::time::Timestamp;

    #[test]
    fn a_date_is_its_midnight() {
        for (written, meant) in [("2026-03-02", "2026-03-02T00:00:00Z"), ("2026-03-01T11:02:02+01:00", "2026-03-01T10:02:02Z")]
        {
            assert_eq!(moment::<Timestamp>(written), Ok(meant.parse().unwrap()));
            assert_eq!(moment::<Moment>(written), Ok(meant.parse().unwrap()));
        }
        for wrong in ["1 March", "2026-13-01", "12:00:00", ""] {
            assert!(moment::<Timestamp>(wrong).unwrap_err().contains("midnight UTC"), "{wrong}");
        }
    }
}
