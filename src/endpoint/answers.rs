//! Answers to Hellos that nothing is kept for.
#![forbid(unsafe_code)]

use alloc::collections::VecDeque;
use alloc::vec::Vec;

use super::route::Route;
use crate::ecn::EcnCodepoint;
use crate::error::BufferTooSmall;
use crate::session::{PathId, Transmit};

/// The most that wait to be sent. Their senders will ask again: what comes on top is dropped.
const MAX_ANSWERS: usize = 256;

/// Retries and Refuses on their way out, in order.
#[derive(Debug)]
pub(super) struct Answers<A> {
    waiting: VecDeque<(Route<A>, Vec<u8>)>,
}

impl<A: Copy> Answers<A> {
    pub(super) const fn new() -> Self {
        Self { waiting: VecDeque::new() }
    }

    pub(super) fn is_empty(&self) -> bool {
        self.waiting.is_empty()
    }

    /// False if there is no room: the answer is dropped.
    #[must_use]
    pub(super) fn push(&mut self, to: Route<A>, packet: Vec<u8>) -> bool {
        let has_room = self.waiting.len() < MAX_ANSWERS;
        if has_room {
            self.waiting.push_back((to, packet));
        }
        has_room
    }

    /// Writes the next one to the front of `buf`.
    pub(super) fn take(&mut self, buf: &mut [u8]) -> Result<Option<(Route<A>, Transmit)>, BufferTooSmall> {
        let Some((_, packet)) = self.waiting.front() else { return Ok(None) };
        let len = packet.len();
        buf.get_mut(..len).ok_or(BufferTooSmall { needed: len })?.copy_from_slice(packet);
        let transmit = Transmit { len, segment: None, path: PathId::default(), ecn: EcnCodepoint::NotEct };
        Ok(self.waiting.pop_front().map(|(to, _)| (to, transmit)))
    }
}
