//! The owner of a session, as something that answers when it is asked.
#![forbid(unsafe_code)]

use super::{HandshakeInfo, Phase, Session};
use crate::config::Verdict;
use crate::error::SignatureRejected;
use crate::role::Role;
use crate::time::Instant;

/// Answers what a handshake asks, for drivers that wait for it to be done. `()` refuses to answer anything; a closure from
/// [`HandshakeInfo`] to [`Verdict`] decides on peers.
///
/// The time that an answer takes counts against the [`Timeouts`](crate::Timeouts) of the configuration.
pub trait Owner {
    /// Whether to go on with this peer, which has proved its identity. Asked under [`Expect::Ask`](crate::Expect::Ask) and
    /// [`Admission::Ask`](crate::Admission::Ask).
    fn verdict(&mut self, _peer: &HandshakeInfo) -> Verdict {
        Verdict::Refuse
    }

    /// An Ed25519 signature over exactly these bytes by the identity of [`Signer::External`](crate::Signer::External); `None` gives
    /// the handshake up.
    fn sign(&mut self, _to_sign: &[u8]) -> Option<[u8; 64]> {
        None
    }
}

impl Owner for () {}

impl<F: FnMut(&HandshakeInfo) -> Verdict> Owner for F {
    fn verdict(&mut self, peer: &HandshakeInfo) -> Verdict {
        self(peer)
    }
}

impl Session {
    /// Has `owner` answer what the handshake waits for, if anything: in place of [`Event::PeerIdentified`](crate::Event::PeerIdentified)
    /// with [`decide`](Self::decide), and of [`Event::SignatureWanted`](crate::Event::SignatureWanted) with
    /// [`provide_signature`](Self::provide_signature). Without a signature the session ends, as by [`close`](Self::close). A ticket is passed
    /// over, for want of its keys.
    ///
    /// # Errors
    /// [`SignatureRejected`] as with [`provide_signature`](Self::provide_signature).
    pub fn answer(&mut self, now: Instant, owner: &mut dyn Owner) -> Result<(), SignatureRejected> {
        self.answer_ticket(now, None);
        if let Some(peer) = self.peer_in_question() {
            let verdict = owner.verdict(peer);
            self.decide(now, verdict);
        }
        // Not before: an initiator that accepts the peer is to sign next.
        match self.to_sign().map(|to_sign| owner.sign(to_sign)) {
            Some(Some(signature)) => self.provide_signature(now, &signature),
            Some(None) => {
                self.close(now, 0, "");
                Ok(())
            }
            None => Ok(()),
        }
    }

    /// Whether each end is known to have admitted the other: since [`Event::Established`](crate::Event::Established) at a responder,
    /// and [`Event::Confirmed`](crate::Event::Confirmed) at an initiator. It stays so when the session ends.
    #[must_use]
    pub fn is_confirmed(&self) -> bool {
        match self.role() {
            Role::Initiator => self.news.was_confirmed(),
            Role::Responder => self.news.was_established(),
        }
    }

    /// The peer that waits for a verdict.
    pub(crate) fn peer_in_question(&self) -> Option<&HandshakeInfo> {
        let is_asked = match &self.phase {
            Phase::Handshake(handshake) => handshake.peer_in_question().is_some(),
            Phase::Undecided(_) => true,
            _ => false,
        };
        self.handshake().filter(|_| is_asked)
    }
}
