//! Best-effort datagrams that wait: to be sent, or to be fetched by the application.
#![forbid(unsafe_code)]

use alloc::collections::VecDeque;

/// A queue of datagrams in which the newest ones matter: where there is no room for one more, the oldest are dropped, and counted.
#[derive(Debug, Default)]
pub(super) struct DatagramQueue {
    /// All of them, one behind the other.
    bytes: VecDeque<u8>,
    lens: VecDeque<u16>,
    dropped: u64,
}

impl DatagramQueue {
    /// How much heap `limit` datagrams of `max_len` bytes take at most: the buffers grow by doubling.
    pub(super) const fn max_bytes(limit: usize, max_len: usize) -> usize {
        limit.saturating_mul(max_len.saturating_add(size_of::<u16>())).saturating_mul(2)
    }

    pub(super) fn is_empty(&self) -> bool {
        self.lens.is_empty()
    }

    /// How many were dropped so far.
    pub(super) const fn dropped(&self) -> u64 {
        self.dropped
    }

    /// Appends a datagram; `limit` is how many there may be then.
    pub(super) fn push(&mut self, datagram: &[u8], limit: usize) {
        let Ok(len) = u16::try_from(datagram.len()) else {
            debug_assert!(false, "a datagram is part of a packet");
            return;
        };
        while self.lens.len() >= limit.max(1) {
            self.drop_front();
        }
        if limit == 0 {
            self.dropped = self.dropped.saturating_add(1);
            return;
        }
        self.bytes.extend(datagram);
        self.lens.push_back(len);
    }

    /// The length of the oldest one.
    pub(super) fn front_len(&self) -> Option<usize> {
        self.lens.front().copied().map(usize::from)
    }

    /// Moves the oldest one to the front of `out` and returns its length; `None` if there is none, or `out` is too short for it.
    pub(super) fn pop(&mut self, out: &mut [u8]) -> Option<usize> {
        let len = self.front_len()?;
        let out = out.get_mut(..len)?;
        self.lens.pop_front();
        for (place, byte) in out.iter_mut().zip(self.bytes.drain(..len)) {
            *place = byte;
        }
        self.give_back_memory();
        Some(len)
    }

    /// The oldest one.
    pub(super) fn front(&mut self) -> Option<&[u8]> {
        let len = self.front_len()?;
        self.bytes.make_contiguous().get(..len)
    }

    /// The oldest one has gone where it should.
    pub(super) fn remove_front(&mut self) {
        if let Some(len) = self.lens.pop_front() {
            self.bytes.drain(..usize::from(len));
        }
        self.give_back_memory();
    }

    /// The oldest one is of no use to anybody any more.
    pub(super) fn drop_front(&mut self) {
        if let Some(len) = self.lens.pop_front() {
            self.bytes.drain(..usize::from(len));
            self.dropped = self.dropped.saturating_add(1);
        }
    }

    pub(super) fn clear(&mut self) {
        *self = Self { dropped: self.dropped, ..Self::default() };
    }

    /// An idle session holds nothing but what a short burst needs again.
    fn give_back_memory(&mut self) {
        const KEPT: usize = 4_096;
        if self.lens.is_empty() && self.bytes.capacity() > KEPT {
            self.bytes = VecDeque::new();
        }
    }
}

#[cfg(test)]
mod tests {
    use alloc::vec::Vec;

    use proptest::prelude::*;

    use super::*;

    fn pop(queue: &mut DatagramQueue) -> Option<Vec<u8>> {
        let mut out = [0; 64];
        queue.pop(&mut out).map(|len| out[..len].to_vec())
    }

    #[test]
    fn the_oldest_make_way_and_are_counted() {
        let mut queue = DatagramQueue::default();
        for byte in 0..5 {
            queue.push(&[byte; 3], 2);
        }
        assert_eq!(queue.dropped(), 3);
        assert_eq!(pop(&mut queue), Some(Vec::from([3; 3])));
        assert_eq!(pop(&mut queue), Some(Vec::from([4; 3])));
        assert_eq!(pop(&mut queue), None);
        queue.push(b"x", 0);
        assert!(queue.is_empty());
        assert_eq!(queue.dropped(), 4);
    }

    #[test]
    fn one_that_does_not_fit_stays() {
        let mut queue = DatagramQueue::default();
        queue.push(b"four", 1);
        assert_eq!(queue.pop(&mut [0; 3]), None);
        assert_eq!(queue.front_len(), Some(4));
        queue.drop_front();
        assert!(queue.is_empty());
    }

    proptest! {
        #[test]
        fn what_comes_out_is_what_went_in_last(
            steps in prop::collection::vec(prop::option::of(prop::collection::vec(any::<u8>(), 0..40)), 0..60),
        ) {
            let mut queue = DatagramQueue::default();
            let mut model = VecDeque::new();
            for step in steps {
                match step {
                    Some(datagram) => {
                        queue.push(&datagram, 4);
                        model.push_back(datagram);
                        model.drain(..model.len().saturating_sub(4));
                    }
                    None => prop_assert_eq!(pop(&mut queue), model.pop_front()),
                }
            }
        }
    }
}
