//! What the parts of recovery want to know of each packet, noted while its records go to their owner.

use super::congestion_control::CongestionControl;
use super::ecn::EcnValidation;
use super::loss_detection::Visitor;
use super::path_mtu::PathMtu;
use super::sent_packets::{AckedPacket, PacketInfo};
use crate::time::Instant;

/// Stands between loss detection and the owner for one acknowledgement or timeout.
pub(super) struct Ledger<'a, V> {
    pub(super) congestion: &'a CongestionControl,
    pub(super) path_mtu: &'a mut PathMtu,
    pub(super) ecn: &'a mut EcnValidation,
    pub(super) owner: &'a mut V,
    pub(super) now: Instant,
    /// Packets before this one took another path, and say nothing of this one.
    pub(super) first_of_path: u64,
    /// Bytes acknowledged that say something of the window as it is now.
    pub(super) acked_bytes: u64,
}

impl<R, V: Visitor<R>> Visitor<R> for Ledger<'_, V> {
    fn acked(&mut self, record: R) {
        self.owner.acked(record);
    }

    fn lost(&mut self, record: R) {
        self.owner.lost(record);
    }

    fn packet_acked(&mut self, packet: &AckedPacket) {
        let AckedPacket { number, info, was_lost } = *packet;
        if number < self.first_of_path {
            return;
        }
        // What was declared lost has left the network before.
        if info.in_flight && !was_lost && self.congestion.is_current(info.time_sent) {
            self.acked_bytes = self.acked_bytes.saturating_add(u64::from(info.size));
        }
        if info.mtu_probe {
            self.path_mtu.on_probe_acked(number, info.size, self.now);
        } else {
            self.path_mtu.on_packet_acked(number, info.size);
        }
    }

    fn packet_lost(&mut self, number: u64, packet: &PacketInfo) {
        if number < self.first_of_path {
            return;
        }
        if packet.mtu_probe {
            self.path_mtu.on_probe_lost(number, self.now);
        } else {
            self.path_mtu.on_packet_lost(number, packet.size, self.now);
        }
        if packet.ecn {
            self.ecn.on_lost();
        }
    }
}
