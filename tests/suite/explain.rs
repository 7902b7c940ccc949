//! The story that README shows, led once more by the real program.

use std::process::Command;

use quittance::sim::{self, Fault};
use serde_json::{Value, json};

use super::rig::{BINARY, Rig};
use super::tool::root;

const P6X: &str = "p6x-1";

/// A commit is done, but its answer is lost with the cable; then the program is killed, and started again with the cable back.
fn lead(rig: &Rig) -> String {
    let session = rig.approve(P6X, 5000);
    [1240, 2205, 3140].into_iter().for_each(|amount| rig.energy(&session, amount));
    rig.terminal(P6X).plan(sim::Command::Commit, Fault::CutAfter);
    let (status, body) = rig.api.post(&format!("/v1/sessions/{session}/commit?wait=0"), &json!({ "amount": 3140 }));
    assert_eq!(status, 202, "{body}");
    rig.wait_session(&session, "in doubt", |body| body["disposal"]["last_error"] == "no answer: link lost");
    rig.kill9();
    rig.until("the cable is back", || rig.path(P6X).exists().then_some(()));
    rig.start_again();
    let body = rig.wait_state(&session, "committed");
    assert_eq!(body["disposal"]["confirmed_by"], "list_absent", "{body}");
    session
}

fn explain(rig: &Rig, arguments: &[&str]) -> String {
    let mut command = Command::new(BINARY);
    command.arg("explain").args(arguments).env("QUITTANCE_URL", rig.api.url(""));
    let output = command.output().unwrap();
    let said = String::from_utf8(output.stdout).unwrap();
    assert_eq!(output.status.code(), Some(0), "{said}{}", String::from_utf8_lossy(&output.stderr));
    said
}

/// Without what differs from one run to the next: times, names, numbers, the card, and where lines end.
fn essence(story: &str) -> Vec<String> {
    let mut before = "";
    let words = story.split_whitespace().map(|word| {
        let bare = word.trim_matches(|c: char| !c.is_alphanumeric());
        let digits = bare.bytes().filter(u8::is_ascii_digit).count();
        let time = bare.len() >= 8 && bare.bytes().all(|byte| byte.is_ascii_digit() || b":.-".contains(&byte));
        let name = bare.len() == 36 && bare.matches('-').count() == 4;
        let hash = std::mem::replace(&mut before, word) == "hash";
        match bare {
            _ if hash => word.replace(bare, "HASH"),
            "p6x-1" | "bay-02" => word.replace(bare, "TERMINAL"),
            "p6x-1's" | "bay-02's" => "TERMINAL's".to_owned(),
            _ if name => word.replace(bare, "SESSION"),
            _ if time => word.replace(bare, "TIME"),
            // Amounts have a point.
            _ if digits >= 4 && !bare.contains('.') => word.replace(bare, "NUMBER"),
            _ => word.to_owned(),
        }
    });
    let text = words.collect::<Vec<_>>().join(" ");
    // A later time has its date only if that is another one.
    let text = text.replace("TIME on TIME", "TIME").replace(" TIME, UTC", "");
    text.split(" TIME ").map(str::to_owned).collect()
}

/// What README shows is what the program tells of the same events: from the file while it runs, through the API, and from the file when
/// it has ended.
#[test]
fn the_story_in_readme_is_told_again() {
    let readme = std::fs::read_to_string(root().join("README.md")).unwrap();
    let (_, printed) = readme.split_once("$ quittance explain 0").expect("README shows a story");
    let (_, printed) = printed.split_once('\n').unwrap();
    let printed = essence(printed.split("\n```").next().unwrap());
    assert!(printed.len() > 10, "{printed:#?}");

    // The link stays away until the program that is killed has been started again.
    let away = "\"1h\"";
    let rig = Rig::builder().p6xs(1).supervision("backoff_min", away).supervision("backoff_max", away).start();
    let session = lead(&rig);
    let journal = rig.journal().to_str().unwrap().to_owned();
    let offline = ["--journal", journal.as_str(), &session[..13]];
    let told = explain(&rig, &offline);
    assert_eq!(essence(&told), printed, "{told}");
    assert_eq!(explain(&rig, &[&session[..13]]), told);
    let json: Value = serde_json::from_str(&explain(&rig, &[&session, "--json"])).unwrap();
    assert_eq!((&json["state"], &json["sound"]), (&json!("committed"), &json!(true)));
    let card = json["story"][1]["record"]["card"]["hash"].as_str().unwrap();
    assert_eq!(card.chars().count(), 9, "{card} is more of a card than may be shown");
    assert_eq!(rig.terminate(), 0);
    assert_eq!(explain(&rig, &offline), told);
    rig.check_books();
}
