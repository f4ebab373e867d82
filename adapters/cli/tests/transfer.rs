//! `aitcp listen` and `aitcp send`, as processes over loopback TCP.

mod common;

use std::fs;
use std::io::{BufRead, BufReader, Write};
use std::net::{TcpListener, TcpStream};
use std::process::Stdio;

use common::{Agent, aitcp, assert_exit, json_lines, reason, stderr};

#[test]
fn a_file_arrives_and_both_ends_say_so() {
    let [ann, bob] = [Agent::new(), Agent::new()];
    bob.authorize(&[&format!("{} - Ann's laptop", ann.id)]);
    let content: Vec<u8> = (0..5_000_000_u32).map(|index| (index.wrapping_mul(index) >> 7) as u8).collect();
    fs::write(ann.path("report.pdf"), &content).unwrap();

    let mut listening = bob.listen(&["--once"]);
    let sent = ann.send(&listening.full_address(), &[ann.path("report.pdf").to_str().unwrap()]).output().unwrap();
    assert_exit(&sent, 0);
    assert_eq!(stderr(&sent), "", "no bar without a terminal");
    let [connected, sent] = &json_lines(&sent)[..] else { panic!("two lines expected") };
    assert_eq!((&connected["event"], &connected["peer"]), (&"connected".into(), &bob.id.as_str().into()));
    assert!(connected["suite"].as_str().unwrap().contains("ML-KEM-768"));

    let welcome = listening.event("connected");
    assert_eq!(welcome["peer"], ann.id);
    assert_eq!(welcome["comment"], "Ann's laptop");
    let stored = listening.event("stored");
    assert_eq!(stored["name"], "report.pdf");
    for field in ["name", "bytes", "sha256"] {
        assert_eq!(stored[field], sent[field]);
    }
    assert_eq!(stored["bytes"], 5_000_000);
    assert_eq!(fs::read(stored["path"].as_str().unwrap()).unwrap(), content);
    assert!(listening.event("left").get("reason").is_none(), "an orderly end");
    assert_eq!(listening.wait().code(), Some(0));
    assert_eq!(bob.inbox(), ["report.pdf"]);
}

#[test]
fn standard_input_is_sent_under_the_name_it_is_given() {
    let [ann, bob] = [Agent::new(), Agent::new()];
    bob.authorize(&[&ann.id]);
    let listening = bob.listen(&[]);
    for (arguments, name) in [(&["-"][..], "stdin"), (&["-", "--name", "notes.txt"], "notes.txt")] {
        let mut sending = ann.send(&listening.full_address(), arguments);
        let mut sending = sending.stdin(Stdio::piped()).stdout(Stdio::piped()).spawn().unwrap();
        sending.stdin.take().unwrap().write_all(b"some notes").unwrap();
        assert_exit(&sending.wait_with_output().unwrap(), 0);
        assert_eq!(fs::read(bob.path("inbox").join(name)).unwrap(), b"some notes");
    }
}

#[test]
fn who_is_not_on_the_list_is_turned_away_and_the_list_can_change_at_any_time() {
    let [ann, bob, eve] = [Agent::new(), Agent::new(), Agent::new()];
    bob.authorize(&[&ann.id, &format!("{} expires=2020-01-01 the past", eve.id)]);
    for agent in [&ann, &eve] {
        fs::write(agent.path("a"), "from somebody").unwrap();
    }
    let mut listening = bob.listen(&[]);
    let send = |agent: &Agent, to: &str| agent.send(to, &[agent.path("a").to_str().unwrap()]).output().unwrap();
    let to = listening.full_address();

    let refused = send(&eve, &to);
    assert_exit(&refused, 5);
    assert!(reason(&refused).contains("not admitted"), "{}", reason(&refused));
    assert!(listening.event("turned-away")["reason"].as_str().unwrap().contains(&eve.id));
    assert!(bob.inbox().is_empty());

    bob.authorize(&[&eve.id]);
    assert_exit(&send(&ann, &to), 5);
    listening.event("turned-away");
    assert_exit(&send(&eve, &to), 0);
    listening.event("connected");
    listening.event("stored");
    listening.event("left");

    bob.authorize(&["nonsense"]);
    assert_exit(&send(&eve, &to), 5);
    assert!(listening.event("trouble")["reason"].as_str().unwrap().contains("line 1"));
    listening.event("turned-away");
}

#[test]
fn another_agent_than_the_one_named_gets_nothing() {
    let [ann, bob, eve] = [Agent::new(), Agent::new(), Agent::new()];
    eve.authorize(&[&ann.id]);
    fs::write(ann.path("a"), "for Bob only").unwrap();
    let mut listening = eve.listen(&[]);
    let to = format!("{}@{}", bob.id, listening.address);
    let refused = ann.send(&to, &[ann.path("a").to_str().unwrap()]).output().unwrap();
    assert_exit(&refused, 5);
    listening.event("turned-away");
    assert!(eve.inbox().is_empty());
}

#[test]
fn files_that_the_receiver_does_not_take_fail_with_its_reason() {
    let [ann, bob] = [Agent::new(), Agent::new()];
    bob.authorize(&[&format!("{} max-size=1KiB", ann.id)]);
    fs::write(ann.path("small"), [7; 1024]).unwrap();
    fs::write(ann.path("large"), [7; 1025]).unwrap();
    let mut listening = bob.listen(&[]);
    fs::write(bob.path("inbox").join("there"), "precious").unwrap();
    let small = ann.path("small");
    let small = small.to_str().unwrap();
    for (arguments, expected) in [
        (&[ann.path("large").to_str().unwrap()][..], "larger than is allowed"),
        (&[small, "--name", "../outside"], "name of the file is not allowed"),
        (&[small, "--name", "there"], "there already"),
    ] {
        let refused = ann.send(&listening.full_address(), arguments).output().unwrap();
        assert_exit(&refused, 6);
        assert!(reason(&refused).contains(expected), "{}", reason(&refused));
        listening.event("connected");
        assert!(listening.event("not-stored")["reason"].as_str().unwrap().contains(expected));
        assert!(listening.event("left").get("reason").is_none(), "an orderly end");
    }
    assert_exit(&ann.send(&listening.full_address(), &[small]).output().unwrap(), 0);
    assert_eq!(bob.inbox(), ["small", "there"]);
    assert_eq!(fs::read(bob.path("inbox").join("there")).unwrap(), b"precious");
    assert!(!bob.path("outside").exists());
}

#[test]
fn files_are_replaced_only_on_request() {
    let [ann, bob] = [Agent::new(), Agent::new()];
    bob.authorize(&[&ann.id]);
    fs::write(ann.path("a"), "new").unwrap();
    let listening = bob.listen(&["--overwrite"]);
    fs::write(bob.path("inbox").join("a"), "old").unwrap();
    let sent = ann.send(&listening.full_address(), &[ann.path("a").to_str().unwrap()]).output().unwrap();
    assert_exit(&sent, 0);
    assert_eq!(fs::read(bob.path("inbox").join("a")).unwrap(), b"new");
}

#[test]
fn a_sender_that_dies_leaves_nothing_behind() {
    let [ann, bob] = [Agent::new(), Agent::new()];
    bob.authorize(&[&ann.id]);
    let mut listening = bob.listen(&["--once"]);
    let mut sending = ann.send(&listening.full_address(), &["-"]);
    let mut sending = sending.stdin(Stdio::piped()).stdout(Stdio::piped()).spawn().unwrap();
    let mut line = String::new();
    BufReader::new(sending.stdout.take().unwrap()).read_line(&mut line).unwrap();
    assert!(line.contains("connected"), "{line}");
    // More than all buffers on the way hold, so that the receiver has begun.
    sending.stdin.as_mut().unwrap().write_all(&vec![7; 16 << 20]).unwrap();
    sending.kill().unwrap();
    sending.wait().unwrap();
    listening.event("connected");
    assert!(listening.event("left")["reason"].as_str().unwrap().contains("without a close"));
    assert!(bob.inbox().is_empty(), "{:?}", bob.inbox());
    let failed = listening.event("failed");
    assert_eq!(failed["exit"], 6);
    assert_eq!(listening.wait().code(), Some(6));
}

#[test]
fn connections_beyond_the_limit_are_turned_away() {
    let [ann, bob] = [Agent::new(), Agent::new()];
    bob.authorize(&[&ann.id]);
    fs::write(ann.path("a"), "content").unwrap();
    let mut listening = bob.listen(&["--max-connections", "1"]);
    // Whoever says nothing still has a place, until the handshake takes too long.
    let silent = TcpStream::connect(&listening.address).unwrap();
    let send = || ann.send(&listening.full_address(), &[ann.path("a").to_str().unwrap()]).output().unwrap();
    assert_exit(&send(), 4);
    assert!(listening.event("turned-away")["reason"].as_str().unwrap().contains("being served already"));
    drop(silent);
    assert!(listening.event("turned-away")["reason"].as_str().unwrap().contains("without a close"));
    let sent = ann.send(&listening.full_address(), &[ann.path("a").to_str().unwrap()]).output().unwrap();
    assert_exit(&sent, 0);
}

#[test]
fn where_nobody_listens_or_something_else_does_is_unreachable() {
    let [ann, bob] = [Agent::new(), Agent::new()];
    fs::write(ann.path("a"), "content").unwrap();
    let free = TcpListener::bind("127.0.0.1:0").unwrap();
    let address = free.local_addr().unwrap();
    let to = format!("{}@{address}", bob.id);
    let send = || ann.send(&to, &[ann.path("a").to_str().unwrap()]).output().unwrap();
    let other = std::thread::spawn(move || {
        let mut stream = free.accept().unwrap().0;
        stream.write_all(b"SSH-2.0-something-else and more, so that it looks like a whole packet\r\n").unwrap();
        // Until the command has seen enough.
        let _ = std::io::copy(&mut stream, &mut std::io::sink());
    });
    let spoken_to = send();
    assert_exit(&spoken_to, 4);
    assert!(reason(&spoken_to).contains("not an AI-TCP packet"), "{}", reason(&spoken_to));
    other.join().unwrap();
    assert_exit(&send(), 4);
}

#[test]
fn what_is_wrong_here_is_said_before_anybody_is_called() {
    let [ann, bob] = [Agent::new(), Agent::new()];
    let to = format!("{}@127.0.0.1:1", bob.id);
    for (arguments, exit) in [
        (&["send", &to, "missing"][..], 1),
        (&["send", &to, "."], 1),
        (&["send", &to, "missing", "--key", "missing"], 3),
        (&["send", "127.0.0.1:1", "missing"], 2),
        (&["listen", "--into", "missing"], 3),
        (&["listen", "--into", ".", "--max-connections", "0"], 2),
        (&["listen", "--into", ".", "--max-size", "much"], 2),
    ] {
        let failed = aitcp(ann.home.path()).args(arguments).current_dir(ann.home.path()).output().unwrap();
        assert_exit(&failed, exit);
    }
    ann.authorize(&[]);
    let failed = aitcp(ann.home.path()).args(["listen", "127.0.0.1:0", "--into", "missing"]).output().unwrap();
    assert_exit(&failed, 1);
    ann.authorize(&["*"]);
    let failed = aitcp(ann.home.path()).args(["listen", "127.0.0.1:0", "--into", "."]).output().unwrap();
    assert_exit(&failed, 3);
    assert!(stderr(&failed).contains("line 1"), "{}", stderr(&failed));
}
