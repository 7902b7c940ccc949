//! Metrics are read as Prometheus would read them, and a hold is one line, whatever of it is known.

use serde_json::json;

use super::*;

#[test]
fn a_metric_is_added_up_over_its_labels_and_over_no_other_metric() {
    let page = "# HELP up Whatever.\n# TYPE up gauge\nup{terminal=\"a\"} 2\nup{terminal=\"b {x} 9\"} 3\nup_total 100\nupper 1\nup 0.5\n";
    assert_eq!(sum(page, "up"), 5.5);
    assert_eq!(sum(page, "down"), 0.0);
}

#[test]
fn a_hold_is_one_line() {
    let approved_at = "1970-01-01T00:00:10.000Z";
    let disposal =
        json!({ "decision": "commit", "amount": 1677, "by": "api", "attempts": 1, "last_error": "no answer: timeout" });
    let known = json!({
        "terminal": "bay-05", "terminal_session_id": 1018, "state": "committing", "amount_held": 2000, "amount_energy": 1677,
        "approved_at": approved_at, "disposal": disposal,
    });
    let line = "bay-05    1018   committing     20.00   16.77  01:05  commit 16.77 by api, attempts 1 no answer: timeout";
    assert_eq!(hold(&known, 75_000), line);

    let doubtful = json!({
        "terminal": "bay-02", "terminal_session_id": null, "state": "in_doubt", "amount_held": null, "amount_energy": null,
        "approved_at": null, "disposal": null,
    });
    assert_eq!(hold(&doubtful, 75_000).trim_end(), "bay-02    -      in_doubt           -       -  -");
}
