#!/usr/bin/env python3
"""Talks to another implementation over TCP, as proof that a peer can be written from `schemas/` alone.

    interop.py HOST PORT PEER_ID          with each suite: dial the responder, send messages, check their echo, close
    interop.py --listen PORT              be the responder that echoes; prints `listening on PORT as PEER_ID`

PEER_ID is in hexadecimal or in the text form. Needs the packages `cryptography` and `flatbuffers`.
"""

from __future__ import annotations

import argparse
import hashlib
import os
import socket
import sys

from reference.crypto import SUITES, identity_from_text, identity_to_text, public_identity
from reference.handshake import HEADER_LEN, Closed, Initiator, Inputs, Peer, Responder
from reference.session import Session
from reference.tables import Params

PARAMS = Params(
    max_packet=4096, session_credit=65536, stream_credit=32768, bidirectional_streams=8, unidirectional_streams=8,
    max_message=1 << 20,
)  # fmt: skip
TIMEOUT = 20.0


class Carrier:
    """Whole packets over a socket."""

    def __init__(self, connection: socket.socket) -> None:
        connection.settimeout(TIMEOUT)
        self.connection = connection

    def send(self, data: bytes) -> None:
        self.connection.sendall(data)

    def receive(self) -> bytes:
        header = self._exactly(HEADER_LEN)
        return header + self._exactly(int.from_bytes(header[2:4], "little"))

    def _exactly(self, length: int) -> bytes:
        data = b""
        while len(data) < length:
            chunk = self.connection.recv(length - len(data))
            if not chunk:
                raise ConnectionError("the carrier ended without a close")
            data += chunk
        return data


def handshake(carrier: Carrier, peer: Peer, first: bytes = b"") -> Session:
    carrier.send(first)
    while peer.expected != "Data":
        carrier.send(peer.receive(carrier.receive()))
        if getattr(peer, "refused", None) is not None:
            raise ConnectionError(f"refused the Hello with code {peer.refused}")
    return Session(peer)


def messages() -> list[bytes]:
    """An empty one, a short one, and one longer than any packet or window here."""
    return [b"", b"hello", hashlib.shake_256(b"long").digest(200_000)]


def dial(args: argparse.Namespace, suite: int) -> None:
    with socket.create_connection((args.host, args.port), TIMEOUT) as connection:
        carrier = Carrier(connection)
        pin = None if args.ask else args.peer_id
        initiator = Initiator(inputs(args), args.app_protocol, args.realm, (suite,), pin, args.peer_id.__eq__)
        session = handshake(carrier, initiator, initiator.start())
        assert initiator.suite == suite
        stream = session.open()
        for message in messages():
            session.send(stream, message)
        session.finish(stream)
        while not session.streams[stream].done():
            carrier.send(session.poll())
            session.receive(carrier.receive())
        carrier.send(session.poll())
        assert session.streams[stream].messages == messages(), "the echo differs from what was sent"
        assert session.confirmed
        carrier.send(session.close(0, "done"))
        peer = identity_to_text(initiator.peer.identity)
        print(f"suite {suite}: {len(messages())} messages echoed by {peer}", flush=True)


def serve(args: argparse.Namespace) -> None:
    with socket.create_server(("127.0.0.1", args.listen)) as listener:
        identity = identity_to_text(public_identity(args.seed))
        print(f"listening on {listener.getsockname()[1]} as {identity}", flush=True)
        for _ in range(args.connections):
            connection, _ = listener.accept()
            with connection:
                echo(Carrier(connection), args)


def echo(carrier: Carrier, args: argparse.Namespace) -> None:
    responder = Responder(inputs(args), (args.app_protocol,), (args.realm,))
    session = handshake(carrier, responder)
    session.ping()
    count = 0
    try:
        while True:
            for number, stream in session.streams.items():
                if stream.sending is None:
                    continue
                for message in stream.messages:
                    session.send(number, message)
                count += len(stream.messages)
                stream.messages.clear()
                if stream.ended():
                    session.finish(number)
            carrier.send(session.poll())
            session.receive(carrier.receive())
    except Closed as closed:
        peer = identity_to_text(responder.peer.identity)
        print(f"suite {responder.suite}: echoed {count} messages of {peer}; {closed.args[0]}", flush=True)


def inputs(args: argparse.Namespace) -> Inputs:
    return Inputs(args.seed, PARAMS, credentials=b"from Python")


def identity(text: str) -> bytes:
    return identity_from_text(text) if text.startswith("aitcp1") else bytes.fromhex(text)


def main() -> None:
    parser = argparse.ArgumentParser(description=__doc__, formatter_class=argparse.RawDescriptionHelpFormatter)
    parser.add_argument("host", nargs="?")
    parser.add_argument("port", nargs="?", type=int)
    parser.add_argument("peer_id", nargs="?", type=identity)
    parser.add_argument("--listen", type=int, metavar="PORT", help="be the responder; 0: any free port")
    parser.add_argument("--connections", type=int, default=len(SUITES), help="how many to serve (default: 4)")
    parser.add_argument("--suite", type=int, action="append", choices=SUITES, help="only this suite; may be repeated")
    parser.add_argument("--app-protocol", default="echo/1")
    parser.add_argument("--realm", default="")
    parser.add_argument("--ask", action="store_true", help="dial without a pin: look at the identity when it has come")
    parser.add_argument("--seed", type=bytes.fromhex, default=os.urandom(32), help="own Ed25519 seed in hexadecimal")
    args = parser.parse_args()
    if args.listen is not None:
        serve(args)
    elif args.peer_id:
        for suite in args.suite or SUITES:
            dial(args, suite)
        print(f"{len(args.suite or SUITES)} passed, 0 failed")
    else:
        parser.error("give HOST PORT PEER_ID, or --listen PORT")


if __name__ == "__main__":
    sys.exit(main())
