"""Sections 8 and 9 of the specification, as much as a test peer needs: streams of messages with credit, and close.

What comes is consumed at once, so limits grow with it. There are no priorities, no compression and no datagrams.
"""

from __future__ import annotations

from collections import deque
from dataclasses import dataclass, field

from .handshake import HEADER_LEN, Closed, Peer
from .tables import (
    COMPRESSED,
    CREDIT,
    DONE,
    END_OF_MESSAGE,
    END_OF_STREAM,
    PING,
    RESET,
    SHUTDOWN,
    STOP,
    STREAM_CREDIT,
    Close,
    Control,
    Fragment,
    Payload,
    require,
)

PACKET_OVERHEAD = HEADER_LEN + 16 + 96
"""Header, tag, and what the payload's table takes at most without its structs."""


@dataclass
class SendingSide:
    limit: int
    queue: deque[bytearray] = field(default_factory=deque)
    """Messages not sent yet; of the first one, its rest."""
    next: int = 0
    finished: bool = False
    """The application has nothing more."""
    final: int | None = None
    """The end of the stream, or a reset, was sent."""
    done: bool = False


@dataclass
class ReceivingSide:
    limit: int
    next: int = 0
    message: bytearray = field(default_factory=bytearray)
    at_boundary: bool = True
    final: int | None = None


@dataclass
class Stream:
    sending: SendingSide | None
    receiving: ReceivingSide | None
    messages: list[bytes] = field(default_factory=list)
    """Complete messages that came."""

    def ended(self) -> bool:
        return self.receiving is None or self.receiving.final is not None

    def done(self) -> bool:
        return self.ended() and (self.sending is None or self.sending.done)


class Session:
    def __init__(self, peer: Peer) -> None:
        assert peer.peer is not None
        self.peer = peer
        self.own, self.theirs = peer.inputs.params, peer.peer.params
        self.is_responder = peer.role == "responder"
        self.streams: dict[int, Stream] = {}
        self.controls: list[Control] = []
        self.sent = self.received = 0
        self.send_limit, self.receive_limit = self.theirs.session_credit, self.own.session_credit
        self.may_open = [self.theirs.bidirectional_streams, self.theirs.unidirectional_streams]
        self.lets_open = [self.own.bidirectional_streams, self.own.unidirectional_streams]
        self.opened = [0, 0]
        self.opened_by_peer = [0, 0]
        self.confirmed = False
        self.shut_down = False

    # What the application does.

    def open(self, unidirectional: bool = False) -> int:
        assert not self.shut_down, "no new streams"
        kind = int(unidirectional)
        assert self.opened[kind] < self.may_open[kind], "as many streams are open as the peer allows"
        self.opened[kind] += 1
        number = self.opened[kind] << 2 | kind << 1 | int(self.is_responder)
        self.streams[number] = self._stream(number)
        return number

    def send(self, number: int, message: bytes) -> None:
        self.streams[number].sending.queue.append(bytearray(message))

    def finish(self, number: int) -> None:
        self.streams[number].sending.finished = True

    def ping(self) -> None:
        self.controls.append(Control(PING))

    def close(self, code: int, reason: str = "", source: int = 1) -> bytes:
        return self.peer.seal_data(Payload(close=Close(source, code, reason)))

    # What goes out.

    def poll(self) -> bytes:
        """All packets that can be sent now."""
        packets = b""
        while payload := self._next_payload():
            packets += self.peer.seal_data(payload)
        return packets

    def _next_payload(self) -> Payload | None:
        room = self.theirs.max_packet - PACKET_OVERHEAD
        count = room // 32
        payload = Payload(controls=self.controls[:count])
        del self.controls[:count]
        room -= 32 * len(payload.controls)
        for number, stream in self.streams.items():
            while stream.sending and room > 32 and (fragment := self._next_fragment(number, stream.sending, room - 32)):
                payload.fragments.append(fragment)
                room -= 32 + len(fragment.data)
        return payload if payload.controls or payload.fragments else None

    def _next_fragment(self, number: int, side: SendingSide, room: int) -> Fragment | None:
        if side.final is not None:
            return None
        credit = min(side.limit - side.next, self.send_limit - self.sent)
        fragment = Fragment(number, side.next, 0)
        if side.queue:
            message = side.queue[0]
            fragment.data = bytes(message[: min(room, credit)])
            if len(fragment.data) == len(message) and len(message) < credit:
                fragment.flags |= END_OF_MESSAGE
                side.queue.popleft()
            elif not fragment.data:
                return None
            else:
                del message[: len(fragment.data)]
        elif not side.finished:
            return None
        if side.finished and not side.queue:
            fragment.flags |= END_OF_STREAM
            side.final = fragment.end()
        self.sent += fragment.end() - side.next
        side.next = fragment.end()
        return fragment

    # What comes in.

    def receive(self, packet: bytes) -> None:
        payload = self.peer.open_data(packet)
        for control in payload.controls:
            self._on_control(control)
        for fragment in payload.fragments:
            self._on_fragment(fragment)
        if payload.close:
            raise Closed(payload.close)
        self.confirmed = True

    def _on_control(self, control: Control) -> None:
        if control.code == CREDIT and control.stream == 0:
            require(control.a <= self.sent, "more received than was sent")
            self.send_limit = max(self.send_limit, control.b)
        elif control.code == STREAM_CREDIT:
            self.may_open[control.stream] = max(self.may_open[control.stream], control.a)
        elif control.code in (CREDIT, STOP):
            side = self._find(control.stream).sending
            require(side, "no sending side")
            if control.code == STOP:
                self._on_stop(control.stream, side, control.a)
                return
            require(control.a <= side.next, "more received than was sent")
            side.limit = max(side.limit, control.b)
            if control.flags & DONE:
                require(side.final is not None and control.a == side.final, "Done before the end")
                side.done = True
        elif control.code == RESET:
            side = self._find(control.stream).receiving
            require(side, "no receiving side")
            require(control.b >= side.next and side.final in (None, control.b), "final offset")
            self._count(side, control.b)
            self._end(control.stream, side)
        elif control.code == SHUTDOWN:
            self._on_shutdown((control.a, control.b))
        else:
            require(control.code == PING, "unknown control")

    def _on_shutdown(self, counts: tuple[int, int]) -> None:
        for kind, count in enumerate(counts):
            if count > self.opened_by_peer[kind]:
                self._find(count << 2 | kind << 1 | int(not self.is_responder))
        if not self.shut_down:
            self.shut_down = True
            self.controls.append(Control(SHUTDOWN, 0, self.opened[0], self.opened[1]))

    def _on_stop(self, number: int, side: SendingSide, code: int) -> None:
        if not side.done:
            side.queue.clear()
            side.final = side.next
            self.controls.append(Control(RESET, number, code, side.final))

    def _on_fragment(self, fragment: Fragment) -> None:
        stream = self._find(fragment.stream)
        side = stream.receiving
        require(side, "no receiving side")
        require(fragment.offset == side.next, "not the next offset")
        require(side.final is None, "beyond the end of the stream")
        require(not fragment.flags & COMPRESSED, "not agreed on")
        self._count(side, fragment.end())
        side.message += fragment.data
        side.at_boundary = side.at_boundary and not fragment.data
        require(len(side.message) <= self.own.max_message, "message too large")
        if fragment.flags & END_OF_MESSAGE:
            stream.messages.append(bytes(side.message))
            side.message.clear()
            side.at_boundary = True
        if fragment.flags & END_OF_STREAM:
            require(side.at_boundary, "end of the stream within a message")
            self._end(fragment.stream, side)
        else:
            self._credit(fragment.stream, side)

    def _count(self, side: ReceivingSide, end: int) -> None:
        self.received += end - side.next
        side.next = end
        require(side.next <= side.limit and self.received <= self.receive_limit, "more than the credit given")

    def _end(self, number: int, side: ReceivingSide) -> None:
        side.final = side.next
        self._credit(number, side, DONE)
        kind = number >> 1 & 1
        if number & 1 != self.is_responder:
            self.lets_open[kind] += 1
            self.controls.append(Control(STREAM_CREDIT, kind, self.lets_open[kind]))

    def _credit(self, number: int, side: ReceivingSide, flags: int = 0) -> None:
        """Everything is consumed as it comes: the full window again, for the stream and for the session."""
        side.limit = side.next + self.own.stream_credit
        self.receive_limit = self.received + self.own.session_credit
        known = (CREDIT, 0), (CREDIT, number)
        self.controls = [control for control in self.controls if (control.code, control.stream) not in known]
        self.controls.append(Control(CREDIT, number, side.next, side.limit, flags))
        self.controls.append(Control(CREDIT, 0, self.received, self.receive_limit))

    # Streams.

    def _find(self, number: int) -> Stream:
        require(4 <= number < 1 << 62, "not the number of a stream")
        if number not in self.streams:
            require(number & 1 != self.is_responder, "an own stream that was never opened")
            kind, index = number >> 1 & 1, number >> 2
            require(index <= self.lets_open[kind], "more streams than the limit given")
            for lower in range(self.opened_by_peer[kind] + 1, index + 1):
                opened = lower << 2 | number & 3
                self.streams[opened] = self._stream(opened)
            self.opened_by_peer[kind] = index
        return self.streams[number]

    def _stream(self, number: int) -> Stream:
        own = number & 1 == self.is_responder
        both = not number & 2
        return Stream(
            SendingSide(self.theirs.stream_credit) if both or own else None,
            ReceivingSide(self.own.stream_credit) if both or not own else None,
        )
