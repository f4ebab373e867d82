//! Stream 0: what the two ends of a link, not their applications, have to tell each other beyond what controls can say (specification,
//! section 8.11). It is an ordered sequence of messages like any other stream, dies with the link, and takes no credit: the receiver
//! consumes each message as soon as it is whole, and the sender keeps to what it may have on its way.

#![forbid(unsafe_code)]

use alloc::vec::Vec;

use super::MAX_OFFSET;
use super::block_pool::BlockPool;
use super::recv_half::{Read, RecvHalf, Rules};
use super::send_half::{Output, SendHalf};
use crate::event::ProtocolCode;
use crate::wire::payload::Fragment;

/// The longest message, and how much a sender may have on its way, in offsets (R-8.11-2).
pub(super) const MAX_MESSAGE: u64 = 64 << 10;
/// What a receiver makes room for: a message that is not whole yet, and as much behind it.
const WINDOW: u64 = 2 * MAX_MESSAGE;

pub(super) struct LinkStream {
    pool: BlockPool,
    send: SendHalf,
    recv: RecvHalf,
    /// The carrier keeps the order and loses nothing.
    in_order: bool,
    /// What has come of the next message.
    message: Vec<u8>,
}

impl LinkStream {
    pub(super) fn new(in_order: bool) -> Self {
        Self {
            pool: BlockPool::new(4 << 10, WINDOW as usize),
            send: SendHalf::new(MAX_OFFSET),
            recv: RecvHalf::new(WINDOW),
            in_order,
            message: Vec::new(),
        }
    }

    /// Takes a whole message to send; false, and nothing taken, if so much is on its way already that it does not fit.
    #[must_use]
    pub(super) fn send(&mut self, message: &[u8]) -> bool {
        let room = MAX_MESSAGE.saturating_sub(self.send.buffered());
        let fits = (message.len() as u64) < room;
        fits && self.send.write(&mut self.pool, message, true, room).is_some_and(|(len, _)| len == message.len())
    }

    pub(super) fn has_output(&self) -> bool {
        self.send.output() != Output::Nothing
    }

    /// Copies the bytes of the next fragment to the front of `out`.
    pub(super) fn poll_fragment(&mut self, out: &mut [u8]) -> Option<(Fragment, usize)> {
        if !self.has_output() {
            return None;
        }
        let sent = self.send.send(&self.pool, u64::MAX, out)?;
        if self.in_order {
            // What is written on an ordered carrier arrives, or the link is lost and this with it.
            let end = sent.offset.saturating_add(sent.piece.offsets());
            let released = self.send.acknowledge(&mut self.pool, end, MAX_OFFSET, false);
            debug_assert!(released.is_ok(), "it was just sent");
        }
        let fragment = Fragment {
            stream: 0,
            offset: sent.offset,
            end_of_message: sent.piece.end_of_message,
            end_of_stream: false,
            compressed: false,
        };
        Some((fragment, sent.piece.len))
    }

    pub(super) fn on_acknowledged(&mut self, offset: u64, offsets: u64) {
        self.send.on_acknowledged(&mut self.pool, offset, offsets, false);
    }

    pub(super) fn on_lost(&mut self, offset: u64, offsets: u64) {
        self.send.on_lost(&self.pool, (offset, offsets), false, false);
    }

    /// Takes in a fragment; what it completes comes out of [`poll_message`](Self::poll_message), to be asked at once.
    ///
    /// # Errors
    /// The rule that the fragment breaks.
    pub(super) fn on_fragment(&mut self, fragment: &Fragment, data: &[u8]) -> Result<(), ProtocolCode> {
        if fragment.end_of_stream || fragment.compressed {
            return Err(ProtocolCode::Forbidden); // R-8.11-3
        }
        let rules = Rules { max_message: MAX_MESSAGE, compression: false, in_order: self.in_order };
        let news = self.recv.check(&self.pool, fragment, data.len(), rules)?;
        if !news.is_empty() {
            self.recv.accept(&mut self.pool, fragment, news, data, rules)?;
        }
        Ok(())
    }

    /// The next message that is whole.
    pub(super) fn poll_message(&mut self) -> Option<Vec<u8>> {
        let mut piece = [0; 1 << 10];
        while let Read::Piece { piece: read, .. } = self.recv.read(&mut self.pool, &mut piece) {
            self.message.extend_from_slice(piece.get(..read.len).unwrap_or_default());
            let _ = self.recv.announce(); // the sender knows without being told
            if read.end_of_message {
                return Some(core::mem::take(&mut self.message));
            }
        }
        None
    }

    #[cfg(any(test, feature = "testing"))]
    pub(super) fn digest(&self, sink: &mut impl FnMut(&[u8])) {
        self.send.digest(&self.pool, sink);
        self.recv.digest(&self.pool, sink);
        sink(&self.message);
    }
}
