//! Packets that share a datagram (specification, section 3.4).
#![forbid(unsafe_code)]

use core::iter::FusedIterator;

use crate::disposition::Discarded;
use crate::wire::{HEADER_LEN, VERSION};

/// The most packets of a datagram that are looked at (R-3.4-2): no more than a handshake has reason to put into one.
const MAX_PACKETS: usize = 4;

/// Takes a datagram apart. There is at least one item: a packet, header and all, or what is wrong with the next one.
///
/// Only where packets begin and end is looked at here, and whether they belong together. Each has still to be
/// [validated](super::validator::Receiver::validate_datagram); what comes of it is no matter to the next one (R-3.4-5).
pub(crate) fn packets(datagram: &mut [u8]) -> Packets<'_> {
    Packets { rest: datagram, taken: 0, connection_id: None }
}

/// The packets of a datagram: see [`packets`].
pub(crate) struct Packets<'a> {
    rest: &'a mut [u8],
    taken: usize,
    /// That of the first packet.
    connection_id: Option<u64>,
}

impl<'a> Iterator for Packets<'a> {
    type Item = Result<&'a mut [u8], Discarded>;

    fn next(&mut self) -> Option<Self::Item> {
        if self.rest.is_empty() && self.taken > 0 {
            return None;
        }
        // An error leaves no rest: without knowing where this packet ends, nobody knows where another begins.
        let rest = core::mem::take(&mut self.rest);
        if self.taken >= MAX_PACKETS {
            return Some(Err(Discarded::UnexpectedPacket));
        }
        self.taken = self.taken.saturating_add(1);
        let (len, connection_id) = match boundary(rest) {
            Ok(boundary) => boundary,
            Err(what) => return Some(Err(what)),
        };
        let Some((packet, rest)) = rest.split_at_mut_checked(len) else {
            return Some(Err(Discarded::PacketLength));
        };
        self.rest = rest;
        // R-3.4-3; RFC 9000, section 12.2: whoever puts packets together sends them to one end.
        let belongs = *self.connection_id.get_or_insert(connection_id) == connection_id;
        Some(if belongs { Ok(packet) } else { Err(Discarded::UnknownConnection) })
    }
}

impl FusedIterator for Packets<'_> {}

/// How long the packet at the front says it is, and for whom (R-3.4-4). Where the two stand is the same in every version, but whoever
/// does not begin with one is not of this protocol.
fn boundary(bytes: &[u8]) -> Result<(usize, u64), Discarded> {
    if bytes.first().is_some_and(|version| *version != VERSION) {
        return Err(Discarded::NotAiTcp);
    }
    let Some([_, _, l0, l1, _, _, _, _, id @ .., _, _, _, _, _, _, _, _]) = bytes.first_chunk::<HEADER_LEN>() else {
        return Err(Discarded::PacketLength);
    };
    let body_len = usize::from(u16::from_le_bytes([*l0, *l1]));
    Ok((HEADER_LEN.saturating_add(body_len), u64::from_le_bytes(*id)))
}

#[cfg(test)]
mod tests {
    use alloc::vec;
    use alloc::vec::Vec;

    use proptest::collection::vec as vec_of;
    use proptest::prelude::*;

    use super::*;
    use crate::wire::{Header, PacketKind};

    const ID: u64 = 0x0102_0304_0506_0708;

    fn packet(connection_id: u64, body: &[u8]) -> Vec<u8> {
        let length = u16::try_from(body.len()).unwrap();
        let header = Header { kind: PacketKind::Data, length, epoch: 3, connection_id, number_field: 0x1234 };
        [&header.to_bytes(), body].concat()
    }

    fn split(datagram: &[u8]) -> Vec<Result<Vec<u8>, Discarded>> {
        packets(&mut datagram.to_vec()).map(|item| item.map(|packet| packet.to_vec())).collect()
    }

    /// R-3.4-2.
    #[test]
    fn at_most_four_packets_are_taken() {
        let one = packet(ID, b"body");
        for count in 1..=6 {
            let mut expected = vec![Ok(one.clone()); count.min(4)];
            if count > 4 {
                expected.push(Err(Discarded::UnexpectedPacket));
            }
            assert_eq!(split(&one.repeat(count)), expected);
        }
    }

    /// R-3.4-3, R-3.4-5.
    #[test]
    fn packets_for_others_than_the_first_are_left_out() {
        let (own, other) = (packet(ID, b"own"), packet(ID + 1, b"other"));
        let stray = Err(Discarded::UnknownConnection);
        let datagram = [&own[..], &other, &own, &other].concat();
        assert_eq!(split(&datagram), [Ok(own.clone()), stray.clone(), Ok(own.clone()), stray.clone()]);
        assert_eq!(split(&[other.clone(), own].concat()), [Ok(other), stray.clone()], "the first one says");
        let (hello, data) = (packet(0, b"hello"), packet(ID, b"data"));
        assert_eq!(split(&[hello.clone(), data].concat()), [Ok(hello), stray], "0 is an id as well");
    }

    /// R-3.4-4.
    #[test]
    fn a_packet_that_is_not_all_there_is_the_last() {
        let (whole, cut) = (packet(ID, b"whole"), packet(ID, b"cut off"));
        for len in 1..cut.len() {
            let datagram = [&whole[..], &cut[..len]].concat();
            assert_eq!(split(&datagram), [Ok(whole.clone()), Err(Discarded::PacketLength)], "{len} bytes");
            assert_eq!(split(&cut[..len]), [Err(Discarded::PacketLength)], "{len} bytes");
        }
        let mut longest = packet(ID, b"");
        longest[2..4].copy_from_slice(&[0xFF; 2]);
        assert_eq!(split(&[longest, whole].concat()), [Err(Discarded::PacketLength)]);
        assert_eq!(split(&[]), [Err(Discarded::PacketLength)]);
    }

    /// R-3.4-4.
    #[test]
    fn what_is_not_of_this_protocol_is_the_last() {
        let whole = packet(ID, b"whole");
        for version in (0..=u8::MAX).filter(|version| *version != 10) {
            let mut other = whole.clone();
            other[0] = version;
            assert_eq!(split(&[&other[..], &whole].concat()), [Err(Discarded::NotAiTcp)]);
            let expected = [Ok(whole.clone()), Err(Discarded::NotAiTcp)];
            assert_eq!(split(&[&whole[..], &other, &whole].concat()), expected);
            assert_eq!(split(&[version]), [Err(Discarded::NotAiTcp)]);
        }
    }

    proptest! {
        #[test]
        fn packets_come_out_as_they_were_put_in(bodies in vec_of(vec_of(any::<u8>(), 0..300), 1..=4)) {
            let packets: Vec<_> = bodies.iter().map(|body| packet(ID, body)).collect();
            let expected: Vec<_> = packets.iter().cloned().map(Ok).collect();
            prop_assert_eq!(split(&packets.concat()), expected);
        }

        #[test]
        fn arbitrary_bytes_are_taken_apart_without_overlap(mut bytes in vec_of(prop_oneof![Just(10), Just(0), any::<u8>()], 0..400)) {
            let len = bytes.len();
            let items: Vec<_> = packets(&mut bytes).collect();
            prop_assert!((1..=5).contains(&items.len()));
            prop_assert!(items.iter().flatten().map(|packet| packet.len()).sum::<usize>() <= len);
            prop_assert!(items.iter().flatten().all(|packet| packet.len() >= HEADER_LEN));
        }
    }
}
