//! `aitcp key`, as a process, beside `ssh-keygen` where it is installed.

mod common;

use std::fs;
use std::path::Path;
use std::process::{Command, Output};

use common::{aitcp, assert_exit, json_lines, stderr, stdout};
use tempfile::tempdir;

#[test]
fn a_new_key_is_private_and_shown_without_its_secret() {
    let home = tempdir().unwrap();
    let made = aitcp(home.path()).args(["--json", "key", "new", "--comment", "build server"]).output().unwrap();
    assert_exit(&made, 0);
    let [made] = &json_lines(&made)[..] else { panic!("one line expected") };
    let file = home.path().join("key");
    assert_eq!(made["event"], "key");
    assert_eq!(made["file"], file.to_str().unwrap());
    assert_eq!(made["comment"], "build server");
    assert!(made["id"].as_str().unwrap().starts_with("aitcp1"));
    assert!(made["fingerprint"].as_str().unwrap().starts_with("SHA256:"));
    assert!(made["public_key"].as_str().unwrap().starts_with("ssh-ed25519 "));
    assert_private(&file);

    let shown = aitcp(home.path()).args(["key", "show", "--json"]).output().unwrap();
    assert_exit(&shown, 0);
    assert_eq!(&json_lines(&shown)[..], std::slice::from_ref(made));
    let text = stdout(&aitcp(home.path()).args(["key", "show"]).output().unwrap());
    for field in ["id", "fingerprint", "public_key", "comment", "file"] {
        assert!(text.contains(made[field].as_str().unwrap()), "{field} is missing in {text}");
    }
    // 32 bytes of seed in Base64 start somewhere inside of this line, wherever the groups of three begin.
    let pem = fs::read_to_string(&file).unwrap();
    for line in pem.lines().skip(2).filter(|line| !line.starts_with('-')) {
        assert!(!text.contains(line), "a line of the private key is shown");
    }
}

#[test]
fn two_keys_differ_and_none_is_overwritten() {
    let home = tempdir().unwrap();
    let make = |name: &str| aitcp(home.path()).args(["key", "new", name]).current_dir(home.path()).output().unwrap();
    assert_exit(&make("one"), 0);
    assert_exit(&make("two"), 0);
    let one = fs::read(home.path().join("one")).unwrap();
    assert_ne!(one, fs::read(home.path().join("two")).unwrap());
    let again = make("one");
    assert_exit(&again, 3);
    assert!(stderr(&again).contains("never overwritten"), "{}", stderr(&again));
    assert_eq!(fs::read(home.path().join("one")).unwrap(), one);
}

#[test]
fn a_failure_is_told_to_people_on_stderr_and_to_programs_as_the_last_line() {
    let home = tempdir().unwrap();
    let missing = aitcp(home.path()).args(["key", "show"]).output().unwrap();
    assert_exit(&missing, 3);
    assert!(stdout(&missing).is_empty());
    assert!(stderr(&missing).starts_with("aitcp: "), "{}", stderr(&missing));

    let missing = aitcp(home.path()).args(["key", "show", "--json"]).output().unwrap();
    assert_exit(&missing, 3);
    assert!(stderr(&missing).is_empty());
    assert_eq!(json_lines(&missing)[0]["event"], "failed");
    assert_eq!(json_lines(&missing)[0]["exit"], 3);
}

#[test]
fn wrong_usage_is_exit_code_two_and_help_lists_the_codes() {
    let home = tempdir().unwrap();
    assert_exit(&aitcp(home.path()).output().unwrap(), 2);
    assert_exit(&aitcp(home.path()).args(["key", "burn"]).output().unwrap(), 2);
    let help = aitcp(home.path()).arg("--help").output().unwrap();
    assert_exit(&help, 0);
    assert!(stdout(&help).contains("Exit codes:\n  0  done\n"), "{}", stdout(&help));
}

#[cfg(unix)]
#[test]
fn a_key_that_others_can_read_is_refused() {
    use std::os::unix::fs::PermissionsExt;

    let home = tempdir().unwrap();
    assert_exit(&aitcp(home.path()).args(["key", "new"]).output().unwrap(), 0);
    let file = home.path().join("key");
    for mode in [0o640, 0o604, 0o660, 0o601] {
        fs::set_permissions(&file, fs::Permissions::from_mode(mode)).unwrap();
        let shown = aitcp(home.path()).args(["key", "fingerprint"]).output().unwrap();
        assert_exit(&shown, 3);
        assert!(stderr(&shown).contains("chmod 600"), "{}", stderr(&shown));
    }
}

#[test]
fn ssh_keygen_reads_our_keys() {
    let home = tempdir().unwrap();
    assert_exit(&aitcp(home.path()).args(["key", "new", "--comment", "ann"]).output().unwrap(), 0);
    let file = home.path().join("key");
    let Some(listed) = ssh_keygen(&["-l", "-f", file.to_str().unwrap()]) else { return };
    let ours = aitcp(home.path()).args(["key", "fingerprint"]).output().unwrap();
    assert_eq!(stdout(&listed).split(' ').nth(1), Some(stdout(&ours).trim_end()));
    assert!(stdout(&listed).trim_end().ends_with("(ED25519)"), "{}", stdout(&listed));

    let public = ssh_keygen(&["-y", "-f", file.to_str().unwrap()]).unwrap();
    let shown = aitcp(home.path()).args(["key", "show", "--json"]).output().unwrap();
    assert_eq!(stdout(&public).trim_end(), format!("{} ann", json_lines(&shown)[0]["public_key"].as_str().unwrap()));
}

#[test]
fn we_read_the_keys_of_ssh_keygen_that_are_ed25519_and_open() {
    let home = tempdir().unwrap();
    let make = |name: &str, kind: &[&str], passphrase: &str| {
        let file = home.path().join(name);
        let file = file.to_str().unwrap();
        ssh_keygen(&[kind, &["-q", "-N", passphrase, "-C", "by ssh-keygen", "-f", file]].concat())
    };
    let show =
        |name: &str| aitcp(home.path()).args(["key", "show", "--json"]).arg(home.path().join(name)).output().unwrap();
    if make("open", &["-t", "ed25519"], "").is_none() {
        return;
    }
    let shown = show("open");
    assert_exit(&shown, 0);
    let public = fs::read_to_string(home.path().join("open.pub")).unwrap();
    let line = &json_lines(&shown)[0];
    assert_eq!(public.trim_end(), format!("{} by ssh-keygen", line["public_key"].as_str().unwrap()));
    assert_eq!(line["comment"], "by ssh-keygen");

    make("closed", &["-t", "ed25519"], "sesame").unwrap();
    let refused = show("closed");
    assert_exit(&refused, 3);
    assert!(stdout(&refused).contains("passphrase"), "{}", stdout(&refused));

    make("rsa", &["-t", "rsa", "-b", "2048"], "").unwrap();
    let refused = show("rsa");
    assert_exit(&refused, 3);
    assert!(stdout(&refused).contains("ssh-ed25519"), "{}", stdout(&refused));
}

/// What `ssh-keygen` answers; `None`, said aloud, where it is not installed.
fn ssh_keygen(arguments: &[&str]) -> Option<Output> {
    match Command::new("ssh-keygen").args(arguments).output() {
        Ok(output) => {
            assert!(output.status.success(), "ssh-keygen {arguments:?}: {}", stderr(&output));
            Some(output)
        }
        Err(error) => {
            eprintln!("SKIPPED: ssh-keygen cannot be run here: {error}");
            None
        }
    }
}

#[cfg(unix)]
fn assert_private(file: &Path) {
    use std::os::unix::fs::PermissionsExt;

    assert_eq!(fs::metadata(file).unwrap().permissions().mode() & 0o777, 0o600);
}

#[cfg(not(unix))]
fn assert_private(_: &Path) {}
