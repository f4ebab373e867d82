//! Streams of messages: everything about them but keys, packets and time.
//!
//! - [`send_half`], [`recv_half`]: the two state machines of RFC 9000, section 3; a stream has one or both.
//! - [`block_pool`]: where their bytes are.
//! - [`table`], [`queue`]: the streams that are not done, and the lists through them that keep every step O(1).
//! - [`schedule`]: whose turn it is to send. [`events`]: what the application hears. [`opening`]: how many there may be.
//! - [`application`], [`incoming`], [`outgoing`]: what the three sides of a session do with its streams. [`fate`]: what becomes of
//!   what went out, on a carrier that can lose it.

#![forbid(unsafe_code)]

mod application;
mod block_pool;
mod events;
mod fate;
mod incoming;
mod index;
mod link_stream;
mod opening;
mod outgoing;
mod packing;
mod peer_limits;
mod queue;
mod recv_half;
mod schedule;
mod send_half;
mod table;

use alloc::boxed::Box;
use alloc::vec::Vec;

pub(crate) use events::StreamEvent;
pub(crate) use peer_limits::PeerLimits;

use block_pool::BlockPool;
use events::StreamNews;
use index::Index;
use link_stream::LinkStream;
use opening::Opening;
use packing::Packing;
use queue::{Kind, Queue};
use recv_half::RecvHalf;
use schedule::{Schedule, Turn};
use send_half::SendHalf;
use table::{Stream, Table};

use super::flow_control::{RecvCredit, SendCredit};
use crate::config::Limits;
use crate::event::ProtocolCode;
use crate::role::Role;
use crate::stream_id::{Direction, StreamId};

/// The highest offset and the highest limit (specification, section 8.5).
const MAX_OFFSET: u64 = 1 << 62;

/// What [`Session::recv`](crate::Session::recv) gave.
#[derive(Clone, Copy, Debug, Default, PartialEq, Eq)]
#[non_exhaustive]
pub struct Received {
    /// How many bytes were copied, all of one message.
    pub len: usize,
    /// The message ended after these bytes. An empty message is an end without bytes.
    pub end_of_message: bool,
    /// The stream ended after that: nothing follows.
    pub end_of_stream: bool,
}

/// How many streams one end has opened since the session began.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub(crate) struct Opened {
    pub(crate) bidirectional: u64,
    pub(crate) unidirectional: u64,
}

/// How much the streams of a session hold.
#[derive(Clone, Copy, Debug, Default, PartialEq, Eq)]
pub(crate) struct Usage {
    /// Streams that are not done.
    pub(crate) streams: usize,
    /// Offsets taken from the application that the peer's session is not known to hold.
    pub(crate) buffered: u64,
    /// Offsets received that the application has not read.
    pub(crate) held: u64,
    /// Bytes of heap for both.
    pub(crate) buffer_bytes: usize,
}

/// The streams of one session, at one of its ends.
///
/// A pure data structure. Calls of the application are in [`application`], what a packet brings goes in through the `on_` functions
/// of [`incoming`], and what the next packet should take comes out of [`outgoing`]. Every `on_` function judges before it changes
/// anything (a stream that the peer names is opened first); after an `Err` the session is to be closed with that code.
pub(crate) struct Streams {
    role: Role,
    limits: Limits,
    peer: PeerLimits,
    /// The carrier keeps the order and loses nothing: what was received is reported with Credit. On others packets are acknowledged.
    in_order: bool,
    pool: BlockPool,
    packing: Packing,
    table: Table,
    opening: Opening,
    /// Credit over all streams together.
    sending: SendCredit,
    receiving: RecvCredit,
    /// What is kept of the session's credit for packed messages that are to be sent.
    reserved: u64,
    /// Offsets in the rings of sending halves.
    buffered: u64,
    /// Offsets received that the peer does not know to have been received, where that is reported.
    unacknowledged: u64,
    /// The session's credit was lost on its way and has to be told again.
    credit_again: bool,
    schedule: Schedule,
    controls: Queue,
    events: Queue,
    acknowledge: Queue,
    room: Queue,
    asking: Asking,
    /// The peer asked: what waits in `acknowledge` goes out with the next packet, and is reason enough for one.
    asked_by_peer: bool,
    /// A rule that a message broke, as reading it showed.
    fault: Option<ProtocolCode>,
    /// Stream 0, once there is something on it.
    link: Option<Box<LinkStream>>,
}

/// Asking the peer to acknowledge, because only that makes room for an application that waits.
#[derive(Clone, Copy, Debug, Default, PartialEq, Eq)]
struct Asking {
    /// A Ping is due for a stream whose own buffer is full.
    due: bool,
    /// The peer has been asked since data was last sent or acknowledged, so that streams in `room` need not ask again.
    asked_for_room: bool,
}

impl Streams {
    /// The streams of a session that is being set up. None can be opened before [`set_peer`](Self::set_peer).
    pub(crate) fn new(role: Role, limits: &Limits, in_order: bool) -> Self {
        Self {
            role,
            limits: *limits,
            peer: PeerLimits::default(),
            in_order,
            pool: BlockPool::new(ring_window(limits), ring_total(limits)),
            packing: Packing::default(),
            table: Table::default(),
            opening: Opening::new(limits),
            sending: SendCredit::default(),
            receiving: RecvCredit::new(limits.session_window.into()),
            reserved: 0,
            buffered: 0,
            unacknowledged: 0,
            credit_again: false,
            schedule: Schedule::new(),
            controls: Queue::new(Kind::Control),
            events: Queue::new(Kind::Event),
            acknowledge: Queue::new(Kind::Acknowledge),
            room: Queue::new(Kind::Room),
            asking: Asking::default(),
            asked_by_peer: false,
            fault: None,
            link: None,
        }
    }

    /// Takes the peer's parameters, before anything is opened by either side.
    pub(crate) fn set_peer(&mut self, peer: &PeerLimits) {
        self.peer = *peer;
        self.peer.stream_credit = peer.stream_credit.min(MAX_OFFSET);
        self.sending.raise(peer.session_credit.min(MAX_OFFSET));
        self.opening.set_peer(peer);
    }

    /// The most heap that the streams of a session with these limits take (see [`Limits::max_bytes`]):
    /// - a place in the table for every stream that may be open,
    /// - blocks for `session_window` bytes received and `send_buffer` bytes to send, a message's end counting as a byte; each stream
    ///   may straddle two blocks more in either direction.
    pub(crate) const fn max_bytes(limits: &Limits) -> usize {
        let both_ways = (limits.own_streams as usize).saturating_add(limits.peer_bidirectional_streams as usize);
        let streams = both_ways.saturating_add(limits.peer_unidirectional_streams as usize);
        let rings = streams.saturating_add(both_ways);
        BlockPool::max_bytes(ring_window(limits), ring_total(limits), rings).saturating_add(Table::max_bytes(streams))
    }

    /// Room to pack and unpack one message of up to 64 KiB, and for what the packer uses while it does: with compression, on top of
    /// [`max_bytes`](Self::max_bytes).
    pub(crate) const COMPRESSION_BYTES: usize = Packing::MAX_BYTES;

    /// How many streams this side has opened in all.
    pub(crate) fn opened(&self) -> Opened {
        Opened {
            bidirectional: self.opening.opened(Direction::Bidirectional),
            unidirectional: self.opening.opened(Direction::Unidirectional),
        }
    }

    /// Whether all streams are done.
    pub(crate) fn is_empty(&self) -> bool {
        self.table.is_empty()
    }

    pub(crate) fn usage(&self) -> Usage {
        Usage {
            streams: self.table.len(),
            buffered: self.buffered,
            held: self.receiving.held(),
            buffer_bytes: self.pool.heap_bytes().saturating_add(self.packing.heap_bytes()),
        }
    }

    /// Sends a message to the peer's session on the link's own stream; false, and nothing sent, if too much is on its way.
    #[must_use]
    pub(crate) fn send_link_message(&mut self, message: &[u8]) -> bool {
        self.link_stream().send(message)
    }

    /// The next message of the peer's session that is whole.
    pub(crate) fn poll_link_message(&mut self) -> Option<Vec<u8>> {
        self.link.as_mut()?.poll_message()
    }

    fn link_stream(&mut self) -> &mut LinkStream {
        let in_order = self.in_order;
        self.link.get_or_insert_with(|| Box::new(LinkStream::new(in_order)))
    }

    /// Adds a stream and returns its place.
    fn insert(&mut self, id: StreamId) -> Index {
        let own = id.opener() == self.role;
        let both = id.direction() == Direction::Bidirectional;
        let send = (own || both).then(|| SendHalf::new(self.peer.stream_credit));
        let recv = (!own || both).then(|| RecvHalf::new(self.limits.stream_window.into()));
        self.table.insert(Stream::new(id, send, recv))
    }

    /// Puts a stream into the queues where it belongs after something happened to it; gives its place back if that was the last.
    fn settle(&mut self, index: Index, turn: Turn) {
        self.schedule.place(&mut self.table, index, turn);
        let Some(stream) = self.table.get_mut(index) else { return };
        if let Some(half) = &mut stream.send
            && self.in_order
            && half.asks()
        {
            self.asking.due = true;
        }
        if let Some(half) = &stream.recv
            && (half.wants_credit_announced() || (self.in_order && half.wants_receipt_announced()))
        {
            stream.controls.credit = true;
        }
        let controls = !stream.controls.is_empty();
        let events = !stream.events.is_empty();
        let acknowledge = self.in_order && stream.recv.as_ref().is_some_and(|half| half.unacknowledged() > 0);
        let done = stream.is_done();
        let links = stream.links;
        for (queue, member) in
            [(&mut self.controls, controls), (&mut self.events, events), (&mut self.acknowledge, acknowledge)]
        {
            if links.contains(queue.kind()) != member {
                queue.set(&mut self.table, index, member);
            }
        }
        if done {
            self.remove(index);
        }
    }

    fn remove(&mut self, index: Index) {
        let Some(stream) = self.table.get(index) else { return };
        self.opening.close(stream.id.opener() == self.role, stream.id.direction());
        self.room.remove(&mut self.table, index);
        self.table.remove(index);
        if self.table.is_empty() {
            self.pool.trim();
            self.packing.trim();
        }
    }

    /// What of the session's credit is left for data that none is kept for.
    fn unreserved(&self) -> u64 {
        self.sending.available().saturating_sub(self.reserved)
    }

    /// `amount` offsets left the rings of sending halves: applications that wait for the session's buffer can go on.
    fn release(&mut self, amount: u64) {
        if amount == 0 {
            return;
        }
        self.buffered = self.buffered.saturating_sub(amount);
        self.asking.asked_for_room = false;
        while let Some(index) = self.room.pop_front(&mut self.table) {
            self.tell_writable(index);
        }
    }

    /// Tells an application that waits for room that there is some.
    fn tell_writable(&mut self, index: Index) {
        if let Some(stream) = self.table.get_mut(index)
            && let Some(half) = &mut stream.send
            && half.stop_waiting()
        {
            stream.events.insert(StreamNews::Writable);
            self.events.push_back(&mut self.table, index);
        }
    }

    /// Shows everything that decides what happens next, for a digest of the state.
    #[cfg(any(test, feature = "testing"))]
    pub(crate) fn digest(&self, sink: &mut impl FnMut(&[u8])) {
        for number in [
            self.sending.spent(),
            self.sending.limit(),
            self.receiving.received(),
            self.receiving.consumed(),
            self.receiving.limit(),
            self.reserved,
            self.buffered,
            self.unacknowledged,
            self.asking.due.into(),
            self.asking.asked_for_room.into(),
            self.asked_by_peer.into(),
        ] {
            sink(&number.to_le_bytes());
        }
        self.opening.digest(sink);
        for stream in self.table.iter() {
            sink(&stream.id.as_u64().to_le_bytes());
            let controls = stream.controls;
            sink(&[stream.urgency.get(), stream.events.bits(), controls.credit.into(), controls.reset.into()]);
            sink(&[controls.stop.into()]);
            if let Some(half) = &stream.send {
                half.digest(&self.pool, sink);
            }
            if let Some(half) = &stream.recv {
                half.digest(&self.pool, sink);
            }
        }
        let mut show = |index| {
            if let Some(stream) = self.table.get(index) {
                sink(&stream.id.as_u64().to_le_bytes());
            }
        };
        self.schedule.for_each(&self.table, &mut show);
        for queue in [&self.controls, &self.events, &self.acknowledge, &self.room] {
            queue.for_each(&self.table, &mut show);
        }
        if let Some(link) = &self.link {
            link.digest(sink);
        }
    }
}

/// How much the largest ring holds.
const fn ring_window(limits: &Limits) -> usize {
    let (receive, send) = (limits.stream_window as usize, limits.stream_send_buffer as usize);
    if receive > send { receive } else { send }
}

/// How much all rings hold together.
const fn ring_total(limits: &Limits) -> usize {
    (limits.session_window as usize).saturating_add(limits.send_buffer as usize)
}

#[cfg(test)]
mod tests;
