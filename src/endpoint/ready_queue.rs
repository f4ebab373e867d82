//! The sessions that have something to do, each once, in turn.

#![forbid(unsafe_code)]

use alloc::vec::Vec;

/// A queue of keys. A key that is in it already keeps its turn; one whose session is gone leaves from wherever it is.
///
/// Everything takes constant time: the queue is a doubly linked list through a table by key. Keys are places in a
/// [`Slab`](super::slab::Slab), dense from zero: the table is as long as the greatest key, twelve bytes for each.
pub(crate) struct ReadyQueue {
    links: Vec<Link>,
    first: u32,
    last: u32,
    len: u32,
}

/// A key's neighbours.
#[derive(Clone, Copy)]
struct Link {
    queued: bool,
    previous: u32,
    next: u32,
}

/// No key: no place in a slab has this number.
const NONE: u32 = u32::MAX;

const UNQUEUED: Link = Link { queued: false, previous: NONE, next: NONE };

impl ReadyQueue {
    pub(crate) const fn new() -> Self {
        Self { links: Vec::new(), first: NONE, last: NONE, len: 0 }
    }

    #[cfg(test)]
    pub(crate) const fn len(&self) -> u32 {
        self.len
    }

    pub(crate) const fn is_empty(&self) -> bool {
        self.len == 0
    }

    pub(crate) fn contains(&self, key: u32) -> bool {
        self.links.get(key as usize).is_some_and(|link| link.queued)
    }

    /// The key whose turn it is.
    pub(crate) fn front(&self) -> Option<u32> {
        (!self.is_empty()).then_some(self.first)
    }

    /// Puts `key` behind all others. False if it is in the queue already: it keeps its turn.
    pub(crate) fn push(&mut self, key: u32) -> bool {
        if self.contains(key) || key == NONE {
            return false;
        }
        if key as usize >= self.links.len() {
            self.links.resize((key as usize).saturating_add(1), UNQUEUED);
        }
        let previous = self.last;
        self.change(key, |link| *link = Link { queued: true, previous, next: NONE });
        self.join(previous, key);
        self.last = key;
        self.len = self.len.saturating_add(1);
        true
    }

    /// Takes the key whose turn it is.
    pub(crate) fn pop(&mut self) -> Option<u32> {
        let key = self.front()?;
        self.remove(key);
        Some(key)
    }

    /// Takes `key` out. False if it is not in the queue.
    pub(crate) fn remove(&mut self, key: u32) -> bool {
        let Some(link) = self.links.get(key as usize).copied().filter(|link| link.queued) else { return false };
        self.change(key, |link| *link = UNQUEUED);
        self.join(link.previous, link.next);
        self.len = self.len.saturating_sub(1);
        true
    }

    /// Makes two keys neighbours; `NONE` stands for the end of the queue.
    fn join(&mut self, previous: u32, next: u32) {
        match previous {
            NONE => self.first = next,
            _ => self.change(previous, |link| link.next = next),
        }
        match next {
            NONE => self.last = previous,
            _ => self.change(next, |link| link.previous = previous),
        }
    }

    fn change(&mut self, key: u32, change: impl FnOnce(&mut Link)) {
        if let Some(link) = self.links.get_mut(key as usize) {
            change(link);
        }
    }
}

#[cfg(test)]
mod tests {
    extern crate std;

    use std::collections::VecDeque;

    use proptest::prelude::*;

    use super::*;

    #[test]
    fn keys_come_in_their_turn_and_once() {
        let mut queue = ReadyQueue::new();
        assert!([5, 1, 3].into_iter().all(|key| queue.push(key)));
        assert!(!queue.push(5), "it keeps its turn");
        assert!(queue.remove(1) && !queue.remove(1));
        assert_eq!((queue.pop(), queue.front(), queue.len()), (Some(5), Some(3), 1));
        assert!(queue.push(5));
        assert_eq!((queue.pop(), queue.pop(), queue.pop()), (Some(3), Some(5), None));
        assert!(queue.is_empty() && !queue.contains(5) && !queue.remove(1_000));
    }

    #[test]
    fn the_number_that_is_no_place_does_not_queue() {
        let mut queue = ReadyQueue::new();
        assert!(!queue.push(u32::MAX));
        assert!(queue.links.is_empty());
    }

    proptest! {
        #[test]
        fn it_does_what_a_list_does(operations in proptest::collection::vec((0..4_u8, 0..20_u32), 0..300)) {
            let mut queue = ReadyQueue::new();
            let mut list = VecDeque::new();
            for (operation, key) in operations {
                match operation {
                    0 => prop_assert_eq!(queue.pop(), list.pop_front()),
                    1 => {
                        prop_assert_eq!(queue.remove(key), list.contains(&key));
                        list.retain(|other| *other != key);
                    }
                    _ => {
                        prop_assert_eq!(queue.push(key), !list.contains(&key));
                        if !list.contains(&key) {
                            list.push_back(key);
                        }
                    }
                }
                prop_assert_eq!(queue.front(), list.front().copied());
                prop_assert_eq!(queue.len() as usize, list.len());
                prop_assert!((0..20).all(|key| queue.contains(key) == list.contains(&key)));
            }
        }
    }
}
