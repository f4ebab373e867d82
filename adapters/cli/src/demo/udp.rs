//! The same two agents over UDP, with a relay in between that does to datagrams what bad networks do.

use std::io::{self, ErrorKind};
use std::net::{Ipv4Addr, UdpSocket};
use std::time::{Duration, Instant};

use aitcp::{Carrier, Direction, Ending, Event, Expect, Meta, RecvError, Seed, SendError, Session, StreamId};
use sha2::{Digest, Sha256};

use super::agents::{Agents, together};
use super::bad_network::BadNetwork;
use super::step::Step;

/// How much is moved, as one message.
const BYTES: usize = 4 << 20;
/// What the loopback device takes for sure, and most networks.
const MTU: u16 = 1_452;
/// Room for many datagrams.
const ROOM: usize = 64 << 10;
/// How long an agent waits at most before it looks up.
const LOOK_UP: Duration = Duration::from_millis(50);
/// It is over long before.
const PATIENCE: Duration = Duration::from_secs(60);

/// Alice sends Bob random bytes through a bad network, and both shut down in order.
pub(crate) fn cross(agents: &Agents) -> io::Result<Step> {
    let mut content = vec![0; BYTES];
    getrandom::fill(&mut content).map_err(io::Error::other)?;
    let mut network = BadNetwork::new()?;
    let carrier = Carrier::Datagram { mtu: MTU };
    let begun = Instant::now();
    let bob = Session::accept(aitcp::Instant::ORIGIN, agents.server(), carrier, seed()?).map_err(io::Error::other)?;
    let bob = End::new(bob, begun)?;
    let expect = Expect::Pinned(agents.bob);
    let alice = Session::connect(aitcp::Instant::ORIGIN, agents.client(), expect, carrier, seed()?);
    let alice = End::new(alice.map_err(io::Error::other)?, begun)?;
    network.connect(&alice.socket, &bob.socket)?;

    let (sent, received) = network.run(|| together(|| send(alice, &content), || receive(bob)))??;
    let path = sent.path.ok_or_else(|| io::Error::other("nothing is known of the path"))?;
    let relay = network.counts();
    let (sha256_sent, sha256_received) = (hex(&Sha256::digest(&content)), hex(&received.sha256));
    Ok(Step::Datagrams {
        ok: sha256_sent == sha256_received && received.bytes == BYTES && relay.did_everything(),
        bytes: received.bytes,
        seconds: received.elapsed.as_secs_f64(),
        sha256_sent,
        sha256_received,
        relay,
        packets_lost: path.packets_lost,
        discarded: sent.discarded + received.discarded,
        round_trip_ms: path.smoothed_rtt.as_secs_f64() * 1e3,
        mtu: path.mtu,
    })
}

/// A session and its socket, driven by the thread that owns them.
struct End {
    session: Session,
    socket: UdpSocket,
    begun: Instant,
    room: Vec<u8>,
}

impl End {
    fn new(session: Session, begun: Instant) -> io::Result<Self> {
        let socket = UdpSocket::bind((Ipv4Addr::LOCALHOST, 0))?;
        Ok(Self { session, socket, begun, room: vec![0; ROOM] })
    }

    fn now(&self) -> aitcp::Instant {
        aitcp::Instant::ORIGIN + self.begun.elapsed()
    }

    /// One turn: what is due, what is to be sent, and what comes until the next deadline.
    fn turn(&mut self) -> io::Result<()> {
        if self.begun.elapsed() > PATIENCE {
            return Err(ErrorKind::TimedOut.into());
        }
        self.session.handle_timeout(self.now());
        while let Some(transmit) = self.session.poll_transmit(self.now(), &mut self.room).map_err(io::Error::other)? {
            let datagrams = self.room.get(..transmit.len).unwrap_or_default();
            for datagram in datagrams.chunks(transmit.segment.unwrap_or(transmit.len)) {
                // What the system does not take is lost, as it can be anywhere.
                let _ = self.socket.send(datagram);
            }
        }
        let now = self.now();
        let until = self.session.poll_timeout().map_or(LOOK_UP, |deadline| deadline - now);
        self.socket.set_read_timeout(Some(until.clamp(Duration::from_micros(1), LOOK_UP)))?;
        if let Ok(len) = self.socket.recv(&mut self.room) {
            let datagram = self.room.get_mut(..len).unwrap_or_default();
            let _ =
                self.session.handle_datagram(aitcp::Instant::ORIGIN + self.begun.elapsed(), Meta::default(), datagram);
        }
        Ok(())
    }

    /// The reason for the end, if the session has ended otherwise than in order.
    fn check(&self) -> io::Result<()> {
        match self.session.close_reason() {
            Some(reason) if !reason.is_orderly() => Err(io::Error::other(reason)),
            _ => Ok(()),
        }
    }

    fn finish(mut self) -> io::Result<()> {
        while !self.session.is_drained() {
            self.turn()?;
        }
        self.check()
    }
}

/// What Alice knows at the end.
struct Sent {
    path: Option<aitcp::PathStats>,
    discarded: u64,
}

fn send(mut alice: End, content: &[u8]) -> io::Result<Sent> {
    let mut stream = None;
    let mut rest = content;
    let mut sent = Sent { path: None, discarded: 0 };
    while alice.session.close_reason().is_none() {
        while let Some(event) = alice.session.poll_event() {
            match event {
                Event::Established => stream = alice.session.open(Direction::Unidirectional).ok(),
                Event::Finished(_) => alice.session.shutdown(alice.now()),
                _ => {}
            }
        }
        if let Some(stream) = stream.filter(|_| !rest.is_empty()) {
            rest = offer(&mut alice.session, stream, rest)?;
        }
        let stats = alice.session.stats();
        sent = Sent { path: stats.path.or(sent.path), discarded: stats.discarded };
        alice.turn()?;
    }
    alice.check()?;
    alice.finish()?;
    Ok(sent)
}

/// Gives the session as much as it takes; what is left.
fn offer<'a>(session: &mut Session, stream: StreamId, rest: &'a [u8]) -> io::Result<&'a [u8]> {
    match session.send(stream, rest, Ending::End) {
        Ok(taken) => {
            let rest = rest.get(taken..).unwrap_or_default();
            if rest.is_empty() {
                session.finish(stream).map_err(io::Error::other)?;
            }
            Ok(rest)
        }
        Err(SendError::Blocked) => Ok(rest),
        Err(error) => Err(io::Error::other(error)),
    }
}

/// What Bob has got.
struct Received {
    bytes: usize,
    sha256: [u8; 32],
    /// Until the last byte was there, the handshake included.
    elapsed: Duration,
    discarded: u64,
}

fn receive(mut bob: End) -> io::Result<Received> {
    let mut hash = Sha256::new();
    let (mut bytes, mut elapsed, mut discarded) = (0, Duration::ZERO, 0);
    let mut piece = vec![0; ROOM];
    while bob.session.close_reason().is_none() {
        while let Some(event) = bob.session.poll_event() {
            let Event::Readable(stream) = event else { continue };
            loop {
                match bob.session.recv(stream, &mut piece) {
                    Ok(received) => {
                        hash.update(piece.get(..received.len).unwrap_or_default());
                        bytes += received.len;
                        if received.end_of_stream {
                            elapsed = bob.begun.elapsed();
                            break;
                        }
                    }
                    Err(RecvError::Blocked) => break,
                    Err(error) => return Err(io::Error::other(error)),
                }
            }
        }
        discarded = bob.session.stats().discarded;
        bob.turn()?;
    }
    bob.check()?;
    bob.finish()?;
    Ok(Received { bytes, sha256: hash.finalize().into(), elapsed, discarded })
}

fn seed() -> io::Result<Seed> {
    let mut bytes = [0; 32];
    getrandom::fill(&mut bytes).map_err(io::Error::other)?;
    Seed::new(bytes).map_err(io::Error::other)
}

fn hex(bytes: &[u8]) -> String {
    bytes.iter().map(|byte| format!("{byte:02x}")).collect()
}
