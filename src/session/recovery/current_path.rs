//! What is known of the path that packets take now, and what each packet's fate adds to it.

use core::time::Duration;

use super::congestion_control::CongestionControl;
use super::ecn::EcnValidation;
use super::loss_detection::Visitor;
use super::pacer::{Pace, Pacer};
use super::path_mtu::PathMtu;
use super::sent_packets::{AckedPacket, PacketInfo};
use crate::config::RateControl;
use crate::time::Instant;

/// Rate, marks and MTU of one path.
#[derive(Debug)]
pub(super) struct CurrentPath {
    /// Packets before this one took another path, and say nothing of this one.
    first_number: u64,
    pub(super) congestion: CongestionControl,
    pub(super) pacer: Pacer,
    pub(super) ecn: EcnValidation,
    pub(super) mtu: PathMtu,
}

impl CurrentPath {
    pub(super) fn new(rate_control: RateControl, max_mtu: u16, first_number: u64) -> Self {
        let mtu = PathMtu::new(max_mtu);
        Self {
            first_number,
            congestion: CongestionControl::new(rate_control, mtu.mtu()),
            pacer: Pacer::default(),
            ecn: EcnValidation::default(),
            mtu,
        }
    }

    /// Packets take another path, from number `first_number` on.
    pub(super) fn change(&mut self, rate_control: RateControl, max_mtu: u16, first_number: u64, now: Instant) {
        self.first_number = first_number;
        self.mtu = PathMtu::new(max_mtu);
        let events = self.congestion.events();
        self.congestion = CongestionControl::on_new_path(rate_control, self.mtu.mtu(), now, events);
        self.pacer = Pacer::default();
        self.ecn.restart();
    }

    pub(super) fn pace(&self, smoothed_rtt: Duration) -> Pace {
        Pace { window: self.congestion.window(), smoothed_rtt, mtu: self.mtu.mtu() }
    }

    /// Takes note of an acknowledged packet; returns its bytes if they say something of the window as it is now.
    fn packet_acked(&mut self, packet: &AckedPacket, now: Instant) -> u64 {
        let AckedPacket { number, info, was_lost } = *packet;
        if number < self.first_number {
            return 0;
        }
        if info.mtu_probe {
            self.mtu.on_probe_acked(number, info.size, now);
        } else {
            self.mtu.on_packet_acked(number, info.size);
        }
        // What was declared lost has left the network before.
        let counts = info.in_flight && !was_lost && self.congestion.is_current(info.time_sent);
        if counts { u64::from(info.size) } else { 0 }
    }

    fn packet_lost(&mut self, number: u64, packet: &PacketInfo, now: Instant) {
        if number < self.first_number {
            return;
        }
        if packet.mtu_probe {
            self.mtu.on_probe_lost(number, now);
        } else {
            self.mtu.on_packet_lost(number, packet.size, now);
        }
        if packet.ecn {
            self.ecn.on_lost();
        }
    }
}

/// Stands between loss detection and the owner for one acknowledgement or timeout: the path hears of packets, the owner of records.
pub(super) struct Ledger<'a, V> {
    path: &'a mut CurrentPath,
    owner: &'a mut V,
    now: Instant,
    /// Bytes acknowledged that say something of the window.
    pub(super) acked_bytes: u64,
}

impl<'a, V> Ledger<'a, V> {
    pub(super) fn new(path: &'a mut CurrentPath, owner: &'a mut V, now: Instant) -> Self {
        Self { path, owner, now, acked_bytes: 0 }
    }
}

impl<R, V: Visitor<R>> Visitor<R> for Ledger<'_, V> {
    fn acked(&mut self, record: R) {
        self.owner.acked(record);
    }

    fn lost(&mut self, record: R) {
        self.owner.lost(record);
    }

    fn packet_acked(&mut self, packet: &AckedPacket) {
        self.acked_bytes = self.acked_bytes.saturating_add(self.path.packet_acked(packet, self.now));
    }

    fn packet_lost(&mut self, number: u64, packet: &PacketInfo) {
        self.path.packet_lost(number, packet, self.now);
    }
}
