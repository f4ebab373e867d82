"""The FlatBuffers of `schemas/*.fbs`: an own reader, and a writer over the official Python builder.

Nothing here is generated. The reader follows the format's description alone, so that it agrees with other readers only if the
bytes are what the specification says.
"""

from __future__ import annotations

import struct
from dataclasses import dataclass, field, fields

import flatbuffers
from flatbuffers.number_types import Uint8Flags


class Malformed(Exception):
    """Bytes that break a rule of their form."""


def require(condition: object, what: str) -> None:
    if not condition:
        raise Malformed(what)


# ---- Reading ---------------------------------------------------------------------------------------------------------------------


class Table:
    """A table in a buffer. Fields are numbered as in the schema, from 0."""

    def __init__(self, buffer: bytes, position: int) -> None:
        self.buffer, self.position = buffer, position
        vtable = position - self._read("<i", position)
        size = self._read("<H", vtable)
        require(vtable >= 0 and size >= 4 and size % 2 == 0 and vtable + size <= len(buffer), "vtable")
        self.slots = struct.unpack_from(f"<{size // 2}H", buffer, vtable)[2:]

    @classmethod
    def root(cls, buffer: bytes) -> Table:
        require(len(buffer) >= 4, "no root")
        return cls(buffer, struct.unpack_from("<I", buffer)[0])

    def scalar(self, number: int, code: str, default: int = 0) -> int:
        place = self._place(number)
        return default if place is None else self._read("<" + code, place)

    def struct(self, number: int, size: int) -> bytes | None:
        place = self._place(number)
        return None if place is None else self._slice(place, size)

    def table(self, number: int) -> Table | None:
        place = self._follow(number)
        return None if place is None else Table(self.buffer, place)

    def vector(self, number: int, size: int = 1) -> bytes:
        """The bytes of a vector of elements of `size` bytes; absent and empty are the same."""
        place = self._follow(number)
        return b"" if place is None else self._slice(place + 4, size * self._read("<I", place))

    def string(self, number: int) -> str | None:
        place = self._follow(number)
        if place is None:
            return None
        data = self._slice(place + 4, self._read("<I", place) + 1)
        require(data[-1] == 0, "string without terminator")
        try:
            return data[:-1].decode()
        except UnicodeDecodeError as error:
            raise Malformed("string is not UTF-8") from error

    def _place(self, number: int) -> int | None:
        offset = self.slots[number] if number < len(self.slots) else 0
        return self.position + offset if offset else None

    def _follow(self, number: int) -> int | None:
        place = self._place(number)
        return None if place is None else place + self._read("<I", place)

    def _read(self, code: str, place: int) -> int:
        return struct.unpack(code, self._slice(place, struct.calcsize(code)))[0]

    def _slice(self, place: int, size: int) -> bytes:
        require(0 <= place and place + size <= len(self.buffer), "outside of the buffer")
        return self.buffer[place : place + size]


def required(value):
    require(value is not None, "required field is missing")
    return value


# ---- Writing ---------------------------------------------------------------------------------------------------------------------


class Writer:
    """One table after another into one buffer; vectors and strings go first, as in all builders."""

    def __init__(self) -> None:
        self.builder = flatbuffers.Builder(1024)

    def bytes(self, data: bytes) -> int | None:
        return self.builder.CreateByteVector(data) if data else None

    def string(self, text: str) -> int:
        return self.builder.CreateString(text)

    def vector(self, items: list[bytes], alignment: int) -> int | None:
        """A vector of scalars or structs, each given as its little-endian bytes."""
        if not items:
            return None
        self.builder.StartVector(len(items[0]), len(items), alignment)
        for item in reversed(items):
            self._inline(item, alignment)
        return self.builder.EndVector()

    def table(self, slots: list[tuple[str, object, object] | None]) -> int:
        """`slots` in the order of the schema: None, or how it is stored, its value and its default."""
        self.builder.StartObject(len(slots))
        for number, slot in enumerate(slots):
            if slot is None or slot[1] is None:
                continue
            kind, value, default = slot
            if kind == "offset":
                self.builder.PrependUOffsetTRelativeSlot(number, value, 0)
            elif kind == "struct":
                data, alignment = value
                self._inline(data, alignment)
                self.builder.PrependStructSlot(number, self.builder.Offset(), 0)
            else:
                getattr(self.builder, f"Prepend{kind}Slot")(number, value, default)
        return self.builder.EndObject()

    def finish(self, root: int) -> bytes:
        self.builder.Finish(root)
        return bytes(self.builder.Output())

    def _inline(self, data: bytes, alignment: int) -> None:
        self.builder.Prep(alignment, len(data))
        for byte in reversed(data):
            self.builder.Place(byte, Uint8Flags)


def offset(value: int | None):
    return ("offset", value, 0)


def bytes32(data: bytes | None):
    return None if data is None else ("struct", (data, 1), None)


# ---- The tables of the handshake (specification, sections 4 and 7) ---------------------------------------------------------------


@dataclass
class Hello:
    random: bytes
    key_share: bytes
    connection_id: int
    app_protocol: str
    realm: str = ""
    versions: tuple[int, ...] = (10,)
    suites: tuple[int, ...] = (1, 2)

    @classmethod
    def read(cls, buffer: bytes) -> Hello:
        table = Table.root(buffer)
        versions = struct.unpack(f"<{len(table.vector(0, 2)) // 2}H", table.vector(0, 2))
        hello = cls(
            versions=versions,
            suites=tuple(table.vector(1)),
            random=required(table.struct(2, 32)),
            key_share=required(table.struct(3, 32)),
            connection_id=table.scalar(4, "Q"),
            app_protocol=required(table.string(5)),
            realm=table.string(6) or "",
        )
        require(1 <= len(hello.versions) <= 8 and 1 <= len(hello.suites) <= 8, "lists")
        require(1 <= len(hello.app_protocol.encode()) <= 64 and len(hello.realm.encode()) <= 64, "names")
        require(hello.connection_id != 0, "connection id 0")
        require(len(table.vector(7)) <= 512 and not table.vector(8), "ticket or padding")
        return hello

    def write(self) -> bytes:
        writer = Writer()
        versions = writer.vector([struct.pack("<H", version) for version in self.versions], 2)
        suites = writer.bytes(bytes(self.suites))
        app_protocol = writer.string(self.app_protocol)
        realm = writer.string(self.realm) if self.realm else None
        root = writer.table(
            [
                offset(versions),
                offset(suites),
                bytes32(self.random),
                bytes32(self.key_share),
                ("Uint64", self.connection_id, 0),
                offset(app_protocol),
                offset(realm),
                None,
                None,
            ]
        )
        return writer.finish(root)


@dataclass
class Refuse:
    hello_hash: bytes
    code: int

    @classmethod
    def read(cls, buffer: bytes) -> Refuse:
        table = Table.root(buffer)
        require(len(table.vector(2, 2)) <= 16 and len(table.vector(3)) <= 8, "lists")
        return cls(required(table.struct(0, 32)), table.scalar(1, "H"))

    def write(self) -> bytes:
        writer = Writer()
        return writer.finish(writer.table([bytes32(self.hello_hash), ("Uint16", self.code, 0), None, None]))


@dataclass
class Accept:
    suite: int
    random: bytes
    key_share: bytes
    connection_id: int
    version: int = 10

    @classmethod
    def read(cls, buffer: bytes) -> Accept:
        table = Table.root(buffer)
        accept = cls(
            version=table.scalar(0, "H"),
            suite=table.scalar(1, "B"),
            random=required(table.struct(2, 32)),
            key_share=required(table.struct(3, 32)),
            connection_id=table.scalar(4, "Q"),
        )
        require(accept.connection_id != 0, "connection id 0")
        require(table.scalar(5, "B") == 0 and table.scalar(6, "B") == 0, "resumed without a ticket")
        return accept

    def write(self) -> bytes:
        writer = Writer()
        root = writer.table(
            [
                ("Uint16", self.version, 0),
                ("Uint8", self.suite, 0),
                bytes32(self.random),
                bytes32(self.key_share),
                ("Uint64", self.connection_id, 0),
                None,
                None,
            ]
        )
        return writer.finish(root)


PARAM_CODES = {"Uint16": "H", "Uint32": "I", "Uint64": "Q", "Bool": "B"}


@dataclass
class Params:
    max_packet: int = 2088
    session_credit: int = 0
    stream_credit: int = 0
    bidirectional_streams: int = 0
    unidirectional_streams: int = 0
    max_message: int = 0
    idle_timeout_ms: int = 0
    compression: bool = False
    receipts: bool = False
    max_datagram: int = 0
    max_ack_delay_ms: int = 25

    KINDS = ("Uint16", "Uint64", "Uint64", "Uint64", "Uint64", "Uint64", "Uint32", "Bool", "Bool", "Uint16", "Uint16")

    @classmethod
    def read(cls, table: Table) -> Params:
        values = {}
        for number, (kind, known) in enumerate(zip(cls.KINDS, fields(cls))):
            value = table.scalar(number, PARAM_CODES[kind], int(known.default))
            values[known.name] = bool(value) if kind == "Bool" else value
        params = cls(**values)
        require(2088 <= params.max_packet <= 16424, "max_packet")
        require(max(params.session_credit, params.stream_credit) <= 1 << 62, "credit")
        require(max(params.bidirectional_streams, params.unidirectional_streams) <= 1 << 60, "streams")
        require(params.max_message >= 1, "max_message")
        require(params.max_ack_delay_ms < 1 << 14, "max_ack_delay_ms")
        return params

    def write(self, writer: Writer) -> int:
        return writer.table(
            [(kind, getattr(self, known.name), known.default) for kind, known in zip(self.KINDS, fields(self))]
        )


@dataclass
class Auth:
    """ResponderAuth and InitiatorAuth alike: the latter's claim is not known here."""

    params: Params
    identity: bytes
    credentials: bytes = b""

    @classmethod
    def read(cls, buffer: bytes) -> Auth:
        table = Table.root(buffer)
        auth = cls(Params.read(required(table.table(0))), required(table.struct(1, 32)), table.vector(2))
        require(len(auth.credentials) <= 512, "credentials")
        return auth

    def write(self) -> bytes:
        writer = Writer()
        credentials = writer.bytes(self.credentials)
        params = self.params.write(writer)
        return writer.finish(writer.table([offset(params), bytes32(self.identity), offset(credentials)]))


# ---- The payload of Data packets (specification, section 8) ----------------------------------------------------------------------

END_OF_MESSAGE, END_OF_STREAM, COMPRESSED = 1, 2, 4
PING, CREDIT, STREAM_CREDIT, RESET, STOP, SHUTDOWN = range(6)
DONE = 1


@dataclass
class Fragment:
    stream: int
    offset: int
    flags: int
    data: bytes = b""

    def end(self) -> int:
        """The offset behind it."""
        return self.offset + len(self.data) + (self.flags & END_OF_MESSAGE)


@dataclass
class Control:
    code: int
    stream: int = 0
    a: int = 0
    b: int = 0
    flags: int = 0


@dataclass
class Close:
    source: int
    code: int
    reason: str = ""


@dataclass
class Payload:
    controls: list[Control] = field(default_factory=list)
    fragments: list[Fragment] = field(default_factory=list)
    close: Close | None = None

    @classmethod
    def read(cls, buffer: bytes) -> Payload:
        table = Table.root(buffer)
        payload = cls()
        data = table.vector(1)
        for stream, start, length, flags, reserved in struct.iter_unpack("<QQHHI", table.vector(0, 24)):
            require(flags < 8 and reserved == 0, "fragment flags")
            require(length or flags & (END_OF_MESSAGE | END_OF_STREAM), "empty fragment")
            require(length <= len(data), "data is too short")
            payload.fragments.append(Fragment(stream, start, flags, data[:length]))
            data = data[length:]
        require(not data, "data is too long")
        require(not table.vector(2, 16) and not table.vector(5), "acks or datagrams")
        require(table.struct(9, 24) is None, "counts of marks")
        for stream, a, b, code, flags, reserved0, reserved1 in struct.iter_unpack("<QQQBBHI", table.vector(4, 32)):
            require(flags < 2 and reserved0 == reserved1 == 0, "control flags")
            require(not flags or (code == CREDIT and stream != 0), "Done out of place")
            require(code != STREAM_CREDIT or stream < 2, "kind of stream")
            payload.controls.append(Control(code, stream, a, b, flags))
        close = table.struct(6, 16)
        reason = table.vector(7)
        if close is None:
            require(not reason, "reason without close")
        else:
            code, source, reserved0, reserved1, reserved2 = struct.unpack("<QBBHI", close)
            require(source < 2 and reserved0 == reserved1 == reserved2 == 0 and len(reason) <= 256, "close")
            try:
                payload.close = Close(source, code, reason.decode())
            except UnicodeDecodeError as error:
                raise Malformed("reason is not UTF-8") from error
        return payload

    def write(self) -> bytes:
        writer = Writer()
        data = writer.bytes(b"".join(fragment.data for fragment in self.fragments))
        fragments = writer.vector(
            [struct.pack("<QQHHI", f.stream, f.offset, len(f.data), f.flags, 0) for f in self.fragments], 8
        )
        controls = writer.vector(
            [struct.pack("<QQQBBHI", c.stream, c.a, c.b, c.code, c.flags, 0, 0) for c in self.controls], 8
        )
        close = reason = None
        if self.close:
            reason = writer.bytes(self.close.reason.encode())
            close = ("struct", (struct.pack("<QBBHI", self.close.code, self.close.source, 0, 0, 0), 8), None)
        root = writer.table(
            [
                offset(fragments),
                offset(data),
                None,
                None,
                offset(controls),
                None,
                close,
                offset(reason),
                None,
            ]
        )
        return writer.finish(root)
