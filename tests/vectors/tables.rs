//! What the tables in packets say, read with the generated code alone.

use serde_json::{Value, json};

#[rustfmt::skip]
#[allow(warnings, clippy::all, reason = "the core's copy of what flatc makes")]
#[path = "../../src/wire/generated/mod.rs"]
mod generated;

use generated::aitcp::wire;

use crate::document::hex;

/// `inputs.offered_suites` of a Hello's table.
pub(crate) fn offered_suites(table: &[u8]) -> Value {
    flatbuffers::root::<wire::Hello<'_>>(table).unwrap().suites().iter().collect()
}

/// The parameters of a ResponderAuth's or InitiatorAuth's table: the fields that this reads are the same ones.
pub(crate) fn params(table: &[u8]) -> Value {
    let params = flatbuffers::root::<wire::ResponderAuth<'_>>(table).unwrap().params();
    json!({
        "max_packet": params.max_packet(),
        "session_credit": params.session_credit().to_string(),
        "stream_credit": params.stream_credit().to_string(),
        "bidirectional_streams": params.bidirectional_streams().to_string(),
        "unidirectional_streams": params.unidirectional_streams().to_string(),
        "max_message": params.max_message().to_string(),
        "idle_timeout_ms": params.idle_timeout_ms(),
        "compression": params.compression(),
        "receipts": params.receipts(),
        "max_datagram": params.max_datagram(),
        "max_ack_delay_ms": params.max_ack_delay_ms(),
    })
}

/// The content of a Data packet.
pub(crate) fn content(plaintext: &[u8]) -> Value {
    let payload = flatbuffers::root::<wire::Payload<'_>>(plaintext).unwrap();
    let mut data = payload.data().map_or(&[][..], |data| data.bytes());
    let fragments = payload.fragments().into_iter().flatten().map(|fragment| {
        let (bytes, rest) = data.split_at(fragment.length().into());
        data = rest;
        json!({
            "stream": fragment.stream().to_string(),
            "offset": fragment.offset().to_string(),
            "flags": fragment.flags().bits(),
            "data": hex(bytes),
        })
    });
    let fragments: Vec<Value> = fragments.collect();
    let controls = payload.controls().into_iter().flatten().map(|control| {
        json!({
            "code": control.code().0,
            "flags": control.flags().bits(),
            "stream": control.stream().to_string(),
            "a": control.a().to_string(),
            "b": control.b().to_string(),
        })
    });
    let reason = payload.close_reason().map_or(&[][..], |reason| reason.bytes());
    let close = payload.close().map(|close| {
        json!({
            "source": close.source().0,
            "code": close.code().to_string(),
            "reason": str::from_utf8(reason).unwrap(),
        })
    });
    json!({ "controls": controls.collect::<Value>(), "fragments": fragments, "close": close })
}

/// A payload with a Ping and nothing else.
pub(crate) fn ping() -> Vec<u8> {
    let mut builder = flatbuffers::FlatBufferBuilder::new();
    let ping = wire::Control::new(0, 0, 0, wire::ControlCode::Ping, wire::ControlFlags::empty(), 0, 0);
    let controls = builder.create_vector(&[ping]);
    let payload =
        wire::Payload::create(&mut builder, &wire::PayloadArgs { controls: Some(controls), ..Default::default() });
    builder.finish(payload, None);
    builder.finished_data().to_vec()
}
