//! The sealed packets in which each end proves who it is.
#![forbid(unsafe_code)]

use super::{MAX_CREDENTIALS, Malformed, bounded_bytes, verified};
use crate::wire::{BadParams, Params, tables};

/// The opened body of a ResponderAuth or an InitiatorAuth with a signature.
#[derive(Clone, Copy)]
pub(crate) struct AuthView<'a> {
    /// What the sender can take.
    pub(crate) params: Params,
    /// The identity that the sender claims, not yet looked at.
    pub(crate) identity: &'a [u8; 32],
    /// Opaque to the protocol; at most 512 bytes.
    pub(crate) credentials: &'a [u8],
    /// The table: what the signature covers of this body.
    pub(crate) covered: &'a [u8],
    /// Over the transcript, the header and [`Self::covered`].
    pub(crate) signature: &'a [u8; 64],
    /// Over the same and the signature.
    pub(crate) finished: &'a [u8; 32],
}

/// The same in a resumed handshake: both know from before who they are.
#[derive(Clone, Copy)]
pub(crate) struct ResumedAuthView<'a> {
    /// What the sender can take.
    pub(crate) params: Params,
    /// The table.
    pub(crate) covered: &'a [u8],
    /// Over the transcript, the header and [`Self::covered`].
    pub(crate) finished: &'a [u8; 32],
}

/// Why the body of an Auth packet is refused.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub(crate) enum AuthError {
    /// It breaks a rule of its form.
    Malformed,
    /// A parameter is outside its range.
    BadParams,
}

impl<'a> AuthView<'a> {
    /// Takes the whole body of a ResponderAuth, opened, without the tag.
    pub(crate) fn of_responder(body: &'a [u8]) -> Result<Self, AuthError> {
        let trailer = Trailer::split(body)?;
        let auth = verified::<tables::ResponderAuth<'_>>(trailer.table)?;
        Self::new(auth.params(), auth.identity(), auth.credentials(), trailer)
    }

    /// Takes the whole body of an InitiatorAuth, opened, without the tag. A claim in it is passed over (R-4.6-2).
    pub(crate) fn of_initiator(body: &'a [u8]) -> Result<Self, AuthError> {
        let trailer = Trailer::split(body)?;
        let auth = verified::<tables::InitiatorAuth<'_>>(trailer.table)?;
        Self::new(auth.params(), auth.identity(), auth.credentials(), trailer)
    }

    fn new(
        params: tables::Params<'a>,
        identity: Option<&'a tables::Bytes32>,
        credentials: Option<flatbuffers::Vector<'a, u8>>,
        Trailer { table, signature, finished }: Trailer<'a>,
    ) -> Result<Self, AuthError> {
        Ok(Self {
            identity: &identity.ok_or(Malformed)?.0, // R-4.6-1
            credentials: bounded_bytes(credentials, MAX_CREDENTIALS)?,
            params: Params::from_table(params)?,
            covered: table,
            signature,
            finished,
        })
    }
}

impl<'a> ResumedAuthView<'a> {
    /// Takes the whole body of a ResponderAuth, opened, without the tag.
    pub(crate) fn of_responder(body: &'a [u8]) -> Result<Self, AuthError> {
        let (table, finished) = body.split_last_chunk().ok_or(Malformed)?;
        let auth = verified::<tables::ResponderAuth<'_>>(table)?;
        let is_bare = auth.identity().is_none() && auth.credentials().is_none();
        Self::new(auth.params(), is_bare, table, finished)
    }

    /// Takes the whole body of an InitiatorAuth, opened, without the tag. A claim in it is passed over (R-4.6-2).
    pub(crate) fn of_initiator(body: &'a [u8]) -> Result<Self, AuthError> {
        let (table, finished) = body.split_last_chunk().ok_or(Malformed)?;
        let auth = verified::<tables::InitiatorAuth<'_>>(table)?;
        let is_bare = auth.identity().is_none() && auth.credentials().is_none();
        Self::new(auth.params(), is_bare, table, finished)
    }

    /// Another identity than that of the ticket has no place here (R-4.6-3).
    fn new(
        params: tables::Params<'a>,
        is_bare: bool,
        covered: &'a [u8],
        finished: &'a [u8; 32],
    ) -> Result<Self, AuthError> {
        if !is_bare {
            return Err(AuthError::Malformed);
        }
        Ok(Self { params: Params::from_table(params)?, covered, finished })
    }
}

/// `table || signature || finished`, counted from the end (R-3.3-4).
struct Trailer<'a> {
    table: &'a [u8],
    signature: &'a [u8; 64],
    finished: &'a [u8; 32],
}

impl<'a> Trailer<'a> {
    fn split(body: &'a [u8]) -> Result<Self, Malformed> {
        let (signed, finished) = body.split_last_chunk().ok_or(Malformed)?;
        let (table, signature) = signed.split_last_chunk().ok_or(Malformed)?;
        Ok(Self { table, signature, finished })
    }
}

impl From<Malformed> for AuthError {
    fn from(Malformed: Malformed) -> Self {
        Self::Malformed
    }
}

impl From<BadParams> for AuthError {
    fn from(BadParams: BadParams) -> Self {
        Self::BadParams
    }
}
