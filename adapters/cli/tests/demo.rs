//! `aitcp demo`, as a process.

mod common;

use common::{aitcp, assert_exit, json_lines, stderr, stdout};

#[test]
fn every_check_passes_and_every_attack_is_refused_with_its_reason() {
    let home = tempfile::tempdir().unwrap();
    let shown = aitcp(home.path()).args(["demo", "--json"]).output().unwrap();
    assert_exit(&shown, 0);
    let lines = json_lines(&shown);
    let events: Vec<_> = lines.iter().map(|line| line["event"].as_str().unwrap()).collect();
    let attacks = ["attack"; 4];
    assert_eq!(events[..5], ["agents", "handshake", "message", "message", "file"]);
    assert_eq!(events[5], "datagrams");
    assert_eq!(lines[5]["sha256_sent"], lines[5]["sha256_received"]);
    assert_eq!(events[6..10], attacks);
    assert_eq!(events[10..], ["demo"]);
    let reasons: Vec<_> = lines[6..10].iter().map(|line| line["reason"].as_str().unwrap()).collect();
    assert!(reasons[..3].iter().all(|reason| reason.contains("does not open")), "{reasons:?}");
    assert!(reasons[3].contains("without a close"), "{reasons:?}");
    assert_eq!((&lines[10]["ok"], &lines[10]["checks"]), (&true.into(), &9.into()));
}

#[test]
fn people_are_told_without_colours_where_there_is_no_terminal() {
    let home = tempfile::tempdir().unwrap();
    let shown = aitcp(home.path()).arg("demo").output().unwrap();
    assert_exit(&shown, 0);
    assert!(stdout(&shown).contains("All 9 checks passed"), "{}", stdout(&shown));
    assert!(!stdout(&shown).contains('\u{1B}'), "{}", stdout(&shown));
    assert_eq!(stderr(&shown), "");
}
