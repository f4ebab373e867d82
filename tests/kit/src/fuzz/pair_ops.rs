//! Two honest ends, whatever their applications and carriers do.

use std::time::Duration;

use aitcp::{Admission, Expect, Limits, Suite};

use super::input::Input;
use crate::{CheckedPair, Op, Setup};

/// Operations on a pair of sessions, checked against the model: `choice || operations`.
///
/// The choice says whether limits are small (bit 0), whether the ends ask about each other (bits 1 and 2), whether signatures come
/// from outside (bit 3), whether messages are compressed (bit 4), and whether sessions go idle (bit 5).
pub fn pair_ops(input: &[u8]) {
    let mut input = Input::new(input);
    let setup = setup(input.byte());
    let mut pair = CheckedPair::new(&setup);
    for op in Op::decode_all(input.rest()) {
        pair.apply(&op);
    }
    pair.wind_down();
}

fn setup(choice: u8) -> Setup {
    let mut setup = Setup::with_suite(Suite::X25519ChaCha20Poly1305);
    if choice & 1 != 0 {
        let mut limits = Limits::small();
        limits.max_message = 10_000;
        setup.set_limits(limits);
    }
    if choice & 2 != 0 {
        setup.expect = Expect::Ask;
    }
    if choice & 4 != 0 {
        setup.admission = Admission::Ask;
    }
    for agent in [&mut setup.initiator, &mut setup.responder] {
        agent.external_signer = choice & 8 != 0;
        agent.compression = choice & 16 != 0;
        if choice & 32 != 0 {
            agent.timeouts.idle = Some(Duration::from_secs(1));
            agent.timeouts.keepalive = Some(Duration::from_millis(300));
        }
    }
    setup
}
