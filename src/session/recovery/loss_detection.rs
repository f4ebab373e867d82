//! Which packets have arrived, which are lost, and when to ask again (RFC 9002, section 6).
//!
//! A link has one packet number space, so there is one of each: table, round trip, timer.

use core::time::Duration;

use super::ack_ranges::AckRange;
use super::persistent_congestion::LostRun;
use super::rtt_estimator::RttEstimator;
use super::sent_packets::{AckedPacket, PacketInfo, SentPackets, State};
use crate::time::Instant;
use crate::wire::payload::MAX_ACK_RANGES;

/// A packet is lost when one sent so many later was acknowledged.
const PACKET_THRESHOLD: u64 = 3;

/// So many packets ask again when no acknowledgement has come.
const PROBES: u8 = 2;

/// The backoff of probes stops doubling after so many, and where it would pass this length (R-8.10-6): two packets every two seconds
/// congest nothing, and an idle timeout of 30 s leaves room for enough of them to get through where a third is lost each way.
const MAX_BACKOFF: u32 = 16;
const MAX_BACKED_OFF: Duration = Duration::from_secs(2);

/// Who hears of the fate of packets and of what they carried.
pub(crate) trait Visitor<R> {
    /// The peer has this. It may have been told as lost before.
    fn acked(&mut self, record: R);

    /// This has to be sent again, if it still matters.
    fn lost(&mut self, record: R);

    /// Before the records of an acknowledged packet.
    fn packet_acked(&mut self, _packet: &AckedPacket) {}

    /// Before the records of a lost packet.
    fn packet_lost(&mut self, _number: u64, _packet: &PacketInfo) {}
}

/// An acknowledgement that no honest peer sends: the link has to be closed.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub(crate) enum AckError {
    /// It is empty, has too many ranges, or its ranges are not in order and apart.
    Malformed,
    /// It names a packet that was never sent.
    NeverSent,
    /// It names a number that was left out to catch just this.
    Skipped,
}

/// What an acknowledgement has brought.
#[derive(Clone, Copy, Debug, Default, PartialEq, Eq)]
#[must_use]
pub(crate) struct AckOutcome {
    /// Packets acknowledged for the first time.
    pub(crate) newly_acked: u64,
    /// Those of them that were marked as ECN-capable.
    pub(crate) newly_acked_ecn: u64,
    /// The highest number acknowledged has risen: the acknowledgement is not an old one that was overtaken.
    pub(crate) is_latest: bool,
    /// When the highest of the newly acknowledged packets was sent.
    pub(crate) largest_time_sent: Option<Instant>,
    /// The round trip that it has measured.
    pub(crate) rtt_sample: Option<Duration>,
    pub(crate) losses: Losses,
}

/// Packets declared lost at one time.
#[derive(Clone, Copy, Debug, Default, PartialEq, Eq)]
#[must_use]
pub(crate) struct Losses {
    /// Bytes of lost packets that had counted as in flight: what the rate controller hears of. Probes of the path's MTU are none of
    /// its business.
    pub(crate) bytes: u64,
    /// When the last of these packets was sent.
    pub(crate) last_time_sent: Option<Instant>,
    /// Nothing got through for so long that the rate has to start anew.
    pub(crate) is_persistent: bool,
}

/// Loss detection for one link. `R` is what the owner wants back of what packets carry.
#[derive(Debug)]
pub(crate) struct LossDetection<R> {
    sent: SentPackets<R>,
    rtt: RttEstimator,
    peer_max_ack_delay: Duration,
    is_confirmed: bool,
    /// Packets sent before may have waited for the peer's handshake to end: they say nothing of round trips.
    samples_from: Instant,
    largest_acked: Option<u64>,
    /// Everything below has been found acknowledged, lost or skipped.
    settled_below: u64,
    /// When the oldest packet that others have overtaken is lost.
    loss_time: Option<Instant>,
    /// What the probe timeout counts from: the last packet that asks for an acknowledgement, or the last timeout.
    pto_from: Instant,
    pto_count: u32,
    probes_due: u8,
    lost_run: LostRun,
    /// The first packet on the path that is used now: earlier ones say nothing of it.
    first_of_path: u64,
    packets_lost: u64,
    packets_lost_in_error: u64,
}

impl<R: Copy> LossDetection<R> {
    /// For packets from number `first` on, to a peer that holds acknowledgements back for `peer_max_ack_delay` at most.
    pub(crate) fn new(first: u64, peer_max_ack_delay: Duration) -> Self {
        Self {
            sent: SentPackets::new(first),
            rtt: RttEstimator::new(),
            peer_max_ack_delay,
            is_confirmed: false,
            samples_from: Instant::ORIGIN,
            largest_acked: None,
            settled_below: first,
            loss_time: None,
            pto_from: Instant::ORIGIN,
            pto_count: 0,
            probes_due: 0,
            lost_run: LostRun::default(),
            first_of_path: first,
            packets_lost: 0,
            packets_lost_in_error: 0,
        }
    }

    /// Bounds the packets that are kept track of.
    pub(crate) const fn set_limit(&mut self, packets: usize) {
        self.sent.set_limit(packets);
    }

    /// From now on the peer is held to its maximum delay (RFC 9002, section 5.3).
    pub(crate) fn on_handshake_confirmed(&mut self, now: Instant) {
        self.is_confirmed = true;
        self.samples_from = self.samples_from.min(now);
    }

    /// The peer takes packets only once its handshake is over, which [`on_handshake_confirmed`](Self::on_handshake_confirmed) will
    /// tell: until then, how long an answer takes is no round trip (R-8.10-7).
    pub(crate) fn wait_for_confirmation(&mut self) {
        self.samples_from = Instant::from_micros(u64::MAX);
    }

    /// Takes note of a packet and what it carries. It has the number [`SentPackets::next_number`].
    pub(crate) fn on_packet_sent(&mut self, packet: PacketInfo, records: impl IntoIterator<Item = R>) {
        if packet.ack_eliciting {
            self.pto_from = packet.time_sent;
            self.probes_due = self.probes_due.saturating_sub(1);
        }
        self.sent.push(packet, records);
    }

    /// Leaves out the next number.
    pub(crate) fn skip_number(&mut self, now: Instant) {
        self.sent.skip(now);
    }

    /// Takes an acknowledgement: ranges from the highest down, and how long the peer says that it held it back.
    ///
    /// # Errors
    /// [`AckError`]: close the link. Nothing has changed.
    pub(crate) fn on_ack_received(
        &mut self,
        ranges: impl Iterator<Item = AckRange> + Clone,
        ack_delay: Duration,
        now: Instant,
        visitor: &mut impl Visitor<R>,
    ) -> Result<AckOutcome, AckError> {
        let largest = self.validate(ranges.clone())?;
        let mut outcome = AckOutcome { is_latest: self.largest_acked < Some(largest), ..AckOutcome::default() };
        self.largest_acked = self.largest_acked.max(Some(largest));

        let newly = self.acknowledge(ranges, &mut outcome, visitor);
        let Some(newest) = newly.newest else {
            return Ok(outcome);
        };
        let is_sample = newest.info.time_sent >= self.samples_from && newest.number >= self.first_of_path;
        if newest.number == largest && newly.any_ack_eliciting && is_sample {
            let max_ack_delay = self.is_confirmed.then_some(self.peer_max_ack_delay);
            self.rtt.update(now - newest.info.time_sent, ack_delay, max_ack_delay);
            self.lost_run.on_rtt_sample(now);
            outcome.rtt_sample = Some(self.rtt.latest());
        }
        outcome.losses = self.detect_lost(now, visitor);
        self.pto_count = 0;
        self.probes_due = 0;
        self.retire(now);
        Ok(outcome)
    }

    /// Does what is due: finds packets lost, or asks for probes.
    pub(crate) fn on_timeout(&mut self, now: Instant, visitor: &mut impl Visitor<R>) -> Losses {
        if self.deadline().is_none_or(|deadline| deadline > now) {
            return Losses::default();
        }
        if self.loss_time.is_some() {
            let losses = self.detect_lost(now, visitor);
            self.retire(now);
            return losses;
        }
        self.pto_count = self.pto_count.saturating_add(1);
        self.pto_from = now;
        self.probes_due = PROBES;
        Losses::default()
    }

    /// When [`on_timeout`](Self::on_timeout) is due; `None` while nothing is awaited.
    pub(crate) fn deadline(&self) -> Option<Instant> {
        let probe = || self.sent.is_ack_eliciting_in_flight().then(|| self.pto_from + self.probe_timeout());
        self.loss_time.or_else(probe)
    }

    /// How many packets have to be sent at once, whatever the window says, for the peer to acknowledge them.
    pub(crate) const fn probes_due(&self) -> u8 {
        self.probes_due
    }

    /// How long an acknowledgement may take, without backoff: what other timers are multiples of (RFC 9002, section 6.2.1).
    pub(crate) fn pto(&self) -> Duration {
        self.rtt.pto_base().saturating_add(self.peer_max_ack_delay)
    }

    /// Packets take another path from now on: nothing is known of its round trip (RFC 9000, section 9.4).
    pub(crate) fn on_new_path(&mut self) {
        self.rtt = RttEstimator::new();
        self.lost_run = LostRun::default();
        self.first_of_path = self.sent.next_number();
        self.pto_count = 0;
    }

    /// How many probe timeouts in a row were not answered.
    pub(crate) const fn unanswered(&self) -> u32 {
        self.pto_count
    }

    /// Tells what the oldest packet carries that waits for its acknowledgement, as lost; it is still waited for.
    pub(crate) fn repeat_oldest(&self, visitor: &mut impl Visitor<R>) {
        self.sent.oldest_outstanding(self.settled_below).for_each(|&record| visitor.lost(record));
    }

    /// Where the table is full and a probe has to be sent all the same, lets go of the packets that have waited longest: what they carry
    /// is told as lost. They say nothing of the path, but that a probe of its MTU is not waited for any more.
    pub(crate) fn make_room(&mut self, now: Instant, visitor: &mut impl Visitor<R>) {
        while self.sent.is_full() && self.sent.first_number() < self.sent.next_number() {
            let number = self.sent.first_number();
            self.sent.lose(number, |packet, records| {
                if packet.mtu_probe {
                    visitor.packet_lost(number, &packet);
                }
                records.for_each(|&record| visitor.lost(record));
            });
            self.sent.retire(now);
        }
    }

    /// Hands back what packets in flight carry, as lost, without a word to the rate controller: the link is over.
    #[cfg(test)] // sessions that outlive their links are still to come
    pub(crate) fn abandon(&mut self, visitor: &mut impl Visitor<R>) {
        for number in self.settled_below.max(self.sent.first_number())..self.sent.next_number() {
            self.sent.lose(number, |_, records| records.for_each(|&record| visitor.lost(record)));
        }
        self.loss_time = None;
        self.probes_due = 0;
    }

    pub(crate) const fn sent(&self) -> &SentPackets<R> {
        &self.sent
    }

    pub(crate) const fn rtt(&self) -> &RttEstimator {
        &self.rtt
    }

    /// Packets declared lost so far.
    pub(crate) const fn packets_lost(&self) -> u64 {
        self.packets_lost
    }

    /// Those of them that were acknowledged after all.
    pub(crate) const fn packets_lost_in_error(&self) -> u64 {
        self.packets_lost_in_error
    }

    /// The highest number in `ranges`, if they are such as an honest peer can send.
    fn validate(&self, ranges: impl Iterator<Item = AckRange>) -> Result<u64, AckError> {
        let mut largest = None;
        let mut above = u64::MAX;
        for (count, range) in ranges.enumerate() {
            let is_in_order = range.first <= range.last && (count == 0 || range.last < above);
            if !is_in_order || count >= MAX_ACK_RANGES {
                return Err(AckError::Malformed);
            }
            if range.last >= self.sent.next_number() {
                return Err(AckError::NeverSent);
            }
            if self.sent.skipped_in(range) {
                return Err(AckError::Skipped);
            }
            above = range.first;
            largest = largest.or(Some(range.last));
        }
        largest.ok_or(AckError::Malformed)
    }

    fn acknowledge(
        &mut self,
        ranges: impl Iterator<Item = AckRange>,
        outcome: &mut AckOutcome,
        visitor: &mut impl Visitor<R>,
    ) -> NewlyAcked {
        let mut newly = NewlyAcked::default();
        for range in ranges {
            self.sent.ack(range, |packet, records| {
                newly.newest = newly.newest.or(Some(packet));
                newly.any_ack_eliciting |= packet.info.ack_eliciting;
                newly.was_lost = newly.was_lost.saturating_add(u64::from(packet.was_lost));
                outcome.newly_acked = outcome.newly_acked.saturating_add(1);
                outcome.newly_acked_ecn = outcome.newly_acked_ecn.saturating_add(u64::from(packet.info.ecn));
                visitor.packet_acked(&packet);
                records.for_each(|&record| visitor.acked(record));
            });
        }
        if newly.was_lost > 0 {
            self.packets_lost_in_error = self.packets_lost_in_error.saturating_add(newly.was_lost);
            self.lost_run.on_acked();
        }
        outcome.largest_time_sent = newly.newest.map(|packet| packet.info.time_sent);
        newly
    }

    /// Walks up from the oldest packet that is outstanding to the first that is not lost yet. Packets are sent in the order of their
    /// numbers, so all later ones are not lost either.
    fn detect_lost(&mut self, now: Instant, visitor: &mut impl Visitor<R>) -> Losses {
        let mut losses = Losses::default();
        self.loss_time = None;
        let Some(largest) = self.largest_acked else {
            return losses;
        };
        let delay = self.rtt.loss_delay();
        let mut number = self.settled_below.max(self.sent.first_number());
        while let Some(packet) = self.sent.get(number).filter(|_| number <= largest) {
            let (state, info) = (packet.state, packet.info);
            if state == State::Outstanding {
                let is_overtaken = largest.saturating_sub(number) >= PACKET_THRESHOLD;
                if !is_overtaken && now - info.time_sent < delay {
                    self.loss_time = Some(info.time_sent + delay);
                    break;
                }
                self.declare_lost(number, &mut losses, visitor);
            } else if state == State::Acked {
                self.lost_run.on_acked();
            }
            number = number.saturating_add(1);
        }
        self.settled_below = number;
        if losses.is_persistent {
            self.rtt.forget_min();
        }
        losses
    }

    fn declare_lost(&mut self, number: u64, losses: &mut Losses, visitor: &mut impl Visitor<R>) {
        self.packets_lost = self.packets_lost.saturating_add(1);
        let persistent_after = self.pto();
        let lost_run = &mut self.lost_run;
        self.sent.lose(number, |packet, records| {
            if packet.in_flight && !packet.mtu_probe {
                losses.bytes = losses.bytes.saturating_add(u64::from(packet.size));
                losses.last_time_sent = losses.last_time_sent.max(Some(packet.time_sent));
            }
            if packet.ack_eliciting && !packet.mtu_probe {
                losses.is_persistent |= lost_run.on_lost(packet.time_sent, persistent_after);
            }
            visitor.packet_lost(number, &packet);
            records.for_each(|&record| visitor.lost(record));
        });
    }

    /// The probe timeout with its backoff.
    fn probe_timeout(&self) -> Duration {
        let factor = 1_u32.checked_shl(self.pto_count.min(MAX_BACKOFF)).unwrap_or(u32::MAX);
        self.pto().saturating_mul(factor).min(MAX_BACKED_OFF.max(self.pto()))
    }

    /// Lets go of packets whose story is over. A packet declared lost may be on its way for as long as a probe would take to be
    /// answered twice.
    fn retire(&mut self, now: Instant) {
        let age = u64::try_from(self.pto().saturating_mul(2).as_micros()).unwrap_or(u64::MAX);
        self.sent.retire(Instant::from_micros(now.as_micros().saturating_sub(age)));
    }
}

/// The packets that one acknowledgement is the first for.
#[derive(Default)]
struct NewlyAcked {
    newest: Option<AckedPacket>,
    any_ack_eliciting: bool,
    was_lost: u64,
}

#[cfg(test)]
mod tests;
