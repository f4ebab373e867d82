//! A relay between two UDP sockets that loses, doubles, reorders and alters what it passes on.

use std::io;
use std::net::{Ipv4Addr, UdpSocket};
use std::sync::atomic::{AtomicBool, Ordering};
use std::thread;
use std::time::Duration;

use serde::Serialize;

/// How long the relay waits on one side before it looks at the other, and at whether it is still needed.
const LOOK_UP: Duration = Duration::from_millis(20);
const LONGEST: usize = 2_048;

/// The relay: a socket towards each agent.
pub(crate) struct BadNetwork {
    to_alice: UdpSocket,
    to_bob: UdpSocket,
    counts: Counts,
}

/// What became of datagrams.
#[derive(Clone, Copy, Debug, Default, Serialize)]
pub(crate) struct Counts {
    pub(crate) passed: u64,
    pub(crate) lost: u64,
    pub(crate) doubled: u64,
    pub(crate) reordered: u64,
    pub(crate) altered: u64,
}

impl Counts {
    pub(crate) const fn did_everything(&self) -> bool {
        self.passed > 0 && self.lost > 0 && self.doubled > 0 && self.reordered > 0 && self.altered > 0
    }

    const fn plus(self, other: Self) -> Self {
        Self {
            passed: self.passed + other.passed,
            lost: self.lost + other.lost,
            doubled: self.doubled + other.doubled,
            reordered: self.reordered + other.reordered,
            altered: self.altered + other.altered,
        }
    }
}

impl BadNetwork {
    pub(crate) fn new() -> io::Result<Self> {
        let socket = || UdpSocket::bind((Ipv4Addr::LOCALHOST, 0));
        Ok(Self { to_alice: socket()?, to_bob: socket()?, counts: Counts::default() })
    }

    /// Stands between two sockets: each takes the relay for the other.
    pub(crate) fn connect(&self, alice: &UdpSocket, bob: &UdpSocket) -> io::Result<()> {
        for (relay, agent) in [(&self.to_alice, alice), (&self.to_bob, bob)] {
            agent.connect(relay.local_addr()?)?;
            relay.connect(agent.local_addr()?)?;
            relay.set_read_timeout(Some(LOOK_UP))?;
        }
        Ok(())
    }

    /// Passes datagrams on while `conversation` lasts.
    pub(crate) fn run<T>(&mut self, conversation: impl FnOnce() -> T) -> io::Result<T> {
        let is_over = AtomicBool::new(false);
        let (result, counts) = thread::scope(|scope| {
            let there = scope.spawn(|| pass_on(&self.to_alice, &self.to_bob, 1, &is_over));
            let back = scope.spawn(|| pass_on(&self.to_bob, &self.to_alice, 2, &is_over));
            let result = conversation();
            is_over.store(true, Ordering::Relaxed);
            let counts = [there.join(), back.join()].map(|counts| counts.unwrap_or_default());
            (result, counts)
        });
        self.counts = counts.into_iter().fold(Counts::default(), Counts::plus);
        Ok(result)
    }

    pub(crate) const fn counts(&self) -> Counts {
        self.counts
    }
}

/// One direction. Chances come from a generator that begins the same each time; what they hit depends on the agents' timing.
fn pass_on(from: &UdpSocket, to: &UdpSocket, seed: u64, is_over: &AtomicBool) -> Counts {
    let mut chance = Chance(seed);
    let mut counts = Counts::default();
    let mut room = [0; LONGEST];
    let mut held: Option<Vec<u8>> = None;
    while !is_over.load(Ordering::Relaxed) {
        let Ok(len) = from.recv(&mut room) else {
            // Nothing comes that could overtake what is held.
            send_held(to, &mut held);
            continue;
        };
        let Some(datagram) = room.get_mut(..len) else { continue };
        if chance.percent(5) {
            counts.lost += 1;
            continue;
        }
        if chance.percent(2) {
            counts.altered += 1;
            let place = usize::try_from(chance.next()).unwrap_or_default().checked_rem(len).unwrap_or_default();
            datagram.iter_mut().skip(place).take(1).for_each(|byte| *byte ^= 0x10);
        }
        if chance.percent(3) && held.is_none() {
            counts.reordered += 1;
            held = Some(datagram.to_vec());
            continue;
        }
        let _ = to.send(datagram);
        counts.passed += 1;
        if chance.percent(3) {
            counts.doubled += 1;
            let _ = to.send(datagram);
        }
        send_held(to, &mut held);
    }
    counts
}

fn send_held(to: &UdpSocket, held: &mut Option<Vec<u8>>) {
    if let Some(datagram) = held.take() {
        let _ = to.send(&datagram);
    }
}

/// A small generator (SplitMix64), not for secrets.
struct Chance(u64);

impl Chance {
    const fn next(&mut self) -> u64 {
        self.0 = self.0.wrapping_add(0x9E37_79B9_7F4A_7C15);
        let mut mixed = self.0;
        mixed = (mixed ^ (mixed >> 30)).wrapping_mul(0xBF58_476D_1CE4_E5B9);
        mixed = (mixed ^ (mixed >> 27)).wrapping_mul(0x94D0_49BB_1331_11EB);
        mixed ^ (mixed >> 31)
    }

    const fn percent(&mut self, percent: u64) -> bool {
        self.next() % 100 < percent
    }
}
