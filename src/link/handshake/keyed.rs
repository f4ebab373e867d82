//! What both roles have once Hello and Accept have crossed: the keys of epoch 1 and the running transcript.
#![forbid(unsafe_code)]

#[cfg(feature = "hybrid")]
use alloc::vec::Vec;
use core::num::NonZeroU64;

use super::Packet;
use super::transcript::Transcript;
use crate::config::{Carrier, Shared, Suite};
use crate::crypto::aead::PacketKeys;
use crate::crypto::key_exchange::SharedSecret;
use crate::crypto::key_schedule::{
    EarlySecret, Exporter, HandshakeSecret, MasterSecret, ResumptionSecret, TrafficSecret,
};
use crate::event::PeerMisbehaved;
use crate::link::data::{DataKeys, DirectionStart};
use crate::packet::{PacketNumber, protection};
use crate::role::Role;
use crate::wire::{Framing, HEADER_LEN, Header};

/// The ids of a link's two ends.
#[derive(Clone, Copy, Debug)]
pub(super) struct ConnectionIds {
    pub(super) local: NonZeroU64,
    pub(super) peer: NonZeroU64,
}

/// A link after Accept.
pub(super) struct Keyed {
    pub(super) suite: Suite,
    pub(super) ids: ConnectionIds,
    pub(super) transcript: Transcript,
    pub(super) secret: HandshakeSecret,
    /// Epoch 1, by sender.
    #[cfg(feature = "hybrid")]
    pub(super) initiator: TrafficSecret,
    pub(super) responder: TrafficSecret,
    /// Names the link in key logs.
    pub(super) random: [u8; 32],
    /// Whether numbers travel in the headers, masked: on datagram carriers.
    with_mask: bool,
}

impl Keyed {
    /// Derives epoch 1 from the X25519 secret and TH(Hello..Accept), and from the PSK of a session that is resumed.
    pub(super) fn new(
        shared: &Shared,
        suite: Suite,
        ids: ConnectionIds,
        transcript: Transcript,
        (early, agreed): (EarlySecret, SharedSecret),
        random: &[u8; 32],
        carrier: Carrier,
    ) -> Self {
        let secret = early.into_handshake(agreed);
        let hash = transcript.hash();
        let initiator = secret.traffic(Role::Initiator, &hash);
        let responder = secret.traffic(Role::Responder, &hash);
        shared.log_secret("I_HS", random, &initiator);
        shared.log_secret("R_HS", random, &responder);
        Self {
            suite,
            ids,
            transcript,
            secret,
            #[cfg(feature = "hybrid")]
            initiator,
            responder,
            random: *random,
            with_mask: carrier.is_datagram(),
        }
    }

    /// The number of the auth packet in its direction: a hybrid suite has a KEM packet before it.
    pub(super) fn auth_number(&self) -> PacketNumber {
        let behind_kem = PacketNumber::FIRST.next().filter(|_| self.suite.is_hybrid());
        behind_kem.unwrap_or(PacketNumber::FIRST)
    }

    /// The number of the auth packet as it stands in the header that the transcript takes in, and how packets lie on the carrier.
    pub(super) fn auth_place(&self) -> (u64, Framing) {
        place(self.with_mask, self.auth_number())
    }

    /// Seals a packet of one's own in place, its tag's room at its end.
    pub(super) fn seal(&self, shared: &Shared, secret: &TrafficSecret, number: PacketNumber, packet: &mut [u8]) {
        protection::seal(&self.packet_keys(shared, secret), number, packet);
    }

    /// Opens a packet of the peer's in place.
    pub(super) fn open<'a>(
        &self,
        shared: &Shared,
        secret: &TrafficSecret,
        number: PacketNumber,
        packet: Packet<'a>,
    ) -> Result<Opened<'a>, PeerMisbehaved> {
        Opened::open(&self.packet_keys(shared, secret), number, packet)
    }

    fn packet_keys(&self, shared: &Shared, secret: &TrafficSecret) -> PacketKeys {
        PacketKeys::new(shared.provider.as_ref(), self.suite.aead(), secret, self.with_mask)
    }

    /// Absorbs a packet of one's own, seals it and appends it to what is to be sent.
    #[cfg(feature = "hybrid")]
    pub(super) fn send(
        &mut self,
        shared: &Shared,
        sender: Role,
        number: PacketNumber,
        mut packet: Vec<u8>,
        out: &mut Vec<u8>,
    ) {
        self.transcript.absorb_unsealed(&packet);
        self.seal(shared, self.secret_of(sender), number, &mut packet);
        out.append(&mut packet);
    }

    /// The epoch-1 secret of this sender.
    #[cfg(feature = "hybrid")]
    pub(super) fn secret_of(&self, sender: Role) -> &TrafficSecret {
        match sender {
            Role::Initiator => &self.initiator,
            Role::Responder => &self.responder,
        }
    }
}

/// A sealed packet of the peer's, opened: the bytes that the transcript takes in.
pub(super) struct Opened<'a> {
    /// With the packet's number in place, on datagram carriers.
    pub(super) header: [u8; HEADER_LEN],
    pub(super) body: &'a [u8],
}

impl<'a> Opened<'a> {
    /// Opens a packet in place. Every handshake packet has a fixed number: one that claims another is not it (R-5.3-9).
    pub(super) fn open(keys: &PacketKeys, number: PacketNumber, packet: Packet<'a>) -> Result<Self, PeerMisbehaved> {
        let with_mask = keys.has_mask();
        if with_mask && protection::unmask(keys, packet.bytes) != Some(number) {
            return Err(PeerMisbehaved::DoesNotOpen);
        }
        let header = Header { number_field: protection::number_field(with_mask, number), ..packet.header }.to_bytes();
        let body = protection::open(keys, number, packet.bytes).map_err(|_| PeerMisbehaved::DoesNotOpen)?;
        Ok(Self { header, body })
    }
}

/// A link whose last secret stands: only InitiatorAuth is missing.
pub(super) struct Mastered {
    pub(super) suite: Suite,
    pub(super) ids: ConnectionIds,
    pub(super) master: MasterSecret,
    /// Epoch 2, which has InitiatorAuth and nothing else.
    pub(super) initiator: TrafficSecret,
    /// The number of InitiatorAuth, and that of the responder's last handshake packet.
    pub(super) auth_number: PacketNumber,
    random: [u8; 32],
    with_mask: bool,
}

impl Mastered {
    /// Derives epoch 2. `transcript` holds everything before InitiatorAuth.
    pub(super) fn new(shared: &Shared, keyed: Keyed, kem: KemSecret) -> (Self, Transcript) {
        let auth_number = keyed.auth_number();
        let master = kem.mix_into(keyed.secret);
        let initiator = master.initiator_auth(&keyed.transcript.hash());
        shared.log_secret("I_AUTH", &keyed.random, &initiator);
        let mastered = Self {
            suite: keyed.suite,
            ids: keyed.ids,
            master,
            initiator,
            auth_number,
            random: keyed.random,
            with_mask: keyed.with_mask,
        };
        (mastered, keyed.transcript)
    }

    /// The keys of InitiatorAuth.
    pub(super) fn packet_keys(&self, shared: &Shared) -> PacketKeys {
        PacketKeys::new(shared.provider.as_ref(), self.suite.aead(), &self.initiator, self.with_mask)
    }

    /// The number of InitiatorAuth as it stands in the header that the transcript takes in, and how packets lie on the carrier.
    pub(super) fn auth_place(&self) -> (u64, Framing) {
        place(self.with_mask, self.auth_number)
    }

    /// Derives epoch 3, and what else is left of the handshake, from TH(Hello..InitiatorAuth).
    pub(super) fn into_established(
        self,
        shared: &Shared,
        role: Role,
        transcript: &Transcript,
    ) -> (DataKeys, Exporter, ResumptionSecret) {
        let secrets = self.master.into_application(&transcript.hash());
        shared.log_secret("I_AP_3", &self.random, &secrets.initiator);
        shared.log_secret("R_AP_3", &self.random, &secrets.responder);
        shared.log_exporter(&self.random, &secrets.exporter);
        let first_number = self.auth_number.next();
        let start = |secret| DirectionStart {
            keys: PacketKeys::new(shared.provider.as_ref(), self.suite.aead(), secret, self.with_mask),
            first_number,
        };
        let (send, receive) = match role {
            Role::Initiator => (start(&secrets.initiator), start(&secrets.responder)),
            Role::Responder => (start(&secrets.responder), start(&secrets.initiator)),
        };
        let keys = DataKeys::new(self.suite.aead(), self.ids.local, self.ids.peer, send, receive);
        (keys, secrets.exporter, secrets.resumption)
    }
}

/// A number as it stands in a header before masking; keys with a mask are those of a datagram carrier.
fn place(with_mask: bool, number: PacketNumber) -> (u64, Framing) {
    let framing = if with_mask { Framing::Datagram } else { Framing::Stream };
    (protection::number_field(with_mask, number), framing)
}

/// What ML-KEM gave, if the suite is a hybrid one.
pub(super) enum KemSecret {
    None,
    #[cfg(feature = "hybrid")]
    Shared(crate::crypto::key_exchange::KemSharedSecret),
}

impl KemSecret {
    fn mix_into(self, secret: HandshakeSecret) -> MasterSecret {
        match self {
            Self::None => secret.into_master(),
            #[cfg(feature = "hybrid")]
            Self::Shared(shared) => secret.into_master_hybrid(shared),
        }
    }
}
