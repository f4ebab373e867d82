//! An adversary that tries everything.

use std::collections::VecDeque;
use std::time::Duration;

use aitcp::Instant;

use super::{Adversary, Fate, Injections};
use crate::{Datagram, Probability, Rng};

/// How many older datagrams it remembers.
const MEMORY: usize = 64;
/// The most by which it delays a datagram, and lets those wait that it injects.
const MAX_DELAY: Duration = Duration::from_secs(2);
/// How many things it can do.
const TRICKS: usize = 8;

/// An [`Adversary`] that does something to some datagrams, by chance: drops, delays, alters, reflects them, gives them another sender,
/// shows older ones again, to the same receiver or to another, or makes some up. It does not know any keys.
#[derive(Clone, Debug)]
pub struct Meddler {
    rng: Rng,
    meddles: Probability,
    memory: VecDeque<Datagram>,
}

impl Meddler {
    /// One that does something so often.
    #[must_use]
    pub fn new(seed: u64, meddles: Probability) -> Self {
        Self { rng: Rng::new(seed), meddles, memory: VecDeque::with_capacity(MEMORY) }
    }

    fn remember(&mut self, datagram: &Datagram) {
        if self.memory.len() < MEMORY {
            self.memory.push_back(datagram.clone());
        } else if let Some(mut oldest) = self.memory.pop_front() {
            oldest.clone_from(datagram);
            self.memory.push_back(oldest);
        }
    }

    /// One of the latest datagrams, `datagram` among them.
    fn recall(&mut self) -> Datagram {
        let place = self.rng.below(self.memory.len());
        self.memory[place].clone()
    }

    fn delay(&mut self) -> Duration {
        let most = usize::try_from(MAX_DELAY.as_micros()).expect("fits");
        Duration::from_micros(self.rng.below(most) as u64)
    }

    fn flip(&mut self, bytes: &mut [u8]) {
        if !bytes.is_empty() {
            let place = self.rng.below(bytes.len());
            bytes[place] ^= 1 << self.rng.below(8);
        }
    }

    fn make_up(&mut self, like: &Datagram) -> Datagram {
        let len = self.rng.below(like.bytes.len() + 1);
        Datagram { bytes: self.rng.bytes(len), ..like.clone() }
    }
}

impl Adversary for Meddler {
    fn intercept(&mut self, _: Instant, datagram: &mut Datagram, injections: &mut Injections) -> Fate {
        self.remember(datagram);
        if !self.meddles.draw(&mut self.rng) {
            return Fate::Pass;
        }
        match self.rng.below(TRICKS) {
            0 => return Fate::Drop,
            1 => return Fate::Delay(self.delay()),
            2 => self.flip(&mut datagram.bytes),
            3 => datagram.reflect(),
            4 => datagram.from = self.recall().from,
            5 => injections.add(self.delay(), self.recall()),
            6 => injections.add(self.delay(), Datagram { to: datagram.to, ..self.recall() }),
            _ => injections.add(self.delay(), self.make_up(datagram)),
        }
        Fate::Pass
    }
}
