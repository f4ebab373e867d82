"""Sections 3 and 6 of the specification: both roles of the handshake, and packets over a stream carrier.

Bytes in, bytes out. Everything random comes in through `Inputs`, so that a handshake can be repeated.
"""

from __future__ import annotations

import os
import struct
from collections.abc import Callable
from dataclasses import dataclass, field

from . import ml_kem_768
from .crypto import (
    HYBRID_SUITES,
    SUITES,
    TAG_LEN,
    ZEROS,
    PacketKeys,
    Rejected,
    Transcript,
    auth_message,
    derive_secret,
    early_secret,
    finished_key,
    hmac_sha256,
    is_acceptable_point,
    next_secret,
    public_identity,
    sha256,
    sign,
    verify,
    x25519,
    x25519_public,
)
from .tables import Accept, Auth, Hello, Params, Payload, Refuse, require

VERSION = 10
HEADER_LEN = 24
MAX_HANDSHAKE_PACKET = 1232
KINDS = {
    "Hello": 1,
    "Retry": 2,
    "Refuse": 3,
    "Accept": 4,
    "KemOffer": 5,
    "ResponderAuth": 6,
    "KemReply": 7,
    "InitiatorAuth": 8,
    "Data": 9,
}
NAMES = {kind: name for name, kind in KINDS.items()}
EPOCHS = {"KemOffer": 1, "ResponderAuth": 1, "KemReply": 1, "InitiatorAuth": 2, "Data": 3}
"""Of sealed packets; those that are clear are not here."""


@dataclass
class Header:
    name: str
    length: int
    connection_id: int

    @classmethod
    def read(cls, data: bytes) -> Header:
        version, kind, length, epoch, connection_id, number = struct.unpack("<BBHIQQ", data)
        require(version == VERSION, "not a packet of this protocol")
        require(kind in NAMES, "unknown kind")
        require(epoch == EPOCHS.get(NAMES[kind], 0), "epoch")
        require(number == 0, "number")
        return cls(NAMES[kind], length, connection_id)

    def write(self) -> bytes:
        epoch = EPOCHS.get(self.name, 0)
        return struct.pack("<BBHIQQ", VERSION, KINDS[self.name], self.length, epoch, self.connection_id, 0)


@dataclass
class Inputs:
    """What one end brings to a handshake."""

    identity_seed: bytes
    params: Params
    credentials: bytes = b""
    ephemeral_secret: bytes = field(default_factory=lambda: os.urandom(32))
    random: bytes = field(default_factory=lambda: os.urandom(32))
    connection_id: int = field(default_factory=lambda: int.from_bytes(os.urandom(8), "little") | 1)
    kem: bytes = field(default_factory=lambda: os.urandom(64))
    """R: the seed `d || z`. I: the first half is `m`."""


@dataclass
class Record:
    """A packet that was sent, as a test vector has it."""

    name: str
    number: int | None
    header: bytes
    plaintext: bytes
    wire: bytes


class Refused(Exception):
    """The responder refused the Hello, with this code."""


class Closed(Exception):
    """The peer closed."""


class Peer:
    """What both roles have in common."""

    role: str

    def __init__(self, inputs: Inputs) -> None:
        self.inputs = inputs
        self.transcript = Transcript()
        self.peer_connection_id = 0
        self.suite = 0
        self.secrets: dict[str, bytes] = {}
        self.peer: Auth | None = None
        self.sent: list[Record] = []
        self.expected = ""
        self._sealed_count = 0
        self._opened_count = 0

    # Packets.

    def receive(self, packet: bytes) -> bytes:
        """Takes a whole packet of the handshake; returns what is to be sent."""
        header = Header.read(packet[:HEADER_LEN])
        require(header.length == len(packet) - HEADER_LEN, "length")
        require(len(packet) <= MAX_HANDSHAKE_PACKET, "handshake packet too long")
        require(header.connection_id == (0 if header.name == "Hello" else self.inputs.connection_id), "connection id")
        if header.name == "Refuse" and self.expected == "Accept":
            refuse = Refuse.read(packet[HEADER_LEN:])
            require(refuse.hello_hash == sha256(self.sent[0].wire), "hash of the Hello")
            raise Refused(refuse.code)
        require(header.name == self.expected, f"{header.name} in place of {self.expected}")
        body = packet[HEADER_LEN:]
        if header.name in EPOCHS:
            body = self._open(header.name, packet[:HEADER_LEN], body)
        return getattr(self, "_on_" + header.name)(packet[:HEADER_LEN], body)

    def seal_data(self, payload: Payload) -> bytes:
        assert self.peer is not None
        packet = self._send("Data", payload.write())
        assert len(packet) <= self.peer.params.max_packet
        return packet

    def open_data(self, packet: bytes) -> Payload:
        header = Header.read(packet[:HEADER_LEN])
        require(header.name == "Data" and self.expected == "Data", f"{header.name} in place of {self.expected}")
        require(len(packet) <= self.inputs.params.max_packet, "packet too long")
        require(header.connection_id == self.inputs.connection_id, "connection id")
        return Payload.read(self._open("Data", packet[:HEADER_LEN], packet[HEADER_LEN:]))

    def _send(self, name: str, plaintext: bytes) -> bytes:
        sealed = name in EPOCHS
        header = Header(name, len(plaintext) + TAG_LEN * sealed, self.peer_connection_id).write()
        number = None
        body = plaintext
        if sealed:
            number = self._sealed_count
            body = self._keys(name, self.role).seal(number, header, plaintext)
            self._sealed_count += 1
        self.sent.append(Record(name, number, header, plaintext, header + body))
        return header + body

    def _open(self, name: str, header: bytes, body: bytes) -> bytes:
        sender = "responder" if self.role == "initiator" else "initiator"
        plaintext = self._keys(name, sender).open(self._opened_count, header, body)
        self._opened_count += 1
        return plaintext

    def _keys(self, name: str, sender: str) -> PacketKeys:
        label = {1: "hs", 2: "auth", 3: "ap"}[EPOCHS[name]]
        return PacketKeys.of(self.suite, self.secrets[f"{sender[0]} {label}"])

    # The steps that both roles take.

    def _is_hybrid(self) -> bool:
        return self.suite in HYBRID_SUITES

    def _mix_x25519(self, key_share: bytes) -> None:
        self.secrets["ES"] = early_secret()
        self.secrets["HS"] = next_secret(self.secrets["ES"], x25519(self.inputs.ephemeral_secret, key_share))
        for label in ("i hs", "r hs"):
            self.secrets[label] = derive_secret(self.secrets["HS"], label, self.transcript.hash())

    def _mix_kem(self, shared: bytes) -> None:
        self.secrets["MS"] = next_secret(self.secrets["HS"], shared)
        self.secrets["i auth"] = derive_secret(self.secrets["MS"], "i auth", self.transcript.hash())

    def _finish(self) -> None:
        for label in ("i ap", "r ap", "exporter"):
            self.secrets[label] = derive_secret(self.secrets["MS"], label, self.transcript.hash())
        self.expected = "Data"

    def _send_auth(self, name: str, base: str) -> bytes:
        inputs = self.inputs
        table = Auth(inputs.params, public_identity(inputs.identity_seed), inputs.credentials).write()
        length = len(table) + 96 + TAG_LEN
        header = Header(name, length, self.peer_connection_id).write()
        signature = sign(inputs.identity_seed, auth_message(self.role, self.transcript.add(header + table)))
        finished = hmac_sha256(finished_key(self.secrets[base]), self.transcript.add(signature))
        self.transcript.add(finished)
        return self._send(name, table + signature + finished)

    def _take_auth(self, header: bytes, body: bytes, role: str, base: str, pin: bytes | None) -> None:
        require(len(body) > 96, "no room for the trailer")
        table, signature, finished = body[:-96], body[-96:-32], body[-32:]
        auth = Auth.read(table)
        signed = self.transcript.add(header + table)
        if hmac_sha256(finished_key(self.secrets[base]), self.transcript.add(signature)) != finished:
            raise Rejected("finished")
        self.transcript.add(finished)
        if not is_acceptable_point(auth.identity):
            raise Rejected("weak identity")
        if pin is not None and auth.identity != pin:
            raise Rejected("another identity than the pinned one")
        verify(auth.identity, auth_message(role, signed), signature)
        self.peer = auth


class Initiator(Peer):
    role = "initiator"

    def __init__(
        self,
        inputs: Inputs,
        app_protocol: str,
        realm: str,
        suites: tuple[int, ...],
        pin: bytes | None,
        verdict: Callable[[bytes], bool] = lambda identity: False,
    ) -> None:
        """Without a pin, `verdict` decides about the identity that has proved itself."""
        super().__init__(inputs)
        self.pin, self.verdict = pin, verdict
        self.hello = Hello(
            inputs.random, x25519_public(inputs.ephemeral_secret), inputs.connection_id, app_protocol, realm,
            suites=suites,
        )  # fmt: skip
        self.expected = "Accept"
        self._ciphertext = b""
        self._kem_shared = ZEROS

    def start(self) -> bytes:
        table = self.hello.write()
        header = Header("Hello", len(table) + 96, 0).write()
        tagged = table + ZEROS
        tag = hmac_sha256(self.pin, header + tagged) if self.pin else ZEROS
        packet = self._send("Hello", tagged + tag + ZEROS)
        self.transcript.add(packet)
        return packet

    def _on_Accept(self, header: bytes, body: bytes) -> bytes:
        accept = Accept.read(body)
        require(accept.version == VERSION and accept.suite in self.hello.suites, "not offered")
        self.suite, self.peer_connection_id = accept.suite, accept.connection_id
        self.transcript.add(header + body)
        self._mix_x25519(accept.key_share)
        self.expected = "KemOffer" if self._is_hybrid() else "ResponderAuth"
        return b""

    def _on_KemOffer(self, header: bytes, body: bytes) -> bytes:
        require(ml_kem_768.is_valid_key(body), "encapsulation key")
        self._kem_shared, self._ciphertext = ml_kem_768.encapsulate(body, self.inputs.kem[:32])
        self.transcript.add(header + body)
        self.expected = "ResponderAuth"
        return b""

    def _on_ResponderAuth(self, header: bytes, body: bytes) -> bytes:
        self._take_auth(header, body, "responder", "r hs", self.pin)
        if self.pin is None and not self.verdict(self.peer.identity):
            raise Rejected("the identity was turned down")
        flight = b""
        if self._is_hybrid():
            flight = self._send("KemReply", self._ciphertext)
            self.transcript.add(flight[:HEADER_LEN] + self._ciphertext)
        self._mix_kem(self._kem_shared)
        flight += self._send_auth("InitiatorAuth", "i auth")
        self._finish()
        return flight


class Responder(Peer):
    role = "responder"

    def __init__(
        self,
        inputs: Inputs,
        app_protocols: tuple[str, ...],
        realms: tuple[str, ...] = ("",),
        suites: tuple[int, ...] = SUITES,
        prefer_aes: bool = False,
    ) -> None:
        super().__init__(inputs)
        self.app_protocols, self.realms, self.suites, self.prefer_aes = app_protocols, realms, suites, prefer_aes
        self.refused: int | None = None
        self.expected = "Hello"

    def _on_Hello(self, header: bytes, body: bytes) -> bytes:
        require(len(body) > 96, "no room for the trailer")
        table, cookie, tag, binder = body[:-96], body[-96:-64], body[-64:-32], body[-32:]
        hello = Hello.read(table)
        require(cookie == ZEROS and binder == ZEROS, "trailer")
        self.peer_connection_id = hello.connection_id
        own_tag = hmac_sha256(public_identity(self.inputs.identity_seed), header + table + cookie)
        common = [suite for suite in hello.suites if suite in self.suites]
        checks = [
            (tag in (ZEROS, own_tag), 5),
            (VERSION in hello.versions, 1),
            (common, 2),
            (hello.app_protocol in self.app_protocols, 3),
            (hello.realm in self.realms, 4),
        ]
        for passed, code in checks:
            if not passed:
                self.refused = code
                return self._send("Refuse", Refuse(sha256(header + body), code).write())

        self.suite = self._choose(common)
        inputs = self.inputs
        accept = Accept(self.suite, inputs.random, x25519_public(inputs.ephemeral_secret), inputs.connection_id)
        self.transcript.add(header + body)
        flight = self._send("Accept", accept.write())
        self.transcript.add(flight)
        self._mix_x25519(hello.key_share)
        if self._is_hybrid():
            key, self._decapsulation_key = ml_kem_768.keygen(inputs.kem)
            offer = self._send("KemOffer", key)
            self.transcript.add(offer[:HEADER_LEN] + key)
            flight += offer
        flight += self._send_auth("ResponderAuth", "r hs")
        if self._is_hybrid():
            self.expected = "KemReply"
        else:
            self._mix_kem(ZEROS)
            self.expected = "InitiatorAuth"
        return flight

    def _choose(self, common: list[int]) -> int:
        """The rules of 5.1; `common` is in the initiator's order."""
        common = [suite for suite in common if suite in HYBRID_SUITES] or common
        chacha, aes = ([suite for suite in common if (suite in (3, 4)) == is_aes] for is_aes in (False, True))
        if aes and (not chacha or (self.prefer_aes and common.index(aes[0]) < common.index(chacha[0]))):
            return aes[0]
        return chacha[0]

    def _on_KemReply(self, header: bytes, body: bytes) -> bytes:
        require(len(body) == ml_kem_768.CIPHERTEXT_LEN, "ciphertext")
        self.transcript.add(header + body)
        self._mix_kem(ml_kem_768.decapsulate(self._decapsulation_key, body))
        self.expected = "InitiatorAuth"
        return b""

    def _on_InitiatorAuth(self, header: bytes, body: bytes) -> bytes:
        self._take_auth(header, body, "initiator", "i auth", None)
        self._finish()
        return b""
