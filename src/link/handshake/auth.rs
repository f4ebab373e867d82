//! Proving identities: the same for both roles. In a resumed handshake the PSK in the secrets stands for the signature (R-10.3-4).
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
use crate::wire::packet_builder::{Auth, Identity, UnsignedAuth};
use crate::wire::packet_parser::{AuthError, AuthView, ResumedAuthView};
use crate::wire::{Framing, Params};

/// This end's auth packet, complete but for its signature.
pub(super) struct PendingAuth {
    packet: UnsignedAuth,
    transcript: Transcript,
    /// What is to be signed.
    message: [u8; AUTH_MESSAGE_LEN],
    is_resumed: bool,
}

/// What completes an auth packet.
pub(super) enum Proof {
    Signature([u8; 64]),
    /// Nothing: that this end has the PSK shows in `finished`.
    Psk,
}

impl PendingAuth {
    /// Builds the packet of `sender` that follows `transcript`.
    pub(super) fn new(
        shared: &Shared,
        sender: Role,
        receiver: NonZeroU64,
        (number_field, framing): (u64, Framing),
        is_resumed: bool,
        mut transcript: Transcript,
    ) -> Self {
        let key = shared.signer.peer_id();
        let identity = Identity { key: key.as_bytes(), credentials: &shared.credentials };
        let auth = Auth { params: shared.params(framing), identity: Some(identity).filter(|_| !is_resumed) };
        let packet = auth.build(sender, receiver, number_field);
        transcript.absorb(packet.covered());
        let message = auth_message(sender, &transcript.hash());
        Self { packet, transcript, message, is_resumed }
    }

    /// What is to be signed.
    pub(super) fn message(&self) -> &[u8] {
        &self.message
    }

    /// The proof, unless an external signer has to be asked for it.
    pub(super) fn prove(&self, signer: &Signer) -> Option<Proof> {
        match signer {
            _ if self.is_resumed => Some(Proof::Psk),
            Signer::Key(key) => Some(Proof::Signature(key.sign(&self.message))),
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
    pub(super) fn complete(mut self, proof: &Proof, secret: &TrafficSecret) -> (Vec<u8>, Transcript) {
        let signature = match proof {
            Proof::Signature(signature) => Some(signature),
            Proof::Psk => None,
        };
        self.transcript.absorb(signature.map_or(&[], |signature| &signature[..]));
        let finished = secret.finished(&self.transcript.hash());
        self.transcript.absorb(&finished);
        (self.packet.sign(signature).finish(&finished), self.transcript)
    }
}

/// A peer that has proved that it holds its identity's key, or what a ticket stands for, and has seen this handshake.
///
/// The only ways to one are [`VerifiedPeer::verify`] and [`VerifiedPeer::verify_resumed`], and the only way to an established link is one
/// of these.
pub(crate) struct VerifiedPeer {
    id: PeerId,
    params: Params,
    credentials: Vec<u8>,
    is_resumed: bool,
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
        let credentials = auth.credentials.to_vec();
        Ok((Self { id, params: auth.params, credentials, is_resumed: false }, transcript))
    }

    /// Checks the opened auth packet of a resumed handshake that follows `transcript`: the secret has the PSK in it, which `id` has and
    /// nobody else but this end (R-10.3-4). Gives the transcript after it as well.
    pub(super) fn verify_resumed(
        id: PeerId,
        expected: &Expected<'_>,
        transcript: &Transcript,
        opened: &Opened<'_>,
    ) -> Result<(Self, Transcript), CloseReason> {
        let auth = match expected.sender {
            Role::Initiator => ResumedAuthView::of_initiator(opened.body)?,
            Role::Responder => ResumedAuthView::of_responder(opened.body)?,
        };
        let mut transcript = transcript.clone();
        transcript.absorb(&opened.header);
        transcript.absorb(auth.covered);
        let finished = expected.secret.verify_finished(&transcript.hash(), auth.finished);
        finished.map_err(|_| PeerMisbehaved::BadFinished)?;
        transcript.absorb(auth.finished);
        if expected.pin.is_some_and(|pin| pin != id) {
            return Err(CloseReason::WrongPeer(id));
        }
        Ok((Self { id, params: auth.params, credentials: Vec::new(), is_resumed: true }, transcript))
    }

    /// Whether a ticket stood for its signature.
    pub(crate) fn is_resumed(&self) -> bool {
        self.is_resumed
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
