//! `aitcp probe`, as a process.

mod common;

use std::net::TcpListener;
use std::process::Output;

use common::{Agent, aitcp, assert_exit, json_lines, reason, stdout};

fn probe(agent: &Agent, arguments: &[&str]) -> Output {
    aitcp(agent.home.path()).args(["--json", "probe"]).args(arguments).output().unwrap()
}

#[test]
fn a_stranger_sees_who_answers_and_is_not_let_in() {
    let [ann, bob] = [Agent::new(), Agent::new()];
    bob.authorize(&[&ann.id]);
    let mut listening = bob.listen(&[]);
    for to in [listening.address.clone(), listening.full_address()] {
        let probed = probe(&ann, &[&to]);
        assert_exit(&probed, 0);
        let [found] = &json_lines(&probed)[..] else { panic!("one line expected") };
        assert_eq!(found["event"], "probed");
        assert_eq!(found["id"], bob.id);
        assert_eq!(found["address"], listening.address);
        assert!(found["suite"].as_str().unwrap().contains("ML-KEM-768"));
        assert!(found["handshake_milliseconds"].as_f64().unwrap() > 0.0);
        assert_eq!(found["admitted"], false);
        assert!(found["reason"].as_str().unwrap().contains("not admitted"));
        let turned_away = listening.event("turned-away");
        assert!(!turned_away["reason"].as_str().unwrap().contains(&ann.id), "the agent's own key was shown");
    }
    let text = aitcp(ann.home.path()).args(["probe", &listening.address]).output().unwrap();
    assert_exit(&text, 0);
    assert!(stdout(&text).contains(&bob.id), "{}", stdout(&text));
}

#[test]
fn with_a_key_the_answer_is_whether_it_is_let_in() {
    let [ann, bob] = [Agent::new(), Agent::new()];
    bob.authorize(&[&ann.id]);
    let mut listening = bob.listen(&[]);
    let key = ann.path("key");
    let arguments = [&listening.full_address(), "--key", key.to_str().unwrap()].map(str::to_owned);
    let arguments: Vec<_> = arguments.iter().map(String::as_str).collect();
    let probed = probe(&ann, &arguments);
    assert_exit(&probed, 0);
    assert_eq!(json_lines(&probed)[0]["admitted"], true);
    assert_eq!(listening.event("connected")["peer"], ann.id);
    listening.event("left");

    bob.authorize(&[]);
    let probed = probe(&ann, &arguments);
    assert_exit(&probed, 5);
    assert_eq!(json_lines(&probed)[0]["admitted"], false);
    assert!(reason(&probed).contains("not admitted"), "{}", reason(&probed));
}

#[test]
fn another_agent_or_protocol_is_told_apart_from_nobody() {
    let [ann, bob] = [Agent::new(), Agent::new()];
    bob.authorize(&[]);
    let listening = bob.listen(&[]);
    assert_exit(&probe(&ann, &[&format!("{}@{}", ann.id, listening.address)]), 5);
    let other = probe(&ann, &[&listening.address, "--app-protocol", "chat/1"]);
    assert_exit(&other, 5);
    assert!(reason(&other).contains("application protocol not served"), "{}", reason(&other));
    assert_exit(&probe(&ann, &[&listening.address, "--app-protocol", ""]), 2);

    let deaf = TcpListener::bind("127.0.0.1:0").unwrap();
    let address = deaf.local_addr().unwrap().to_string();
    let hang_up = std::thread::spawn(move || drop(deaf.accept().unwrap()));
    assert_exit(&probe(&ann, &[&address]), 4);
    hang_up.join().unwrap();
    assert_exit(&probe(&ann, &[&address]), 4);
}
