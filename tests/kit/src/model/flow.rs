//! One direction of one stream.

use std::collections::VecDeque;

use aitcp::Received;

/// What one offset stands for.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
enum Symbol {
    Byte(u8),
    EndOfMessage,
}

/// One direction of one stream, as its two applications see it.
#[derive(Clone, Debug, Default)]
pub(super) struct Flow {
    /// Sent and not read.
    symbols: VecDeque<Symbol>,
    /// Bytes of the message that is being sent.
    pub(super) message: u64,
    pub(super) finished: bool,
    pub(super) reset: Option<u64>,
    /// The reader has asked to stop, with this code.
    pub(super) stopped: Option<u64>,
    /// The sender has heard of that.
    pub(super) told_stopped: bool,
    /// The reader has heard of the end or of the reset, or has asked to stop.
    pub(super) is_over: bool,
    /// The sender has heard that all has arrived.
    pub(super) told_finished: bool,
    next_byte: u8,
}

impl Flow {
    /// What to send next: bytes that tell their place.
    pub(super) fn bytes(&self, len: usize) -> Vec<u8> {
        (0..=u8::MAX).cycle().skip(self.next_byte.into()).take(len).collect()
    }

    /// Whether the sender may still send.
    pub(super) fn is_open(&self) -> bool {
        !self.finished && self.reset.is_none()
    }

    /// So many bytes were taken, and perhaps the end of the message.
    pub(super) fn sent(&mut self, len: usize, ended: bool) {
        assert!(self.is_open(), "sent on a side that is closed");
        self.symbols.extend(self.bytes(len).into_iter().map(Symbol::Byte));
        self.next_byte = self.bytes(len + 1)[len];
        self.message += len as u64;
        if ended {
            self.symbols.push_back(Symbol::EndOfMessage);
            self.message = 0;
        }
    }

    /// The reader got this; whether that was anything at all.
    pub(super) fn received(&mut self, bytes: &[u8], received: Received) -> bool {
        assert!(!self.is_over, "read beyond the end");
        for byte in bytes {
            assert_eq!(self.symbols.pop_front(), Some(Symbol::Byte(*byte)), "not what was sent");
        }
        if received.end_of_message {
            assert_eq!(self.symbols.pop_front(), Some(Symbol::EndOfMessage), "a message ends where it did not");
        }
        if received.end_of_stream {
            assert!(self.finished && self.symbols.is_empty(), "the stream ends where it did not");
            self.is_over = true;
        }
        !bytes.is_empty() || received.end_of_message || received.end_of_stream
    }

    /// How much of this flow there is still to do.
    pub(super) fn left(&self) -> usize {
        let news = [self.is_open(), !self.is_over, !self.told_finished, !self.told_stopped];
        self.symbols.len() + news.into_iter().filter(|open| *open).count()
    }

    /// Whether everything that was sent has been read, as far as anybody wanted it.
    pub(super) fn is_settled(&self) -> bool {
        let all_read = self.symbols.is_empty() && self.is_over && self.told_finished;
        !self.is_open() && (all_read || (self.reset.is_some() || self.stopped.is_some()) && self.is_over)
    }
}
