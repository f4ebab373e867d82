//! One endpoint among strangers, on both kinds of carriers.

mod honest;
mod known;
mod ledger;
mod ops;
mod seeds;
mod world;

use super::input::Input;
use world::World;

pub(super) use seeds::seeds;

/// Datagrams, bytes and times for one endpoint, and every call to it in any order: `choice || (op, ..)...`.
///
/// The choice says when Hellos are answered with a Retry (bits 0 and 1), whether the suite is a hybrid one (bit 2), whether the endpoint
/// asks about its peers (bit 3), whether its application decides at once (bit 4), whether the driver tells its own addresses (bit 5), and
/// whether it takes what there is after every operation (bit 6). What the operations are is written at `World::step`.
///
/// There are honest peers, which the input may let through, so that sessions get established; nothing else has their keys. But whatever
/// they or the endpoint have sent may be sent again, from other addresses, altered or reflected, and anybody can make a Hello. In the end
/// everybody falls silent, everything has to come to its end, and every address can begin as many handshakes as at first.
pub fn endpoint(input: &[u8]) {
    let mut input = Input::new(input);
    let mut world = World::new(input.byte());
    while !input.is_empty() {
        world.step(&mut input);
        world.check();
    }
    world.wind_up();
}
