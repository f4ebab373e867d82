//! `aitcp listen`, `aitcp send` and `aitcp probe` with `--udp`, as processes over the loopback address.

mod common;

use std::fs;
use std::net::UdpSocket;

use common::{Agent, aitcp, assert_exit, json_lines, reason, stdout};

#[test]
fn a_file_arrives_and_both_ends_say_so() {
    let [ann, bob] = [Agent::new(), Agent::new()];
    bob.authorize(&[&format!("{} - Ann's laptop", ann.id)]);
    let content: Vec<u8> = (0..5_000_000_u32).map(|index| (index.wrapping_mul(index) >> 7) as u8).collect();
    fs::write(ann.path("report.pdf"), &content).unwrap();

    let mut listening = bob.listen(&["--udp", "--once"]);
    let file = ann.path("report.pdf");
    let sent = ann.send(&listening.full_address(), &["--udp", file.to_str().unwrap()]).output().unwrap();
    assert_exit(&sent, 0);
    let [connected, sent] = &json_lines(&sent)[..] else { panic!("two lines expected") };
    assert_eq!((&connected["event"], &connected["peer"]), (&"connected".into(), &bob.id.as_str().into()));

    let welcome = listening.event("connected");
    assert_eq!((&welcome["peer"], &welcome["comment"]), (&ann.id.as_str().into(), &"Ann's laptop".into()));
    let stored = listening.event("stored");
    for field in ["name", "bytes", "sha256"] {
        assert_eq!(stored[field], sent[field]);
    }
    assert_eq!(fs::read(stored["path"].as_str().unwrap()).unwrap(), content);
    assert!(listening.event("left").get("reason").is_none(), "an orderly end");
    assert_eq!(listening.wait().code(), Some(0));
    assert_eq!(bob.inbox(), ["report.pdf"]);
}

#[test]
fn agents_come_one_after_the_other_and_only_those_on_the_list() {
    let [ann, bob, eve] = [Agent::new(), Agent::new(), Agent::new()];
    bob.authorize(&[&ann.id]);
    let mut listening = bob.listen(&["--udp"]);
    let to = listening.full_address();
    for (agent, name) in [(&ann, "first"), (&eve, "never"), (&ann, "second")] {
        fs::write(agent.path(name), name).unwrap();
        let sent = agent.send(&to, &["--udp", agent.path(name).to_str().unwrap()]).output().unwrap();
        if agent.id == eve.id {
            assert_exit(&sent, 5);
            assert!(reason(&sent).contains("not admitted"), "{}", reason(&sent));
            assert!(listening.event("turned-away")["reason"].as_str().unwrap().contains(&eve.id));
        } else {
            assert_exit(&sent, 0);
            for event in ["connected", "stored", "left"] {
                listening.event(event);
            }
        }
    }
    assert_eq!(bob.inbox(), ["first", "second"]);
}

/// With a ticket of the first, which is used once: what it came with is good for the third.
#[test]
fn the_next_session_is_resumed() {
    let [ann, bob] = [Agent::new(), Agent::new()];
    bob.authorize(&[&ann.id]);
    let listening = bob.listen(&["--udp"]);
    for (name, resumed) in [("first", false), ("second", true), ("third", true)] {
        fs::write(ann.path(name), name).unwrap();
        let sent = ann.send(&listening.full_address(), &["--udp", ann.path(name).to_str().unwrap()]).output().unwrap();
        assert_exit(&sent, 0);
        assert_eq!(json_lines(&sent)[0]["resumed"], resumed, "{name}");
    }
    assert_eq!(bob.inbox(), ["first", "second", "third"]);
}

#[test]
fn another_agent_than_the_one_named_gets_nothing() {
    let [ann, bob, eve] = [Agent::new(), Agent::new(), Agent::new()];
    eve.authorize(&[&ann.id]);
    fs::write(ann.path("a"), "for Bob only").unwrap();
    let listening = eve.listen(&["--udp"]);
    let to = format!("{}@{}", bob.id, listening.address);
    let refused = ann.send(&to, &["--udp", ann.path("a").to_str().unwrap()]).output().unwrap();
    assert_exit(&refused, 5);
    assert!(eve.inbox().is_empty());
}

#[test]
fn a_probe_shows_who_answers() {
    let [ann, bob] = [Agent::new(), Agent::new()];
    bob.authorize(&[&ann.id]);
    let mut listening = bob.listen(&["--udp"]);
    let probe = |arguments: &[&str]| {
        aitcp(ann.home.path()).args(["--json", "probe", "--udp"]).args(arguments).output().unwrap()
    };
    let probed = probe(&[&listening.address]);
    assert_exit(&probed, 0);
    let [found] = &json_lines(&probed)[..] else { panic!("one line expected") };
    assert_eq!((&found["id"], &found["address"]), (&bob.id.as_str().into(), &listening.address.as_str().into()));
    assert!(found["handshake_milliseconds"].as_f64().unwrap() > 0.0);
    assert!(found.get("connect_milliseconds").is_none(), "there is nothing to connect");
    assert_eq!(found["admitted"], false);
    listening.event("turned-away");

    let key = ann.path("key");
    let probed = probe(&[&listening.full_address(), "--key", key.to_str().unwrap()]);
    assert_exit(&probed, 0);
    assert_eq!(json_lines(&probed)[0]["admitted"], true, "{}", stdout(&probed));
}

#[test]
fn where_nobody_answers_is_unreachable() {
    let [ann, bob] = [Agent::new(), Agent::new()];
    fs::write(ann.path("a"), "content").unwrap();
    let silent = UdpSocket::bind("127.0.0.1:0").unwrap();
    let to = format!("{}@{}", bob.id, silent.local_addr().unwrap());
    let failed = ann.send(&to, &["--udp", ann.path("a").to_str().unwrap()]).output().unwrap();
    assert_exit(&failed, 4);
    assert!(reason(&failed).contains("too long"), "{}", reason(&failed));
}
