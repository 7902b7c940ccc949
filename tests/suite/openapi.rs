//! `/openapi.json`, as the real program serves it, and what other programs make of it.

use std::process::Command;

use serde_json::Value;

use super::rig::Rig;
use super::tool::{root, tool};

const SNAPSHOT: &str = "tests/suite/data/openapi.json";

/// What to install for the programs that read the description.
const REQUIREMENTS: &str = "`pip install -r tests/schemathesis/requirements.txt`";

/// What is described changes only when somebody means it: QUITTANCE_RENEW=1 writes the file anew, and then its difference is looked at.
#[test]
fn the_description_is_as_it_was() {
    let rig = Rig::builder().apollos(1).token("secret").start();
    let (status, described) = rig.api.get_as(None, "/openapi.json");
    assert_eq!(status, 200);
    let text = serde_json::to_string_pretty(&described).unwrap() + "\n";
    let file = root().join(SNAPSHOT);
    if std::env::var_os("QUITTANCE_RENEW").is_some() {
        std::fs::write(&file, &text).unwrap();
    }
    let known: Value = serde_json::from_str(&std::fs::read_to_string(&file).unwrap_or_default()).unwrap_or_default();
    assert_eq!(known["openapi"], "3.1.0");
    let differing: Vec<&String> =
        ["paths", "components"].iter().flat_map(|part| differences(&known[part], &described[part])).collect();
    assert!(known == described, "QUITTANCE_RENEW=1 cargo test --test suite openapi:: writes it anew; other: {differing:?}");
    rig.finish();
}

/// The names of what is there once, or is there twice and not the same.
fn differences<'a>(known: &'a Value, now: &'a Value) -> Vec<&'a String> {
    let names = |value: &'a Value| value.as_object().into_iter().flat_map(|map| map.keys());
    let mut differing: Vec<&String> = names(known).chain(names(now)).filter(|name| known[*name] != now[*name]).collect();
    differing.sort();
    differing.dedup();
    differing
}

/// Schemathesis reads the description and asks the real program, with terminals at which a card lies, whatever it allows and whatever
/// it forbids; every answer must be one that is described. The seed is the same in CI; `QUITTANCE_SEED=random` takes another one each
/// time, and schemathesis prints it. `QUITTANCE_EXAMPLES=500` asks for more of each operation.
#[test]
fn schemathesis_finds_nothing() {
    let Some(schemathesis) = tool("schemathesis", REQUIREMENTS) else { return };
    let rig = Rig::pair().connectors(2).timeout("card", "\"1s\"").token("secret").start();
    for terminal in rig.names() {
        rig.terminal(&terminal).leave_card(&rig.new_card());
    }
    let seed = std::env::var("QUITTANCE_SEED").unwrap_or_else(|_| "20261123".to_owned());
    let examples = std::env::var("QUITTANCE_EXAMPLES").unwrap_or_else(|_| "20".to_owned());
    let mut command = Command::new(schemathesis);
    command.args(["--config-file", "tests/schemathesis/schemathesis.toml", "run", "--no-color", "--checks", "all"]);
    command.args(["--continue-on-failure", "--max-examples", &examples, "--header", "Authorization: Bearer secret"]);
    if seed != "random" {
        command.args(["--seed", &seed]);
    }
    let command = command.arg(rig.api.url("/openapi.json")).env("PYTHONDONTWRITEBYTECODE", "1").current_dir(root());
    let output = command.output().unwrap();
    let said = String::from_utf8_lossy(&[output.stdout, output.stderr].concat()).into_owned();
    let summary = said.split("= SUMMARY =").nth(1).unwrap_or(&said);
    eprintln!("{summary}");
    assert!(output.status.success(), "{said}");
    let described = std::fs::read_to_string(root().join(SNAPSHOT)).unwrap().matches("\"operationId\"").count();
    // All but the stream of events, which has no end, and the document itself, which schemathesis has read before.
    assert!(summary.contains(&format!("Tested: {}\n", described - 2)), "every operation was asked: {summary}");
    rig.finish();
}

/// openapi-python-client makes a client from the description, and a charger that uses it commits what it was told to.
#[test]
fn a_generated_client_commits() {
    let Some(generator) = tool("openapi-python-client", REQUIREMENTS) else { return };
    // The Python that has what the client needs lies beside it.
    let python = std::fs::canonicalize(generator.parent().unwrap()).unwrap().join("python3");
    let rig = Rig::pair().token("secret").start();
    let (described, folder) = (rig.path("openapi.json"), rig.path("client"));
    std::fs::write(&described, rig.api.get("/openapi.json").1.to_string()).unwrap();
    std::fs::create_dir(&folder).unwrap();
    let (described, package) = (described.to_str().unwrap(), folder.join("quittance_client"));
    let arguments =
        ["generate", "--path", described, "--meta", "none", "--fail-on-warning", "--output-path", package.to_str().unwrap()];
    let path = std::env::join_paths(
        std::iter::once(generator.parent().unwrap().to_owned())
            .chain(std::env::split_paths(&std::env::var_os("PATH").unwrap_or_default())),
    );
    let made = Command::new(&generator).args(arguments).env("PATH", path.unwrap()).output().unwrap();
    assert!(made.status.success(), "{}{}", String::from_utf8_lossy(&made.stdout), String::from_utf8_lossy(&made.stderr));
    for terminal in rig.names() {
        rig.terminal(&terminal).leave_card(&rig.new_card());
        let script = root().join("tests/schemathesis/client.py");
        let arguments = [script.to_str().unwrap(), folder.to_str().unwrap(), &rig.api.url(""), "secret", &terminal];
        let said = Command::new(&python).args(arguments).output().unwrap();
        assert_eq!(
            String::from_utf8_lossy(&said.stdout),
            "over_commit committed 3140 EUR\n",
            "{}",
            String::from_utf8_lossy(&said.stderr)
        );
    }
    assert_eq!(rig.bank().ledger().captured, 2 * 3140);
    rig.finish();
}
