//! Proving identities: the same for both roles.
//!
//! ```text
//! transcript || header || table ──TH──> signature      (R-6.5-2)
//! ... || signature              ──TH──> finished       (R-6.5-3)
//! ... || finished               ──TH──> what follows
//! ```
#![forbid(unsafe_code)]

use alloc::vec::Vec;
use core::fmt;
use core::num::NonZeroU64;

use super::keyed::Opened;
use super::transcript::Transcript;
use crate::config::{Shared, Signer};
use crate::crypto::key_schedule::TrafficSecret;
use crate::crypto::provider::CryptoProvider;
use crate::crypto::signature::{self, AUTH_MESSAGE_LEN, auth_message};
use crate::error::SignatureRejected;
use crate::event::{CloseReason, PeerMisbehaved};
use crate::identity::PeerId;
use crate::role::Role;
use crate::wire::packet_builder::{Auth, UnsignedAuth};
use crate::wire::packet_parser::{AuthError, AuthView};
use crate::wire::{Framing, Params};

/// This end's auth packet, complete but for its signature.
pub(super) struct PendingAuth {
    packet: UnsignedAuth,
    transcript: Transcript,
    message: [u8; AUTH_MESSAGE_LEN],
}

impl PendingAuth {
    /// Builds the packet of `sender` that follows `transcript`.
    pub(super) fn new(
        shared: &Shared,
        sender: Role,
        receiver: NonZeroU64,
        (number_field, framing): (u64, Framing),
        mut transcript: Transcript,
    ) -> Self {
        let identity = shared.signer.peer_id();
        let auth =
            Auth { params: shared.params(framing), identity: identity.as_bytes(), credentials: &shared.credentials };
        let packet = auth.build(sender, receiver, number_field);
        transcript.absorb(packet.covered());
        let message = auth_message(sender, &transcript.hash());
        Self { packet, transcript, message }
    }

    /// What is to be signed.
    pub(super) fn message(&self) -> &[u8] {
        &self.message
    }

    /// The signature, if the key is at hand.
    pub(super) fn sign(&self, signer: &Signer) -> Option<[u8; 64]> {
        match signer {
            Signer::Key(key) => Some(key.sign(&self.message)),
            Signer::External(_) => None,
        }
    }

    /// Checks a signature that came from an external signer (R-6.6-2): a wrong one would only show at the peer.
    pub(super) fn verify(&self, shared: &Shared, signature: &[u8; 64]) -> Result<(), SignatureRejected> {
        let identity = shared.signer.peer_id();
        signature::verify(shared.provider.as_ref(), &identity, &self.message, signature)
            .map_err(|_| SignatureRejected::Wrong)
    }

    /// The whole packet before sealing, with room for the tag, and the transcript after it.
    pub(super) fn complete(mut self, signature: &[u8; 64], secret: &TrafficSecret) -> (Vec<u8>, Transcript) {
        self.transcript.absorb(signature);
        let finished = secret.finished(&self.transcript.hash());
        self.transcript.absorb(&finished);
        (self.packet.sign(signature).finish(&finished), self.transcript)
    }
}

/// A peer that has proved that it holds its identity's key and has seen this handshake.
///
/// The only way to one is [`VerifiedPeer::verify`], and the only way to an established link is one of these.
pub(crate) struct VerifiedPeer {
    id: PeerId,
    params: Params,
    credentials: Vec<u8>,
}

/// What an auth packet is checked against.
pub(super) struct Expected<'a> {
    /// Who sent it.
    pub(super) sender: Role,
    /// The secret of the `finished` value.
    pub(super) secret: &'a TrafficSecret,
    /// The identity that it must be, if one was pinned.
    pub(super) pin: Option<PeerId>,
}

impl VerifiedPeer {
    /// Checks an opened auth packet that follows `transcript`: MAC, identity, pin, signature, in this order (R-6.2-2, R-6.3-4).
    /// Gives the transcript after it as well.
    pub(super) fn verify(
        provider: &dyn CryptoProvider,
        expected: &Expected<'_>,
        transcript: &Transcript,
        opened: &Opened<'_>,
    ) -> Result<(Self, Transcript), CloseReason> {
        let auth = match expected.sender {
            Role::Initiator => AuthView::of_initiator(opened.body)?,
            Role::Responder => AuthView::of_responder(opened.body)?,
        };
        let mut transcript = transcript.clone();
        transcript.absorb(&opened.header);
        transcript.absorb(auth.covered);
        let signed = transcript.hash();
        transcript.absorb(auth.signature);
        let finished = expected.secret.verify_finished(&transcript.hash(), auth.finished);
        finished.map_err(|_| PeerMisbehaved::BadFinished)?;
        transcript.absorb(auth.finished);

        let id = PeerId::from_bytes(*auth.identity).map_err(|_| PeerMisbehaved::WeakIdentity)?;
        if expected.pin.is_some_and(|pin| pin != id) {
            return Err(CloseReason::WrongPeer(id));
        }
        signature::verify(provider, &id, &auth_message(expected.sender, &signed), auth.signature)
            .map_err(|_| PeerMisbehaved::BadSignature)?;
        Ok((Self { id, params: auth.params, credentials: auth.credentials.to_vec() }, transcript))
    }

    /// Its identity.
    pub(crate) fn id(&self) -> PeerId {
        self.id
    }

    /// What it can take.
    pub(crate) fn params(&self) -> &Params {
        &self.params
    }

    /// What it showed beside its identity.
    pub(crate) fn credentials(&self) -> &[u8] {
        &self.credentials
    }
}

impl fmt::Debug for VerifiedPeer {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        f.debug_struct("VerifiedPeer").field("id", &self.id).finish_non_exhaustive()
    }
}

impl From<AuthError> for CloseReason {
    fn from(error: AuthError) -> Self {
        Self::Misbehaved(match error {
            AuthError::Malformed => PeerMisbehaved::MalformedPacket,
            AuthError::BadParams => PeerMisbehaved::BadParams,
        })
    }
}
