#!/usr/bin/env python3
"""Recomputes every value of the test vectors in `schemas/vectors/` from their inputs, without any code of the first implementation.

    vectors.py [DIRECTORY]     check the files
    vectors.py --self-test     make vectors with the reference here, check them, then change every value and see that it is noticed

The format is section 16 of the specification. Needs the packages `cryptography` and `flatbuffers`.
"""

from __future__ import annotations

import copy
import json
import struct
import sys
from collections import Counter
from dataclasses import asdict
from pathlib import Path

from cryptography.hazmat.primitives.asymmetric.mlkem import MLKEM768PrivateKey

from reference import ml_kem_768
from reference.crypto import (
    HYBRID_SUITES,
    SUITES,
    ZEROS,
    PacketKeys,
    Rejected,
    Transcript,
    auth_message,
    derive_secret,
    early_secret,
    export,
    finished_key,
    hmac_sha256,
    identity_from_text,
    identity_to_text,
    is_acceptable_point,
    next_secret,
    public_identity,
    sign,
    verify,
    x25519,
    x25519_public,
)
from reference.example_vectors import (
    AEADS,
    INITIATOR,
    RESPONDER,
    WIDE_PARAMS,
    content_of,
    flip,
    make_datagram_protection,
    make_handshake,
    make_identities,
)
from reference.handshake import HEADER_LEN, KINDS, MAX_HANDSHAKE_PACKET, Header
from reference.tables import (
    CREDIT,
    DONE,
    END_OF_MESSAGE,
    END_OF_STREAM,
    PING,
    RESET,
    Accept,
    Auth,
    Control,
    Fragment,
    Hello,
    Params,
    Payload,
)

DIRECTORY = Path(__file__).parent.parent / "schemas" / "vectors"
counts: Counter[str] = Counter()


class Mismatch(Exception):
    """A vector that is not what the specification says."""


def equal(what: str, actual: object, expected: object) -> None:
    if actual != expected:
        raise Mismatch(f"{what}\n  in the file: {_shown(actual)}\n  recomputed:  {_shown(expected)}")
    counts["values"] += 1


def check(what: str, condition: object) -> None:
    if not condition:
        raise Mismatch(what)
    counts["values"] += 1


def _shown(value: object) -> str:
    return value.hex() if isinstance(value, bytes) else repr(value)


def unhex(text: str) -> bytes:
    data = bytes.fromhex(text)
    check(f"lower-case hexadecimal: {text}", data.hex() == text)
    return data


def decimal(text: str) -> int:
    value = int(text)
    check(f"decimal: {text}", str(value) == text)
    return value


def keys_of(what: str, value: dict, *expected: str) -> None:
    equal(f"keys of {what}", sorted(value), sorted(expected))


# ---- handshake_suite_<n>.json (16.1) ---------------------------------------------------------------------------------------------


def check_handshake(doc: dict) -> None:
    keys_of(
        "the file", doc,
        "suite", "inputs", "packets", "transcript", "shared_secrets", "secrets", "keys", "finished", "exports",
    )  # fmt: skip
    HandshakeCheck(doc).run()


class End:
    """The inputs of one end."""

    def __init__(self, name: str, doc: dict, kem: str | None) -> None:
        expected = ["identity_seed", "ephemeral_secret", "random", "connection_id", "credentials", "params"]
        keys_of(name, doc, *expected, *([kem] if kem else []))
        self.identity_seed = unhex(doc["identity_seed"])
        self.identity = public_identity(self.identity_seed)
        self.ephemeral_secret = unhex(doc["ephemeral_secret"])
        self.random = unhex(doc["random"])
        self.connection_id = decimal(doc["connection_id"])
        self.credentials = unhex(doc["credentials"])
        self.params = Params(**{k: decimal(v) if k in WIDE_PARAMS else v for k, v in doc["params"].items()})
        keys_of(f"{name}.params", doc["params"], *asdict(self.params))
        self.kem = unhex(doc[kem]) if kem else b""


class HandshakeCheck:
    def __init__(self, doc: dict) -> None:
        self.doc = doc
        self.suite = doc["suite"]
        self.hybrid = self.suite in HYBRID_SUITES
        inputs = doc["inputs"]
        keys_of("inputs", inputs, "app_protocol", "realm", "offered_suites", "peer_tag", "initiator", "responder")
        self.initiator = End("initiator", inputs["initiator"], "ml_kem_coins" if self.hybrid else None)
        self.responder = End("responder", inputs["responder"], "ml_kem_seed" if self.hybrid else None)
        self.transcript = Transcript()
        self.marks: list[dict[str, str]] = []
        self.secrets: dict[str, bytes] = {}
        self.numbers = {INITIATOR: 0, RESPONDER: 0}

    def run(self) -> None:
        names = ["Hello", "Accept", "ResponderAuth", "InitiatorAuth"]
        if self.hybrid:
            names[2:3] = ["KemOffer", "ResponderAuth", "KemReply"]
        packets = self.doc["packets"]
        equal("handshake packets", [packet["name"] for packet in packets[: len(names)]], names)
        for packet in packets[: len(names)]:
            counts["packets"] += 1
            getattr(self, "_on_" + packet["name"])(packet)
        equal("transcript", self.doc["transcript"], self.marks)
        self._check_derived()
        self._check_data(packets[len(names) :])

    # The handshake, packet by packet.

    def _on_Hello(self, packet: dict) -> None:
        body = self._clear(packet, INITIATOR, 0)
        inputs, table, trailer = self.doc["inputs"], body[:-96], body[-96:]
        expected = Hello(
            self.initiator.random,
            x25519_public(self.initiator.ephemeral_secret),
            self.initiator.connection_id,
            inputs["app_protocol"],
            inputs["realm"],
            suites=tuple(inputs["offered_suites"]),
        )
        equal("Hello", Hello.read(table), expected)
        tagged = unhex(packet["header"]) + body[:-64]
        tag = hmac_sha256(self.responder.identity, tagged) if inputs["peer_tag"] is True else ZEROS
        equal("Hello's trailer", trailer, ZEROS + tag + ZEROS)
        self._absorb("Hello", packet, body)

    def _on_Accept(self, packet: dict) -> None:
        body = self._clear(packet, RESPONDER, self.initiator.connection_id)
        responder = self.responder
        key_share = x25519_public(responder.ephemeral_secret)
        equal("Accept", Accept.read(body), Accept(self.suite, responder.random, key_share, responder.connection_id))
        check("the suite was offered", self.suite in self.doc["inputs"]["offered_suites"])
        hash_ = self._absorb("Accept", packet, body)

        shared = x25519(self.initiator.ephemeral_secret, key_share)
        equal(
            "X25519 from the other end",
            x25519(responder.ephemeral_secret, x25519_public(self.initiator.ephemeral_secret)),
            shared,
        )
        self.shared = {"x25519": shared.hex()}
        self.secrets["ES"] = early_secret()
        self.secrets["HS"] = next_secret(self.secrets["ES"], shared)
        for label in ("i hs", "r hs"):
            self.secrets[label] = derive_secret(self.secrets["HS"], label, hash_)

    def _on_KemOffer(self, packet: dict) -> None:
        body = self._sealed(packet, RESPONDER, "r hs")
        equal("encapsulation key", body, ml_kem_768.keygen(self.responder.kem)[0])
        other = MLKEM768PrivateKey.from_seed_bytes(self.responder.kem)
        equal("encapsulation key of the library", body, other.public_key().public_bytes_raw())
        self._absorb("KemOffer", packet, body)

    def _on_ResponderAuth(self, packet: dict) -> None:
        self._auth(packet, RESPONDER, "r hs", "responder", self.responder)
        if not self.hybrid:
            self._mix_kem(ZEROS)

    def _on_KemReply(self, packet: dict) -> None:
        body = self._sealed(packet, INITIATOR, "i hs")
        key, decapsulation_key = ml_kem_768.keygen(self.responder.kem)
        shared, ciphertext = ml_kem_768.encapsulate(key, self.initiator.kem)
        equal("ciphertext", body, ciphertext)
        equal("decapsulated secret", ml_kem_768.decapsulate(decapsulation_key, body), shared)
        equal(
            "decapsulated secret of the library",
            MLKEM768PrivateKey.from_seed_bytes(self.responder.kem).decapsulate(body),
            shared,
        )
        self.shared["ml_kem"] = shared.hex()
        self._absorb("KemReply", packet, body)
        self._mix_kem(shared)

    def _on_InitiatorAuth(self, packet: dict) -> None:
        self._auth(packet, INITIATOR, "i auth", "initiator", self.initiator)
        for label in ("i ap", "r ap", "exporter"):
            self.secrets[label] = derive_secret(self.secrets["MS"], label, self.transcript.hash())

    def _auth(self, packet: dict, direction: str, base: str, role: str, end: End) -> None:
        name = packet["name"]
        body = self._sealed(packet, direction, base)
        table, signature, finished = body[:-96], body[-96:-32], body[-32:]
        equal(name, Auth.read(table), Auth(end.params, end.identity, end.credentials))
        message = auth_message(role, self._mark(f"{name} signature", unhex(packet["header"]) + table))
        verify(end.identity, message, signature)
        equal(f"{name}: signature", signature, sign(end.identity_seed, message))
        key = finished_key(self.secrets[base])
        equal(f"{name}: finished", finished, hmac_sha256(key, self._mark(f"{name} finished", signature)))
        equal(f"{name}: finished values", self.doc["finished"][role], {"key": key.hex(), "value": finished.hex()})
        self._mark(name, finished)
        check(f"{name} fits", len(unhex(packet["wire"])) <= MAX_HANDSHAKE_PACKET)

    def _mix_kem(self, shared: bytes) -> None:
        self.secrets["MS"] = next_secret(self.secrets["HS"], shared)
        self.secrets["i auth"] = derive_secret(self.secrets["MS"], "i auth", self.transcript.hash())

    # What is derived in the end.

    def _check_derived(self) -> None:
        doc = self.doc
        keys_of("finished", doc["finished"], "initiator", "responder")
        equal("shared secrets", doc["shared_secrets"], self.shared)
        equal("secrets", doc["secrets"], {label: secret.hex() for label, secret in self.secrets.items()})
        traffic = {label: self._keys(label) for label in ("i hs", "r hs", "i auth", "i ap", "r ap")}
        expected = {label: {"key": k.key.hex(), "iv": k.iv.hex(), "hp": k.hp.hex()} for label, k in traffic.items()}
        equal("keys", doc["keys"], expected)
        check("there are exports", doc["exports"])
        for sample in doc["exports"]:
            keys_of("an export", sample, "label", "context", "length", "value")
            context = unhex(sample["context"])
            value = export(self.secrets["exporter"], sample["label"], context, sample["length"])
            equal(f"export {sample['label']!r}", sample["value"], value.hex())
            counts["exports"] += 1

    def _check_data(self, packets: list[dict]) -> None:
        flows = {INITIATOR: Flow(self.responder.params), RESPONDER: Flow(self.initiator.params)}
        for packet in packets:
            direction = packet["direction"]
            equal("data packet", packet["name"], "Data")
            check("direction", direction in flows)
            body = self._sealed(packet, direction, "i ap" if direction == INITIATOR else "r ap", ["content"])
            payload = Payload.read(body)
            equal("content of a data packet", packet["content"], content_of(payload))
            flow, other = flows[direction], flows[RESPONDER if direction == INITIATOR else INITIATOR]
            check("a packet fits the receiver", len(packet["wire"]) // 2 <= flow.receiver.max_packet)
            flow.take(payload, other)
            counts["packets"] += 1
        seen = flows[INITIATOR].seen + flows[RESPONDER].seen
        for what in ("ping", "credit", "several fragments", "empty message", "end of stream", "close"):
            check(f"there is a packet with: {what}", seen[what])
        check("both directions have data packets", all(flow.packets for flow in flows.values()))

    # Packets.

    def _clear(self, packet: dict, direction: str, connection_id: int) -> bytes:
        plaintext = self._frame(packet, direction, connection_id, 0, [])
        equal(f"{packet['name']}: number", packet["number"], None)
        equal(f"{packet['name']}: wire", packet["wire"], packet["header"] + packet["plaintext"])
        return plaintext

    def _sealed(self, packet: dict, direction: str, secret: str, more: list[str] | None = None) -> bytes:
        receiver = self.responder if direction == INITIATOR else self.initiator
        plaintext = self._frame(packet, direction, receiver.connection_id, 16, more or [])
        number = self.numbers[direction]
        self.numbers[direction] += 1
        equal(f"{packet['name']}: number", packet["number"], number)
        header, wire, keys = unhex(packet["header"]), unhex(packet["wire"]), self._keys(secret)
        equal(f"{packet['name']}: header on the wire", wire[:HEADER_LEN], header)
        equal(f"{packet['name']}: sealed again", wire[HEADER_LEN:], keys.seal(number, header, plaintext))
        equal(f"{packet['name']}: opened", plaintext, keys.open(number, header, wire[HEADER_LEN:]))
        return plaintext

    def _frame(self, packet: dict, direction: str, connection_id: int, tag: int, more: list[str]) -> bytes:
        name = packet["name"]
        keys_of(name, packet, "name", "direction", "epoch", "number", "header", "plaintext", "wire", *more)
        equal(f"{name}: direction", packet["direction"], direction)
        plaintext = unhex(packet["plaintext"])
        header = unhex(packet["header"])
        equal(f"{name}: header", header, Header(name, len(plaintext) + tag, connection_id).write())
        equal(f"{name}: epoch", packet["epoch"], struct.unpack_from("<I", header, 4)[0])
        return plaintext

    def _keys(self, secret: str) -> PacketKeys:
        return PacketKeys.of(self.suite, self.secrets[secret])

    def _absorb(self, name: str, packet: dict, body: bytes) -> bytes:
        check(f"{name} fits", len(unhex(packet["wire"])) <= MAX_HANDSHAKE_PACKET)
        return self._mark(name, unhex(packet["header"]) + body)

    def _mark(self, at: str, data: bytes) -> bytes:
        hash_ = self.transcript.add(data)
        self.marks.append({"at": at, "hash": hash_.hex()})
        return hash_


class Flow:
    """The data packets of one direction: fragments follow each other, within the credit that the other direction gave."""

    def __init__(self, receiver: Params) -> None:
        self.receiver = receiver
        self.next: dict[int, int] = {}
        self.limits: dict[int, int] = {0: receiver.session_credit}
        self.ended: dict[int, bool] = {}
        self.at_boundary: dict[int, bool] = {}
        self.closed = False
        self.packets = 0
        self.seen: Counter[str] = Counter()

    def take(self, payload: Payload, other: Flow) -> None:
        check("nothing follows a close", not self.closed)
        self.packets += 1
        for control in payload.controls:
            self._take_control(control, other)
        for fragment in payload.fragments:
            self._take_fragment(fragment)
        check("session credit", sum(self.next.values()) <= self.limits[0])
        self.closed = payload.close is not None
        self.seen["close"] += self.closed
        self.seen["several fragments"] += len(payload.fragments) > 1

    def _take_control(self, control: Control, other: Flow) -> None:
        self.seen["ping"] += control.code == PING
        if control.code == RESET:
            self.ended[control.stream] = True
        if control.code != CREDIT:
            return
        self.seen["credit"] += 1
        sent = other.next.get(control.stream, 0) if control.stream else sum(other.next.values())
        check("no more is received than was sent", control.a <= sent)
        initial = other.receiver.stream_credit if control.stream else other.receiver.session_credit
        other.limits[control.stream] = max(other.limits.get(control.stream, initial), control.b)
        if control.flags & DONE:
            check("Done follows the end and names it", other.ended.get(control.stream) and control.a == sent)

    def _take_fragment(self, fragment: Fragment) -> None:
        stream = fragment.stream
        check("fragments of a stream follow each other", fragment.offset == self.next.get(stream, 0))
        check("nothing follows the end of a stream", not self.ended.get(stream))
        self.next[stream] = fragment.end()
        check("stream credit", fragment.end() <= self.limits.get(stream, self.receiver.stream_credit))
        boundary = self.at_boundary.get(stream, True)
        self.seen["empty message"] += boundary and not fragment.data and fragment.flags & END_OF_MESSAGE != 0
        self.at_boundary[stream] = boundary and not fragment.data or fragment.flags & END_OF_MESSAGE != 0
        if fragment.flags & END_OF_STREAM:
            check("the end of a stream is a message boundary", self.at_boundary[stream])
            self.ended[stream] = True
            self.seen["end of stream"] += 1


# ---- datagram_protection.json (16.2) and identities.json (16.3) ------------------------------------------------------------------


def check_datagram_protection(doc: dict) -> None:
    keys_of("the file", doc, "cases")
    equal("every AEAD has a case", {case["aead"] for case in doc["cases"]}, set(AEADS))
    for case in doc["cases"]:
        keys_of("a case", case, "aead", "secret", "header", "number", "plaintext", "wire")
        header, plaintext = unhex(case["header"]), unhex(case["plaintext"])
        number = decimal(case["number"])
        check("length of the secret", len(case["secret"]) == 64)
        version, kind, length, epoch, _, field = struct.unpack("<BBHIQQ", header)
        equal("version, kind and length", (version, kind, length), (10, KINDS["Data"], len(plaintext) + 16))
        check("epoch", epoch >= 3)
        equal("number in the header", field, number)
        keys = PacketKeys.of(AEADS[case["aead"]], unhex(case["secret"]))
        body = keys.seal(number, header, plaintext)
        wire = unhex(case["wire"])
        equal("masked and sealed again", wire, keys.mask(header, body) + body)
        equal("unmasked", keys.mask(wire[:HEADER_LEN], wire[HEADER_LEN:]), header)
        equal("opened", keys.open(number, header, wire[HEADER_LEN:]), plaintext)
        counts["packets"] += 1


def check_identities(doc: dict) -> None:
    keys_of("the file", doc, "good", "bad_keys", "bad_texts")
    check("no list is empty", doc["good"] and doc["bad_keys"] and doc["bad_texts"])
    for good in doc["good"]:
        keys_of("an identity", good, "key", "text")
        key = unhex(good["key"])
        check("acceptable", is_acceptable_point(key))
        equal("text", good["text"], identity_to_text(key))
        equal("key from text", key, identity_from_text(good["text"]))
        equal("key from upper case", key, identity_from_text(good["text"].upper()))
    for bad in doc["bad_keys"]:
        check(f"weak: {bad}", not is_acceptable_point(unhex(bad)))
    for text in doc["bad_texts"]:
        try:
            identity_from_text(text)
        except Rejected:
            counts["values"] += 1
        else:
            raise Mismatch(f"accepted: {text}")


CHECKS = {f"handshake_suite_{suite}.json": check_handshake for suite in SUITES} | {
    "datagram_protection.json": check_datagram_protection,
    "identities.json": check_identities,
}


def check_file(name: str, doc: dict) -> None:
    try:
        CHECKS[name](doc)
        if name.startswith("handshake"):
            equal("suite", f"handshake_suite_{doc['suite']}.json", name)
    except Exception as error:  # whatever a file makes the checks stumble over
        raise Mismatch(f"{name}: {type(error).__name__}: {error}") from error
    counts["files"] += 1


def check_directory(directory: Path) -> None:
    equal("files", sorted(path.name for path in directory.glob("*.json")), sorted(CHECKS))
    for name in CHECKS:
        check_file(name, json.loads((directory / name).read_text()))


# ---- Self-test -------------------------------------------------------------------------------------------------------------------


def self_test() -> None:
    ml_kem_768.self_check()
    docs = {f"handshake_suite_{suite}.json": make_handshake(suite) for suite in SUITES}
    docs["datagram_protection.json"] = make_datagram_protection()
    docs["identities.json"] = make_identities()
    for name, doc in docs.items():
        check_file(name, json.loads(json.dumps(doc)))
    right = Counter(counts)
    noticed = sum(notices_every_change(name, docs[name]) for name in docs)
    counts.clear()
    counts.update(right, changes_noticed=noticed)


def notices_every_change(name: str, doc: dict) -> int:
    changed = 0
    for path in leaves(doc):
        if path[0] in ("bad_keys", "bad_texts"):
            continue  # a change leaves most of them bad
        other = copy.deepcopy(doc)
        place = other
        for step in path[:-1]:
            place = place[step]
        for value in other_values(place[path[-1]]):
            if path[-1] == "ml_kem_seed" and value[:64] == place[path[-1]][:64] and len(value) == 128:
                continue  # the second half matters only for ciphertexts that are wrong
            original, place[path[-1]] = place[path[-1]], value
            try:
                check_file(name, other)
            except Mismatch:
                changed += 1
            else:
                raise AssertionError(f"{name}: a change at {path} was not noticed: {original!r} -> {value!r}")
            place[path[-1]] = original
    return changed


def leaves(value: object, path: tuple = ()) -> list[tuple]:
    if isinstance(value, dict):
        return [leaf for key, item in value.items() for leaf in leaves(item, path + (key,))]
    if isinstance(value, list):
        return [leaf for index, item in enumerate(value) for leaf in leaves(item, path + (index,))]
    return [path]


def other_values(value: object) -> list[object]:
    if value is None:
        return [0]
    if isinstance(value, bool):
        return [not value]
    if isinstance(value, int):
        return [value + 1, value ^ 0x10]
    assert isinstance(value, str)
    changes = [value + "00"]
    if value:
        changes += [flip(value, 0), flip(value, len(value) // 2), flip(value, len(value) - 1), value[:-2]]
    return changes


def main() -> None:
    if "--self-test" in sys.argv[1:]:
        self_test()
    else:
        check_directory(Path(sys.argv[1]) if len(sys.argv) > 1 else DIRECTORY)
    summary = ", ".join(f"{count} {what.replace('_', ' ')}" for what, count in sorted(counts.items()))
    print(f"vectors: {summary}")
    print(f"{counts['files']} passed, 0 failed")


if __name__ == "__main__":
    main()
