//! A bad network: between two agents it loses, doubles, reorders and corrupts datagrams, both ways.

use std::collections::VecDeque;
use std::io;
use std::net::{Ipv4Addr, SocketAddr, UdpSocket};
use std::sync::Arc;
use std::sync::atomic::{AtomicBool, Ordering};
use std::thread::{self, JoinHandle};
use std::time::Duration;

use serde::Serialize;

/// Of a thousand datagrams.
const LOST: u64 = 50;
const DOUBLED: u64 = 20;
const REORDERED: u64 = 20;
const CORRUPTED: u64 = 10;

/// A datagram that is reordered is overtaken by so many, or waits until nothing has come for a while.
const OVERTAKEN_BY: usize = 3;
const PAUSE: Duration = Duration::from_millis(2);
/// What the decisions are drawn from: the same ones in each run, for whichever datagrams come.
const SEED: u64 = 0xA17C;

/// What was done to datagrams.
#[derive(Clone, Copy, Debug, Default, PartialEq, Eq, Serialize)]
pub(crate) struct Counts {
    /// All that came.
    pub(crate) datagrams: u64,
    pub(crate) lost: u64,
    pub(crate) doubled: u64,
    pub(crate) reordered: u64,
    pub(crate) corrupted: u64,
}

/// A relay that stands for the network: to each agent it has the address of the other one.
#[derive(Debug)]
pub(crate) struct BadNetwork {
    address: SocketAddr,
    is_over: Arc<AtomicBool>,
    thread: JoinHandle<io::Result<Counts>>,
}

impl BadNetwork {
    /// Relays between whoever sends to it and `responder`.
    pub(crate) fn start(responder: SocketAddr) -> io::Result<Self> {
        let socket = UdpSocket::bind((Ipv4Addr::LOCALHOST, 0))?;
        socket.set_read_timeout(Some(PAUSE))?;
        let address = socket.local_addr()?;
        let is_over = Arc::new(AtomicBool::new(false));
        let ends = Arc::clone(&is_over);
        let mut relay = Relay { socket, responder, initiator: None, fate: Fate::new(), held: VecDeque::new() };
        let thread = thread::spawn(move || relay.run(&ends));
        Ok(Self { address, is_over, thread })
    }

    /// Where the initiator finds what it takes for the responder.
    pub(crate) const fn address(&self) -> SocketAddr {
        self.address
    }

    pub(crate) fn end(self) -> io::Result<Counts> {
        self.is_over.store(true, Ordering::Release);
        self.thread.join().unwrap_or_else(|_| Err(io::Error::other("the network panicked")))
    }
}

struct Relay {
    socket: UdpSocket,
    responder: SocketAddr,
    initiator: Option<SocketAddr>,
    fate: Fate,
    /// Those that are overtaken: by how many still, where to, and what.
    held: VecDeque<(usize, SocketAddr, Vec<u8>)>,
}

impl Relay {
    fn run(&mut self, is_over: &AtomicBool) -> io::Result<Counts> {
        let mut buffer = vec![0; 64 << 10];
        while !is_over.load(Ordering::Acquire) {
            match self.socket.recv_from(&mut buffer) {
                Ok((length, from)) => self.take(from, &mut buffer[..length]),
                Err(error) if matches!(error.kind(), io::ErrorKind::WouldBlock | io::ErrorKind::TimedOut) => {
                    self.let_go(usize::MAX);
                }
                // An agent that has gone is no reason to leave the other one alone.
                Err(error) if error.kind() == io::ErrorKind::ConnectionReset => {}
                Err(error) => return Err(error),
            }
        }
        Ok(self.fate.counts)
    }

    fn take(&mut self, from: SocketAddr, datagram: &mut [u8]) {
        let to = if from == self.responder {
            let Some(initiator) = self.initiator else { return };
            initiator
        } else {
            self.initiator = Some(from);
            self.responder
        };
        match self.fate.draw() {
            Some(Harm::Lose) => {}
            Some(Harm::Double) => {
                self.pass(to, datagram);
                self.pass(to, datagram);
            }
            Some(Harm::Hold) => self.held.push_back((OVERTAKEN_BY, to, datagram.to_vec())),
            Some(Harm::Corrupt(place)) => {
                if let Some(byte) = datagram.get_mut(place as usize % datagram.len().max(1)) {
                    *byte ^= 1 << (place % 8);
                }
                self.pass(to, datagram);
            }
            None => self.pass(to, datagram),
        }
        self.let_go(1);
    }

    fn pass(&self, to: SocketAddr, datagram: &[u8]) {
        // What the operating system does not take is lost, as on any network.
        let _ = self.socket.send_to(datagram, to);
    }

    /// So many have overtaken those that are held.
    fn let_go(&mut self, overtaken_by: usize) {
        for held in &mut self.held {
            held.0 = held.0.saturating_sub(overtaken_by);
        }
        while let Some((_, to, datagram)) =
            self.held.front().is_some_and(|held| held.0 == 0).then(|| self.held.pop_front()).flatten()
        {
            self.pass(to, &datagram);
        }
    }
}

/// What may be done to a datagram.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
enum Harm {
    Lose,
    Double,
    Hold,
    Corrupt(u64),
}

/// Decides about one datagram after the other.
#[derive(Debug)]
struct Fate {
    /// Of SplitMix64.
    state: u64,
    counts: Counts,
}

impl Fate {
    const fn new() -> Self {
        Self { state: SEED, counts: Counts { datagrams: 0, lost: 0, doubled: 0, reordered: 0, corrupted: 0 } }
    }

    fn draw(&mut self) -> Option<Harm> {
        self.counts.datagrams += 1;
        let number = self.number();
        let (harm, count) = match number % 1000 {
            at if at < LOST => (Harm::Lose, &mut self.counts.lost),
            at if at < LOST + DOUBLED => (Harm::Double, &mut self.counts.doubled),
            at if at < LOST + DOUBLED + REORDERED => (Harm::Hold, &mut self.counts.reordered),
            at if at < LOST + DOUBLED + REORDERED + CORRUPTED => {
                (Harm::Corrupt(number >> 32), &mut self.counts.corrupted)
            }
            _ => return None,
        };
        *count += 1;
        Some(harm)
    }

    fn number(&mut self) -> u64 {
        self.state = self.state.wrapping_add(0x9E37_79B9_7F4A_7C15);
        let mixed = (self.state ^ (self.state >> 30)).wrapping_mul(0xBF58_476D_1CE4_E5B9);
        let mixed = (mixed ^ (mixed >> 27)).wrapping_mul(0x94D0_49BB_1331_11EB);
        mixed ^ (mixed >> 31)
    }
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn harm_is_done_as_often_as_it_says_and_the_same_in_each_run() {
        let [mut fate, mut again] = [Fate::new(), Fate::new()];
        for _ in 0..100_000 {
            assert_eq!(fate.draw(), again.draw());
        }
        let Counts { datagrams, lost, doubled, reordered, corrupted } = fate.counts;
        assert_eq!(datagrams, 100_000);
        for (count, expected) in [(lost, LOST), (doubled, DOUBLED), (reordered, REORDERED), (corrupted, CORRUPTED)] {
            let expected = expected * 100;
            assert!(count.abs_diff(expected) < expected / 10, "{count} instead of {expected}");
        }
    }

    #[test]
    fn each_datagram_comes_out_as_was_decided() {
        /// Few enough at a time that none is lost but by decision.
        const BATCHES: u64 = 20;
        const BATCH: u64 = 50;
        let [initiator, responder] = [0, 1].map(|_| UdpSocket::bind("127.0.0.1:0").unwrap());
        let network = BadNetwork::start(responder.local_addr().unwrap()).unwrap();
        responder.set_read_timeout(Some(Duration::from_millis(50))).unwrap();
        let mut received = Vec::new();
        for batch in 0..BATCHES {
            for number in batch * BATCH..(batch + 1) * BATCH {
                initiator.send_to(&number.to_le_bytes(), network.address()).unwrap();
            }
            let mut buffer = [0; 8];
            while let Ok(length) = responder.recv(&mut buffer) {
                assert_eq!(length, 8);
                received.push(u64::from_le_bytes(buffer));
            }
        }
        let counts = network.end().unwrap();
        assert_eq!(counts.datagrams, BATCHES * BATCH);
        assert_eq!(received.len() as u64, counts.datagrams - counts.lost + counts.doubled);
        assert_eq!(received.windows(2).filter(|pair| pair[0] == pair[1]).count() as u64, counts.doubled);
        let behind = received.windows(2).filter(|pair| pair[0] > pair[1]).count() as u64;
        assert!(behind > 0 && behind <= counts.reordered + counts.corrupted, "{behind} of {counts:?}");
    }
}
