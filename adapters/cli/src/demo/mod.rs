//! `aitcp demo`: two agents in one process talk over real TCP; then an attacker stands in between, and last a bad network.

mod agents;
mod attacks;
mod bad_network;
mod datagrams;
mod moving;
mod relay;
mod step;

use std::io::{self, Write};
use std::time::Instant;

use aitcp::Direction;
use aitcp_std::Connection;

use crate::exit::{Exit, Failure};
use crate::output::Output;
use agents::{ALICE, Agents, BOB, accept, recv_text, together};
use step::{Agent, Step, heading};

/// The size of the file that is moved.
const MEBIBYTES: u64 = 64;

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
        let file = moving::move_file(MEBIBYTES, &alice, &bob, self.output)?;
        self.tell(&Step::File { ok: file.is_whole(MEBIBYTES), file })?;
        together(|| alice.shutdown(), || bob.shutdown()).map_err(broken)?;

        self.announce("An attacker in between sees every byte, holds no key, and tries")?;
        for attack in relay::Attack::ALL {
            self.tell(&attacks::suffer(attack, &agents).map_err(broken)?)?;
        }

        self.announce("A file of 8 MiB over UDP, through a network that loses, doubles, reorders and corrupts")?;
        self.tell(&datagrams::endure(&agents, self.output)?)?;
        Ok(())
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

/// The file system failed, which says nothing about the protocol.
fn local(error: io::Error) -> Failure {
    Failure::new(Exit::Local, error)
}

/// Something between the agents failed that must not.
fn broken(error: io::Error) -> Failure {
    Failure::new(Exit::Demo, error)
}
