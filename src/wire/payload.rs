//! The plaintext of a Data packet (specification, section 8.1): fragments of streams, controls, or a close; on datagram carriers also
//! acknowledgements and best-effort datagrams.
#![forbid(unsafe_code)]

mod acks;
mod close;
mod control;
mod datagrams;
mod layout;
mod view;
mod writer;

use crate::event::{CloseSource, ProtocolCode};

use super::tables;

pub(crate) use acks::MAX_ACK_RANGES;
pub(crate) use close::write_close;
pub(crate) use control::Control;
pub(crate) use view::PayloadView;
pub(crate) use writer::PayloadWriter;

/// The longest text that comes with a close, in bytes of UTF-8 (R-3.3-5).
pub(crate) const MAX_CLOSE_REASON: usize = 256;

/// A piece of a stream, without its bytes.
#[derive(Clone, Copy, Debug, Default, PartialEq, Eq)]
pub(crate) struct Fragment {
    /// The number of the stream, which may be any.
    pub(crate) stream: u64,
    /// The offset of its first byte or, without bytes, of the end that it marks.
    pub(crate) offset: u64,
    /// The offset after its bytes is the end of a message.
    pub(crate) end_of_message: bool,
    /// Nothing follows on the stream.
    pub(crate) end_of_stream: bool,
    /// The message that begins with its first byte is compressed.
    pub(crate) compressed: bool,
}

/// The sender's last word.
#[derive(Clone, Copy)]
pub(crate) struct Close<'a> {
    /// Whose code it is.
    pub(crate) source: CloseSource,
    /// Why.
    pub(crate) code: u64,
    /// The same for people; at most [`MAX_CLOSE_REASON`] bytes.
    pub(crate) reason: &'a str,
}

/// Why an authentic payload is refused. Each ends the session with a code of its own.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub(crate) enum PayloadError {
    /// It breaks a rule of its own form.
    Malformed,
    /// It has a control that this version does not know (R-8.7-1).
    UnknownControl,
    /// It has a field or a control that is not allowed on this carrier (R-8.1-6).
    Forbidden,
}

impl From<PayloadError> for ProtocolCode {
    fn from(error: PayloadError) -> Self {
        match error {
            PayloadError::Malformed => Self::MalformedPayload,
            PayloadError::UnknownControl => Self::UnknownControl,
            PayloadError::Forbidden => Self::Forbidden,
        }
    }
}

impl Fragment {
    /// `None` if a flag or a reserved bit is set that this version does not know (R-8.1-3), or if there is nothing in the fragment:
    /// neither bytes nor an end (R-8.1-4).
    fn decode(raw: &tables::Fragment) -> Option<Self> {
        let flags = raw.flags();
        let is_known = tables::FragmentFlags::all().contains(flags) && raw.reserved() == 0;
        let ends = tables::FragmentFlags::EndOfMessage | tables::FragmentFlags::EndOfStream;
        let says_something = raw.length() > 0 || flags.intersects(ends);
        (is_known && says_something).then(|| Self {
            stream: raw.stream(),
            offset: raw.offset(),
            end_of_message: flags.contains(tables::FragmentFlags::EndOfMessage),
            end_of_stream: flags.contains(tables::FragmentFlags::EndOfStream),
            compressed: flags.contains(tables::FragmentFlags::Compressed),
        })
    }

    fn encode(&self, length: u16) -> tables::Fragment {
        let mut flags = tables::FragmentFlags::empty();
        flags.set(tables::FragmentFlags::EndOfMessage, self.end_of_message);
        flags.set(tables::FragmentFlags::EndOfStream, self.end_of_stream);
        flags.set(tables::FragmentFlags::Compressed, self.compressed);
        tables::Fragment::new(self.stream, self.offset, length, flags, 0)
    }
}

#[cfg(test)]
mod tests;
