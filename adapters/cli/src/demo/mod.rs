//! `aitcp demo`: two agents in one process talk over real TCP, then over UDP through a bad network, and then an attacker stands in
//! between.

mod agents;
mod attacks;
mod bad_network;
mod relay;
mod step;
mod udp;

use std::fs::File;
use std::io::{self, Write};

use std::path::Path;
use std::time::Instant;

use aitcp::Direction;
use aitcp_std::Connection;

use crate::exit::{Exit, Failure};
use crate::output::Output;
use crate::progress::Progress;
use crate::transfer::checksum::Checksum;
use crate::transfer::inbox::Inbox;
use crate::transfer::message::Header;
use crate::transfer::{receiver, sender};
use agents::{ALICE, Agents, BOB, accept, recv_text, together};
use step::{Agent, Step, heading};

/// The size of the file that is moved.
const FILE_BYTES: u64 = 64 << 20;

pub(crate) fn run(output: Output) -> Result<(), Failure> {
    let mut demo = Demo { output, begun: Instant::now(), checks: 0, failed: 0 };
    demo.play()?;
    demo.conclude()
}

/// The demonstration under way.
struct Demo {
    output: Output,
    begun: Instant,
    checks: usize,
    failed: usize,
}

impl Demo {
    fn play(&mut self) -> Result<(), Failure> {
        let agents = Agents::new()?;
        self.tell(&Step::Agents {
            initiator: Agent::new(ALICE, &agents.alice),
            responder: Agent::new(BOB, &agents.bob),
        })?;
        let begun = Instant::now();
        let (alice, bob) = agents.meet(agents.address()).map_err(broken)?;
        self.tell(&introduce(&agents, begun, &alice, &bob).map_err(broken)?)?;

        self.announce("A message each way")?;
        for step in talk(&alice, &bob).map_err(broken)? {
            self.tell(&step)?;
        }

        self.announce("A file of 64 MiB")?;
        let step = self.move_file(&alice, &bob)?;
        self.tell(&step)?;
        together(|| alice.shutdown(), || bob.shutdown()).map_err(broken)?;

        self.announce("4 MiB over UDP, through a network that loses, doubles, reorders and alters")?;
        self.tell(&udp::cross(&agents).map_err(broken)?)?;

        self.announce("An attacker in between sees every byte, holds no key, and tries")?;
        for attack in relay::Attack::ALL {
            self.tell(&attacks::suffer(attack, &agents).map_err(broken)?)?;
        }
        Ok(())
    }

    fn move_file(&self, alice: &Connection, bob: &Connection) -> Result<Step, Failure> {
        let folder = tempfile::tempdir().map_err(local)?;
        let inbox_folder = folder.path().join("inbox");
        std::fs::create_dir(&inbox_folder).map_err(local)?;
        let inbox = Inbox::open(&inbox_folder, false).map_err(local)?;
        let path = folder.path().join("random.bin");
        make_file(&path).map_err(local)?;
        let sent = Checksum::of(File::open(&path).map_err(local)?).map_err(local)?;

        let header = Header { name: "random.bin".to_owned(), size: Some(FILE_BYTES) };
        let progress = Progress::new(header.size, self.output);
        let begun = Instant::now();
        let (_, stored) = together(
            || {
                let mut stream = alice.open(Direction::Bidirectional)?;
                let content = File::open(&path)?;
                sender::send(&mut stream, &header, content, |bytes| progress.add(bytes)).map_err(io::Error::other)
            },
            || {
                let mut stream = accept(bob)?;
                receiver::receive(&mut stream, &inbox, FILE_BYTES).map_err(io::Error::other)
            },
        )
        .map_err(broken)?;
        let seconds = begun.elapsed().as_secs_f64();
        // What counts is what is on the disk, not what either end believes.
        let on_disk = Checksum::of(File::open(&stored.path).map_err(local)?).map_err(local)?;
        Ok(Step::File {
            ok: on_disk == sent && sent.bytes == FILE_BYTES,
            bytes: on_disk.bytes,
            seconds,
            sha256_sent: sent.sha256,
            sha256_stored: on_disk.sha256,
        })
    }

    fn conclude(self) -> Result<(), Failure> {
        let ok = self.failed == 0;
        let seconds = self.begun.elapsed().as_secs_f64();
        self.output.report(&Step::Demo { ok, checks: self.checks, failed: self.failed, seconds })?;
        if ok { Ok(()) } else { Err(Failure::new(Exit::Demo, "the demonstration did not go as it must")) }
    }

    fn tell(&mut self, step: &Step) -> Result<(), Failure> {
        if let Some(ok) = step.verdict() {
            self.checks += 1;
            self.failed += usize::from(!ok);
        }
        self.output.report(step)
    }

    /// Says to people what comes next.
    fn announce(&self, what: &str) -> Result<(), Failure> {
        if !self.output.is_for_people() {
            return Ok(());
        }
        writeln!(io::stdout(), "\n{}", heading(what)).map_err(local)
    }
}

/// What both ends found out about each other.
fn introduce(agents: &Agents, begun: Instant, alice: &Connection, bob: &Connection) -> io::Result<Step> {
    let milliseconds = begun.elapsed().as_secs_f64() * 1e3;
    let (at_alice, at_bob) = (alice.handshake(), bob.handshake());
    let exported = |connection: &Connection| -> io::Result<[u8; 32]> {
        let mut key = [0; 32];
        connection.inspect(|session| session.export(b"aitcp demo", b"", &mut key)).map_err(io::Error::other)?;
        Ok(key)
    };
    let same_keys = exported(alice)? == exported(bob)? && at_alice.suite == at_bob.suite;
    Ok(Step::Handshake {
        ok: same_keys && at_alice.peer == agents.bob && at_bob.peer == agents.alice,
        address: agents.address().to_string(),
        suite: at_alice.suite.to_string(),
        milliseconds,
        initiator_saw: at_alice.peer.to_string(),
        responder_saw: at_bob.peer.to_string(),
        same_keys,
    })
}

fn talk(alice: &Connection, bob: &Connection) -> io::Result<[Step; 2]> {
    const QUESTION: &str = "Hello Bob. Is this line safe?";
    const ANSWER: &str = "It is, Alice: nobody else holds its keys.";
    let (answer, question) = together(
        || {
            let mut stream = alice.open(Direction::Bidirectional)?;
            stream.sender.send(QUESTION.as_bytes())?;
            stream.sender.finish()?;
            recv_text(&mut stream)
        },
        || {
            let mut stream = accept(bob)?;
            let question = recv_text(&mut stream)?;
            stream.sender.send(ANSWER.as_bytes())?;
            stream.sender.finish()?;
            Ok(question)
        },
    )?;
    let step = |from, to, sent: &str, received: String| Step::Message {
        ok: received == sent,
        from,
        to,
        sent: sent.to_owned(),
        received,
    };
    Ok([step(ALICE, BOB, QUESTION, question), step(BOB, ALICE, ANSWER, answer)])
}

/// A file of random bytes, which nothing can compress.
fn make_file(path: &Path) -> io::Result<()> {
    let mut file = File::create_new(path)?;
    let mut chunk = vec![0; 1 << 20];
    for _ in 0..FILE_BYTES >> 20 {
        getrandom::fill(&mut chunk).map_err(io::Error::other)?;
        file.write_all(&chunk)?;
    }
    Ok(())
}

/// The file system failed, which says nothing about the protocol.
fn local(error: io::Error) -> Failure {
    Failure::new(Exit::Local, error)
}

/// Something between the agents failed that must not.
fn broken(error: io::Error) -> Failure {
    Failure::new(Exit::Demo, error)
}
