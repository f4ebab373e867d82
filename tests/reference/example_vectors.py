"""Test vectors as section 16 of the specification describes them, made by the reference for the self-test of `vectors.py`."""

from __future__ import annotations

import hashlib
import struct
from dataclasses import asdict

from . import ml_kem_768
from .crypto import (
    HYBRID_SUITES,
    SUITES,
    PacketKeys,
    Transcript,
    export,
    finished_key,
    identity_to_text,
    public_identity,
    x25519,
    x25519_public,
)
from .handshake import HEADER_LEN, KINDS, Initiator, Inputs, Peer, Responder
from .session import Session
from .tables import PING, Control, Params, Payload

INITIATOR, RESPONDER = "I>R", "R>I"
AEADS = {"ChaCha20-Poly1305": 2, "AES-256-GCM": 4}
"""Each with a suite that has it."""
WIDE_PARAMS = (
    "session_credit",
    "stream_credit",
    "bidirectional_streams",
    "unidirectional_streams",
    "max_message",
)


def content_of(payload: Payload) -> dict:
    """As the files have it: values of 64-bit fields are texts."""
    close = payload.close
    return {
        "controls": [
            {"code": c.code, "flags": c.flags, "stream": str(c.stream), "a": str(c.a), "b": str(c.b)}
            for c in payload.controls
        ],
        "fragments": [
            {"stream": str(f.stream), "offset": str(f.offset), "flags": f.flags, "data": f.data.hex()}
            for f in payload.fragments
        ],
        "close": close and {"source": close.source, "code": str(close.code), "reason": close.reason},
    }


def make_handshake(suite: int) -> dict:
    """What the first implementation's generator writes, made by the reference."""

    def drawn(name: str, length: int = 32) -> bytes:
        return hashlib.shake_256(f"suite {suite} {name}".encode()).digest(length)

    def inputs(role: str, params: Params) -> Inputs:
        return Inputs(
            drawn(f"{role} identity"),
            params,
            drawn(f"{role} credentials", 20),
            drawn(f"{role} ephemeral"),
            drawn(f"{role} random"),
            int.from_bytes(drawn(f"{role} id", 8), "little"),
            drawn(f"{role} kem", 64),
        )

    i_params = Params(2088, 1 << 20, 1 << 16, 10, 10, 1 << 24, 30_000)
    r_params = Params(16424, 1 << 54, 1 << 18, 100, 100, 1 << 20, max_ack_delay_ms=0)
    i_inputs, r_inputs = inputs("initiator", i_params), inputs("responder", r_params)
    pin = public_identity(r_inputs.identity_seed) if suite != 2 else None
    initiator = Initiator(i_inputs, "vectors/1", "" if suite == 1 else "realm", SUITES, pin, lambda identity: True)
    responder = Responder(r_inputs, ("vectors/1",), ("", "realm"), (suite,))
    order: list[tuple[str, Peer, int]] = []

    def record() -> None:
        for direction, peer in ((INITIATOR, initiator), (RESPONDER, responder)):
            known = sum(entry[1] is peer for entry in order)
            order.extend((direction, peer, index) for index in range(known, len(peer.sent)))

    def deliver(data: bytes, receive) -> bytes:
        record()
        return b"".join(receive(packet) or b"" for packet in split(data))

    flight = initiator.start()
    for receiver in (responder, initiator, responder):
        flight = deliver(flight, receiver.receive)
    i_session, r_session = Session(initiator), Session(responder)
    r_session.ping()
    stream = i_session.open()
    for message in (b"first", b"", drawn("long", 5000)):
        i_session.send(stream, message)
    i_session.finish(stream)
    i_session.send(i_session.open(unidirectional=True), b"one way")
    deliver(r_session.poll(), i_session.receive)
    deliver(i_session.poll(), r_session.receive)
    for message in r_session.streams[stream].messages:
        r_session.send(stream, message)
    r_session.finish(stream)
    for _ in range(3):
        deliver(r_session.poll(), i_session.receive)
        deliver(i_session.poll(), r_session.receive)
    assert i_session.streams[stream].done() and r_session.streams[stream].done()
    i_session.close(7, "the end")
    record()

    return describe(suite, initiator, responder, order, pin is not None)


def split(data: bytes) -> list[bytes]:
    packets = []
    while data:
        length = HEADER_LEN + struct.unpack_from("<H", data, 2)[0]
        packets.append(data[:length])
        data = data[length:]
    return packets


def describe(
    suite: int, initiator: Initiator, responder: Responder, order: list[tuple[str, Peer, int]], pinned: bool
) -> dict:
    def end(inputs: Inputs, kem: dict) -> dict:
        params = {k: str(v) if k in WIDE_PARAMS else v for k, v in asdict(inputs.params).items()}
        return {
            "identity_seed": inputs.identity_seed.hex(),
            "ephemeral_secret": inputs.ephemeral_secret.hex(),
            "random": inputs.random.hex(),
            "connection_id": str(inputs.connection_id),
            "credentials": inputs.credentials.hex(),
            "params": params,
        } | (kem if suite in HYBRID_SUITES else {})

    packets = []
    transcript = Transcript()
    marks = []
    finished = {}
    shared = {
        "x25519": x25519(initiator.inputs.ephemeral_secret, x25519_public(responder.inputs.ephemeral_secret)).hex()
    }
    for direction, peer, index in order:
        sent = peer.sent[index]
        packet = {
            "name": sent.name,
            "direction": direction,
            "epoch": struct.unpack_from("<I", sent.header, 4)[0],
            "number": sent.number,
            "header": sent.header.hex(),
            "plaintext": sent.plaintext.hex(),
            "wire": sent.wire.hex(),
        }
        packets.append(packet)
        if sent.name == "Data":
            packet["content"] = content_of(Payload.read(sent.plaintext))
            continue
        points = [("", sent.header + sent.plaintext)]
        if sent.name.endswith("Auth"):
            table, signature, mac = sent.plaintext[:-96], sent.plaintext[-96:-32], sent.plaintext[-32:]
            points = [(" signature", sent.header + table), (" finished", signature), ("", mac)]
            base = "r hs" if peer is responder else "i auth"
            finished[peer.role] = {"key": finished_key(peer.secrets[base]).hex(), "value": mac.hex()}
        for suffix, data in points:
            marks.append({"at": sent.name + suffix, "hash": transcript.add(data).hex()})
        if sent.name == "KemReply":
            _, decapsulation_key = ml_kem_768.keygen(responder.inputs.kem)
            shared["ml_kem"] = ml_kem_768.decapsulate(decapsulation_key, sent.plaintext).hex()

    secrets = initiator.secrets
    traffic = {label: PacketKeys.of(suite, secrets[label]) for label in ("i hs", "r hs", "i auth", "i ap", "r ap")}
    samples = [("label", b"context", 32), ("", b"", 16), ("a longer label", bytes(200), 500)]
    return {
        "suite": suite,
        "inputs": {
            "app_protocol": initiator.hello.app_protocol,
            "realm": initiator.hello.realm,
            "offered_suites": list(initiator.hello.suites),
            "peer_tag": pinned,
            "initiator": end(initiator.inputs, {"ml_kem_coins": initiator.inputs.kem[:32].hex()}),
            "responder": end(responder.inputs, {"ml_kem_seed": responder.inputs.kem.hex()}),
        },
        "packets": packets,
        "transcript": marks,
        "shared_secrets": shared,
        "secrets": {label: secret.hex() for label, secret in secrets.items()},
        "keys": {label: {"key": k.key.hex(), "iv": k.iv.hex(), "hp": k.hp.hex()} for label, k in traffic.items()},
        "finished": finished,
        "exports": [
            {
                "label": label,
                "context": context.hex(),
                "length": length,
                "value": export(secrets["exporter"], label, context, length).hex(),
            }
            for label, context, length in samples
        ],
    }


def make_datagram_protection() -> dict:
    cases = []
    for aead, suite in AEADS.items():
        for number in (0, 1, 255, 1 << 32, (1 << 62) - 1):
            secret = hashlib.sha256(f"{aead} {number}".encode()).digest()
            plaintext = Payload(controls=[Control(PING)]).write()
            header = struct.pack("<BBHIQQ", 10, KINDS["Data"], len(plaintext) + 16, 3, 0x1122334455667788, number)
            keys = PacketKeys.of(suite, secret)
            body = keys.seal(number, header, plaintext)
            cases.append(
                {
                    "aead": aead,
                    "secret": secret.hex(),
                    "header": header.hex(),
                    "number": str(number),
                    "plaintext": plaintext.hex(),
                    "wire": (keys.mask(header, body) + body).hex(),
                }
            )
    return {"cases": cases}


def make_identities() -> dict:
    keys = [public_identity(hashlib.sha256(f"identity {index}".encode()).digest()) for index in range(4)]
    text = identity_to_text(keys[0])
    return {
        "good": [{"key": key.hex(), "text": identity_to_text(key)} for key in keys],
        "bad_keys": [bytes(32).hex(), "ed" + "ff" * 30 + "7f", "01" + "00" * 30 + "80"],
        "bad_texts": ["", text[:-1], text + "q", flip(text, 63), "aitcq" + text[5:], text[:20] + text[20:].upper()],
    }


def flip(text: str, index: int) -> str:
    other = {"0": "1", "f": "e", "9": "8"}.get(text[index], "0" if text[index].isdigit() else "a")
    return text[:index] + (other if other != text[index] else "b") + text[index + 1 :]
