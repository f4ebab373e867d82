//! Sessions over datagram carriers, where datagrams are lost, doubled, reordered, altered and forged (specification, sections 6.10,
//! 8.10 and 9.7).
//!
//! ```text
//! handle_datagram -> receive --- handshake packets --> flights   sent again until they are answered
//!                       |                              paths     where the peer is, and how much may be sent there
//!                       +------- Data packets -------> received, timing: what to acknowledge, and when
//!                                 acknowledgements --> Recovery -- what was carried --> fates: streams
//! poll_transmit ---> transmit -- may I? -------------> Recovery, paths
//! ```
#![forbid(unsafe_code)]

mod best_effort;
mod fates;
mod flights;
mod paths;
mod receive;
mod transmit;

use alloc::boxed::Box;
use alloc::vec::Vec;
use core::time::Duration;

use super::carried::Carried;
use super::datagram_queue::DatagramQueue;
use super::recovery::{AckRanges, AckTiming, Recovery, Start};
use super::stats::PathStats;
use super::{Phase, Session};
use crate::config::{Carrier, Limits, RateControl};
use crate::ecn::{EcnCodepoint, EcnCounts};
use crate::link::{DataKeys, Epilogue};
use crate::packet::PacketNumber;
use crate::time::Instant;
use crate::wire::Params;
use paths::Paths;

pub(crate) use best_effort::BestEffort;

/// A path to the peer, as whoever moves the datagrams numbers them: one for each pair of own address and peer's address.
///
/// A session that has only one path need not care: the default will do.
#[derive(Clone, Copy, Debug, Default, PartialEq, Eq, PartialOrd, Ord, Hash)]
pub struct PathId(pub u64);

/// What is known of a datagram besides its bytes.
#[derive(Clone, Copy, Debug, Default, PartialEq, Eq)]
pub struct Meta {
    /// The path that it came over.
    pub path: PathId,
    /// How it was marked when it arrived. [`EcnCodepoint::NotEct`] where the operating system does not tell.
    pub ecn: EcnCodepoint,
}

/// What a session has besides the rest when its carrier is one of datagrams.
pub(super) struct DatagramSide {
    /// The longest datagram that the carrier takes.
    mtu: u16,
    /// The longest datagram that both ends take.
    max_mtu: u16,
    rate_control: RateControl,
    paths: Paths,
    /// What both ends may still need of the handshake.
    epilogue: Option<Epilogue>,
    pub(super) best_effort: BestEffort,
    /// Once there are keys for Data packets. In a box, so that a handshake is small.
    delivery: Option<Box<Delivery>>,
    /// A close that is to be sent, or was. In a box, since most sessions are not closing.
    closing: Option<Box<Closing>>,
}

/// What of Data packets is on its way, in both directions.
struct Delivery {
    recovery: Recovery<Carried>,
    /// Which packets have come.
    received: AckRanges,
    timing: AckTiming,
    /// The marks on them.
    marks: EcnCounts,
    /// The highest number that has come: only a packet above it says where the peer is now.
    newest: Option<PacketNumber>,
    /// What the packet at hand carries; kept for its memory.
    carried: Vec<Carried>,
}

/// A close on its way. It is sent again for the first, the second, the fourth packet that comes after it and so on (RFC 9000,
/// section 10.2.1).
#[derive(Debug)]
struct Closing {
    /// How many have come.
    packets: u64,
    is_due: bool,
    /// What had come before it, which it acknowledges (R-9.1-5).
    received: AckRanges,
    timing: AckTiming,
}

impl DatagramSide {
    /// `None` on a stream carrier.
    pub(super) fn new(carrier: Carrier, is_responder: bool) -> Option<Box<Self>> {
        let Carrier::Datagram { mtu } = carrier else { return None };
        Some(Box::new(Self {
            mtu,
            max_mtu: mtu,
            rate_control: RateControl::default(),
            paths: Paths::new(is_responder),
            epilogue: None,
            best_effort: BestEffort::default(),
            delivery: None,
            closing: None,
        }))
    }

    /// The longest datagram of the handshake.
    fn handshake_mtu(&self) -> usize {
        let carrier = Carrier::Datagram { mtu: self.mtu };
        carrier.handshake_mtu().unwrap_or(self.mtu).into()
    }

    /// The peer has proved who it is, and where: there are Data packets from now on.
    pub(super) fn establish(&mut self, keys: &DataKeys, peer: &Params, setup: &DeliverySetup) {
        self.best_effort.set_peer(peer.max_datagram);
        self.max_mtu = self.mtu.min(peer.max_packet);
        self.rate_control = setup.rate_control;
        let start = Start {
            first_number: keys.next_number().map_or(u64::MAX, PacketNumber::get),
            peer_max_ack_delay: Duration::from_millis(peer.max_ack_delay_ms.into()),
            rate_control: setup.rate_control,
            max_mtu: self.max_mtu,
            max_packets: setup.max_packets,
            random: setup.random,
        };
        let mut recovery = Recovery::new(&start);
        if setup.waits_for_confirmation {
            recovery.wait_for_confirmation();
        }
        self.delivery = Some(Box::new(Delivery {
            recovery,
            received: AckRanges::default(),
            timing: AckTiming::new(setup.max_ack_delay),
            marks: EcnCounts::default(),
            newest: None,
            carried: Vec::new(),
        }));
    }

    /// Whether something may still be sent to a path.
    #[cfg(feature = "endpoint")]
    pub(super) fn uses_path(&self, path: PathId) -> bool {
        self.paths.uses(path)
    }

    pub(super) fn keep_epilogue(&mut self, epilogue: Option<Epilogue>) {
        self.epilogue = epilogue;
    }

    pub(super) fn take_waiting_data(&mut self) -> Option<Vec<u8>> {
        self.epilogue.as_mut().and_then(Epilogue::take_data)
    }

    /// Both ends know that the handshake is over.
    pub(super) fn confirm(&mut self, now: Instant) {
        self.epilogue = None;
        if let Some(delivery) = &mut self.delivery {
            delivery.recovery.on_handshake_confirmed(now);
        }
    }

    /// How long an answer may take: what other timers are multiples of.
    pub(super) fn pto(&self) -> Duration {
        self.delivery.as_ref().map_or(INITIAL_PTO, |delivery| delivery.recovery.pto())
    }

    /// The next time at which something is due after `now`. What is due already is served by the next transmission.
    pub(super) fn deadline(&self, now: Instant) -> Option<Instant> {
        let delivery = self.delivery.iter();
        let delivery = delivery.flat_map(|delivery| delivery.recovery.deadlines().chain(delivery.timing.deadline()));
        delivery.chain(self.paths.deadlines()).filter(|at| *at > now).min()
    }

    pub(super) fn path_stats(&self) -> Option<PathStats> {
        Some(self.delivery.as_ref()?.recovery.stats())
    }

    /// The session has a last word to say, which says also what has come.
    pub(super) fn close(&mut self) {
        let delivery = self.delivery.take();
        self.end();
        self.closing = delivery.map(|delivery| {
            let Delivery { received, timing, .. } = *delivery;
            Box::new(Closing { packets: 0, is_due: true, received, timing })
        });
    }

    /// The session is over: nothing of it is sent or kept any more but what the application has not fetched.
    pub(super) fn end(&mut self) {
        self.epilogue = None;
        self.delivery = None;
        self.closing = None;
        self.paths.end();
        self.best_effort.end();
    }

    #[cfg(feature = "testing")]
    pub(super) fn digest(&self, sink: &mut dyn FnMut(&[u8])) {
        self.paths.digest(sink);
        sink(alloc::format!("{:?} {:?}", self.best_effort, self.closing).as_bytes());
        sink(&[self.epilogue.is_some().into()]);
        if let Some(delivery) = &self.delivery {
            let Delivery { recovery, received, timing, marks, newest, carried: _ } = &**delivery;
            sink(alloc::format!("{recovery:?} {received:?} {timing:?} {marks:?} {newest:?}").as_bytes());
        }
    }
}

/// What is not the peer's to say of how packets are sent.
pub(super) struct DeliverySetup {
    pub(super) rate_control: RateControl,
    pub(super) max_ack_delay: Duration,
    /// The peer takes nothing before it has decided on this end.
    pub(super) waits_for_confirmation: bool,
    pub(super) max_packets: usize,
    pub(super) random: u64,
}

/// The most heap for what is kept of packets and best-effort datagrams (see [`Limits::max_bytes`]).
pub(crate) const fn max_bytes(limits: &Limits) -> usize {
    let packets = Recovery::<Carried>::max_bytes(limits.packets_in_flight as usize);
    let one_way = match limits.max_datagram {
        0 => 0,
        longest => DatagramQueue::max_bytes(limits.datagram_queue as usize, longest as usize),
    };
    packets.saturating_add(one_way.saturating_mul(2))
}

/// How long a round trip is taken to be before one was measured, as a probe timeout (RFC 9002, section 6.2.2).
const INITIAL_PTO: Duration = Duration::from_millis(999);

impl Session {
    /// Serves what is due on a datagram carrier.
    pub(super) fn advance_datagrams(&mut self) {
        let now = self.now;
        let Some(side) = &mut self.datagrams else { return };
        side.paths.on_timeout(side.pto(), now);
        if let Some(delivery) = &mut side.delivery
            && matches!(self.phase, Phase::Open(_) | Phase::Undecided(_))
        {
            let mut fates = fates::Fates::new(&mut self.streams, &mut self.shutdown, &mut delivery.received);
            delivery.recovery.on_timeout(now, &mut fates);
        }
    }
}
