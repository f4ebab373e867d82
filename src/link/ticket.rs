//! Tickets, from both sides: what an initiator keeps of a session to resume it, and what a responder finds in its own ticket
//! (specification, section 10).
#![forbid(unsafe_code)]

use alloc::string::{String, ToString};
use alloc::vec::Vec;
use core::fmt;

use crate::config::{Carrier, ClientConfig, Expect, MAX_APP_PROTOCOL, MAX_REALM, Suite};
use crate::crypto::hash::HASH_LEN;
use crate::crypto::key_schedule::Psk;
use crate::error::TicketError;
use crate::identity::PeerId;
use crate::secret_bytes::SecretBytes;
use crate::wire::packet_parser::MAX_TICKET;

/// What an initiator keeps of a session to begin the next one without signatures: see
/// [`Session::resume`](crate::Session::resume). It comes from the responder ([`Session::take_ticket`](crate::Session::take_ticket)) and
/// is used once.
///
/// **It is a secret**: who has it, and the bytes it came in, can pass for either end in a handshake that resumes the session. It does not
/// open what was sent before.
pub struct Ticket {
    /// Sealed by the responder for itself.
    ticket: Vec<u8>,
    psk: Psk,
    facts: Facts,
}

/// Between whom and about what a session was: it is resumed for the same.
#[derive(Clone, Debug, PartialEq, Eq)]
pub(crate) struct Facts {
    pub(crate) initiator: PeerId,
    pub(crate) responder: PeerId,
    pub(crate) app_protocol: String,
    pub(crate) realm: String,
    pub(crate) suite: Suite,
}

impl Ticket {
    pub(crate) fn new(ticket: Vec<u8>, psk: Psk, facts: Facts) -> Self {
        Self { ticket, psk, facts }
    }

    /// Whose session it resumes: the responder.
    #[must_use]
    pub fn peer(&self) -> PeerId {
        self.facts.responder
    }

    /// As whom it resumes it: the initiator.
    #[must_use]
    pub fn identity(&self) -> PeerId {
        self.facts.initiator
    }

    /// What the applications spoke.
    #[must_use]
    pub fn app_protocol(&self) -> &str {
        &self.facts.app_protocol
    }

    /// In which realm; empty if in none.
    #[must_use]
    pub fn realm(&self) -> &str {
        &self.facts.realm
    }

    /// The ticket as bytes, to be kept as secret as a private key. The format is this library's own, and
    /// [`from_bytes`](Self::from_bytes) reads it:
    ///
    /// ```text
    /// 1 | suite | PSK (32) | initiator (32) | responder (32) | for app_protocol, realm, ticket: length (2, little-endian), bytes
    /// ```
    #[must_use]
    pub fn to_bytes(&self) -> SecretBytes {
        let Facts { initiator, responder, app_protocol, realm, suite } = &self.facts;
        let mut bytes = SecretBytes::with_capacity(MAX_BYTES);
        bytes.extend(&[FORMAT, suite.id()]);
        bytes.extend(self.psk.as_bytes());
        bytes.extend(initiator.as_bytes());
        bytes.extend(responder.as_bytes());
        for part in [app_protocol.as_bytes(), realm.as_bytes(), &self.ticket] {
            bytes.extend(&u16::try_from(part.len()).unwrap_or(u16::MAX).to_le_bytes());
            bytes.extend(part);
        }
        bytes
    }

    /// Reads what [`to_bytes`](Self::to_bytes) gave.
    ///
    /// # Errors
    /// [`TicketError`] for anything else: begin without a ticket.
    pub fn from_bytes(bytes: &[u8]) -> Result<Self, TicketError> {
        let mut reader = Reader(bytes);
        let [format, suite] = *reader.array::<2>()?;
        if format != FORMAT {
            return Err(TicketError);
        }
        let suite = Suite::from_id(suite).ok_or(TicketError)?;
        let psk = Psk::from_bytes(reader.array::<HASH_LEN>()?);
        let initiator = PeerId::from_bytes(*reader.array()?).map_err(|_| TicketError)?;
        let responder = PeerId::from_bytes(*reader.array()?).map_err(|_| TicketError)?;
        let app_protocol = reader.text(MAX_APP_PROTOCOL)?;
        let realm = reader.text(MAX_REALM)?;
        let ticket = reader.part(MAX_TICKET)?.to_vec();
        if !reader.0.is_empty() || ticket.is_empty() || app_protocol.is_empty() {
            return Err(TicketError);
        }
        Ok(Self { ticket, psk, facts: Facts { initiator, responder, app_protocol, realm, suite } })
    }

    /// What the responder made of the session.
    pub(crate) fn sealed(&self) -> &[u8] {
        &self.ticket
    }

    pub(crate) fn psk(&self) -> &Psk {
        &self.psk
    }

    pub(crate) fn suite(&self) -> Suite {
        self.facts.suite
    }

    /// Whether it is for a session such as is asked for (R-10.3-2). The suite has to be one that is offered.
    pub(crate) fn fits(&self, config: &ClientConfig, expect: Expect, carrier: Carrier) -> bool {
        let Facts { initiator, responder, app_protocol, realm, suite } = &self.facts;
        let is_expected = match expect {
            Expect::Pinned(peer) => peer == *responder,
            Expect::Ask => true,
        };
        is_expected
            && config.shared.signer.peer_id() == *initiator
            && config.app_protocol == *app_protocol
            && config.realm == *realm
            && config.shared.suites_on(carrier).contains(suite)
    }
}

impl fmt::Debug for Ticket {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        f.debug_struct("Ticket").field("facts", &self.facts).finish_non_exhaustive()
    }
}

/// What a responder finds in a ticket of its own.
#[derive(Clone, Debug)]
pub(crate) struct OpenedTicket {
    pub(crate) psk: Psk,
    pub(crate) facts: Facts,
    pub(crate) policy_epoch: u64,
}

/// The version of [`Ticket::to_bytes`].
const FORMAT: u8 = 1;
/// The longest that it gives.
const MAX_BYTES: usize = 2 + 3 * 32 + 3 * 2 + MAX_APP_PROTOCOL + MAX_REALM + MAX_TICKET;

/// Bytes that are still to be read.
struct Reader<'a>(&'a [u8]);

impl<'a> Reader<'a> {
    fn array<const N: usize>(&mut self) -> Result<&'a [u8; N], TicketError> {
        let (array, rest) = self.0.split_first_chunk().ok_or(TicketError)?;
        self.0 = rest;
        Ok(array)
    }

    fn part(&mut self, max: usize) -> Result<&'a [u8], TicketError> {
        let len = usize::from(u16::from_le_bytes(*self.array()?));
        let (part, rest) = self.0.split_at_checked(len).filter(|_| len <= max).ok_or(TicketError)?;
        self.0 = rest;
        Ok(part)
    }

    fn text(&mut self, max: usize) -> Result<String, TicketError> {
        core::str::from_utf8(self.part(max)?).map(ToString::to_string).map_err(|_| TicketError)
    }
}

#[cfg(all(test, feature = "rustcrypto"))]
mod tests {
    use super::*;
    use crate::crypto::keygen::IdentityKey;
    use crate::crypto::rustcrypto::RustCrypto;

    fn ticket() -> Ticket {
        let id = |name| IdentityKey::from_seed(&RustCrypto, [name; 32]).unwrap().peer_id();
        let facts = Facts {
            initiator: id(1),
            responder: id(2),
            app_protocol: "chat/1".into(),
            realm: "größer".into(),
            suite: Suite::X25519ChaCha20Poly1305,
        };
        Ticket::new(Vec::from([7; 300]), Psk::from_bytes(&[9; 32]), facts)
    }

    #[test]
    fn a_ticket_reads_as_it_was_written() {
        let bytes = ticket().to_bytes();
        let read = Ticket::from_bytes(&bytes).unwrap();
        assert_eq!((&read.facts, read.sealed(), read.psk().as_bytes()), (&ticket().facts, &[7; 300][..], &[9; 32]));
        assert_eq!(*read.to_bytes(), *bytes);
    }

    #[test]
    fn what_is_no_ticket_is_refused() {
        let bytes = ticket().to_bytes();
        for len in 0..bytes.len() {
            assert_eq!(Ticket::from_bytes(&bytes[..len]).err(), Some(TicketError), "{len} bytes");
        }
        let longer = [&bytes[..], &[0]].concat();
        assert_eq!(Ticket::from_bytes(&longer).err(), Some(TicketError));
        for (at, byte) in [(0, 0), (0, 2), (1, 0), (1, 9), (34, 0xFF), (98, 0xFF), (99, 1)] {
            let mut altered = bytes.to_vec();
            altered[at] = byte;
            let _ = Ticket::from_bytes(&altered); // no panic
        }
        let mut other_format = bytes.to_vec();
        other_format[0] = 2;
        assert_eq!(Ticket::from_bytes(&other_format).err(), Some(TicketError));
    }

    #[test]
    fn debug_shows_no_secret() {
        let shown = alloc::format!("{:?}", ticket());
        assert!(!shown.contains("[9, 9") && !shown.contains("[7, 7") && shown.contains("chat/1"), "{shown}");
    }
}
