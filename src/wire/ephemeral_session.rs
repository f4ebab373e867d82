//! What a ticket carries (specification, section 10.1).
#![forbid(unsafe_code)]

use alloc::vec::Vec;

use flatbuffers::FlatBufferBuilder;
use zeroize::{Zeroize, Zeroizing};

use super::packet_parser::{MAX_APP_PROTOCOL, MAX_REALM, Malformed, verified};
use super::tables;

/// A session to resume, as its responder writes it down for itself.
#[derive(Clone, Copy)]
pub(crate) struct EphemeralSession<'a> {
    pub(crate) ticket_id: &'a [u8; 32],
    pub(crate) psk: &'a [u8; 32],
    pub(crate) initiator: &'a [u8; 32],
    pub(crate) responder: &'a [u8; 32],
    pub(crate) realm: &'a str,
    pub(crate) app_protocol: &'a str,
    pub(crate) suite: u8,
    pub(crate) policy_epoch: u64,
}

impl<'a> EphemeralSession<'a> {
    /// Takes the whole plaintext of a ticket.
    pub(crate) fn parse(bytes: &'a [u8]) -> Result<Self, Malformed> {
        let session = verified::<tables::EphemeralSession<'_>>(bytes)?;
        let view = Self {
            ticket_id: &session.ticket_id().0,
            psk: &session.psk().0,
            initiator: &session.initiator().0,
            responder: &session.responder().0,
            realm: session.realm().unwrap_or(""),
            app_protocol: session.app_protocol(),
            suite: session.suite(),
            policy_epoch: session.policy_epoch(),
        };
        let fits = view.realm.len() <= MAX_REALM && view.app_protocol.len() <= MAX_APP_PROTOCOL;
        if fits { Ok(view) } else { Err(Malformed) }
    }

    /// The plaintext of a ticket, which has the PSK in it.
    pub(crate) fn build(&self) -> Zeroizing<Vec<u8>> {
        let mut builder = FlatBufferBuilder::new();
        let args = tables::EphemeralSessionArgs {
            ticket_id: Some(&tables::Bytes32(*self.ticket_id)),
            psk: Some(&tables::Bytes32(*self.psk)),
            initiator: Some(&tables::Bytes32(*self.initiator)),
            responder: Some(&tables::Bytes32(*self.responder)),
            realm: if self.realm.is_empty() { None } else { Some(builder.create_string(self.realm)) },
            app_protocol: Some(builder.create_string(self.app_protocol)),
            suite: self.suite,
            policy_epoch: self.policy_epoch,
        };
        let root = tables::EphemeralSession::create(&mut builder, &args);
        builder.finish_minimal(root);
        let session = Zeroizing::new(builder.finished_data().to_vec());
        let (mut buffer, _) = builder.collapse();
        buffer.zeroize();
        session
    }
}
