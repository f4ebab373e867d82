//! One direction of a path for datagrams, as UDP or radio would be: they get lost, late, doubled, out of order, damaged.

mod conditions;
mod datagram;
mod loss;
mod queue;
#[cfg(test)]
mod tests;

use std::cmp::Reverse;
use std::collections::BinaryHeap;
use std::time::Duration;

use aitcp::Instant;

pub use conditions::{Conditions, Ecn, Probability};
pub use datagram::{Address, Datagram};
pub use loss::Loss;

use crate::Rng;
use loss::LossState;
use queue::{Admission, Bottleneck};

/// What a [`DatagramLink`] has done so far, in datagrams.
///
/// `sent + duplicated` is always `delivered + lost + blocked + too_large + queue_full` and those [in
/// flight](DatagramLink::in_flight).
#[derive(Clone, Copy, Debug, Default, PartialEq, Eq)]
pub struct LinkStats {
    /// Those that were given to it.
    pub sent: u64,
    /// Those that were received, copies and damaged ones as well.
    pub delivered: u64,
    /// Those that [`Loss`] took.
    pub lost: u64,
    /// Those that were sent while it was blocked.
    pub blocked: u64,
    /// Those that were larger than its MTU.
    pub too_large: u64,
    /// Those that found no room in the queue.
    pub queue_full: u64,
    /// Second copies.
    pub duplicated: u64,
    /// Those received after one that was sent later.
    pub reordered: u64,
    /// Those with a flipped bit.
    pub corrupted: u64,
    /// Those without their tail.
    pub truncated: u64,
    /// Those marked as having met congestion.
    pub marked: u64,
    /// Those whose ECN bits were cleared.
    pub bleached: u64,
}

/// One direction of an emulated path for datagrams. Everything follows from its seed, its conditions and what is sent.
///
/// ```
/// use aitcp::Instant;
/// use aitcp_testkit::{Conditions, Datagram, DatagramLink};
/// use std::time::Duration;
///
/// let latency = Duration::from_millis(5);
/// let mut link = DatagramLink::new(1, Conditions { latency, ..Conditions::default() });
/// let now = Instant::ORIGIN;
/// link.send(now, Datagram { bytes: b"hello".to_vec(), ..Datagram::default() });
/// assert_eq!((link.receive(now), link.next_arrival()), (None, Some(now + latency)));
/// assert_eq!(link.receive(now + latency).unwrap().bytes, b"hello");
/// ```
#[derive(Clone, Debug)]
pub struct DatagramLink {
    conditions: Conditions,
    rng: Rng,
    loss: LossState,
    bottleneck: Bottleneck,
    /// No datagram arrives earlier that keeps its place in the order.
    latest_arrival: Instant,
    /// What is on its way: when it arrives, and its number, which no two share.
    flight: BinaryHeap<Reverse<(Instant, u64, Datagram)>>,
    next_number: u64,
    highest_received: Option<u64>,
    stats: LinkStats,
}

impl DatagramLink {
    /// The link that belongs to `seed`.
    #[must_use]
    pub fn new(seed: u64, conditions: Conditions) -> Self {
        Self {
            conditions,
            rng: Rng::new(seed),
            loss: LossState::default(),
            bottleneck: Bottleneck::default(),
            latest_arrival: Instant::ORIGIN,
            flight: BinaryHeap::new(),
            next_number: 0,
            highest_received: None,
            stats: LinkStats::default(),
        }
    }

    /// What it does to datagrams.
    #[must_use]
    pub fn conditions(&self) -> &Conditions {
        &self.conditions
    }

    /// Changes what it does from now on. What is on its way is left alone.
    pub fn set_conditions(&mut self, conditions: Conditions) {
        self.conditions = conditions;
    }

    /// Lets nothing in any more, or everything again.
    pub fn set_blocked(&mut self, blocked: bool) {
        self.conditions.blocked = blocked;
    }

    /// Takes a datagram. `now` must not run backward.
    pub fn send(&mut self, now: Instant, datagram: Datagram) {
        self.send_late(now, Duration::ZERO, datagram);
    }

    /// The same for a datagram that someone holds back: it takes its turn now and arrives so much later, others before it.
    pub fn send_late(&mut self, now: Instant, late: Duration, mut datagram: Datagram) {
        self.stats.sent += 1;
        let Some(leaves) = self.admit(now, &mut datagram) else { return };
        if self.conditions.duplicate.draw(&mut self.rng) {
            self.stats.duplicated += 1;
            self.launch(leaves, late, datagram.clone());
        }
        self.launch(leaves, late, datagram);
    }

    /// Lets a datagram arrive at a given time, whatever the conditions are.
    pub fn place(&mut self, at: Instant, datagram: Datagram) {
        self.stats.sent += 1;
        self.fly(at, datagram);
    }

    /// When a datagram is there to be received: a time that may have passed. `None` if nothing is on its way.
    #[must_use]
    pub fn next_arrival(&self) -> Option<Instant> {
        self.flight.peek().map(|Reverse((at, ..))| *at)
    }

    /// Gives the next datagram, if it has arrived.
    pub fn receive(&mut self, now: Instant) -> Option<Datagram> {
        if self.next_arrival()? > now {
            return None;
        }
        let Reverse((_, number, datagram)) = self.flight.pop()?;
        self.stats.delivered += 1;
        self.stats.reordered += u64::from(self.highest_received > Some(number));
        self.highest_received = self.highest_received.max(Some(number));
        Some(datagram)
    }

    /// How many datagrams are on their way.
    #[must_use]
    pub fn in_flight(&self) -> usize {
        self.flight.len()
    }

    /// How many bytes wait at the narrowest place. `now` must not run backward.
    pub fn queued(&mut self, now: Instant) -> usize {
        self.bottleneck.waiting(now)
    }

    /// What it has done so far.
    #[must_use]
    pub fn stats(&self) -> LinkStats {
        self.stats
    }

    /// When the datagram is through the narrowest place, if it gets that far and is not lost behind it.
    fn admit(&mut self, now: Instant, datagram: &mut Datagram) -> Option<Instant> {
        let Conditions { mtu, rate, queue, loss, blocked, .. } = self.conditions;
        let len = datagram.bytes.len();
        if blocked {
            self.stats.blocked += 1;
            return None;
        }
        if mtu.is_some_and(|mtu| len > mtu) {
            self.stats.too_large += 1;
            return None;
        }
        let Admission::Admitted { waiting, leaves } = self.bottleneck.admit(now, len, rate, queue) else {
            self.stats.queue_full += 1;
            return None;
        };
        self.treat_ecn(datagram, waiting);
        if self.loss.draw(loss, &mut self.rng) {
            self.stats.lost += 1;
            return None;
        }
        Some(leaves)
    }

    fn treat_ecn(&mut self, datagram: &mut Datagram, waiting: usize) {
        if !datagram.is_ecn_capable() {
            return;
        }
        match self.conditions.ecn {
            Ecn::Bleach => {
                datagram.ecn = 0;
                self.stats.bleached += 1;
            }
            Ecn::MarkAbove(limit) if waiting > limit => {
                datagram.ecn = Datagram::CE;
                self.stats.marked += 1;
            }
            Ecn::MarkAbove(_) | Ecn::Pass => {}
        }
    }

    /// Sends one copy through what lies behind the narrowest place.
    fn launch(&mut self, leaves: Instant, late: Duration, mut datagram: Datagram) {
        self.damage(&mut datagram.bytes);
        let Conditions { latency, reorder, reorder_delay, .. } = self.conditions;
        let in_order = (leaves + latency + self.draw_jitter()).max(self.latest_arrival);
        if reorder.draw(&mut self.rng) {
            self.fly(in_order + reorder_delay + late, datagram);
        } else {
            self.latest_arrival = in_order;
            self.fly(in_order + late, datagram);
        }
    }

    fn damage(&mut self, bytes: &mut Vec<u8>) {
        if !bytes.is_empty() && self.conditions.truncate.draw(&mut self.rng) {
            bytes.truncate(self.rng.below(bytes.len()));
            self.stats.truncated += 1;
        }
        if !bytes.is_empty() && self.conditions.corrupt.draw(&mut self.rng) {
            let bit = self.rng.below(bytes.len() * 8);
            bytes[bit / 8] ^= 1 << (bit % 8);
            self.stats.corrupted += 1;
        }
    }

    fn draw_jitter(&mut self) -> Duration {
        let most = u64::try_from(self.conditions.jitter.as_micros()).unwrap_or(u64::MAX);
        match most {
            0 => Duration::ZERO,
            _ => Duration::from_micros(self.rng.next_u64() % most.saturating_add(1)),
        }
    }

    fn fly(&mut self, at: Instant, datagram: Datagram) {
        self.flight.push(Reverse((at, self.next_number, datagram)));
        self.next_number += 1;
    }
}
