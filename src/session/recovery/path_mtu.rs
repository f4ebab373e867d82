//! How large the datagrams are that the path carries (RFC 8899).
//!
//! ```text
//! current                     ceiling
//!    |<--- may pass, unknown --->|            a probe in between, one at a time:
//!    |------->|                               acknowledged: it is the new current size
//!    |                 |<--------|            lost three times: the ceiling is below it
//! ```

use core::time::Duration;

use crate::time::Instant;

/// Every path is taken to carry so many bytes of payload: 1280 of IPv6 without its headers (R-8.10-10).
pub(crate) const BASE_MTU: u16 = 1_232;

/// What many paths carry, after the headers of UDP over IPv6 and IPv4: a tunnel, Ethernet, jumbo frames.
const PLATEAUS: [u16; 5] = [1_392, 1_452, 1_472, 8_952, 8_972];

/// A gain of fewer bytes is not worth a probe.
const MIN_GAIN: u16 = 16;

/// A size is too large when so many probes of it were lost.
const MAX_PROBES: u8 = 3;

/// The search begins anew after so long: the path may be another one.
const RAISE_AFTER: Duration = Duration::from_secs(600);

/// And so long after large packets were swallowed.
const COOL_DOWN: Duration = Duration::from_secs(60);

/// Large packets have to be found lost at so many times, and none acknowledged, to be taken for swallowed.
const BLACK_HOLE_LOSSES: u8 = 3;

/// Path MTU discovery on one path. Sizes are those of datagrams: what UDP carries.
#[derive(Clone, Debug)]
pub(crate) struct PathMtu {
    base: u16,
    max: u16,
    current: u16,
    search: Search,
    black_hole: BlackHole,
}

/// How the search stands.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
enum Search {
    /// A probe may be sent. `lost` of this size were lost.
    Ready { ceiling: u16, size: u16, lost: u8 },
    /// The probe of this number has not been heard of.
    InFlight { ceiling: u16, size: u16, lost: u8, number: u64 },
    /// Nothing larger passes, or not now.
    Rest { until: Instant },
    /// The carrier takes nothing larger.
    Done,
}

/// Signs that large packets are swallowed without a word.
#[derive(Clone, Debug, Default)]
struct BlackHole {
    /// The highest number of a large packet that was acknowledged: none before it says anything by its loss.
    largest_acked: Option<u64>,
    losses: u8,
    last_loss: Option<Instant>,
}

impl PathMtu {
    /// For a carrier that takes datagrams of `max` bytes.
    pub(crate) fn new(max: u16) -> Self {
        let base = max.min(BASE_MTU);
        let mut mtu = Self { base, max, current: base, search: Search::Done, black_hole: BlackHole::default() };
        mtu.search_up_to(max, Instant::ORIGIN);
        mtu
    }

    /// The size that is known to pass (R-8.10-10).
    pub(crate) const fn mtu(&self) -> u16 {
        self.current
    }

    /// The size that any path has to carry.
    pub(crate) const fn base(&self) -> u16 {
        self.base
    }

    /// The size of the probe to send now, if there is one. It may be sent whatever the congestion window says.
    pub(crate) fn probe_due(&self, now: Instant) -> Option<u16> {
        match self.search {
            Search::Ready { size, .. } => Some(size),
            Search::Rest { until } if until <= now => self.next_size(self.max),
            _ => None,
        }
    }

    /// When a probe will be due.
    pub(crate) const fn deadline(&self) -> Option<Instant> {
        match self.search {
            Search::Rest { until } => Some(until),
            _ => None,
        }
    }

    /// Takes note that the probe which was due left as packet `number`.
    pub(crate) fn on_probe_sent(&mut self, number: u64, size: u16) {
        self.search = match self.search {
            Search::Ready { ceiling, lost, .. } => Search::InFlight { ceiling, size, lost, number },
            _ => Search::InFlight { ceiling: self.max, size, lost: 0, number },
        };
    }

    /// A probe has passed, be it late. Whether packets can be larger from now on.
    pub(crate) fn on_probe_acked(&mut self, number: u64, size: u16, now: Instant) -> bool {
        let is_larger = size > self.current && size <= self.max;
        if is_larger {
            self.current = size;
            self.black_hole = BlackHole { largest_acked: Some(number), ..BlackHole::default() };
        }
        match self.search {
            Search::InFlight { ceiling, number: awaited, .. } if awaited == number => self.search_up_to(ceiling, now),
            Search::Ready { ceiling, size, .. } if size <= self.current => self.search_up_to(ceiling, now),
            Search::Rest { .. } if self.current == self.max => self.search = Search::Done,
            _ => {}
        }
        is_larger
    }

    /// A probe was lost: there may be another try, or smaller ones.
    pub(crate) fn on_probe_lost(&mut self, lost_number: u64, now: Instant) {
        match self.search {
            Search::InFlight { ceiling, size, lost, number } if number == lost_number => {
                let lost = lost.saturating_add(1);
                if size <= self.current {
                    // An earlier one of the same size was late.
                    self.search_up_to(ceiling, now);
                } else if lost < MAX_PROBES {
                    self.search = Search::Ready { ceiling, size, lost };
                } else {
                    self.search_up_to(size.saturating_sub(1), now);
                }
            }
            _ => {}
        }
    }

    /// A packet that is not a probe was acknowledged.
    pub(crate) fn on_packet_acked(&mut self, number: u64, size: u16) {
        if size > self.base {
            self.black_hole.losses = 0;
            self.black_hole.largest_acked = self.black_hole.largest_acked.max(Some(number));
        }
    }

    /// A packet that is not a probe was lost. Whether packets have to be smaller from now on.
    pub(crate) fn on_packet_lost(&mut self, number: u64, size: u16, now: Instant) -> bool {
        if size <= self.base || self.current == self.base || !self.black_hole.on_lost(number, now) {
            return false;
        }
        self.current = self.base;
        self.black_hole = BlackHole::default();
        self.search = Search::Rest { until: now + COOL_DOWN };
        true
    }

    /// Looks for what passes between the current size and `ceiling`; if there is nothing to gain, rests.
    fn search_up_to(&mut self, ceiling: u16, now: Instant) {
        self.search = match self.next_size(ceiling) {
            Some(size) => Search::Ready { ceiling, size, lost: 0 },
            None if self.current >= self.max => Search::Done,
            None => Search::Rest { until: now + RAISE_AFTER },
        };
    }

    /// The size to try next: common ones from below, then what the carrier takes, then the middle of what is left.
    fn next_size(&self, ceiling: u16) -> Option<u16> {
        let is_untried = ceiling == self.max;
        if ceiling <= self.current || (!is_untried && ceiling.saturating_sub(self.current) < MIN_GAIN) {
            return None;
        }
        let plateau = PLATEAUS.into_iter().find(|&size| self.current < size && size <= ceiling);
        let middle = self.current.saturating_add(ceiling.saturating_sub(self.current).div_ceil(2));
        Some(plateau.unwrap_or(if is_untried { ceiling } else { middle }))
    }
}

impl BlackHole {
    /// Whether this loss is one too many. Packets lost together count once: a queue that overflows loses many.
    fn on_lost(&mut self, number: u64, now: Instant) -> bool {
        if Some(number) <= self.largest_acked || self.last_loss == Some(now) {
            return false;
        }
        self.last_loss = Some(now);
        self.losses = self.losses.saturating_add(1);
        self.losses >= BLACK_HOLE_LOSSES
    }
}

#[cfg(test)]
mod tests {
    extern crate std;

    use std::vec::Vec;

    use proptest::prelude::*;

    use super::*;

    fn at(seconds: u64) -> Instant {
        Instant::from_micros(seconds * 1_000_000)
    }

    /// Searches over a path that carries `path` bytes; returns the sizes of the probes.
    fn search(mtu: &mut PathMtu, path: u16, now: Instant) -> Vec<u16> {
        let mut probes = Vec::new();
        while let Some(size) = mtu.probe_due(now) {
            let number = probes.len() as u64;
            probes.push(size);
            mtu.on_probe_sent(number, size);
            assert_eq!(mtu.probe_due(now), None, "one at a time");
            if size <= path {
                assert!(mtu.on_probe_acked(number, size, now));
            } else {
                mtu.on_probe_lost(number, now);
            }
        }
        probes
    }

    #[test]
    fn the_search_goes_up_by_plateaus_and_stops_at_what_the_carrier_takes() {
        let mut mtu = PathMtu::new(1_472);
        assert_eq!(mtu.mtu(), 1_232);
        assert_eq!(search(&mut mtu, 9_000, at(0)), [1_392, 1_452, 1_472]);
        assert_eq!((mtu.mtu(), mtu.deadline()), (1_472, None));

        let mut mtu = PathMtu::new(1_300);
        assert_eq!(search(&mut mtu, 9_000, at(0)), [1_300]);
    }

    #[test]
    fn a_carrier_that_takes_no_more_than_the_base_is_not_probed() {
        for max in [1, 512, 1_232] {
            let mtu = PathMtu::new(max);
            assert_eq!((mtu.mtu(), mtu.base()), (max, max));
            assert_eq!((mtu.probe_due(at(9_999)), mtu.deadline()), (None, None));
        }
    }

    #[test]
    fn a_size_is_given_up_after_three_losses_and_the_rest_halved() {
        let mut mtu = PathMtu::new(1_472);
        let probes = search(&mut mtu, 1_420, at(0));
        assert_eq!(probes, [1_392, 1_452, 1_452, 1_452, 1_422, 1_422, 1_422, 1_407]);
        assert_eq!((mtu.mtu(), mtu.deadline()), (1_407, Some(at(600))));
    }

    #[test]
    fn a_probe_that_is_lost_by_chance_is_repeated() {
        let mut mtu = PathMtu::new(1_400);
        mtu.on_probe_sent(1, 1_392);
        mtu.on_probe_lost(7, at(0));
        assert_eq!(mtu.probe_due(at(0)), None, "that was another packet");
        mtu.on_probe_lost(1, at(0));
        assert_eq!(mtu.probe_due(at(0)), Some(1_392));
        mtu.on_probe_sent(2, 1_392);
        assert!(mtu.on_probe_acked(1, 1_392, at(0)), "it was late, not lost");
        assert_eq!(mtu.mtu(), 1_392);
        assert!(!mtu.on_probe_acked(2, 1_392, at(0)));
        assert_eq!(mtu.probe_due(at(0)), Some(1_400), "the search goes on");
    }

    #[test]
    fn a_late_probe_ends_the_tries_of_its_size() {
        let mut mtu = PathMtu::new(1_400);
        mtu.on_probe_sent(1, 1_392);
        mtu.on_probe_lost(1, at(0));
        assert!(mtu.on_probe_acked(1, 1_392, at(0)));
        assert_eq!(mtu.probe_due(at(0)), Some(1_400), "before the second was sent");

        let mut mtu = PathMtu::new(1_400);
        mtu.on_probe_sent(1, 1_392);
        mtu.on_probe_lost(1, at(0));
        mtu.on_probe_sent(2, 1_392);
        assert!(mtu.on_probe_acked(1, 1_392, at(0)));
        mtu.on_probe_lost(2, at(0));
        assert_eq!(mtu.probe_due(at(0)), Some(1_400), "before the second was lost");

        let mut mtu = PathMtu::new(1_240);
        assert_eq!(search(&mut mtu, 1_232, at(0)), [1_240; 3]);
        assert!(mtu.on_probe_acked(2, 1_240, at(0)));
        assert_eq!((mtu.mtu(), mtu.deadline()), (1_240, None), "after the last was given up");
    }

    #[test]
    fn after_ten_minutes_the_path_may_carry_more() {
        let mut mtu = PathMtu::new(1_472);
        search(&mut mtu, 1_300, at(0));
        let found = mtu.mtu();
        assert!((1_280..=1_300).contains(&found), "{found}");
        assert_eq!(mtu.probe_due(at(599)), None);
        assert_eq!(search(&mut mtu, 9_000, at(600)), [1_392, 1_452, 1_472]);
    }

    #[test]
    fn large_packets_that_are_swallowed_shrink_back_to_the_base() {
        let mut mtu = PathMtu::new(1_472);
        search(&mut mtu, 1_472, at(0));
        assert!(!mtu.on_packet_lost(10, 1_472, at(1)) && !mtu.on_packet_lost(11, 1_472, at(1)));
        assert!(!mtu.on_packet_lost(12, 1_472, at(1)), "lost together");
        mtu.on_packet_acked(13, 1_232);
        assert!(!mtu.on_packet_lost(14, 1_472, at(2)) && !mtu.on_packet_lost(15, 1_232, at(3)));
        assert!(mtu.on_packet_lost(16, 1_400, at(3)));
        assert_eq!((mtu.mtu(), mtu.probe_due(at(62)), mtu.deadline()), (1_232, None, Some(at(63))));
        assert!(!mtu.on_packet_lost(17, 1_472, at(4)), "it cannot be smaller");
        assert_eq!(search(&mut mtu, 1_472, at(63)), [1_392, 1_452, 1_472]);
    }

    #[test]
    fn a_large_packet_that_passes_clears_those_before_it() {
        let mut mtu = PathMtu::new(1_472);
        search(&mut mtu, 1_472, at(0));
        for round in 1..100 {
            mtu.on_packet_acked(10 * round, 1_472);
            assert!((1..10).all(|back| !mtu.on_packet_lost(10 * round - back, 1_472, at(round))));
        }
        assert!(!mtu.on_packet_lost(1_001, 1_472, at(200)) && !mtu.on_packet_lost(1_002, 1_472, at(201)));
        mtu.on_packet_acked(1_003, 1_472);
        assert!(!mtu.on_packet_lost(1_004, 1_472, at(202)));
        assert_eq!(mtu.mtu(), 1_472);
    }

    proptest! {
        /// Whatever the path carries is found but for a few bytes, in a bounded number of probes.
        #[test]
        fn the_search_ends_close_to_the_truth(max in any::<u16>(), path in BASE_MTU..) {
            let mut mtu = PathMtu::new(max);
            let probes = search(&mut mtu, path, at(0));
            prop_assert!(probes.len() <= 3 * (16 + PLATEAUS.len()), "{} probes", probes.len());
            let truth = path.min(max);
            prop_assert!(mtu.mtu() <= truth && truth - mtu.mtu() < MIN_GAIN, "{} of {}", mtu.mtu(), truth);
        }
    }
}
