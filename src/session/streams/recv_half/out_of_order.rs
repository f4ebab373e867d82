//! Fragments on carriers that do not keep the order (R-8.3-8): each is kept where it belongs, and what a message may be is judged
//! as gaps are closed.

#![forbid(unsafe_code)]

use super::{BlockPool, Fragment, MAX_PLAIN, News, RecvHalf, Rules, State};
use crate::event::ProtocolCode;

impl RecvHalf {
    /// Whether a fragment does anything but continue what is complete so far, or nothing is complete because nothing is kept.
    pub(super) fn is_out_of_order(&self, fragment: &Fragment) -> bool {
        self.is_stopped() || self.credit.received() != self.ring.end() || fragment.offset > self.ring.end()
    }

    /// Judges such a fragment, as far as can be told before the gaps in front of it are closed.
    ///
    /// # Errors
    /// The rule that it breaks.
    pub(super) fn check_out_of_order(
        &self,
        pool: &BlockPool,
        fragment: &Fragment,
        len: usize,
        growth: u64,
    ) -> Result<News, ProtocolCode> {
        if fragment.end_of_stream && len > 0 && !fragment.end_of_message {
            return Err(ProtocolCode::StreamState); // R-8.3-2
        }
        let end_of_stream = fragment.end_of_stream && self.final_offset.is_none();
        if self.is_stopped() {
            return Ok(News { growth, end_of_stream, out_of_order: growth > 0, ..News::default() });
        }
        let begins_here = fragment.compressed && fragment.offset == self.ring.end();
        if fragment.compressed && (len == 0 || (begins_here && self.message > 0)) {
            return Err(ProtocolCode::Forbidden); // R-8.9-1
        }
        if self.ring.contradicts(pool, fragment.offset, len, fragment.compressed) {
            return Err(ProtocolCode::Forbidden); // R-8.9-1
        }
        let end = fragment.offset.saturating_add(len as u64).saturating_add(fragment.end_of_message.into());
        let out_of_order = end > self.ring.end() || end_of_stream;
        Ok(News { growth, end_of_stream, packed: fragment.compressed, out_of_order, ..News::default() })
    }

    /// Takes such a fragment in. Returns how many offsets were dropped because the application wants no more.
    ///
    /// # Errors
    /// What the messages break that are whole now, or begun.
    pub(super) fn accept_out_of_order(
        &mut self,
        pool: &mut BlockPool,
        fragment: &Fragment,
        news: News,
        data: &[u8],
        rules: Rules,
    ) -> Result<u64, ProtocolCode> {
        if self.is_stopped() {
            self.credit.consume(news.growth);
            if news.end_of_stream {
                self.state = State::Done;
            }
            return Ok(news.growth);
        }
        if news.packed && fragment.offset == self.ring.end() {
            self.message_packed = true;
            if self.ring.is_empty() {
                self.front_packed = Some(0);
            }
        }
        self.ring.put(pool, fragment.offset, data, fragment.end_of_message, news.packed);
        self.join(pool, rules)?;
        self.debug_conserved();
        Ok(0)
    }

    /// Takes over what is complete now, and judges it (R-8.3-2, R-8.3-6, R-8.9-4).
    fn join(&mut self, pool: &BlockPool, rules: Rules) -> Result<(), ProtocolCode> {
        while let Some(joined) = self.ring.join(pool) {
            self.message = self.message.saturating_add(joined.len);
            if self.message > rules.max_message {
                return Err(ProtocolCode::MessageTooLarge);
            }
            if self.message_packed && self.message > MAX_PLAIN as u64 {
                return Err(ProtocolCode::Compression);
            }
            if joined.end_of_message {
                self.message = 0;
                self.message_packed = joined.then_packed;
            }
        }
        if self.final_offset == Some(self.ring.end()) {
            if self.message > 0 {
                return Err(ProtocolCode::StreamState);
            }
            self.state = State::Ended;
        }
        Ok(())
    }
}
