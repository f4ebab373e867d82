//! Credit: how much either end may have on its way. Limits are absolute and only grow, so that a grant which is repeated, or
//! overtaken by a later one, does no harm.
//!
//! The same two halves count three things: the offsets of a stream, the offsets of all streams together, and streams opened.

#![forbid(unsafe_code)]

use crate::event::ProtocolCode;

/// What this end may spend: the peer's grant.
#[derive(Clone, Copy, Debug, Default)]
pub(super) struct SendCredit {
    spent: u64,
    limit: u64,
}

impl SendCredit {
    pub(super) const fn new(limit: u64) -> Self {
        Self { spent: 0, limit }
    }

    /// How much was spent so far.
    pub(super) const fn spent(self) -> u64 {
        self.spent
    }

    /// What the peer grants in all.
    pub(super) const fn limit(self) -> u64 {
        self.limit
    }

    /// How much may still be spent.
    pub(super) const fn available(self) -> u64 {
        self.limit.saturating_sub(self.spent)
    }

    pub(super) fn spend(&mut self, amount: u64) {
        debug_assert!(amount <= self.available(), "spent more than was granted");
        self.spent = self.spent.saturating_add(amount);
    }

    /// Takes a grant; one that is smaller than an earlier one is out of date (R-8.5-3).
    pub(super) fn raise(&mut self, limit: u64) {
        self.limit = self.limit.max(limit);
    }
}

/// What this end grants, and what became of it: `limit` = consumed + held + still open to the peer.
///
/// Only what the peer has been told counts against it: [`announce`](Self::announce) is called as the grant goes out.
#[derive(Clone, Copy, Debug)]
pub(super) struct RecvCredit {
    window: u64,
    limit: u64,
    received: u64,
    consumed: u64,
}

impl RecvCredit {
    /// Grants `window` from the start, as the parameters of the handshake say.
    pub(super) const fn new(window: u64) -> Self {
        Self { window, limit: window, received: 0, consumed: 0 }
    }

    pub(super) const fn received(self) -> u64 {
        self.received
    }

    #[cfg(any(test, feature = "testing"))]
    pub(super) const fn consumed(self) -> u64 {
        self.consumed
    }

    /// What the peer has been told that it may use, in all.
    pub(super) const fn limit(self) -> u64 {
        self.limit
    }

    /// Received and not yet consumed.
    pub(super) const fn held(self) -> u64 {
        self.received.saturating_sub(self.consumed)
    }

    /// A part of the window that is worth telling the peer about.
    pub(super) const fn quarter(self) -> u64 {
        let quarter = self.window / 4;
        if quarter == 0 { 1 } else { quarter }
    }

    /// Whether the peer may use `amount` more.
    pub(super) const fn allows(self, amount: u64) -> bool {
        match self.received.checked_add(amount) {
            Some(received) => received <= self.limit,
            None => false,
        }
    }

    /// # Errors
    /// `code` if that is more than was granted; nothing is counted then.
    pub(super) const fn check(self, amount: u64, code: ProtocolCode) -> Result<(), ProtocolCode> {
        if self.allows(amount) { Ok(()) } else { Err(code) }
    }

    /// Counts what was received, after [`check`](Self::check).
    pub(super) fn receive(&mut self, amount: u64) {
        debug_assert!(self.allows(amount), "received more than was granted");
        self.received = self.received.saturating_add(amount);
    }

    /// Counts what was held and is gone: room for as much again.
    pub(super) fn consume(&mut self, amount: u64) {
        debug_assert!(amount <= self.held(), "consumed more than was held");
        self.consumed = self.consumed.saturating_add(amount);
        self.debug_conserved();
    }

    /// Whether the peer should hear of a new limit (R-8.5-5): when a quarter of the window can be granted, or when the peer has
    /// used up what it was granted and waits for as little as one.
    pub(super) const fn wants_update(self) -> bool {
        let growth = self.grantable().saturating_sub(self.limit);
        growth >= self.quarter() || (growth > 0 && self.received == self.limit)
    }

    /// The limit to tell the peer, which holds from now on.
    pub(super) fn announce(&mut self) -> u64 {
        self.limit = self.limit.max(self.grantable());
        self.debug_conserved();
        self.limit
    }

    const fn grantable(self) -> u64 {
        self.consumed.saturating_add(self.window)
    }

    /// Credit is neither made nor lost: granted = consumed + held + open, and never more than a window beyond what was consumed.
    fn debug_conserved(self) {
        debug_assert!(self.consumed <= self.received && self.received <= self.limit, "{self:?}");
        debug_assert!(self.limit <= self.grantable(), "{self:?}");
    }
}

#[cfg(test)]
mod tests {
    use super::*;

    /// R-8.5-1, R-8.5-3.
    #[test]
    fn a_grant_is_spent_to_its_last_and_no_further() {
        let mut credit = SendCredit::new(3);
        credit.spend(2);
        assert_eq!((credit.spent(), credit.available()), (2, 1));
        credit.raise(2);
        assert_eq!(credit.limit(), 3, "an older grant takes nothing back");
        credit.raise(5);
        assert_eq!(credit.available(), 3);
    }

    /// R-8.5-1.
    #[test]
    fn more_than_was_announced_is_refused_at_every_border() {
        let credit = RecvCredit::new(10);
        assert_eq!(credit.check(9, ProtocolCode::FlowControl), Ok(()));
        assert_eq!(credit.check(10, ProtocolCode::FlowControl), Ok(()));
        assert_eq!(credit.check(11, ProtocolCode::FlowControl), Err(ProtocolCode::FlowControl));
        assert_eq!(credit.check(u64::MAX, ProtocolCode::FlowControl), Err(ProtocolCode::FlowControl));
    }

    #[test]
    fn room_that_was_not_announced_is_not_granted() {
        let mut credit = RecvCredit::new(10);
        credit.receive(10);
        credit.consume(10);
        assert!(!credit.allows(1));
        assert_eq!(credit.announce(), 20);
        assert!(credit.allows(10) && !credit.allows(11));
    }

    /// R-8.5-5.
    #[test]
    fn a_quarter_of_the_window_is_worth_telling() {
        let mut credit = RecvCredit::new(100);
        credit.receive(50);
        credit.consume(24);
        assert!(!credit.wants_update());
        credit.consume(1);
        assert!(credit.wants_update());
        credit.announce();
        assert!(!credit.wants_update());
    }

    /// R-8.5-5.
    #[test]
    fn a_peer_that_waits_hears_of_a_single_offset() {
        let mut credit = RecvCredit::new(100);
        credit.receive(100);
        assert!(!credit.wants_update(), "nothing to grant");
        credit.consume(1);
        assert!(credit.wants_update());
    }

    #[test]
    fn the_smallest_windows_are_told_at_once() {
        for window in 1..4 {
            let mut credit = RecvCredit::new(window);
            credit.receive(1);
            credit.consume(1);
            assert!(credit.wants_update(), "window {window}");
        }
    }
}
