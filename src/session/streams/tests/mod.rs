//! Two ends of a session's streams, joined by an ordered channel.

mod behaviour;
mod bounds;
mod hostile;
mod lossy;
mod model;
#[cfg(feature = "compression")]
mod packed;

use alloc::vec;
use alloc::vec::Vec;

use super::*;
use crate::wire::payload::{Control, Fragment};

/// Small limits, so that every border is near.
pub(super) fn limits(window: u32, buffer: u32) -> Limits {
    let mut limits = Limits::small();
    limits.session_window = window;
    limits.stream_window = window;
    limits.send_buffer = buffer;
    limits.stream_send_buffer = buffer;
    limits.peer_bidirectional_streams = 4;
    limits.peer_unidirectional_streams = 4;
    limits.own_streams = 8;
    limits.max_message = 1 << 20;
    limits
}

pub(super) fn granted_by(limits: &Limits) -> PeerLimits {
    PeerLimits {
        session_credit: limits.session_window.into(),
        stream_credit: limits.stream_window.into(),
        bidirectional_streams: limits.peer_bidirectional_streams.into(),
        unidirectional_streams: limits.peer_unidirectional_streams.into(),
        max_message: limits.max_message,
        compression: false,
    }
}

/// What one end puts into a packet.
#[derive(Clone, Debug, PartialEq, Eq)]
pub(super) enum Item {
    Control(Control),
    Fragment(Fragment, Vec<u8>),
}

/// Both ends; what is sent arrives when `deliver` is called.
pub(super) struct Pair {
    pub(super) a: Streams,
    pub(super) b: Streams,
    /// How many bytes a fragment may have.
    pub(super) fragment: usize,
    pub(super) controls: usize,
}

impl Pair {
    pub(super) fn new(limits_a: &Limits, limits_b: &Limits) -> Self {
        let mut a = Streams::new(Role::Initiator, limits_a, true);
        let mut b = Streams::new(Role::Responder, limits_b, true);
        a.set_peer(&granted_by(limits_b));
        b.set_peer(&granted_by(limits_a));
        Self { a, b, fragment: 1_000, controls: 0 }
    }

    pub(super) fn equal(limits: &Limits) -> Self {
        Self::new(limits, limits)
    }

    /// Both ends take compressed messages.
    pub(super) fn agree_on_compression(&mut self, limits_a: &Limits, limits_b: &Limits) {
        self.a.set_peer(&PeerLimits { compression: true, ..granted_by(limits_b) });
        self.b.set_peer(&PeerLimits { compression: true, ..granted_by(limits_a) });
    }

    /// One packet from `a` to `b`; `false` if there is none.
    pub(super) fn a_to_b(&mut self, fragments: usize) -> bool {
        let items = packet(&mut self.a, self.fragment, fragments);
        self.controls += items.iter().filter(|item| matches!(item, Item::Control(_))).count();
        hand_over(&mut self.b, &items).unwrap();
        !items.is_empty()
    }

    pub(super) fn b_to_a(&mut self, fragments: usize) -> bool {
        let items = packet(&mut self.b, self.fragment, fragments);
        self.controls += items.iter().filter(|item| matches!(item, Item::Control(_))).count();
        hand_over(&mut self.a, &items).unwrap();
        !items.is_empty()
    }

    /// Delivers until both ends are silent.
    pub(super) fn settle(&mut self) {
        for _ in 0..100_000 {
            let went = self.a_to_b(8);
            if !(self.b_to_a(8) || went) {
                return;
            }
        }
        panic!("the two ends never fall silent");
    }
}

/// What `from` has for one packet with up to `fragments` fragments. Nothing unless it says that it has output.
pub(super) fn packet(from: &mut Streams, fragment_len: usize, fragments: usize) -> Vec<Item> {
    let mut items = Vec::new();
    if !from.has_output() {
        return items;
    }
    while let Some(control) = from.poll_control() {
        items.push(Item::Control(control));
    }
    let mut buffer = vec![0; fragment_len];
    for _ in 0..fragments {
        let Some((fragment, len)) = from.poll_fragment(&mut buffer) else { break };
        items.push(Item::Fragment(fragment, buffer[..len].to_vec()));
    }
    assert!(!items.is_empty() || fragments == 0, "said that it had output, and had none");
    items
}

pub(super) fn hand_over(to: &mut Streams, items: &[Item]) -> Result<(), ProtocolCode> {
    items.iter().try_for_each(|item| match item {
        Item::Control(control) => control_arrives(to, *control),
        Item::Fragment(fragment, data) => to.on_fragment(fragment, data),
    })
}

fn control_arrives(to: &mut Streams, control: Control) -> Result<(), ProtocolCode> {
    match control {
        Control::Ping => {
            to.on_ping();
            Ok(())
        }
        Control::SessionCredit { received, limit } => to.on_credit(0, received, limit, false),
        Control::Credit { stream, received, limit, done } => to.on_credit(stream, received, limit, done),
        Control::StreamCredit { unidirectional, limit } => {
            to.on_stream_credit(unidirectional, limit);
            Ok(())
        }
        Control::Reset { stream, code, final_offset } => to.on_reset(stream, code, final_offset),
        Control::Stop { stream, code } => to.on_stop(stream, code),
        Control::Shutdown { .. } | Control::PathChallenge { .. } | Control::PathResponse { .. } => {
            panic!("streams have none")
        }
    }
}

pub(super) fn events(streams: &mut Streams) -> Vec<StreamEvent> {
    core::iter::from_fn(|| streams.poll_event()).collect()
}

/// Reads one whole message.
pub(super) fn read_message(streams: &mut Streams, id: StreamId) -> Vec<u8> {
    let mut message = Vec::new();
    let mut buffer = [0; 7];
    loop {
        let received = streams.recv(id, &mut buffer).unwrap();
        message.extend_from_slice(&buffer[..received.len]);
        if received.end_of_message {
            return message;
        }
    }
}

pub(super) fn digest(streams: &Streams) -> Vec<u8> {
    let mut bytes = Vec::new();
    streams.digest(&mut |part| bytes.extend_from_slice(part));
    bytes
}
