use proptest::prelude::*;

use super::*;

const MTU: u16 = 1_200;

fn acked(bytes: u64, micros: u64, rtt: Duration) -> Acked {
    let now = Instant::from_micros(micros);
    let rtt_micros = rtt.as_micros() as u64;
    let time_sent = Instant::from_micros(micros.saturating_sub(rtt_micros));
    Acked { bytes, time_sent, smoothed_rtt: rtt, rtt_sample: None, is_window_limited: true, now }
}

/// One that has just lost packets at a window of `packets`.
fn reduced(packets: u64) -> Cubic {
    let mut cubic = Cubic::new(MTU);
    cubic.window = packets * u64::from(MTU);
    cubic.on_congestion();
    cubic
}

/// Section 4 of RFC 9438, in floating point and in packets.
struct Reference {
    window: f64,
    max_window: f64,
    prior_window: f64,
    reno_window: f64,
    k: f64,
}

impl Reference {
    fn reduced(packets: f64) -> Self {
        let window = packets * 0.7;
        let k = ((packets - window) / 0.4).cbrt();
        Self { window, max_window: packets, prior_window: packets, reno_window: window, k }
    }

    fn curve(&self, t: f64) -> f64 {
        0.4 * (t - self.k).powi(3) + self.max_window
    }

    fn on_ack(&mut self, packets: f64, t: f64, rtt: f64) {
        let alpha = if self.reno_window < self.prior_window { 3.0 * 0.3 / 1.7 } else { 1.0 };
        self.reno_window += alpha * packets / self.window;
        if self.curve(t) < self.reno_window {
            self.window = self.window.max(self.reno_window);
        } else {
            let target = self.curve(t + rtt).clamp(self.window, 1.5 * self.window);
            self.window += (target - self.window) * packets / self.window;
        }
    }
}

#[test]
fn the_window_doubles_every_round_trip_at_first() {
    let mut cubic = Cubic::new(MTU);
    for window in [12_000, 24_000, 48_000] {
        assert_eq!(cubic.window(), window);
        (0..10).for_each(|_| cubic.on_ack(&acked(window / 10, 0, Duration::ZERO)));
    }
}

#[test]
fn congestion_leaves_seven_tenths_down_to_two_packets() {
    let mut cubic = Cubic::new(MTU);
    for window in [12_000, 8_400, 5_880, 4_116, 2_881, 2_400, 2_400] {
        assert_eq!(cubic.window(), window);
        cubic.on_congestion();
    }
}

#[test]
fn the_plateau_is_where_packets_were_lost_or_lower_if_that_was_not_reached() {
    let mut cubic = reduced(1_000);
    assert_eq!((cubic.window(), cubic.max_window), (840_000, 1_200_000));
    cubic.on_congestion();
    assert_eq!((cubic.window(), cubic.max_window), (588_000, 714_000), "fast convergence");
}

#[test]
fn the_curve_is_that_of_the_rfc() {
    for mtu in [512, 1_200, 1_472, 9_000, u16::MAX] {
        for packets in [10_u64, 100, 1_000, 20_000, 1_000_000] {
            let max_window = packets * u64::from(mtu);
            let curve = Curve::new(mtu, max_window * 7 / 10, max_window);
            let k = (packets as f64 * 0.3 / 0.4).cbrt();
            assert!((curve.time_to_max as f64 / 1e6 - k).abs() < k * 1e-4, "K of {packets}");
            for t in [0.0, 0.1, 0.5, 1.0, 2.0, 5.0, 10.0, 30.0, 100.0] {
                let expected = (0.4 * (t - k).powi(3) + packets as f64).max(0.0) * f64::from(mtu);
                let window = curve.window_at(Duration::from_secs_f64(t)) as f64;
                assert!(
                    (window - expected).abs() < expected * 0.01 + 2.0,
                    "{packets} packets at {t}: {window} {expected}"
                );
            }
        }
    }
}

#[test]
fn windows_grow_as_in_the_rfc() {
    for packets in [10_u64, 50, 200, 1_000, 10_000] {
        for rtt in [0.001, 0.01, 0.05, 0.1, 0.2] {
            let mut cubic = reduced(packets);
            let mut reference = Reference::reduced(packets as f64);
            let mut t = 0.0;
            let start = 1_000_000;
            for _ in 0..50_000 {
                cubic.on_ack(&acked(2_400, start + (t * 1e6) as u64, Duration::from_secs_f64(rtt)));
                reference.on_ack(2.0, t, rtt);
                let window = cubic.window() as f64 / f64::from(MTU);
                let difference = (window - reference.window).abs();
                assert!(difference < 0.01 * reference.window, "{packets} {rtt} {t}: {window} {}", reference.window);
                // The acknowledgements of a window spread over a round trip.
                t += 2.0 * rtt / reference.window;
                if t > 60.0 {
                    break;
                }
            }
        }
    }
}

#[test]
fn the_window_is_back_where_it_was_after_k() {
    let mut cubic = reduced(1_000);
    let k = (1_000.0_f64 * 0.3 / 0.4).cbrt() * 1e6;
    let rtt = 50_000_u64;
    for round in 0..(k as u64 / rtt) {
        let window = cubic.window();
        (0..10).for_each(|_| cubic.on_ack(&acked(window / 10, round * rtt, Duration::from_micros(rtt))));
    }
    let window = cubic.window() as f64;
    assert!((window - 1_200_000.0).abs() < 12_000.0, "{window}");
}

/// On a short path the curve is slower than NewReno, and CUBIC does as that would.
#[test]
fn on_a_short_path_it_is_no_slower_than_new_reno() {
    let mut cubic = reduced(20);
    let rtt = 2_000;
    for round in 0..20 {
        let window = cubic.window();
        (0..window / 1_200).for_each(|_| cubic.on_ack(&acked(1_200, round * rtt, Duration::from_micros(rtt))));
    }
    // 14 packets, and 9/17 of one each in 20 round trips: 24.6, where the slope is 1 from 20 on. The curve has 15 by then.
    assert!(cubic.window() / 1_200 > 24, "{}", cubic.window());
}

#[test]
fn time_without_anything_to_send_does_not_count() {
    let rtt = Duration::from_millis(100);
    let grow = |idle: u64, starved: u64| {
        let mut cubic = reduced(1_000);
        let mut now = 0;
        for round in 0..40 {
            if round == 20 {
                now += idle;
                for _ in 0..10 {
                    now += starved / 10;
                    cubic.on_ack(&Acked { is_window_limited: false, ..acked(1_200, now, rtt) });
                }
            }
            let window = cubic.window();
            (0..10).for_each(|_| cubic.on_ack(&acked(window / 10, now, rtt)));
            now += 100_000;
        }
        cubic.window()
    };
    let busy = grow(0, 0);
    for (idle, starved) in [(60_000_000, 0), (0, 60_000_000), (60_000_000, 60_000_000)] {
        let window = grow(idle, starved);
        assert!(window.abs_diff(busy) < busy / 50, "{window} {busy}");
    }
}

#[test]
fn persistent_congestion_begins_at_the_plateau_of_a_new_curve() {
    let mut cubic = reduced(1_000);
    cubic.on_persistent_congestion();
    assert_eq!((cubic.window(), cubic.is_in_slow_start()), (2_400, true));
    while cubic.is_in_slow_start() {
        cubic.on_ack(&acked(1_200, 0, Duration::ZERO));
    }
    let window = cubic.window();
    cubic.on_ack(&acked(1_200, 0, Duration::ZERO));
    let curve = cubic.epoch.as_ref().unwrap().curve;
    assert_eq!((curve.time_to_max, curve.max_window), (0, window));
}

#[test]
fn cube_roots_are_exact() {
    for root in (0..2_000).chain([1 << 20, 3_000_000_019, (1 << 42) - 1, 6_981_463_658_331]) {
        let cube = u128::from(root) * u128::from(root) * u128::from(root);
        assert_eq!(cube_root(cube), root);
        assert_eq!(cube_root(cube.saturating_sub(1)), root.saturating_sub(1));
    }
    assert_eq!(cube_root(u128::MAX), 6_981_463_658_331);
}

proptest! {
    #[test]
    fn hostile_values_stay_in_bounds(steps in prop::collection::vec((0..9_u8, any::<u64>(), any::<u64>(), any::<u64>()), 0..200)) {
        let mut cubic = Cubic::new(MTU);
        let mut mtu = MTU;
        for (kind, bytes, micros, rtt) in steps {
            match kind {
                0 => cubic.on_congestion(),
                1 => cubic.on_persistent_congestion(),
                2 => {
                    mtu = (bytes as u16).max(1);
                    cubic.on_mtu(mtu);
                }
                _ => {
                    let before = cubic.window();
                    cubic.on_ack(&Acked {
                        bytes: bytes >> (8 * (kind - 2)),
                        time_sent: Instant::from_micros(rtt),
                        smoothed_rtt: Duration::from_micros(rtt),
                        rtt_sample: Some(Duration::from_micros(bytes)),
                        is_window_limited: kind % 2 == 0,
                        now: Instant::from_micros(micros),
                    });
                    prop_assert!(cubic.window() >= before.min(MAX_WINDOW));
                }
            }
            prop_assert!(cubic.window() >= minimum_window(mtu).min(MAX_WINDOW) && cubic.window() <= MAX_WINDOW);
        }
    }
}
