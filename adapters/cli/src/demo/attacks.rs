//! The same two agents with a hostile relay in between.

use std::io;

use aitcp::{CloseReason, Direction, PeerMisbehaved};
use aitcp_std::{Connection, close_reason};

use super::agents::{Agents, accept, recv_text, together};
use super::relay::{Attack, Relay};
use super::step::Step;

/// What Alice asks for. Bob must act on it once at the most.
const ORDER: &str = "Pay 100 to Carol.";

/// Lets the relay strike while Alice sends her order, and looks at what became of Bob's session.
pub(crate) fn suffer(attack: Attack, agents: &Agents) -> io::Result<Step> {
    let relay = Relay::start(attack, agents.address())?;
    let (alice_heard, (orders, end)) = together(
        || {
            let connection = agents.call(relay.address())?;
            Ok(order(&connection).err())
        },
        || {
            let connection = agents.answer()?;
            let mut orders = Vec::new();
            let end = take_orders(&connection, &mut orders).err();
            Ok((orders, end))
        },
    )?;
    let struck = relay.join()?;
    let reason = end.as_ref().and_then(close_reason);
    let as_it_must_be = reason == Some(expected_reason(attack))
        && orders == vec![ORDER; expected_orders(attack)]
        // Alice got no answer and knows it.
        && alice_heard.is_some();
    Ok(Step::Attack {
        ok: struck && as_it_must_be,
        attack,
        delivered: orders.len(),
        reason: end.map_or_else(|| "the session went on".to_owned(), |error| error.to_string()),
    })
}

/// Alice sends her order and waits for an answer that Bob never gives: only the end of the session ends the wait.
fn order(connection: &Connection) -> io::Result<String> {
    let mut stream = connection.open(Direction::Bidirectional)?;
    stream.sender.send(ORDER.as_bytes())?;
    recv_text(&mut stream)
}

/// Bob takes one order after the other, for as long as there are any.
fn take_orders(connection: &Connection, orders: &mut Vec<String>) -> io::Result<()> {
    let mut stream = accept(connection)?;
    loop {
        orders.push(recv_text(&mut stream)?);
    }
}

/// Whatever does not open ends the session; a cut is never taken for an end.
const fn expected_reason(attack: Attack) -> CloseReason {
    match attack {
        Attack::Forge | Attack::Truncate | Attack::Replay => CloseReason::Misbehaved(PeerMisbehaved::DoesNotOpen),
        Attack::Cut => CloseReason::LinkLost,
    }
}

/// The replayed packet was genuine the first time.
const fn expected_orders(attack: Attack) -> usize {
    match attack {
        Attack::Replay => 1,
        Attack::Forge | Attack::Truncate | Attack::Cut => 0,
    }
}
