//! Loss recovery and rate control on datagram carriers, in the shape of RFC 9002.
//!
//! Packet numbers, sizes and times go in; what to send again, how much and when comes out. Nothing here sees bytes, keys, streams or
//! addresses: what a packet carries is a *record* of the owner's, handed back when the packet is acknowledged or lost.
//!
//! ```text
//! received -> AckRanges  what to acknowledge          a receiver's half
//!          -> AckTiming  when
//!
//!                        Recovery                     a sender's half
//! ack, timeout ---> LossDetection --- records acked, lost ---> owner
//!                   | SentPackets     by number
//!                   | RttEstimator    how long a round trip takes
//!                   | LostRun         is congestion persistent
//!                   v packets acked, lost
//!                   CurrentPath
//!                   | CongestionControl -> RateController: NewReno, Cubic (SlowStart)    how much in flight
//!                   | Pacer           how soon
//!                   | PathMtu         how large
//!                   | EcnValidation   does the path carry marks
//! next number <---- SkipSchedule      which are left out
//!
//! AmplificationLimit, PathValidation: is the peer at this address               one for each path
//! ```
#![forbid(unsafe_code)]

mod ack_ranges;
mod ack_timing;
mod congestion_control;
mod cubic;
mod current_path;
mod ecn;
#[cfg(feature = "testing")]
pub mod exerciser;
mod loss_detection;
mod new_reno;
mod pacer;
mod path;
mod path_mtu;
mod persistent_congestion;
mod rate_controller;
mod rtt_estimator;
mod sent_packets;
mod skip_schedule;
mod slow_start;
#[cfg(test)]
mod tests;

use core::time::Duration;

pub(crate) use ack_ranges::{AckRange, AckRanges};
pub(crate) use ack_timing::{AckTiming, Arrival};
pub(crate) use loss_detection::{AckError, Visitor};
pub(crate) use path::{AmplificationLimit, PathValidation};
pub(crate) use path_mtu::BASE_MTU;

use crate::config::RateControl;
use crate::ecn::{EcnCodepoint, EcnCounts};
use crate::session::stats::PathStats;
use crate::time::Instant;
use current_path::{CurrentPath, Ledger};
use loss_detection::{LossDetection, Losses};
use pacer::Pace;
use rate_controller::Acked;
use sent_packets::{PacketInfo, SentPackets};
use skip_schedule::SkipSchedule;

/// What a link is like when its recovery begins.
#[derive(Clone, Copy, Debug)]
pub(crate) struct Start {
    /// The number of the first packet.
    pub(crate) first_number: u64,
    /// How long the peer holds acknowledgements back at most.
    pub(crate) peer_max_ack_delay: Duration,
    pub(crate) rate_control: RateControl,
    /// The largest datagram that the carrier takes.
    pub(crate) max_mtu: u16,
    /// How many packets may be kept track of at a time.
    pub(crate) max_packets: usize,
    /// Eight random bytes, unknown to the peer.
    pub(crate) random: u64,
}

/// A packet that is about to leave.
#[derive(Clone, Copy, Debug)]
pub(crate) struct Departure {
    /// Bytes on the carrier.
    pub(crate) size: u16,
    /// It holds more than acknowledgements, padding or a close.
    pub(crate) ack_eliciting: bool,
    /// It is padded: such packets count against the window even if they ask for nothing.
    pub(crate) is_padded: bool,
    /// It is the probe that [`Recovery::mtu_probe_due`] has asked for.
    pub(crate) is_mtu_probe: bool,
}

/// Whether a packet may leave.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
#[must_use]
pub(crate) enum Leave {
    Now,
    /// Not before this time, which [`Recovery::deadlines`] tell as well.
    At(Instant),
    /// Not before acknowledgements have come, or a timeout.
    Blocked,
}

/// The sender's half for one link. `R` is what the owner wants back of what packets carry.
#[derive(Debug)]
pub(crate) struct Recovery<R> {
    loss: LossDetection<R>,
    path: CurrentPath,
    /// When a sender that was told to wait may go on.
    paced_until: Option<Instant>,
    skips: SkipSchedule,
}

impl<R: Copy> Recovery<R> {
    /// The most heap for so many packets.
    pub(crate) const fn max_bytes(packets: usize) -> usize {
        SentPackets::<R>::max_bytes(packets)
    }

    pub(crate) fn new(start: &Start) -> Self {
        let mut loss = LossDetection::new(start.first_number, start.peer_max_ack_delay);
        loss.set_limit(start.max_packets);
        Self {
            loss,
            path: CurrentPath::new(start.rate_control, start.max_mtu, start.first_number),
            paced_until: None,
            skips: SkipSchedule::new(start.first_number, start.random),
        }
    }

    /// The number of the next packet. Now and then one is left out, which takes a random number unknown to the peer.
    pub(crate) fn next_number(&mut self, now: Instant, random: impl FnOnce() -> u64) -> u64 {
        let number = self.loss.sent().next_number();
        if !self.skips.is_due(number) {
            return number;
        }
        self.loss.skip_number(now);
        self.skips.skipped(number, random());
        self.loss.sent().next_number()
    }

    /// Whether a packet of so many bytes may leave that asks for an acknowledgement (R-8.10-9). Packets that only acknowledge need no leave
    /// but [`has_room`](Self::has_room).
    pub(crate) fn may_send(&mut self, bytes: u16, now: Instant) -> Leave {
        let leave = self.leave(u64::from(bytes), now);
        self.paced_until = match leave {
            Leave::At(at) => Some(at),
            Leave::Now | Leave::Blocked => None,
        };
        leave
    }

    /// Whether another packet can be kept track of.
    pub(crate) fn has_room(&self) -> bool {
        !self.loss.sent().is_full()
    }

    /// How many packets have to be sent at once, whatever the window says, for the peer to acknowledge them.
    pub(crate) const fn probes_due(&self) -> u8 {
        self.loss.probes_due()
    }

    /// The size of packets: what is known to pass, and while probes are due no more than what any path carries, in case that large
    /// packets are swallowed.
    pub(crate) const fn packet_size(&self) -> u16 {
        if self.probes_due() > 0 { self.path.mtu.base() } else { self.path.mtu.mtu() }
    }

    /// The size of a packet to send to learn whether such pass: padding will do. It needs no leave.
    pub(crate) fn mtu_probe_due(&self, now: Instant) -> Option<u16> {
        self.path.mtu.probe_due(now).filter(|_| self.has_room())
    }

    /// What the next packet is to be marked with.
    pub(crate) const fn ecn(&self) -> EcnCodepoint {
        self.path.ecn.codepoint()
    }

    /// Takes note that the packet [`next_number`](Self::next_number) leaves, marked with [`ecn`](Self::ecn), and of what it carries.
    pub(crate) fn on_sent(&mut self, packet: Departure, records: impl IntoIterator<Item = R>, now: Instant) {
        let info = PacketInfo {
            time_sent: now,
            size: packet.size,
            ack_eliciting: packet.ack_eliciting,
            in_flight: packet.ack_eliciting || packet.is_padded,
            ecn: self.path.ecn.mark() == EcnCodepoint::Ect0,
            mtu_probe: packet.is_mtu_probe,
        };
        if info.mtu_probe {
            self.path.mtu.on_probe_sent(self.loss.sent().next_number(), packet.size);
        }
        if info.in_flight {
            let pace = self.pace();
            self.path.pacer.on_sent(u64::from(packet.size), &pace, now);
        }
        self.loss.on_packet_sent(info, records);
    }

    /// Takes an acknowledgement: ranges from the highest down, how long the peer held it back, and its counts of marks if it has any.
    ///
    /// # Errors
    /// [`AckError`]: close the link. Nothing has changed.
    pub(crate) fn on_ack(
        &mut self,
        ranges: impl Iterator<Item = AckRange> + Clone,
        ack_delay: Duration,
        ecn_counts: Option<EcnCounts>,
        now: Instant,
        visitor: &mut impl Visitor<R>,
    ) -> Result<(), AckError> {
        let bytes_in_flight = self.loss.sent().bytes_in_flight();
        let mut ledger = Ledger::new(&mut self.path, visitor, now);
        let outcome = self.loss.on_ack_received(ranges, ack_delay, now, &mut ledger)?;
        let bytes = ledger.acked_bytes;
        let Some(time_sent) = outcome.largest_time_sent else {
            return Ok(());
        };
        let is_marked = outcome.is_latest && self.path.ecn.on_ack(ecn_counts, outcome.newly_acked_ecn);
        let is_reduced = is_marked && self.path.congestion.on_congestion(time_sent, now);
        if !self.on_losses(outcome.losses, now) && !is_reduced {
            let is_window_limited = self.path.congestion.is_window_limited(bytes_in_flight);
            let smoothed_rtt = self.loss.rtt().smoothed();
            let rtt_sample = outcome.rtt_sample;
            self.path.congestion.on_ack(&Acked { bytes, time_sent, smoothed_rtt, rtt_sample, is_window_limited, now });
        }
        self.path.congestion.on_mtu(self.path.mtu.mtu());
        Ok(())
    }

    /// Does what is due at one of the [`deadlines`](Self::deadlines).
    pub(crate) fn on_timeout(&mut self, now: Instant, visitor: &mut impl Visitor<R>) {
        self.paced_until = self.paced_until.filter(|&at| at > now);
        let mut ledger = Ledger::new(&mut self.path, visitor, now);
        let losses = self.loss.on_timeout(now, &mut ledger);
        self.on_losses(losses, now);
        self.path.congestion.on_mtu(self.path.mtu.mtu());
    }

    /// When something is due: packets are lost, probes have to be sent, or the pace allows another packet. What is due already and
    /// cannot be sent yet is among it, and hides nothing that comes later.
    pub(crate) fn deadlines(&self) -> impl Iterator<Item = Instant> {
        [self.loss.deadline(), self.paced_until, self.path.mtu.deadline()].into_iter().flatten()
    }

    #[cfg(test)]
    pub(crate) fn deadline(&self) -> Option<Instant> {
        self.deadlines().min()
    }

    /// From now on the peer is held to its maximum delay.
    pub(crate) fn on_handshake_confirmed(&mut self, now: Instant) {
        self.loss.on_handshake_confirmed(now);
    }

    /// Packets sent before the handshake is confirmed wait for that at the peer.
    pub(crate) fn wait_for_confirmation(&mut self) {
        self.loss.wait_for_confirmation();
    }

    /// Packets take another path from `now` on, which carries datagrams of at most `max_mtu` bytes: its rate, round trip, marks and
    /// MTU have to be found out anew (RFC 9000, section 9.4). What is in flight stays so until it is acknowledged or lost.
    pub(crate) fn on_new_path(&mut self, rate_control: RateControl, max_mtu: u16, now: Instant) {
        self.loss.on_new_path();
        self.path.change(rate_control, max_mtu, self.loss.sent().next_number(), now);
        self.paced_until = None;
    }

    /// Hands back, as if it were lost, what the packet carries that has waited longest for an acknowledgement: for a probe that has
    /// nothing new to say.
    pub(crate) fn repeat_oldest(&self, visitor: &mut impl Visitor<R>) {
        self.loss.repeat_oldest(visitor);
    }

    /// Makes room for a probe in a table that is full: hands back, as lost, what the packets carry that have waited longest.
    pub(crate) fn make_room(&mut self, now: Instant, visitor: &mut impl Visitor<R>) {
        self.loss.make_room(now, &mut Ledger::new(&mut self.path, visitor, now));
    }

    /// How long an acknowledgement may take: what other timers are multiples of.
    pub(crate) fn pto(&self) -> Duration {
        self.loss.pto()
    }

    pub(crate) fn stats(&self) -> PathStats {
        PathStats {
            smoothed_rtt: self.loss.rtt().smoothed(),
            min_rtt: self.loss.rtt().min(),
            window: self.path.congestion.window(),
            bytes_in_flight: self.loss.sent().bytes_in_flight(),
            unanswered_probes: self.loss.unanswered(),
            packets_lost: self.loss.packets_lost(),
            packets_lost_in_error: self.loss.packets_lost_in_error(),
            congestion_events: self.path.congestion.events(),
            mtu: self.path.mtu.mtu(),
            is_ecn_capable: self.path.ecn.is_capable(),
        }
    }

    fn leave(&mut self, bytes: u64, now: Instant) -> Leave {
        if self.probes_due() > 0 {
            return Leave::Now;
        }
        let in_flight = self.loss.sent().bytes_in_flight().saturating_add(bytes);
        // R-8.10-9
        if in_flight > self.path.congestion.window() || !self.has_room() {
            return Leave::Blocked;
        }
        let pace = self.pace();
        self.path.pacer.delay(bytes, &pace, now).map_or(Leave::Now, Leave::At)
    }

    fn pace(&self) -> Pace {
        self.path.pace(self.loss.rtt().smoothed())
    }

    /// Tells the rate controller of losses. Whether that reduced the window.
    fn on_losses(&mut self, losses: Losses, now: Instant) -> bool {
        let Some(time_sent) = losses.last_time_sent else {
            return false;
        };
        let is_reduced = self.path.congestion.on_congestion(time_sent, now);
        if losses.is_persistent {
            self.path.congestion.on_persistent_congestion();
        }
        is_reduced || losses.is_persistent
    }
}
