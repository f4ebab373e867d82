//! Handshake packets, from values to bytes (specification, section 4).
//!
//! A value in a trailer covers every byte before it, header included, and can be computed only once those stand. So a packet with a
//! trailer is made in steps: each hands out the bytes that the next value covers. Lists and names are taken as they are: whoever
//! made the configuration has checked them against the maxima of R-3.3-5.
#![forbid(unsafe_code)]

use alloc::vec;
use alloc::vec::Vec;
use core::num::NonZeroU64;

use flatbuffers::{FlatBufferBuilder, WIPOffset};

use super::{HEADER_LEN, Header, PacketKind, Params, tables};
use crate::crypto::provider::TAG_LEN;
#[cfg(any(test, feature = "hybrid"))]
use crate::crypto::provider::{KEM_CIPHERTEXT_LEN, KEM_KEY_LEN};
use crate::event::RefuseCode;
use crate::role::Role;

/// What a Hello says.
#[derive(Clone, Copy, Debug)]
pub(crate) struct Hello<'a> {
    /// Protocol versions in order of preference.
    pub(crate) versions: &'a [u16],
    /// Suite ids in order of preference.
    pub(crate) suites: &'a [u8],
    /// The initiator's nonce.
    pub(crate) random: &'a [u8; 32],
    /// The initiator's X25519 share.
    pub(crate) key_share: &'a [u8; 32],
    /// What the responder is to write into its packets.
    pub(crate) connection_id: NonZeroU64,
    /// The application protocol asked for.
    pub(crate) app_protocol: &'a str,
    /// The realm asked for; `""` = none.
    pub(crate) realm: &'a str,
    /// A session to resume; empty = none.
    pub(crate) ticket: &'a [u8],
    /// From a Retry, if there was one.
    pub(crate) cookie: Option<&'a [u8; 32]>,
    /// On datagram carriers: how many bytes the whole packet is to have. A packet that is longer already stays as it is.
    pub(crate) padded_to: Option<u16>,
}

impl Hello<'_> {
    /// Everything up to the tag.
    pub(crate) fn build(&self) -> UntaggedHello {
        const TRAILER_LEN: usize = size_of::<tables::HelloTrailer>();
        let mut table = self.table(0);
        if let Some(packet_len) = self.padded_to {
            let wanted = usize::from(packet_len).saturating_sub(HEADER_LEN.saturating_add(TRAILER_LEN));
            let padding = wanted.saturating_sub(table.len()).saturating_sub(MAX_PADDING_OVERHEAD);
            if padding > 0 {
                table = self.table(padding);
            }
            // Alignment does not let the vector end everywhere; a table may have bytes behind it that no offset refers to.
            table.resize(wanted.max(table.len()), 0);
        }
        let cookie = self.cookie.unwrap_or(&[0; 32]);
        let tail = TRAILER_LEN.saturating_sub(cookie.len());
        UntaggedHello(assemble(PacketKind::Hello, None, &[&table, cookie], tail))
    }

    fn table(&self, padding: usize) -> Vec<u8> {
        let mut builder = FlatBufferBuilder::new();
        let args = tables::HelloArgs {
            versions: Some(builder.create_vector(self.versions)),
            suites: Some(builder.create_vector(self.suites)),
            random: Some(&tables::Bytes32(*self.random)),
            key_share: Some(&tables::Bytes32(*self.key_share)),
            connection_id: self.connection_id.get(),
            app_protocol: Some(builder.create_string(self.app_protocol)),
            realm: if self.realm.is_empty() { None } else { Some(builder.create_string(self.realm)) },
            ticket: if self.ticket.is_empty() { None } else { Some(builder.create_vector(self.ticket)) },
            padding: if padding == 0 { None } else { Some(builder.create_vector(&vec![0_u8; padding])) },
        };
        let root = tables::Hello::create(&mut builder, &args);
        table(&mut builder, root).to_vec()
    }
}

/// The most that a vector takes in a table besides its bytes: a place in the vtable, an offset, a length, and what aligns them.
const MAX_PADDING_OVERHEAD: usize = 24;

/// A Hello up to its cookie.
#[derive(Debug)]
pub(crate) struct UntaggedHello(Vec<u8>);

impl UntaggedHello {
    /// What the peer_tag covers: header, table and cookie.
    pub(crate) fn tagged(&self) -> &[u8] {
        &self.0
    }

    /// Goes on with the tag in place, if a particular identity is asked for.
    pub(crate) fn tag(mut self, peer_tag: Option<&[u8; 32]>) -> UnboundHello {
        self.0.extend_from_slice(peer_tag.unwrap_or(&[0; 32]));
        UnboundHello(self.0)
    }
}

/// A Hello up to its tag.
#[derive(Debug)]
pub(crate) struct UnboundHello(Vec<u8>);

impl UnboundHello {
    /// What the binder covers: header, table, cookie and tag.
    pub(crate) fn bound(&self) -> &[u8] {
        &self.0
    }

    /// The whole packet, with the binder if there is a ticket.
    pub(crate) fn bind(mut self, binder: Option<&[u8; 32]>) -> Vec<u8> {
        self.0.extend_from_slice(binder.unwrap_or(&[0; 32]));
        self.0
    }
}

/// What a Retry says. Only endpoints say it: they answer without a state.
#[cfg(any(test, feature = "endpoint"))]
#[derive(Clone, Copy, Debug)]
pub(crate) struct Retry<'a> {
    /// SHA-256 of the Hello's header and whole body.
    pub(crate) hello_hash: &'a [u8; 32],
    /// What the next Hello is to carry; not all zeros.
    pub(crate) cookie: &'a [u8; 32],
}

#[cfg(any(test, feature = "endpoint"))]
impl Retry<'_> {
    /// The whole packet.
    pub(crate) fn build(&self, receiver: NonZeroU64) -> Vec<u8> {
        let mut builder = FlatBufferBuilder::new();
        let args = tables::RetryArgs {
            hello_hash: Some(&tables::Bytes32(*self.hello_hash)),
            cookie: Some(&tables::Bytes32(*self.cookie)),
        };
        let root = tables::Retry::create(&mut builder, &args);
        assemble(PacketKind::Retry, Some(receiver), &[table(&mut builder, root)], 0)
    }
}

/// What a Refuse says.
#[derive(Clone, Copy, Debug)]
pub(crate) struct Refuse<'a> {
    /// SHA-256 of the Hello's header and whole body.
    pub(crate) hello_hash: &'a [u8; 32],
    /// The reason.
    pub(crate) code: RefuseCode,
    /// What this responder speaks.
    pub(crate) versions: &'a [u16],
    /// The suites that it has.
    pub(crate) suites: &'a [u8],
}

impl Refuse<'_> {
    /// The whole packet.
    pub(crate) fn build(&self, receiver: NonZeroU64) -> Vec<u8> {
        let mut builder = FlatBufferBuilder::new();
        let args = tables::RefuseArgs {
            hello_hash: Some(&tables::Bytes32(*self.hello_hash)),
            code: tables::RefuseCode(self.code.code()),
            versions: Some(builder.create_vector(self.versions)),
            suites: Some(builder.create_vector(self.suites)),
        };
        let root = tables::Refuse::create(&mut builder, &args);
        assemble(PacketKind::Refuse, Some(receiver), &[table(&mut builder, root)], 0)
    }
}

/// What an Accept says.
#[derive(Clone, Copy, Debug)]
pub(crate) struct Accept<'a> {
    /// The version chosen.
    pub(crate) version: u16,
    /// The id of the suite chosen.
    pub(crate) suite: u8,
    /// The responder's nonce.
    pub(crate) random: &'a [u8; 32],
    /// The responder's X25519 share.
    pub(crate) key_share: &'a [u8; 32],
    /// What the initiator is to write into its packets.
    pub(crate) connection_id: NonZeroU64,
    /// The ticket of the Hello is taken.
    pub(crate) resumed: bool,
}

impl Accept<'_> {
    /// The whole packet.
    pub(crate) fn build(&self, receiver: NonZeroU64) -> Vec<u8> {
        let mut builder = FlatBufferBuilder::new();
        let args = tables::AcceptArgs {
            version: self.version,
            suite: self.suite,
            random: Some(&tables::Bytes32(*self.random)),
            key_share: Some(&tables::Bytes32(*self.key_share)),
            connection_id: self.connection_id.get(),
            resumed: self.resumed,
            ..tables::AcceptArgs::default()
        };
        let root = tables::Accept::create(&mut builder, &args);
        assemble(PacketKind::Accept, Some(receiver), &[table(&mut builder, root)], 0)
    }
}

/// A KemOffer in the clear, with room for the tag.
#[cfg(any(test, feature = "hybrid"))]
pub(crate) fn kem_offer(receiver: NonZeroU64, encapsulation_key: &[u8; KEM_KEY_LEN]) -> Vec<u8> {
    with_tag_room(assemble(PacketKind::KemOffer, Some(receiver), &[encapsulation_key], TAG_LEN))
}

/// A KemReply in the clear, with room for the tag.
#[cfg(any(test, feature = "hybrid"))]
pub(crate) fn kem_reply(receiver: NonZeroU64, ciphertext: &[u8; KEM_CIPHERTEXT_LEN]) -> Vec<u8> {
    with_tag_room(assemble(PacketKind::KemReply, Some(receiver), &[ciphertext], TAG_LEN))
}

/// What a ResponderAuth or an InitiatorAuth says.
#[derive(Clone, Copy)]
pub(crate) struct Auth<'a> {
    /// What the sender can take.
    pub(crate) params: Params,
    /// Who the sender is, and what it shows besides; `None` in a resumed handshake, where both know each other.
    pub(crate) identity: Option<Identity<'a>>,
}

/// Who the sender of an Auth packet is.
#[derive(Clone, Copy)]
pub(crate) struct Identity<'a> {
    pub(crate) key: &'a [u8; 32],
    /// Opaque to the protocol.
    pub(crate) credentials: &'a [u8],
}

impl Auth<'_> {
    /// Everything up to the signature, for a sender of this role. The transcript has the header with `number_field` in place.
    pub(crate) fn build(&self, sender: Role, receiver: NonZeroU64, number_field: u64) -> UnsignedAuth {
        let mut builder = FlatBufferBuilder::new();
        let params = Some(self.params.write(&mut builder));
        let key = self.identity.map(|identity| tables::Bytes32(*identity.key));
        let credentials = self.identity.map(|identity| identity.credentials).filter(|shown| !shown.is_empty());
        let credentials = credentials.map(|shown| builder.create_vector(shown));
        let identity = key.as_ref();
        let (kind, table) = match sender {
            Role::Responder => {
                let args = tables::ResponderAuthArgs { params, identity, credentials };
                let root = tables::ResponderAuth::create(&mut builder, &args);
                (PacketKind::ResponderAuth, table(&mut builder, root))
            }
            Role::Initiator => {
                let args = tables::InitiatorAuthArgs { params, identity, credentials, claim: None };
                let root = tables::InitiatorAuth::create(&mut builder, &args);
                (PacketKind::InitiatorAuth, table(&mut builder, root))
            }
        };
        let trailer_len = self.trailer_len();
        let mut packet = assemble(kind, Some(receiver), &[table], trailer_len.saturating_add(TAG_LEN));
        if let Some(field) = packet.first_chunk_mut::<HEADER_LEN>().and_then(|header| header.last_chunk_mut()) {
            *field = number_field.to_le_bytes();
        }
        UnsignedAuth { packet, trailer_len }
    }

    fn trailer_len(&self) -> usize {
        match self.identity {
            Some(_) => size_of::<tables::AuthTrailer>(),
            None => size_of::<tables::ResumedTrailer>(),
        }
    }
}

/// An Auth packet up to its table.
pub(crate) struct UnsignedAuth {
    packet: Vec<u8>,
    trailer_len: usize,
}

impl UnsignedAuth {
    /// What the signature covers of this packet: header and table.
    pub(crate) fn covered(&self) -> &[u8] {
        &self.packet
    }

    /// How many bytes the whole packet will have.
    pub(crate) fn packet_len(&self) -> usize {
        self.packet.len().saturating_add(self.trailer_len).saturating_add(TAG_LEN)
    }

    /// Goes on with the signature in place, or in a resumed handshake without one.
    pub(crate) fn sign(mut self, signature: Option<&[u8; 64]>) -> UnfinishedAuth {
        self.packet.extend_from_slice(signature.map_or(&[][..], |signature| &signature[..]));
        UnfinishedAuth(self.packet)
    }
}

/// An Auth packet up to its signature.
pub(crate) struct UnfinishedAuth(Vec<u8>);

impl UnfinishedAuth {
    /// The whole packet in the clear, with room for the tag.
    pub(crate) fn finish(mut self, finished: &[u8; 32]) -> Vec<u8> {
        self.0.extend_from_slice(finished);
        with_tag_room(self.0)
    }
}

/// The bytes of a finished table.
fn table<'a, T>(builder: &'a mut FlatBufferBuilder<'_>, root: WIPOffset<T>) -> &'a [u8] {
    builder.finish_minimal(root);
    builder.finished_data()
}

/// A header and the body's first parts; `tail` bytes of the body are still to come, and there is room for them.
fn assemble(kind: PacketKind, receiver: Option<NonZeroU64>, parts: &[&[u8]], tail: usize) -> Vec<u8> {
    let length = parts.iter().fold(tail, |sum, part| sum.saturating_add(part.len()));
    debug_assert!(length <= usize::from(u16::MAX), "inputs are within their maxima");
    let header = Header {
        kind,
        length: u16::try_from(length).unwrap_or(u16::MAX),
        epoch: match kind {
            PacketKind::KemOffer | PacketKind::ResponderAuth | PacketKind::KemReply => 1,
            PacketKind::InitiatorAuth => 2,
            _ => 0,
        },
        connection_id: receiver.map_or(0, NonZeroU64::get),
        number_field: 0,
    };
    let mut packet = Vec::with_capacity(HEADER_LEN.saturating_add(length));
    packet.extend_from_slice(&header.to_bytes());
    for part in parts {
        packet.extend_from_slice(part);
    }
    packet
}

/// Sealing happens in place, so the tag's room is there before the tag is.
fn with_tag_room(mut packet: Vec<u8>) -> Vec<u8> {
    packet.extend_from_slice(&[0; TAG_LEN]);
    packet
}
