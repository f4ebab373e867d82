//! For whom something is kept: cookies, rates and counts (specification, section 6.11).
#![forbid(unsafe_code)]

use alloc::vec::Vec;

use super::address::{Address, StableBytes};
use super::budget::Budget;
use super::config::{EndpointConfig, EndpointLimits, Rate, Retry};
use super::cookie::{CookieKeys, Subject};
use super::counts::Counts;
use super::stats::EndpointStats;
use crate::config::ServerConfig;
use crate::crypto::generator::Generator;
use crate::disposition::Discarded;
use crate::event::RefuseCode;
use crate::link::handshake::Screened;
use crate::time::Instant;

/// Decides on Hellos that begin a handshake, and counts the handshakes that they began.
pub(super) struct Gate {
    cookies: CookieKeys,
    without_cookie: Budget,
    with_cookie: Budget,
    half_opens: u32,
    by_address: Counts<StableBytes>,
}

/// A Hello that begins nothing: what answers it, if anything does.
pub(super) struct Turned {
    pub(super) answer: Option<Vec<u8>>,
    pub(super) why: Discarded,
}

impl Gate {
    pub(super) fn new(now: Instant, limits: &EndpointLimits, generator: &mut Generator) -> Self {
        let budget = |rate: Rate| Budget::new(now, rate.per_second, rate.burst);
        Self {
            cookies: CookieKeys::new(now, generator),
            without_cookie: budget(limits.without_cookie),
            with_cookie: budget(limits.with_cookie),
            half_opens: 0,
            by_address: Counts::new(limits.half_opens as usize, limits.half_opens_per_address),
        }
    }

    pub(super) const fn half_opens(&self) -> u32 {
        self.half_opens
    }

    /// Whether a Hello from `address` may begin a handshake with `server`. If so, it counts as half-open from now on.
    ///
    /// `has_room` says whether there is room for one session more.
    #[expect(clippy::too_many_arguments, reason = "all that a decision hangs on")]
    pub(super) fn decide<A: Address>(
        &mut self,
        now: Instant,
        config: &EndpointConfig,
        server: &ServerConfig,
        hello: &Screened<'_>,
        address: A,
        has_room: bool,
        generator: &mut Generator,
        stats: &mut EndpointStats,
    ) -> Result<(), Turned> {
        self.cookies.rotate_if_due(now, generator);
        let limits = &config.limits;
        let subject = Subject { address, connection_id: hello.connection_id().get(), hello: hello.covered_by_cookie() };
        let has_cookie = self.has_valid_cookie(now, hello, subject, stats);
        if !has_cookie && self.wants_cookie(now, limits, address) {
            // R-6.11-2
            stats.retries = stats.retries.saturating_add(1);
            let answer = Some(hello.retry(&self.cookies.make(now, subject)));
            return Err(Turned { answer, why: Discarded::CookieWanted });
        }
        let is_full = !has_room || self.half_opens >= limits.half_opens;
        if is_full || self.by_address.get(address.stable_bytes()) >= limits.half_opens_per_address {
            // R-6.11-5
            stats.busy = stats.busy.saturating_add(1);
            let answer = hello.refuse(server, config.carrier(), RefuseCode::Busy);
            return Err(Turned { answer: Some(answer), why: Discarded::Busy });
        }
        let budget = if has_cookie { &mut self.with_cookie } else { &mut self.without_cookie };
        if !budget.take(now) {
            stats.over_rate = stats.over_rate.saturating_add(1);
            return Err(Turned { answer: None, why: Discarded::Busy });
        }
        let _ = self.by_address.increment(address.stable_bytes());
        self.half_opens = self.half_opens.saturating_add(1);
        Ok(())
    }

    /// A handshake that somebody has begun on a stream carrier. False if there is no room.
    #[must_use]
    pub(super) fn enter(&mut self, limits: &EndpointLimits) -> bool {
        let has_room = self.half_opens < limits.half_opens;
        if has_room {
            self.half_opens = self.half_opens.saturating_add(1);
        }
        has_room
    }

    /// A handshake is half-open no more. `address`: on the datagram carrier.
    pub(super) fn leave<A: Address>(&mut self, address: Option<A>) {
        self.half_opens = self.half_opens.saturating_sub(1);
        if let Some(address) = address {
            self.by_address.decrement(address.stable_bytes());
        }
    }

    /// A cookie that is not valid counts as none (R-6.11-3).
    fn has_valid_cookie<A: Address>(
        &self,
        now: Instant,
        hello: &Screened<'_>,
        subject: Subject<'_, A>,
        stats: &mut EndpointStats,
    ) -> bool {
        let Some(cookie) = hello.cookie() else { return false };
        let is_valid = self.cookies.check(now, subject, cookie).is_ok();
        let count = if is_valid { &mut stats.cookies_valid } else { &mut stats.cookies_invalid };
        *count = count.saturating_add(1);
        is_valid
    }

    /// Whether a Hello without one is answered with a Retry. Half of what an address may have is kept for who has shown that it
    /// is there: others can forge it.
    fn wants_cookie<A: Address>(&mut self, now: Instant, limits: &EndpointLimits, address: A) -> bool {
        match limits.retry {
            Retry::Never => false,
            Retry::WhenBusy { half_opens } => {
                self.half_opens >= half_opens
                    || self.by_address.get(address.stable_bytes()) >= limits.half_opens_per_address.div_ceil(2)
                    || !self.without_cookie.has_token(now)
            }
            Retry::Always => true,
        }
    }
}
