//! Completions and the manual, as the tools that use them see them.

use std::path::Path;
use std::process::{Command, Output};

use super::rig::BINARY;
use super::tool::tool;

fn quittance(arguments: &[&str]) -> Output {
    let output = Command::new(BINARY).args(arguments).output().unwrap();
    assert!(output.status.success(), "{arguments:?}: {}", String::from_utf8_lossy(&output.stderr));
    output
}

/// Bash reads the script, and completes a command and an option by it.
#[test]
fn bash_completes_by_the_script() {
    let Some(bash) = tool("bash", "bash") else { return };
    let folder = tempfile::tempdir().unwrap();
    let file = folder.path().join("quittance.bash");
    std::fs::write(&file, quittance(&["completions", "bash"]).stdout).unwrap();
    let checked = Command::new(&bash).arg("-n").arg(&file).output().unwrap();
    assert!(checked.status.success(), "{}", String::from_utf8_lossy(&checked.stderr));
    let ask = r#". "$1"; shift; COMP_WORDS=("$@"); COMP_CWORD=$(($# - 1))
        _quittance quittance "${COMP_WORDS[COMP_CWORD]}" "${COMP_WORDS[COMP_CWORD-1]}"; printf '%s\n' "${COMPREPLY[@]}""#;
    for (words, wanted) in [(["quittance", "exp"], "explain"), (["quittance", "rec"], "reconcile")] {
        let asked = Command::new(&bash).args(["-c", ask, "bash"]).arg(&file).args(words).output().unwrap();
        let told = String::from_utf8(asked.stdout).unwrap();
        assert!(told.lines().any(|line| line == wanted), "{words:?}: {told}{}", String::from_utf8_lossy(&asked.stderr));
    }
    for shell in ["zsh", "fish", "elvish", "powershell"] {
        assert!(String::from_utf8(quittance(&["completions", shell]).stdout).unwrap().contains("explain"), "{shell}");
    }
}

/// Groff finds nothing wrong with any page, nor with all of them as one, and prints every command's name.
#[test]
fn groff_reads_every_page() {
    let folder = tempfile::tempdir().unwrap();
    let said = quittance(&["man", folder.path().to_str().unwrap()]).stdout;
    let pages: Vec<String> = String::from_utf8(said).unwrap().lines().map(str::to_owned).collect();
    assert!(pages.len() > 15 && pages.iter().all(|page| Path::new(page).is_file()), "{pages:?}");
    let whole = folder.path().join("whole");
    std::fs::write(&whole, quittance(&["man"]).stdout).unwrap();
    let Some(groff) = tool("groff", "groff") else { return };
    let shown = |page: &Path| {
        let output = Command::new(&groff).args(["-man", "-ww", "-Tutf8", "-P-c", "-rLL=100n"]).arg(page).output().unwrap();
        assert_eq!(String::from_utf8_lossy(&output.stderr), "", "{}", page.display());
        // Bold letters are struck twice.
        let text = String::from_utf8(output.stdout).unwrap();
        let struck: Vec<char> = text.chars().collect();
        let kept = struck.iter().enumerate().filter(|(at, letter)| **letter != '\u{8}' && struck.get(at + 1) != Some(&'\u{8}'));
        kept.map(|(_, letter)| *letter).collect::<String>()
    };
    pages.iter().for_each(|page| assert!(shown(Path::new(page)).contains("EXIT STATUS"), "{page}"));
    let whole = shown(&whole);
    for command in ["RUN", "SESSIONS", "EXPLAIN", "RESOLVE", "REPORT", "JOURNAL VERIFY", "COMPLETIONS", "MAN"] {
        assert!(whole.lines().any(|line| line == format!("QUITTANCE {command}")), "{command}");
    }
    assert!(whole.contains("QUITTANCE_TOKEN") && whole.contains("EXAMPLES"));
    let error = Command::new(BINARY).args(["man", "/no/such/folder"]).output().unwrap();
    assert_eq!(error.status.code(), Some(1));
}
