//! The sender's half: what was sent, and what becomes of it.
#![forbid(unsafe_code)]

use alloc::string::String;
use alloc::vec::Vec;
use core::time::Duration;

use crate::config::RateControl;
use crate::ecn::{EcnCodepoint, EcnCounts};
use crate::session::recovery::{AckRange, Departure, Leave, Recovery, Start, Visitor};
use crate::session::stats::PathStats;
use crate::time::Instant;

/// What a link is like when it begins.
#[derive(Clone, Copy, Debug)]
pub struct SenderStart {
    /// The number of the first packet.
    pub first_number: u64,
    /// How long the peer holds acknowledgements back at most.
    pub peer_max_ack_delay: Duration,
    /// The rate controller.
    pub rate_control: RateControl,
    /// The largest datagram that the carrier takes.
    pub max_mtu: u16,
    /// How many packets may be kept track of at a time.
    pub max_packets: usize,
    /// Decides which number is the first to be left out.
    pub random: u64,
}

/// A packet that leaves.
#[derive(Clone, Copy, Debug)]
pub struct Outgoing {
    /// Bytes on the carrier.
    pub size: u16,
    /// It asks for an acknowledgement.
    pub ack_eliciting: bool,
    /// It is padded: it counts as in flight whatever it asks for.
    pub is_padded: bool,
    /// It is the probe that [`Sender::mtu_probe_due`] has asked for.
    pub is_mtu_probe: bool,
}

/// Whether a packet may leave.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub enum MaySend {
    /// It may.
    Now,
    /// Not before this time.
    At(Instant),
    /// Not before acknowledgements have come, or a timeout.
    Blocked,
}

/// What became of a record.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub enum Fate {
    /// The peer has it.
    Acked(u32),
    /// It has to be sent again.
    Lost(u32),
}

/// A sender whose packets carry numbers.
#[derive(Debug)]
pub struct Sender(Recovery<u32>);

impl Sender {
    /// Nothing was sent.
    #[must_use]
    pub fn new(start: &SenderStart) -> Self {
        let SenderStart { first_number, peer_max_ack_delay, rate_control, max_mtu, max_packets, random } = *start;
        Self(Recovery::new(&Start { first_number, peer_max_ack_delay, rate_control, max_mtu, max_packets, random }))
    }

    /// The number of the next packet; those between it and the last one are left out.
    pub fn next_number(&mut self, now: Instant, random: u64) -> u64 {
        self.0.next_number(now, || random)
    }

    /// Whether so many bytes may leave that ask for an acknowledgement.
    pub fn may_send(&mut self, bytes: u16, now: Instant) -> MaySend {
        match self.0.may_send(bytes, now) {
            Leave::Now => MaySend::Now,
            Leave::At(at) => MaySend::At(at),
            Leave::Blocked => MaySend::Blocked,
        }
    }

    /// Whether another packet can be kept track of.
    #[must_use]
    pub fn has_room(&self) -> bool {
        self.0.has_room()
    }

    /// How many packets have to be sent at once.
    #[must_use]
    pub fn probes_due(&self) -> u8 {
        self.0.probes_due()
    }

    /// The size of packets.
    #[must_use]
    pub fn packet_size(&self) -> u16 {
        self.0.packet_size()
    }

    /// The size of a probe of the path's MTU, if one is due.
    #[must_use]
    pub fn mtu_probe_due(&self, now: Instant) -> Option<u16> {
        self.0.mtu_probe_due(now)
    }

    /// What the next packet is marked with.
    #[must_use]
    pub fn ecn(&self) -> EcnCodepoint {
        self.0.ecn()
    }

    /// The packet [`next_number`](Self::next_number) leaves with these records.
    pub fn on_sent(&mut self, packet: Outgoing, records: &[u32], now: Instant) {
        let Outgoing { size, ack_eliciting, is_padded, is_mtu_probe } = packet;
        let departure = Departure { size, ack_eliciting, is_padded, is_mtu_probe };
        self.0.on_sent(departure, records.iter().copied(), now);
    }

    /// Takes an acknowledgement of these ranges, first and last number of each, with counts of the marks ECT(0), ECT(1) and CE. What
    /// became of records, in order.
    ///
    /// # Errors
    /// It is refused; its name is why. Nothing has changed.
    pub fn on_ack(
        &mut self,
        ranges: &[(u64, u64)],
        ack_delay: Duration,
        marks: Option<[u64; 3]>,
        now: Instant,
    ) -> Result<Vec<Fate>, String> {
        let ranges = ranges.iter().map(|(first, last)| AckRange { first: *first, last: *last });
        let counts = marks.map(|[ect0, ect1, ce]| EcnCounts { ect0, ect1, ce });
        let mut fates = Fates::default();
        match self.0.on_ack(ranges, ack_delay, counts, now, &mut fates) {
            Ok(()) => Ok(fates.0),
            Err(error) => Err(alloc::format!("{error:?} {:?}", fates.0)),
        }
    }

    /// Does what is due at one of the [`deadlines`](Self::deadlines).
    pub fn on_timeout(&mut self, now: Instant) -> Vec<Fate> {
        let mut fates = Fates::default();
        self.0.on_timeout(now, &mut fates);
        fates.0
    }

    /// When something is due.
    #[must_use]
    pub fn deadlines(&self) -> Vec<Instant> {
        self.0.deadlines().collect()
    }

    /// The handshake is confirmed.
    pub fn on_handshake_confirmed(&mut self, now: Instant) {
        self.0.on_handshake_confirmed(now);
    }

    /// Packets wait at the peer for the end of its handshake.
    pub fn wait_for_confirmation(&mut self) {
        self.0.wait_for_confirmation();
    }

    /// Packets take another path from now on.
    pub fn on_new_path(&mut self, rate_control: RateControl, max_mtu: u16, now: Instant) {
        self.0.on_new_path(rate_control, max_mtu, now);
    }

    /// Hands back what the oldest packet carries that is waited for.
    #[must_use]
    pub fn repeat_oldest(&self) -> Vec<Fate> {
        let mut fates = Fates::default();
        self.0.repeat_oldest(&mut fates);
        fates.0
    }

    /// Makes room for a probe.
    pub fn make_room(&mut self, now: Instant) -> Vec<Fate> {
        let mut fates = Fates::default();
        self.0.make_room(now, &mut fates);
        fates.0
    }

    /// How long an acknowledgement may take.
    #[must_use]
    pub fn pto(&self) -> Duration {
        self.0.pto()
    }

    /// Figures.
    #[must_use]
    pub fn stats(&self) -> PathStats {
        self.0.stats()
    }
}

/// What became of records, in order.
#[derive(Debug, Default)]
struct Fates(Vec<Fate>);

impl Visitor<u32> for Fates {
    fn acked(&mut self, record: u32) {
        self.0.push(Fate::Acked(record));
    }

    fn lost(&mut self, record: u32) {
        self.0.push(Fate::Lost(record));
    }
}
