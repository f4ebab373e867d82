//! Who was sent how much for what, and who has made which packet.

use std::collections::{HashSet, VecDeque};

use crate::forge::{HEADER_LEN, Header, Kind};

/// Addresses that datagrams come from. At the lower half there may be honest peers.
pub(super) const ADDRESSES: usize = 8;

/// How many datagrams are kept to be sent again.
const MAX_KEPT: usize = 48;

/// Bytes each way for every address.
#[derive(Debug, Default)]
pub(super) struct Ledger {
    received: [usize; ADDRESSES],
    sent: [usize; ADDRESSES],
    /// Somebody has read what was sent there, or the endpoint has chosen to speak to it.
    is_inhabited: [bool; ADDRESSES],
}

impl Ledger {
    pub(super) fn received(&mut self, from: u64, bytes: usize) {
        self.received[index(from)] += bytes;
    }

    /// The addresses that anything has come from.
    pub(super) fn heard_from(&self) -> Vec<u64> {
        let heard = (0..).zip(self.received).filter(|(_, received)| *received > 0);
        heard.map(|(address, _)| address).collect()
    }

    pub(super) fn inhabited(&mut self, address: u64) {
        self.is_inhabited[index(address)] = true;
    }

    /// Nobody can use the endpoint to flood somebody else.
    pub(super) fn sent(&mut self, to: u64, bytes: usize) {
        let at = index(to);
        self.sent[at] += bytes;
        let (sent, received) = (self.sent[at], self.received[at]);
        assert!(self.is_inhabited[at] || sent <= 3 * received, "{sent} bytes sent for {received} to address {to}");
    }
}

fn index(address: u64) -> usize {
    usize::try_from(address).expect("an address of ours")
}

/// What one side has sent, to be sent again.
#[derive(Debug, Default)]
pub(super) struct Kept(VecDeque<Vec<u8>>);

impl Kept {
    pub(super) fn push(&mut self, datagram: &[u8]) {
        if self.0.len() == MAX_KEPT {
            self.0.pop_front();
        }
        self.0.push_back(datagram.to_vec());
    }

    /// One of them, counted from the newest.
    pub(super) fn get(&self, back: u8) -> Option<&[u8]> {
        let at = self.0.len().checked_sub(1 + usize::from(back) % self.0.len().max(1))?;
        self.0.get(at).map(Vec::as_slice)
    }
}

/// Every packet that an honest peer has made.
#[derive(Debug, Default)]
pub(super) struct Genuine(HashSet<Vec<u8>>);

impl Genuine {
    pub(super) fn add(&mut self, datagram: &[u8]) {
        self.0.extend(packets(datagram).map(<[u8]>::to_vec));
    }

    /// Whether there is nothing in a datagram that anybody with keys has made.
    pub(super) fn has_none_in(&self, datagram: &[u8]) -> bool {
        packets(datagram).all(|packet| !self.0.contains(packet))
    }
}

/// The packets in a datagram, as far as there are any.
fn packets(mut datagram: &[u8]) -> impl Iterator<Item = &[u8]> {
    std::iter::from_fn(move || {
        let len = HEADER_LEN + usize::from(Header::read(datagram.get(..HEADER_LEN)?).length);
        let (packet, rest) = datagram.split_at(len.min(datagram.len()));
        datagram = rest;
        Some(packet)
    })
}

/// Whether a datagram begins like a packet that has no keys.
pub(super) fn is_clear(datagram: &[u8]) -> bool {
    datagram.get(1).is_some_and(|kind| [Kind::Hello, Kind::Retry, Kind::Refuse, Kind::Accept].contains(kind))
}
