//! Where a peer is, as far as an endpoint has to know: something to compare, and bytes to put into a MAC.

#![forbid(unsafe_code)]

use core::fmt::Debug;
use core::hash::Hash;
use core::net::{IpAddr, SocketAddr};

/// The address of a peer on a datagram carrier: an IP address and a port, the number of a radio, whatever the carrier has.
///
/// An endpoint never looks into an address. It sends to one what it has for it, compares two, and puts [`stable_bytes`] into the
/// cookies by which a peer shows that it receives what is sent to its address.
///
/// ```
/// use aitcp::{Address, StableBytes};
///
/// /// A node of a LoRa network.
/// #[derive(Clone, Copy, Debug, PartialEq, Eq, PartialOrd, Ord, Hash)]
/// struct Node([u8; 8]);
///
/// impl Address for Node {
///     fn stable_bytes(&self) -> StableBytes {
///         StableBytes::new(self.0)
///     }
/// }
/// ```
///
/// [`stable_bytes`]: Address::stable_bytes
pub trait Address: Copy + Eq + Ord + Hash + Debug {
    /// Bytes that are the same for the same peer in every run and every build, and others for another peer.
    ///
    /// They must follow from the value alone: no pointers, no hashes with a random key, no order of this machine's bytes. Where a
    /// carrier writes one address in two ways, both must give the same bytes. Unequal addresses may do so for this reason only.
    fn stable_bytes(&self) -> StableBytes;
}

/// The longest that [`StableBytes`] can be, in bytes.
const MAX_LEN: usize = 32;

/// The bytes of an [`Address`]: at most 32, kept in place.
#[derive(Clone, Copy, Debug, PartialEq, Eq, PartialOrd, Ord, Hash)]
pub struct StableBytes {
    /// Zeros behind `len`, so that the derived comparisons are right.
    bytes: [u8; MAX_LEN],
    len: u8,
}

impl StableBytes {
    /// The longest that an address can be, in bytes.
    pub const MAX_LEN: usize = MAX_LEN;

    /// Takes at most [`MAX_LEN`](Self::MAX_LEN) bytes; more do not compile. Use a hash of an address that is longer.
    #[must_use]
    pub fn new<const N: usize>(address: [u8; N]) -> Self {
        const { assert!(N <= MAX_LEN, "an address has at most 32 bytes") };
        let mut bytes = [0; MAX_LEN];
        for (to, from) in bytes.iter_mut().zip(address) {
            *to = from;
        }
        Self { bytes, len: N as u8 }
    }

    /// The bytes.
    #[must_use]
    pub fn as_slice(&self) -> &[u8] {
        self.bytes.get(..usize::from(self.len)).unwrap_or_default()
    }
}

impl AsRef<[u8]> for StableBytes {
    fn as_ref(&self) -> &[u8] {
        self.as_slice()
    }
}

/// The IP address in its IPv6 form, the port and the scope: 22 bytes, big-endian.
///
/// - An IPv4 address and the IPv6 address that it is mapped to (`::ffff:192.0.2.1`) give the same bytes: a socket for both families
///   reports the one as the other.
/// - The scope id counts, because link-local addresses repeat on every interface; it is 0 wherever it means nothing.
/// - The flow label of IPv6 does not count: it belongs to the packets, not to the peer.
impl Address for SocketAddr {
    fn stable_bytes(&self) -> StableBytes {
        let ip = match self.ip().to_canonical() {
            IpAddr::V4(ip) => ip.to_ipv6_mapped(),
            IpAddr::V6(ip) => ip,
        };
        let scope = match self {
            Self::V6(address) if address.ip().to_ipv4_mapped().is_none() => address.scope_id(),
            _ => 0,
        };
        let mut bytes = [0; 22];
        let fields = ip.octets().into_iter().chain(self.port().to_be_bytes()).chain(scope.to_be_bytes());
        for (to, from) in bytes.iter_mut().zip(fields) {
            *to = from;
        }
        StableBytes::new(bytes)
    }
}

/// A number: eight bytes, big-endian. For radios, buses and tests.
impl Address for u64 {
    fn stable_bytes(&self) -> StableBytes {
        StableBytes::new(self.to_be_bytes())
    }
}

#[cfg(test)]
mod tests {
    use core::net::{Ipv4Addr, Ipv6Addr, SocketAddrV6};

    use hex_literal::hex;
    use proptest::prelude::*;

    use super::*;

    fn bytes(text: &str) -> StableBytes {
        text.parse::<SocketAddr>().unwrap().stable_bytes()
    }

    /// Literal, because a machine that takes over from another must make the same.
    #[test]
    fn the_bytes_of_a_socket_address_never_change() {
        let v4 = hex!("00000000000000000000ffffc0000201 01bb 00000000");
        assert_eq!(bytes("192.0.2.1:443").as_slice(), v4);
        let v6 = hex!("20010db8000000000000000000000001 01bb 00000000");
        assert_eq!(bytes("[2001:db8::1]:443").as_slice(), v6);
        let scoped = hex!("fe800000000000000000000000000001 01bb 00000007");
        assert_eq!(bytes("[fe80::1%7]:443").as_slice(), scoped);
        assert_eq!(0x0102_u64.stable_bytes().as_ref(), hex!("0000000000000102"));
    }

    #[test]
    fn a_mapped_address_is_the_ipv4_address() {
        assert_eq!(bytes("[::ffff:192.0.2.1]:443"), bytes("192.0.2.1:443"));
        assert_eq!(bytes("[::ffff:192.0.2.1%3]:443"), bytes("192.0.2.1:443"));
        assert_ne!(bytes("[::192.0.2.1]:443"), bytes("192.0.2.1:443"), "IPv4-compatible addresses are other ones");
    }

    #[test]
    fn lengths_are_part_of_the_value() {
        assert_ne!(StableBytes::new([0; 3]), StableBytes::new([0; 4]));
        assert_eq!(StableBytes::new([7; 32]).as_slice(), [7; 32]);
        assert!(StableBytes::new([]).as_slice().is_empty());
    }

    fn canonical(address: SocketAddr) -> (IpAddr, u16, u32) {
        let scope = match (address, address.ip().to_canonical()) {
            (SocketAddr::V6(address), IpAddr::V6(_)) => address.scope_id(),
            _ => 0,
        };
        (address.ip().to_canonical(), address.port(), scope)
    }

    fn any_address() -> impl Strategy<Value = SocketAddr> {
        let ip = prop_oneof![
            (0..3_u32).prop_map(|ip| IpAddr::V4(Ipv4Addr::from_bits(ip))),
            (0..3_u32).prop_map(|ip| IpAddr::V6(Ipv4Addr::from_bits(ip).to_ipv6_mapped())),
            (0..3_u128).prop_map(|ip| IpAddr::V6(Ipv6Addr::from_bits(ip))),
        ];
        (ip, 0..2_u16, 0..2_u32, 0..2_u32).prop_map(|(ip, port, flow, scope)| match ip {
            IpAddr::V4(_) => SocketAddr::new(ip, port),
            IpAddr::V6(ip) => SocketAddrV6::new(ip, port, flow, scope).into(),
        })
    }

    proptest! {
        #[test]
        fn bytes_differ_exactly_where_peers_do(one in any_address(), other in any_address()) {
            let same = canonical(one) == canonical(other);
            prop_assert_eq!(one.stable_bytes() == other.stable_bytes(), same, "{} {}", one, other);
        }
    }
}
