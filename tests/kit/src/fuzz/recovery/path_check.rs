//! The validation of a path, and how much may go there meanwhile.

use std::time::Duration;

use aitcp::Instant;
use aitcp::testing::recovery::PathCheck;

use crate::fuzz::input::Input;

/// Unanswered challenges to one path.
const MAX_CHALLENGES: usize = 3;

/// The choice: how long a probe timeout is.
pub(super) fn run(choice: u8, input: &mut Input<'_>) {
    let pto = Duration::from_micros(1_000 << (choice & 0xF));
    let now = Instant::ORIGIN;
    let path = PathCheck::new(pto, now);
    let fails_at = now + pto * 3;
    let mut driver = Driver { path, pto, fails_at, now, asked: Vec::new(), is_shown: false, received: 0, sent: 0 };
    while !input.is_empty() {
        driver.step(input);
        driver.check();
    }
}

struct Driver {
    path: PathCheck,
    pto: Duration,
    fails_at: Instant,
    now: Instant,
    /// Challenges that were sent, and when.
    asked: Vec<([u8; 8], Instant)>,
    is_shown: bool,
    received: u64,
    sent: u64,
}

impl Driver {
    /// One operation: something comes, something is sent, a challenge, a response, or time.
    fn step(&mut self, input: &mut Input<'_>) {
        let op = input.byte();
        match op {
            0..=0x1F => {
                let bytes = input.number();
                self.path.on_received(bytes);
                self.received = self.received.saturating_add(bytes);
            }
            0x20..=0x5F => {
                let bytes = input.number().min(self.path.available());
                self.path.on_sent(bytes);
                self.sent = self.sent.saturating_add(bytes);
            }
            0x60..=0x8F => self.challenge(),
            0x90..=0xAF => self.respond(self.asked.get(usize::from(op & 7)).map_or([op; 8], |(data, _)| *data)),
            0xB0..=0xBF => self.respond(input.number().to_le_bytes()),
            _ => self.now = self.now + Duration::from_micros(1 << (op & 0x1F)),
        }
    }

    fn challenge(&mut self) {
        let is_open = !self.is_shown && self.now < self.fails_at;
        let is_time = self.asked.last().is_none_or(|(_, at)| *at + self.pto <= self.now);
        let is_due = is_open && is_time && self.asked.len() < MAX_CHALLENGES;
        assert_eq!(self.path.is_challenge_due(self.now), is_due, "whether to ask");
        if is_due {
            let data = (self.asked.len() as u64 + 1).wrapping_mul(0x0101_0203_0507_0B0D).to_le_bytes();
            self.path.on_challenge_sent(data, self.now);
            self.asked.push((data, self.now));
            assert!(!self.path.is_challenge_due(self.now), "asked twice");
        }
    }

    fn respond(&mut self, data: [u8; 8]) {
        let was_asked = self.asked.iter().any(|(asked, _)| *asked == data);
        let shows = was_asked && !self.is_shown && self.now < self.fails_at;
        assert_eq!(self.path.on_response(data, self.now), shows, "whether the peer has shown that it is there");
        self.is_shown |= shows;
    }

    fn check(&self) {
        let available = self.path.available();
        if self.is_shown {
            assert_eq!((available, self.path.deadlines()), (u64::MAX, Vec::new()));
        } else {
            assert!(self.sent <= self.received.saturating_mul(3), "{} bytes for {}", self.sent, self.received);
            assert_eq!(available, self.received.saturating_mul(3).saturating_sub(self.sent));
            let deadlines = self.path.deadlines();
            assert!(deadlines.contains(&self.fails_at), "nothing gives the path up: {deadlines:?}");
            let is_early = deadlines.iter().any(|at| *at < self.fails_at && self.now < *at);
            let asks_again = (1..MAX_CHALLENGES).contains(&self.asked.len()) && !self.path.is_challenge_due(self.now);
            assert!(
                is_early || !asks_again || self.fails_at <= self.now + self.pto,
                "nothing asks again: {deadlines:?}"
            );
        }
        assert_eq!(self.path.has_failed(self.now), !self.is_shown && self.fails_at <= self.now);
    }
}
