//! Whether the path carries ECN marks (RFC 9000, section 13.4 and appendix A.4).
//!
//! ```text
//! Testing --all test packets sent--> Unknown --counts are right--> Capable
//!    |                                  |                             |
//!    +----------------------------------+--- counts are wrong, or ----+--> Failed: no marks any more
//!                                            all test packets lost
//! ```

use crate::ecn::{EcnCodepoint, EcnCounts};

/// So many packets are marked before the path has shown that it carries marks.
const TEST_PACKETS: u8 = 10;

/// ECN as the sender on one path sees it.
#[derive(Clone, Debug, Default)]
pub(crate) struct EcnValidation {
    state: State,
    /// Marked packets of the test: sent, and lost.
    tested: u8,
    tested_lost: u8,
    /// What the peer has counted so far.
    counts: EcnCounts,
    /// Marked packets sent: the peer cannot have got more.
    marked: u64,
}

#[derive(Clone, Copy, Debug, Default, PartialEq, Eq)]
enum State {
    #[default]
    Testing,
    Unknown,
    Capable,
    Failed,
}

impl EcnValidation {
    /// What the next packet is marked with.
    pub(crate) const fn codepoint(&self) -> EcnCodepoint {
        match self.state {
            State::Testing | State::Capable => EcnCodepoint::Ect0,
            State::Unknown | State::Failed => EcnCodepoint::NotEct,
        }
    }

    /// Takes note that the next packet is sent; returns what it is marked with.
    pub(crate) fn mark(&mut self) -> EcnCodepoint {
        let codepoint = self.codepoint();
        if codepoint == EcnCodepoint::Ect0 {
            self.marked = self.marked.saturating_add(1);
        }
        if self.state == State::Testing {
            self.tested = self.tested.saturating_add(1);
            if self.tested >= TEST_PACKETS {
                self.state = State::Unknown;
            }
        }
        codepoint
    }

    /// Takes the counts of an acknowledgement, if it has any, which acknowledges `newly_acked` marked packets for the first time.
    /// Whether a router has marked some of them: there is congestion.
    ///
    /// Only an acknowledgement that raises the highest number acknowledged tells the truth here: an older one may have been overtaken.
    pub(crate) fn on_ack(&mut self, counts: Option<EcnCounts>, newly_acked: u64) -> bool {
        if self.state == State::Failed {
            return false;
        }
        let Some(growth) = self.validate(counts, newly_acked) else {
            self.state = State::Failed;
            return false;
        };
        if newly_acked > 0 {
            self.state = State::Capable;
        }
        growth.ce > 0
    }

    /// A marked packet was lost. When all those of the test are, the path may drop what is marked.
    pub(crate) fn on_lost(&mut self) {
        if !matches!(self.state, State::Testing | State::Unknown) {
            return;
        }
        self.tested_lost = self.tested_lost.saturating_add(1);
        if self.tested_lost >= TEST_PACKETS {
            self.state = State::Failed;
        }
    }

    /// Tests anew, on another path. The counts go on: they are of the link.
    pub(crate) const fn restart(&mut self) {
        self.state = State::Testing;
        self.tested = 0;
        self.tested_lost = 0;
    }

    /// Whether marks reach the peer.
    pub(crate) const fn is_capable(&self) -> bool {
        matches!(self.state, State::Capable)
    }

    /// How much the counts have grown; `None` if they cannot be right.
    fn validate(&mut self, counts: Option<EcnCounts>, newly_acked: u64) -> Option<EcnCounts> {
        let Some(counts) = counts else {
            // The path or the peer takes the marks off.
            return (newly_acked == 0).then(EcnCounts::default);
        };
        let growth = counts.since(self.counts)?;
        let is_bleached = growth.ect0.saturating_add(growth.ce) < newly_acked;
        let is_remarked = counts.ect1 > 0 || counts.ect0.saturating_add(counts.ce) > self.marked;
        if is_bleached || is_remarked {
            return None;
        }
        self.counts = counts;
        Some(growth)
    }
}

#[cfg(test)]
mod tests {
    use super::*;

    fn counts(ect0: u64, ect1: u64, ce: u64) -> Option<EcnCounts> {
        Some(EcnCounts { ect0, ect1, ce })
    }

    /// After `sent` packets.
    fn after(sent: u64) -> EcnValidation {
        let mut ecn = EcnValidation::default();
        (0..sent).for_each(|_| {
            ecn.mark();
        });
        ecn
    }

    #[test]
    fn ten_packets_test_the_path() {
        let mut ecn = EcnValidation::default();
        for _ in 0..10 {
            assert_eq!((ecn.codepoint(), ecn.mark()), (EcnCodepoint::Ect0, EcnCodepoint::Ect0));
        }
        assert_eq!(ecn.codepoint(), EcnCodepoint::NotEct, "nothing is known yet");
        assert_eq!(ecn.mark(), EcnCodepoint::NotEct);
        assert!(!ecn.on_ack(counts(2, 0, 0), 2));
        assert!(ecn.is_capable());
        assert_eq!(ecn.mark(), EcnCodepoint::Ect0);
    }

    #[test]
    fn congestion_is_told_when_its_count_grows() {
        let mut ecn = after(10);
        assert!(!ecn.on_ack(counts(4, 0, 0), 4));
        assert!(ecn.on_ack(counts(5, 0, 1), 2));
        assert!(!ecn.on_ack(counts(7, 0, 1), 2), "the same mark again");
        assert!(ecn.on_ack(counts(7, 0, 2), 1));
        assert!(ecn.is_capable());
    }

    /// An acknowledgement that was lost leaves the next one with more than it is the first for.
    #[test]
    fn counts_may_be_ahead_of_what_is_newly_acknowledged() {
        let mut ecn = after(10);
        assert!(!ecn.on_ack(counts(6, 0, 0), 2));
        assert!(ecn.is_capable());
    }

    #[test]
    fn a_path_that_takes_marks_off_gets_none() {
        for wrong in [None, counts(0, 0, 0), counts(1, 0, 0), counts(0, 0, 1)] {
            let mut ecn = after(3);
            assert!(!ecn.on_ack(wrong, 2), "{wrong:?}");
            assert!(!ecn.is_capable());
            assert_eq!(ecn.mark(), EcnCodepoint::NotEct, "{wrong:?}");
            assert!(!ecn.on_ack(counts(3, 0, 3), 3), "that is final");
        }
    }

    #[test]
    fn a_path_that_changes_marks_or_makes_them_up_gets_none() {
        for wrong in [counts(2, 1, 0), counts(4, 0, 0), counts(2, 0, 2), counts(u64::MAX, 0, u64::MAX)] {
            let mut ecn = after(3);
            assert!(!ecn.on_ack(wrong, 2), "{wrong:?}");
            assert_eq!(ecn.mark(), EcnCodepoint::NotEct, "{wrong:?}");
        }
    }

    #[test]
    fn counts_do_not_shrink() {
        for wrong in [counts(3, 0, 1), counts(5, 0, 0)] {
            let mut ecn = after(10);
            assert!(ecn.on_ack(counts(4, 0, 1), 5));
            assert!(!ecn.on_ack(wrong, 0));
            assert!(!ecn.is_capable(), "{wrong:?}");
        }
    }

    #[test]
    fn an_acknowledgement_of_unmarked_packets_proves_nothing() {
        let mut ecn = EcnValidation::default();
        assert!(!ecn.on_ack(None, 0));
        assert!(!ecn.on_ack(counts(0, 0, 0), 0));
        assert!(!ecn.is_capable());
        assert_eq!(ecn.mark(), EcnCodepoint::Ect0);
    }

    #[test]
    fn marks_stop_when_all_that_were_marked_are_lost() {
        let mut ecn = after(10);
        (0..10).for_each(|_| ecn.on_lost());
        assert!(!ecn.on_ack(counts(1, 0, 0), 1));
        assert!(!ecn.is_capable());

        let mut ecn = after(10);
        (0..9).for_each(|_| ecn.on_lost());
        assert!(!ecn.on_ack(counts(1, 0, 0), 1));
        (0..100).for_each(|_| ecn.on_lost());
        assert!(ecn.is_capable(), "losses later on are no sign");
    }

    #[test]
    fn another_path_is_tested_anew() {
        let mut ecn = after(10);
        assert!(ecn.on_ack(counts(4, 0, 1), 5));
        assert!(!ecn.on_ack(None, 1));
        ecn.restart();
        assert_eq!(ecn.mark(), EcnCodepoint::Ect0);
        assert!(!ecn.on_ack(counts(5, 0, 1), 1), "the mark is of the old path");
        assert!(ecn.is_capable());
    }

    #[test]
    fn a_receiver_counts_what_comes() {
        let mut counts = EcnCounts::default();
        counts.count(EcnCodepoint::NotEct);
        assert!(counts.is_zero());
        for codepoint in [EcnCodepoint::Ect0, EcnCodepoint::Ect0, EcnCodepoint::Ce, EcnCodepoint::Ect1] {
            counts.count(codepoint);
        }
        assert_eq!(counts, EcnCounts { ect0: 2, ect1: 1, ce: 1 });
        assert!(!counts.is_zero());
    }
}
