//! The first packet of all: clear, from the initiator.
#![forbid(unsafe_code)]

use core::num::NonZeroU64;

use super::{
    MAX_APP_PROTOCOL, MAX_REALM, MAX_SUITES, MAX_TICKET, MAX_VERSIONS, Malformed, Versions, bounded_bytes, own_id,
    verified,
};
use crate::wire::{HEADER_LEN, tables};

/// The shortest Hello that is answered on a datagram carrier, in bytes: the smallest mtu.
const MIN_DATAGRAM_HELLO: usize = 512;

/// The body of a Hello.
#[derive(Clone, Copy, Debug)]
pub(crate) struct HelloView<'a> {
    /// Protocol versions in the initiator's order: 1 to 8 of them.
    pub(crate) versions: Versions<'a>,
    /// Suite ids in the initiator's order, 1 to 8 of them; unknown ones are to be skipped.
    pub(crate) suites: &'a [u8],
    /// The initiator's nonce.
    pub(crate) random: &'a [u8; 32],
    /// The initiator's X25519 share.
    pub(crate) key_share: &'a [u8; 32],
    /// What the responder writes into its packets.
    pub(crate) connection_id: NonZeroU64,
    /// The application protocol asked for: 1 to 64 bytes.
    pub(crate) app_protocol: &'a str,
    /// The realm asked for: at most 64 bytes, none being the same as an empty one.
    pub(crate) realm: &'a str,
    /// A session to resume; empty if there is none.
    pub(crate) ticket: &'a [u8],
    /// MAC over [`Self::bound`] under the ticket's PSK, if there is one.
    pub(crate) binder: Option<&'a [u8; 32]>,
    /// The bytes of the body that `binder` covers, the header coming before them: `table || cookie || peer_tag`.
    pub(crate) bound: &'a [u8],
    /// HMAC over [`Self::tagged`] under the identity asked for, if there is one.
    pub(crate) peer_tag: Option<&'a [u8; 32]>,
    /// The bytes of the body that `peer_tag` covers, the header coming before them: `table || cookie`.
    pub(crate) tagged: &'a [u8],
    /// What the responder gave in a Retry, if anything.
    pub(crate) cookie: Option<&'a [u8; 32]>,
    /// The bytes of the body before the trailer. They, and the header before them, are the same in a Hello that comes again with a
    /// cookie.
    #[cfg(any(test, feature = "endpoint"))]
    pub(crate) table: &'a [u8],
    /// Length of the whole packet, header included.
    pub(crate) packet_len: usize,
    is_padded: bool,
}

impl<'a> HelloView<'a> {
    /// Takes the whole body. A ticket in it must have the right length; what is in it is its issuer's business (R-4.1-2).
    pub(crate) fn parse(body: &'a [u8]) -> Result<Self, Malformed> {
        let (tagged_and_tag, binder) = body.split_last_chunk::<32>().ok_or(Malformed)?;
        let (tagged, peer_tag) = tagged_and_tag.split_last_chunk::<32>().ok_or(Malformed)?;
        let (table, cookie) = tagged.split_last_chunk::<32>().ok_or(Malformed)?;
        let hello = verified::<tables::Hello<'_>>(table)?;

        let versions = hello.versions();
        let suites = bounded_bytes(Some(hello.suites()), MAX_SUITES)?;
        let app_protocol = hello.app_protocol();
        let realm = hello.realm().unwrap_or("");
        let ticket = bounded_bytes(hello.ticket(), MAX_TICKET)?;
        let padding = hello.padding().map_or(&[][..], |padding| padding.bytes());
        let within_limits = (1..=MAX_VERSIONS).contains(&versions.len())
            && !suites.is_empty()
            && (1..=MAX_APP_PROTOCOL).contains(&app_protocol.len())
            && realm.len() <= MAX_REALM;
        // R-4.1-4
        let binds_nothing = ticket.is_empty() && present(binder).is_some();
        if !within_limits || binds_nothing || padding.iter().any(|byte| *byte != 0) {
            return Err(Malformed);
        }
        Ok(Self {
            versions: Versions(versions),
            suites,
            random: &hello.random().0,
            key_share: &hello.key_share().0,
            connection_id: own_id(hello.connection_id())?,
            app_protocol,
            realm,
            ticket,
            binder: present(binder),
            bound: tagged_and_tag,
            peer_tag: present(peer_tag),
            tagged,
            cookie: present(cookie),
            #[cfg(any(test, feature = "endpoint"))]
            table,
            packet_len: HEADER_LEN.saturating_add(body.len()),
            is_padded: !padding.is_empty(),
        })
    }

    /// Goes on only with what may come over a stream carrier: neither padding nor a cookie has a place there (R-4.1-3).
    pub(crate) fn for_stream(self) -> Result<Self, Malformed> {
        if self.is_padded || self.cookie.is_some() { Err(Malformed) } else { Ok(self) }
    }

    /// Goes on only with what may come in a datagram: a Hello that is long enough to be answered (R-4.1-6).
    pub(crate) fn for_datagram(self) -> Result<Self, Malformed> {
        if self.packet_len < MIN_DATAGRAM_HELLO { Err(Malformed) } else { Ok(self) }
    }
}

/// In a trailer, zeros stand for an absent value.
fn present(value: &[u8; 32]) -> Option<&[u8; 32]> {
    if *value == [0; 32] { None } else { Some(value) }
}
