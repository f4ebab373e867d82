//! The key schedule (R-5.2-1): from shared secrets and transcript hashes to every key of a link.
//!
//! ```text
//! EarlySecret ──X25519──> HandshakeSecret ──ML-KEM──> MasterSecret ──TH(..InitiatorAuth)──> ApplicationSecrets
//!   "binder"                "i hs" "r hs"              "i auth"                              "i ap" "r ap" "exporter" "resumption"
//! ```
//!
//! Each stage consumes the one before, so a secret is gone once nothing more can come from it.
#![forbid(unsafe_code)]

use core::fmt;

use zeroize::{Zeroize, ZeroizeOnDrop, Zeroizing};

use crate::crypto::hash::{HASH_LEN, MAX_EXPAND_LEN, check_equal, expand, extract, hmac, sha256};
#[cfg(feature = "hybrid")]
use crate::crypto::key_exchange::KemSharedSecret;
use crate::crypto::key_exchange::SharedSecret;
use crate::crypto::provider::{NONCE_LEN, Rejected};
use crate::role::Role;

/// The hash of a transcript up to some point.
pub(crate) type TranscriptHash = [u8; HASH_LEN];

/// What two ends share that were connected before: it stands for their identities (R-10.2-1).
#[derive(Clone, Debug)]
pub(crate) struct Psk(Secret);

impl Psk {
    /// One that was kept.
    pub(crate) fn from_bytes(bytes: &[u8; HASH_LEN]) -> Self {
        Self(Secret(*bytes))
    }

    /// To be kept where nobody else reads it.
    pub(crate) fn as_bytes(&self) -> &[u8; HASH_LEN] {
        &self.0.0
    }
}

/// The secret that a handshake starts from: that of a session to resume, or none.
#[derive(Debug)]
pub(crate) struct EarlySecret(Secret);

impl EarlySecret {
    /// Starts from what both ends have from before.
    pub(crate) fn with_psk(psk: &Psk) -> Self {
        Self(Secret::extract(&ZEROS, psk.as_bytes()))
    }

    /// That the sender of a Hello holds the PSK, from the hash of everything before the binder (R-10.3-1).
    pub(crate) fn binder(&self, hello_hash: &TranscriptHash) -> [u8; HASH_LEN] {
        let base = self.0.derive(Label::Binder, &sha256(&[]));
        let key: Zeroizing<[u8; 32]> = base.expand_label(Label::Finished, &[]);
        hmac(&*key, &[hello_hash])
    }

    /// Checks a binder.
    ///
    /// # Errors
    /// [`Rejected`] if it is not the one for this PSK and Hello.
    pub(crate) fn verify_binder(&self, hello_hash: &TranscriptHash, received: &[u8; HASH_LEN]) -> Result<(), Rejected> {
        check_equal(&self.binder(hello_hash), received)
    }

    /// Starts without a secret known from before.
    pub(crate) fn without_psk() -> Self {
        Self(Secret::extract(&ZEROS, &ZEROS))
    }

    /// Mixes in the X25519 shared secret.
    pub(crate) fn into_handshake(self, shared: SharedSecret) -> HandshakeSecret {
        HandshakeSecret(Secret::extract(&self.0.derived(), shared.as_bytes()))
    }
}

/// The secret of epoch 1: it protects whatever comes after Accept.
#[derive(Debug)]
pub(crate) struct HandshakeSecret(Secret);

impl HandshakeSecret {
    /// The secret of `sender` in epoch 1, from TH(Hello..Accept).
    pub(crate) fn traffic(&self, sender: Role, transcript_hash: &TranscriptHash) -> TrafficSecret {
        let label = match sender {
            Role::Initiator => Label::InitiatorHandshake,
            Role::Responder => Label::ResponderHandshake,
        };
        TrafficSecret(self.0.derive(label, transcript_hash))
    }

    /// Mixes in the ML-KEM shared secret of a hybrid suite.
    #[cfg(feature = "hybrid")]
    pub(crate) fn into_master_hybrid(self, shared: KemSharedSecret) -> MasterSecret {
        MasterSecret(Secret::extract(&self.0.derived(), shared.as_bytes()))
    }

    /// Goes on without ML-KEM.
    pub(crate) fn into_master(self) -> MasterSecret {
        MasterSecret(Secret::extract(&self.0.derived(), &ZEROS))
    }
}

/// The secret that has everything in it: it protects InitiatorAuth and gives the session's keys.
#[derive(Debug)]
pub(crate) struct MasterSecret(Secret);

impl MasterSecret {
    /// The initiator's secret of epoch 2, from the hash of all packets before InitiatorAuth.
    pub(crate) fn initiator_auth(&self, transcript_hash: &TranscriptHash) -> TrafficSecret {
        TrafficSecret(self.0.derive(Label::InitiatorAuth, transcript_hash))
    }

    /// What the finished handshake leaves, from TH(Hello..InitiatorAuth).
    pub(crate) fn into_application(self, transcript_hash: &TranscriptHash) -> ApplicationSecrets {
        let derive = |label| self.0.derive(label, transcript_hash);
        ApplicationSecrets {
            initiator: TrafficSecret(derive(Label::InitiatorApplication)),
            responder: TrafficSecret(derive(Label::ResponderApplication)),
            exporter: Exporter(derive(Label::Exporter)),
            resumption: ResumptionSecret(derive(Label::Resumption)),
        }
    }
}

/// The secrets of a finished handshake.
#[derive(Debug)]
pub(crate) struct ApplicationSecrets {
    /// For epoch 3, from the initiator to the responder.
    pub(crate) initiator: TrafficSecret,
    /// For epoch 3, from the responder to the initiator.
    pub(crate) responder: TrafficSecret,
    /// For keys that the application asks for.
    pub(crate) exporter: Exporter,
    /// For the PSKs of tickets.
    pub(crate) resumption: ResumptionSecret,
}

/// What the PSKs of a link's tickets come from.
#[derive(Debug)]
pub(crate) struct ResumptionSecret(Secret);

impl ResumptionSecret {
    /// The PSK of the ticket with this nonce (R-10.2-1). Each ticket of a link has its own.
    pub(crate) fn psk(&self, nonce: u64) -> Psk {
        Psk(Secret(*self.0.expand_label(Label::Ticket, &nonce.to_le_bytes())))
    }
}

/// The secret of one sender in one epoch, and what is made from it (R-5.2-3).
#[derive(Debug)]
pub(crate) struct TrafficSecret(Secret);

impl TrafficSecret {
    #[cfg(test)]
    pub(crate) fn from_bytes(bytes: [u8; HASH_LEN]) -> Self {
        Self(Secret(bytes))
    }

    /// The key of the packet cipher.
    pub(crate) fn key(&self) -> Zeroizing<[u8; 32]> {
        self.0.expand_label(Label::Key, &[])
    }

    /// What packet numbers are XORed into to give nonces.
    pub(crate) fn iv(&self) -> Zeroizing<[u8; NONCE_LEN]> {
        self.0.expand_label(Label::Iv, &[])
    }

    /// The key of the header mask.
    pub(crate) fn header_key(&self) -> Zeroizing<[u8; 32]> {
        self.0.expand_label(Label::HeaderKey, &[])
    }

    /// The sender's `finished` value: that it holds this secret and has seen this transcript (R-5.2-4).
    pub(crate) fn finished(&self, transcript_hash: &TranscriptHash) -> [u8; HASH_LEN] {
        let key: Zeroizing<[u8; 32]> = self.0.expand_label(Label::Finished, &[]);
        hmac(&*key, &[transcript_hash])
    }

    /// Checks the `finished` value that the sender of this secret has sent.
    ///
    /// # Errors
    /// [`Rejected`] if it is not the one for this secret and transcript.
    pub(crate) fn verify_finished(
        &self,
        transcript_hash: &TranscriptHash,
        received: &[u8; HASH_LEN],
    ) -> Result<(), Rejected> {
        check_equal(&self.finished(transcript_hash), received)
    }

    /// The secret itself, for key logs.
    #[cfg(feature = "keylog")]
    pub(crate) fn as_bytes(&self) -> &[u8; HASH_LEN] {
        &self.0.0
    }
}

/// Makes keying material for the application (specification, section 9.6; the shape of RFC 8446, section 7.5).
#[derive(Debug)]
pub(crate) struct Exporter(Secret);

impl Exporter {
    /// The longest label, in bytes.
    pub(crate) const MAX_LABEL: usize = 200;

    /// Fills `out` with what this session gives for `label` and `context`; the peer gets the same.
    ///
    /// # Errors
    /// [`TooLong`] if `label` is longer than [`Self::MAX_LABEL`] or `out` than HKDF can fill. `out` is as it was.
    pub(crate) fn export(&self, label: &[u8], context: &[u8], out: &mut [u8]) -> Result<(), TooLong> {
        if label.len() > Self::MAX_LABEL || out.len() > MAX_EXPAND_LEN {
            return Err(TooLong);
        }
        let mut secret = Secret([0; HASH_LEN]);
        expand_label(&self.0.0, label, &sha256(&[]), &mut secret.0);
        expand_label(&secret.0, Label::Exporter.text().as_bytes(), &sha256(context), out);
        Ok(())
    }
}

impl Exporter {
    /// The secret itself, for key logs.
    #[cfg(feature = "keylog")]
    pub(crate) fn as_bytes(&self) -> &[u8; HASH_LEN] {
        &self.0.0
    }
}

/// A label or an output is longer than HKDF-Expand-Label takes.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub(crate) struct TooLong;

/// Thirty-two secret bytes, wiped when dropped and never shown.
#[derive(Clone, Zeroize, ZeroizeOnDrop)]
struct Secret([u8; HASH_LEN]);

impl Secret {
    /// HKDF-Extract.
    fn extract(salt: &[u8; HASH_LEN], input: &[u8; 32]) -> Self {
        Self(*extract(salt, input))
    }

    /// Derive-Secret(self, label, transcript).
    fn derive(&self, label: Label, transcript_hash: &TranscriptHash) -> Self {
        Self(*self.expand_label(label, transcript_hash))
    }

    /// The salt of the next stage.
    fn derived(&self) -> Zeroizing<[u8; HASH_LEN]> {
        self.expand_label(Label::Derived, &sha256(&[]))
    }

    fn expand_label<const N: usize>(&self, label: Label, context: &[u8]) -> Zeroizing<[u8; N]> {
        const { assert!(N <= MAX_EXPAND_LEN) };
        let mut out = Zeroizing::new([0; N]);
        expand_label(&self.0, label.text().as_bytes(), context, &mut *out);
        out
    }
}

impl fmt::Debug for Secret {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        f.write_str("Secret(..)")
    }
}

const ZEROS: [u8; HASH_LEN] = [0; HASH_LEN];

/// Every label in use (R-5.2-2). What each protects is in the specification's table.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
enum Label {
    Binder,
    Derived,
    InitiatorHandshake,
    ResponderHandshake,
    InitiatorAuth,
    InitiatorApplication,
    ResponderApplication,
    Exporter,
    Resumption,
    Ticket,
    Key,
    Iv,
    HeaderKey,
    Finished,
}

impl Label {
    const fn text(self) -> &'static str {
        match self {
            Self::Binder => "binder",
            Self::Derived => "derived",
            Self::InitiatorHandshake => "i hs",
            Self::ResponderHandshake => "r hs",
            Self::InitiatorAuth => "i auth",
            Self::InitiatorApplication => "i ap",
            Self::ResponderApplication => "r ap",
            Self::Exporter => "exporter",
            Self::Resumption => "resumption",
            Self::Ticket => "ticket",
            Self::Key => "key",
            Self::Iv => "iv",
            Self::HeaderKey => "hp",
            Self::Finished => "finished",
        }
    }
}

/// What every label begins with on its way into the hash.
const LABEL_PREFIX: &[u8] = b"aitcp1 ";

/// HKDF-Expand-Label (RFC 8446, section 7.1) with this protocol's prefix. `label` has at most [`Exporter::MAX_LABEL`] bytes and
/// `context` is a hash or empty, so neither length can overflow its byte; `out` has at most [`MAX_EXPAND_LEN`].
fn expand_label(secret: &[u8; HASH_LEN], label: &[u8], context: &[u8], out: &mut [u8]) {
    let [.., high, low] = out.len().to_be_bytes();
    let label_len = LABEL_PREFIX.len().saturating_add(label.len()).to_le_bytes()[0];
    let context_len = context.len().to_le_bytes()[0];
    expand(secret, &[&[high, low, label_len], LABEL_PREFIX, label, &[context_len], context], out);
}

#[cfg(test)]
mod tests {
    extern crate std;

    use hex_literal::hex;

    use super::*;

    fn handshake() -> HandshakeSecret {
        EarlySecret::without_psk().into_handshake(SharedSecret::from_bytes([1; 32]))
    }

    /// The values come from the specification's formulas over another language's HMAC. R-5.2-1, R-5.2-2, R-5.2-3, R-5.2-4, R-9.6-1.
    #[test]
    fn the_schedule_is_as_specified() {
        let handshake = handshake();
        let responder = handshake.traffic(Role::Responder, &[0xA1; 32]);
        assert_eq!(responder.0.0, hex!("4bcd9c3251029a9a05a039df139b333eb4df2fd33a9515e35b72b09425be6b25"));
        let initiator = handshake.traffic(Role::Initiator, &[0xA1; 32]);
        assert_eq!(initiator.0.0, hex!("c51b276fb39e02966a85e74977ad2820205a20a20e5f9b68fbaf4d34e3545243"));

        assert_eq!(*responder.key(), hex!("89f8d79a731377a5bf3a3468c29407bd229928192535e1adc1fef67ec0c27734"));
        assert_eq!(*responder.iv(), hex!("e26bb30493eb20408b2b0e16"));
        assert_eq!(*responder.header_key(), hex!("cd0c60d2370fd9839f58116de7ceb4a6a527cf1090822e773c4989c49b4f7e76"));
        let finished = hex!("b88ed4493929099b97b915af4e2b8a9853901e656cb67caceb5331c181da1a51");
        assert_eq!(responder.finished(&[0xA4; 32]), finished);

        let master = handshake.into_master();
        let auth = master.initiator_auth(&[0xA2; 32]);
        assert_eq!(auth.0.0, hex!("f269c6c9fad5bbad75bb3f4bfe0129ac014fcf0a1a0f3d7fa4a4b2e23562c35e"));
        let application = master.into_application(&[0xA3; 32]);
        let initiator = hex!("cb4448ff284a476300ca34dd148942faab9bb46958783c5a32e24b04c5f2c4ad");
        let responder = hex!("93577e90f3b75f564371231c3efe726f754575a33b78bcca4d39c7a360b3b72b");
        assert_eq!(application.initiator.0.0, initiator);
        assert_eq!(application.responder.0.0, responder);
        let mut exported = [0; 50];
        application.exporter.export(b"test", b"context", &mut exported).unwrap();
        let expected = hex!(
            "9d689e3db1894c2031f4f4310eea5c27a5153bef5ca9a2721bae7265573e015f"
            "458a96f396e8c9ca5f73cfff0dd5711178f3"
        );
        assert_eq!(exported, expected);
    }

    /// R-5.2-1.
    #[cfg(feature = "hybrid")]
    #[test]
    fn the_hybrid_schedule_is_as_specified() {
        let master = handshake().into_master_hybrid(KemSharedSecret::from_bytes([2; 32]));
        let auth = master.initiator_auth(&[0xA2; 32]);
        assert_eq!(auth.0.0, hex!("ba5a12442abd1caafc84a4e1329b728113b3643101d1e02f4c18a14fa5397687"));
        let application = master.into_application(&[0xA3; 32]);
        let initiator = hex!("eb2f5bf4eaefb70c44f80d2ce4550e0fd057e1770035c16c9aa0dd1c64bf63be");
        assert_eq!(application.initiator.0.0, initiator);
    }

    /// R-5.2-4.
    #[test]
    fn finished_is_bound_to_the_secret_and_to_the_transcript() {
        let handshake = handshake();
        let responder = handshake.traffic(Role::Responder, &[1; 32]);
        let initiator = handshake.traffic(Role::Initiator, &[1; 32]);
        let finished = responder.finished(&[2; 32]);
        assert_eq!(responder.verify_finished(&[2; 32], &finished), Ok(()));
        assert_eq!(responder.verify_finished(&[3; 32], &finished), Err(Rejected));
        assert_eq!(initiator.verify_finished(&[2; 32], &finished), Err(Rejected));
        for bit in 0..256 {
            let mut flipped = finished;
            flipped[bit / 8] ^= 1 << (bit % 8);
            assert_eq!(responder.verify_finished(&[2; 32], &flipped), Err(Rejected));
        }
    }

    #[test]
    fn an_exporter_separates_labels_and_contexts_and_refuses_what_is_too_long() {
        let exporter = handshake().into_master().into_application(&[0; 32]).exporter;
        let export = |label: &[u8], context: &[u8]| {
            let mut out = [0; 32];
            exporter.export(label, context, &mut out).map(|()| out)
        };
        let one = export(b"label", b"context").unwrap();
        assert_ne!(one, export(b"labelc", b"ontext").unwrap());
        assert_ne!(one, export(b"label", b"").unwrap());

        let longest = [b'x'; Exporter::MAX_LABEL];
        assert!(export(&longest, b"").is_ok());
        assert_eq!(export(&[b'x'; Exporter::MAX_LABEL + 1], b""), Err(TooLong));
        let mut out = std::vec![7; MAX_EXPAND_LEN + 1];
        assert_eq!(exporter.export(b"", b"", &mut out), Err(TooLong));
        assert!(out.iter().all(|byte| *byte == 7));
        assert_eq!(exporter.export(b"", b"", &mut out[1..]), Ok(()));
    }

    #[test]
    fn labels_are_pairwise_distinct_reserved_ones_included() {
        use Label::*;
        let used = [
            Binder,
            Derived,
            InitiatorHandshake,
            ResponderHandshake,
            InitiatorAuth,
            InitiatorApplication,
            ResponderApplication,
            Exporter,
            Resumption,
            Ticket,
            Key,
            Iv,
            HeaderKey,
            Finished,
        ]
        .map(Label::text);
        let reserved = ["early i", "root", "session id", "continuity"];
        let mut all: std::vec::Vec<_> = used.into_iter().chain(reserved).collect();
        all.sort_unstable();
        let count = all.len();
        all.dedup();
        assert_eq!(all.len(), count);
        assert!(all.iter().all(|label| label.len() <= super::Exporter::MAX_LABEL));
    }

    #[test]
    fn secrets_wipe_themselves_and_debug_shows_nothing() {
        fn wiped_when_dropped<T: ZeroizeOnDrop>(_: &T) {}
        let handshake = handshake();
        wiped_when_dropped(&handshake.0);
        assert_eq!(std::format!("{handshake:?}"), "HandshakeSecret(Secret(..))");
        let application = handshake.into_master().into_application(&[0; 32]);
        let shown = std::format!("{application:?}");
        assert_eq!(shown.matches("Secret(..)").count(), 4, "{shown}");
        assert!(!shown.contains(|c: char| c.is_ascii_digit()), "{shown}");
    }
}
