//! Messages on the link's own stream: a kind, seven zeros, a table (specification, section 8.11).
#![forbid(unsafe_code)]

use alloc::vec::Vec;

use flatbuffers::FlatBufferBuilder;

use super::packet_parser::{MAX_TICKET, Malformed, verified};
use super::tables::{self, LinkMessageKind as Kind};

/// What comes before the table, so that it is aligned.
const PREFIX: usize = 8;

/// What one end of a link tells the other.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub(crate) enum LinkMessage<'a> {
    /// A ticket to resume this session with, and the nonce of its PSK.
    NewTicket { ticket: &'a [u8], nonce: u64 },
    /// What a later revision says: to be passed over (R-8.11-4).
    Unknown,
}

impl<'a> LinkMessage<'a> {
    /// Takes a whole message (R-8.11-1).
    pub(crate) fn parse(message: &'a [u8]) -> Result<Self, Malformed> {
        let (prefix, table) = message.split_first_chunk::<PREFIX>().ok_or(Malformed)?;
        let [kind, zeros @ ..] = prefix;
        if *zeros != [0; 7] {
            return Err(Malformed);
        }
        match Kind(*kind) {
            Kind::NewTicket => {
                let message = verified::<tables::NewTicket<'_>>(table)?;
                let ticket = message.ticket().bytes();
                let fits = (1..=MAX_TICKET).contains(&ticket.len());
                if fits { Ok(Self::NewTicket { ticket, nonce: message.nonce() }) } else { Err(Malformed) }
            }
            _ => Ok(Self::Unknown),
        }
    }
}

/// The message that gives a ticket.
pub(crate) fn new_ticket(ticket: &[u8], nonce: u64) -> Vec<u8> {
    let mut builder = FlatBufferBuilder::new();
    let args = tables::NewTicketArgs { ticket: Some(builder.create_vector(ticket)), nonce };
    let root = tables::NewTicket::create(&mut builder, &args);
    builder.finish_minimal(root);
    [&[Kind::NewTicket.0, 0, 0, 0, 0, 0, 0, 0], builder.finished_data()].concat()
}

#[cfg(test)]
mod tests {
    use super::*;

    /// R-8.11-1, R-8.11-4.
    #[test]
    fn messages_read_as_they_were_written_and_unknown_ones_are_passed_over() {
        for len in [1, 300, MAX_TICKET] {
            let ticket = alloc::vec![7; len];
            let message = new_ticket(&ticket, 9);
            assert_eq!(LinkMessage::parse(&message), Ok(LinkMessage::NewTicket { ticket: &ticket, nonce: 9 }));
            for cut in 0..8 {
                assert_eq!(LinkMessage::parse(&message[..cut]), Err(Malformed));
            }
        }
        for len in [0, MAX_TICKET + 1] {
            assert_eq!(LinkMessage::parse(&new_ticket(&alloc::vec![7; len], 0)), Err(Malformed), "{len}");
        }
        let mut message = new_ticket(&[7], 0);
        message[7] = 1;
        assert_eq!(LinkMessage::parse(&message), Err(Malformed));
        for kind in (0..=u8::MAX).filter(|kind| *kind != 1) {
            let later = [&[kind, 0, 0, 0, 0, 0, 0, 0], &[0xFF; 20][..]].concat();
            assert_eq!(LinkMessage::parse(&later), Ok(LinkMessage::Unknown));
        }
    }
}
