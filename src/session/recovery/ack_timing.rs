//! When an acknowledgement is due (RFC 9000, sections 13.2.1, 13.2.2 and 13.4.1).

use core::time::Duration;

use super::ack_ranges::AckRanges;
use crate::time::Instant;

/// How long an acknowledgement may wait for company, unless agreed otherwise.
#[cfg(test)]
pub(crate) const MAX_ACK_DELAY: Duration = Duration::from_millis(25);

/// So many packets that ask for an acknowledgement get one at once.
const ACK_FREQUENCY: u8 = 2;

/// What decides how soon a packet is acknowledged.
#[derive(Clone, Copy, Debug)]
pub(crate) struct Arrival {
    pub(crate) number: u64,
    /// The packet holds more than acknowledgements, padding or a close.
    pub(crate) ack_eliciting: bool,
    /// The network has marked it: there is congestion.
    pub(crate) congestion_marked: bool,
}

/// The delay of acknowledgements: every second packet at once, a single one after a while, and news of trouble at once (R-8.10-1).
/// Packets that ask for none are no reason for one (R-8.10-2).
///
/// Nothing here grows, and nothing runs while no packet waits.
#[derive(Clone, Debug)]
pub(crate) struct AckTiming {
    max_ack_delay: Duration,
    /// When the packet with the highest number came.
    largest: Option<(u64, Instant)>,
    largest_ack_eliciting: Option<u64>,
    /// Packets that ask for an acknowledgement since one was sent.
    waiting: u8,
    deadline: Option<Instant>,
}

impl AckTiming {
    /// Lets a single packet wait for `max_ack_delay`, which is what the peer was told.
    pub(crate) const fn new(max_ack_delay: Duration) -> Self {
        Self { max_ack_delay, largest: None, largest_ack_eliciting: None, waiting: 0, deadline: None }
    }

    /// Takes note of a packet whose number has just been put into `received` (R-8.10-1).
    pub(crate) fn on_received(&mut self, arrival: Arrival, received: &AckRanges, now: Instant) {
        if self.largest.is_none_or(|(largest, _)| arrival.number > largest) {
            self.largest = Some((arrival.number, now));
        }
        // R-8.10-2: acknowledging what asks for none would have two ends acknowledge each other for ever.
        if !arrival.ack_eliciting {
            return;
        }
        self.waiting = self.waiting.saturating_add(1);
        let at_once = self.waiting >= ACK_FREQUENCY
            || arrival.congestion_marked
            || self.is_out_of_order(arrival.number, received);
        let deadline = if at_once { now } else { now + self.max_ack_delay };
        self.deadline = Some(self.deadline.map_or(deadline, |earlier| earlier.min(deadline)));
        self.largest_ack_eliciting = self.largest_ack_eliciting.max(Some(arrival.number));
    }

    /// When an acknowledgement has to go out; `None` while nothing asks for one.
    pub(crate) const fn deadline(&self) -> Option<Instant> {
        self.deadline
    }

    /// Whether one has to go out now.
    pub(crate) fn is_due(&self, now: Instant) -> bool {
        self.deadline.is_some_and(|deadline| deadline <= now)
    }

    /// Whether one is worth taking along in a packet that is sent anyway.
    pub(crate) const fn is_wanted(&self) -> bool {
        self.deadline.is_some()
    }

    /// How long the packet with the highest number has waited: the peer takes it off its round trip.
    pub(crate) fn ack_delay(&self, now: Instant) -> Duration {
        self.largest.map_or(Duration::ZERO, |(_, received)| now - received)
    }

    /// Takes note that an acknowledgement was sent.
    pub(crate) const fn sent(&mut self) {
        self.waiting = 0;
        self.deadline = None;
    }

    /// Whether a packet is late, or leaves a gap behind: the sender should hear of either soon.
    fn is_out_of_order(&self, number: u64, received: &AckRanges) -> bool {
        let Some(largest) = self.largest_ack_eliciting else {
            return false;
        };
        let run = received.range_of(number).map_or(number, |range| range.first);
        number < largest || run > largest.saturating_add(1)
    }
}

#[cfg(test)]
mod tests {
    use super::*;

    fn at(millis: u64) -> Instant {
        Instant::from_micros(millis * 1_000)
    }

    /// A receiver: ranges and timing together.
    struct Receiver {
        received: AckRanges,
        timing: AckTiming,
    }

    impl Receiver {
        fn new() -> Self {
            Self { received: AckRanges::default(), timing: AckTiming::new(MAX_ACK_DELAY) }
        }

        fn receive(&mut self, number: u64, millis: u64) {
            self.receive_as(Arrival { number, ack_eliciting: true, congestion_marked: false }, millis);
        }

        fn receive_quiet(&mut self, number: u64, millis: u64) {
            self.receive_as(Arrival { number, ack_eliciting: false, congestion_marked: false }, millis);
        }

        fn receive_as(&mut self, arrival: Arrival, millis: u64) {
            self.received.insert(arrival.number);
            self.timing.on_received(arrival, &self.received, at(millis));
        }
    }

    #[test]
    fn a_single_packet_waits_for_the_delay_and_no_longer() {
        let mut receiver = Receiver::new();
        assert_eq!(receiver.timing.deadline(), None);
        receiver.receive(0, 10);
        assert_eq!(receiver.timing.deadline(), Some(at(35)));
        assert!(receiver.timing.is_wanted() && !receiver.timing.is_due(at(34)) && receiver.timing.is_due(at(35)));
        receiver.timing.sent();
        assert!(!receiver.timing.is_wanted() && !receiver.timing.is_due(at(1_000)));
        assert_eq!(receiver.timing.deadline(), None);
    }

    #[test]
    fn every_second_packet_is_acknowledged_at_once() {
        let mut receiver = Receiver::new();
        for pair in 0..4 {
            receiver.receive(2 * pair, 10);
            assert!(!receiver.timing.is_due(at(10)));
            receiver.receive(2 * pair + 1, 10);
            assert!(receiver.timing.is_due(at(10)));
            receiver.timing.sent();
        }
    }

    #[test]
    fn a_gap_and_the_packet_that_fills_it_are_told_at_once() {
        let mut receiver = Receiver::new();
        receiver.receive(0, 0);
        receiver.timing.sent();
        receiver.receive(2, 1);
        assert!(receiver.timing.is_due(at(1)));
        receiver.timing.sent();
        receiver.receive(1, 2);
        assert!(receiver.timing.is_due(at(2)));
        receiver.timing.sent();
        receiver.receive(3, 3);
        assert!(!receiver.timing.is_due(at(3)), "all is in order again");
    }

    #[test]
    fn a_marked_packet_is_told_at_once() {
        let mut receiver = Receiver::new();
        receiver.receive_as(Arrival { number: 0, ack_eliciting: true, congestion_marked: true }, 0);
        assert!(receiver.timing.is_due(at(0)));
    }

    #[test]
    fn what_asks_for_nothing_gets_nothing() {
        let mut receiver = Receiver::new();
        receiver.receive_quiet(0, 0);
        receiver.receive_quiet(7, 0);
        receiver.receive_as(Arrival { number: 5, ack_eliciting: false, congestion_marked: true }, 0);
        assert_eq!(receiver.timing.deadline(), None);
    }

    #[test]
    fn quiet_packets_in_between_are_no_gap() {
        let mut receiver = Receiver::new();
        receiver.receive(0, 0);
        receiver.timing.sent();
        receiver.receive_quiet(1, 0);
        receiver.receive_quiet(2, 0);
        receiver.receive(3, 0);
        assert!(!receiver.timing.is_due(at(0)));
    }

    #[test]
    fn the_first_packet_leaves_no_gap_wherever_the_numbers_start() {
        let mut receiver = Receiver::new();
        receiver.receive(1_000, 0);
        assert!(!receiver.timing.is_due(at(0)));
    }

    #[test]
    fn the_delay_counts_from_the_highest_number() {
        let mut receiver = Receiver::new();
        assert_eq!(receiver.timing.ack_delay(at(9)), Duration::ZERO);
        receiver.receive(5, 10);
        receiver.receive(3, 20);
        assert_eq!(receiver.timing.ack_delay(at(24)), Duration::from_millis(14));
        receiver.receive_quiet(6, 25);
        assert_eq!(receiver.timing.ack_delay(at(26)), Duration::from_millis(1));
        assert_eq!(receiver.timing.ack_delay(at(0)), Duration::ZERO, "a clock that runs backward");
    }

    #[test]
    fn floods_and_extreme_values_do_not_overflow() {
        let mut receiver = Receiver::new();
        for _ in 0..1_000 {
            receiver.receive(u64::MAX, u64::MAX / 1_000);
        }
        assert!(receiver.timing.is_due(at(u64::MAX / 1_000)));
        receiver.receive(0, 0);
        assert!(receiver.timing.is_due(at(0)));
    }
}
