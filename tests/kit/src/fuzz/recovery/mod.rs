//! Loss recovery and rate control, without the session around them.

mod path_check;
mod receiver;
mod seeds;
mod sender;
mod sent;

use super::input::Input;

pub(super) use seeds::seeds;

/// Acknowledgements, losses, times and sizes for the machinery of recovery: `choice || (op, ..)...`.
///
/// The choice says what is driven: the sender's half (below 0x80), the receiver's half (below 0xC0), or the validation of a path. Its other
/// bits, and the operations, are written at each of them. A sender and a receiver whose owners keep to their contracts meet a peer and a
/// network that keep to none.
pub fn recovery(input: &[u8]) {
    let mut input = Input::new(input);
    let choice = input.byte();
    match choice {
        0..=0x7F => sender::run(choice, &mut input),
        0x80..=0xBF => receiver::run(choice, &mut input),
        _ => path_check::run(choice, &mut input),
    }
}
