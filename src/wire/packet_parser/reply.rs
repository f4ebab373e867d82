//! The responder's clear answers to a Hello.
#![forbid(unsafe_code)]

use core::num::NonZeroU64;

use super::{MAX_SUITES, MAX_VERSIONS, Malformed, bounded_bytes, own_id, verified};
use crate::event::RefuseCode;
use crate::wire::tables;

/// The body of an Accept: what the responder chose, and its share.
#[derive(Clone, Copy, Debug)]
pub(crate) struct AcceptView<'a> {
    /// The version chosen.
    pub(crate) version: u16,
    /// The id of the suite chosen.
    pub(crate) suite: u8,
    /// The responder's X25519 share.
    pub(crate) key_share: &'a [u8; 32],
    /// What the initiator writes into its packets.
    pub(crate) connection_id: NonZeroU64,
    /// The responder took the ticket that it was offered.
    pub(crate) resumed: bool,
    /// The responder took the early data that came with it.
    pub(crate) early_accepted: bool,
}

impl<'a> AcceptView<'a> {
    /// Takes the whole body.
    pub(crate) fn parse(body: &'a [u8]) -> Result<Self, Malformed> {
        let accept = verified::<tables::Accept<'_>>(body)?;
        Ok(Self {
            version: accept.version(),
            suite: accept.suite(),
            key_share: &accept.key_share().0,
            connection_id: own_id(accept.connection_id())?,
            resumed: accept.resumed(),
            early_accepted: accept.early_accepted(),
        })
    }
}

/// The body of a Retry: the same Hello is wanted again, with a cookie. Unauthenticated.
#[derive(Clone, Copy, Debug)]
pub(crate) struct RetryView<'a> {
    /// SHA-256 of the Hello's header and whole body.
    pub(crate) hello_hash: &'a [u8; 32],
    /// What the next Hello is to carry.
    pub(crate) cookie: &'a [u8; 32],
}

impl<'a> RetryView<'a> {
    /// Takes the whole body. A cookie of zeros would be none.
    pub(crate) fn parse(body: &'a [u8]) -> Result<Self, Malformed> {
        let retry = verified::<tables::Retry<'_>>(body)?;
        let cookie = &retry.cookie().0;
        if *cookie == [0; 32] { Err(Malformed) } else { Ok(Self { hello_hash: &retry.hello_hash().0, cookie }) }
    }
}

/// The body of a Refuse: why there will be no Accept. Unauthenticated.
#[derive(Clone, Copy, Debug)]
pub(crate) struct RefuseView<'a> {
    /// SHA-256 of the Hello's header and whole body.
    pub(crate) hello_hash: &'a [u8; 32],
    /// The reason; `Unspecified` stands for those that this version does not know, too (R-4.3-2).
    pub(crate) code: RefuseCode,
}

impl<'a> RefuseView<'a> {
    /// Takes the whole body. What the responder speaks instead is checked for its form and passed over: an unauthenticated answer is
    /// no ground for another choice.
    pub(crate) fn parse(body: &'a [u8]) -> Result<Self, Malformed> {
        let refuse = verified::<tables::Refuse<'_>>(body)?;
        if refuse.versions().is_some_and(|versions| versions.len() > MAX_VERSIONS) {
            return Err(Malformed);
        }
        bounded_bytes(refuse.suites(), MAX_SUITES)?;
        Ok(Self {
            hello_hash: &refuse.hello_hash().0,
            code: RefuseCode::from_code(refuse.code().0).unwrap_or(RefuseCode::Unspecified),
        })
    }
}
