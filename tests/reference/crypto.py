"""Section 5 of the specification: key schedule, packet protection, identities."""

from __future__ import annotations

import hashlib
import hmac
import struct
from dataclasses import dataclass

from cryptography.exceptions import InvalidSignature, InvalidTag
from cryptography.hazmat.primitives.asymmetric.ed25519 import Ed25519PrivateKey, Ed25519PublicKey
from cryptography.hazmat.primitives.asymmetric.x25519 import X25519PrivateKey, X25519PublicKey
from cryptography.hazmat.primitives.ciphers import Cipher, algorithms, modes
from cryptography.hazmat.primitives.ciphers.aead import AESGCM, ChaCha20Poly1305

TAG_LEN = 16
ZEROS = bytes(32)
HYBRID_SUITES = (1, 3)
AES_SUITES = (3, 4)
SUITES = (1, 2, 3, 4)


class Rejected(Exception):
    """Something that does not verify or does not open."""


def sha256(data: bytes) -> bytes:
    return hashlib.sha256(data).digest()


def hmac_sha256(key: bytes, data: bytes) -> bytes:
    return hmac.digest(key, data, "sha256")


EMPTY = sha256(b"")

# ---- Key schedule (5.2) ----------------------------------------------------------------------------------------------------------


def extract(salt: bytes, ikm: bytes) -> bytes:
    return hmac_sha256(salt, ikm)


def expand(prk: bytes, info: bytes, length: int) -> bytes:
    output, block, counter = b"", b"", 1
    while len(output) < length:
        block = hmac_sha256(prk, block + info + bytes([counter]))
        output += block
        counter += 1
    return output[:length]


def expand_label(secret: bytes, label: str, context: bytes, length: int) -> bytes:
    full = b"aitcp1 " + label.encode()
    info = struct.pack(">H", length) + bytes([len(full)]) + full + bytes([len(context)]) + context
    return expand(secret, info, length)


def derive_secret(secret: bytes, label: str, transcript_hash: bytes) -> bytes:
    return expand_label(secret, label, transcript_hash, 32)


def early_secret() -> bytes:
    return extract(ZEROS, ZEROS)


def next_secret(secret: bytes, ikm: bytes) -> bytes:
    """From ES to HS with the X25519 secret, from HS to MS with the one of ML-KEM, or zeros."""
    return extract(derive_secret(secret, "derived", EMPTY), ikm)


def finished_key(secret: bytes) -> bytes:
    return expand_label(secret, "finished", b"", 32)


def export(exporter_secret: bytes, label: str, context: bytes, length: int) -> bytes:
    return expand_label(derive_secret(exporter_secret, label, EMPTY), "exporter", sha256(context), length)


class Transcript:
    """The bytes of section 6.5, hashed whenever a hash is wanted."""

    def __init__(self) -> None:
        self.bytes = b""

    def add(self, data: bytes) -> bytes:
        self.bytes += data
        return self.hash()

    def hash(self) -> bytes:
        return sha256(self.bytes)


# ---- Packet protection (5.3) -----------------------------------------------------------------------------------------------------


@dataclass
class PacketKeys:
    suite: int
    key: bytes
    iv: bytes
    hp: bytes

    @classmethod
    def of(cls, suite: int, secret: bytes) -> PacketKeys:
        return cls(
            suite,
            expand_label(secret, "key", b"", 32),
            expand_label(secret, "iv", b"", 12),
            expand_label(secret, "hp", b"", 32),
        )

    def seal(self, number: int, header: bytes, plaintext: bytes) -> bytes:
        return self._aead().encrypt(self._nonce(number), plaintext, header)

    def open(self, number: int, header: bytes, body: bytes) -> bytes:
        try:
            return self._aead().decrypt(self._nonce(number), body, header)
        except InvalidTag as error:
            raise Rejected("packet does not open") from error

    def mask(self, header: bytes, body: bytes) -> bytes:
        """Masks or unmasks the number of a packet on a datagram carrier."""
        sample = body[:16]
        if self.suite in AES_SUITES:
            cipher = Cipher(algorithms.AES256(self.hp), modes.ECB())
            mask = cipher.encryptor().update(sample)[:5]
        else:
            # The library takes counter and nonce together, in the order in which the sample has them.
            cipher = Cipher(algorithms.ChaCha20(self.hp, sample), None)
            mask = cipher.encryptor().update(bytes(5))
        return header[:16] + bytes(a ^ b for a, b in zip(header[16:21], mask)) + header[21:]

    def _aead(self) -> AESGCM | ChaCha20Poly1305:
        return AESGCM(self.key) if self.suite in AES_SUITES else ChaCha20Poly1305(self.key)

    def _nonce(self, number: int) -> bytes:
        return bytes(a ^ b for a, b in zip(self.iv, bytes(4) + struct.pack(">Q", number)))


# ---- Identities and signatures (5.4) ---------------------------------------------------------------------------------------------

FIELD = 2**255 - 19
ORDER = 2**252 + 27742317777372353535851937790883648493
SMALL_ORDER_Y = [
    int.from_bytes(bytes.fromhex(y), "little")
    for y in (
        "0100000000000000000000000000000000000000000000000000000000000000",
        "ecffffffffffffffffffffffffffffffffffffffffffffffffffffffffffff7f",
        "0000000000000000000000000000000000000000000000000000000000000000",
        "26e8958fc2b227b045c3f489f2ef98f0d5dfac05d3c63339b13802886d53fc05",
        "c7176a703d4dd84fba3c0b760d10670f2a2053fa2c39ccc64ec7fd7792ac037a",
    )
]


def is_acceptable_point(encoded: bytes) -> bool:
    y = int.from_bytes(encoded, "little") % 2**255
    return len(encoded) == 32 and y < FIELD and y not in SMALL_ORDER_Y


def public_identity(seed: bytes) -> bytes:
    return Ed25519PrivateKey.from_private_bytes(seed).public_key().public_bytes_raw()


def auth_message(role: str, transcript_hash: bytes) -> bytes:
    message = b"\x20" * 64 + f"AI-TCP v1 {role} auth".encode() + b"\x00" + transcript_hash
    assert len(message) == 121
    return message


def sign(seed: bytes, message: bytes) -> bytes:
    return Ed25519PrivateKey.from_private_bytes(seed).sign(message)


def verify(identity: bytes, message: bytes, signature: bytes) -> None:
    if not is_acceptable_point(identity) or not is_acceptable_point(signature[:32]):
        raise Rejected("weak point")
    if int.from_bytes(signature[32:], "little") >= ORDER:
        raise Rejected("S is not below the order")
    try:
        Ed25519PublicKey.from_public_bytes(identity).verify(signature, message)
    except InvalidSignature as error:
        raise Rejected("signature") from error


def x25519_public(secret: bytes) -> bytes:
    return X25519PrivateKey.from_private_bytes(secret).public_key().public_bytes_raw()


def x25519(secret: bytes, public: bytes) -> bytes:
    try:
        return X25519PrivateKey.from_private_bytes(secret).exchange(X25519PublicKey.from_public_bytes(public))
    except ValueError as error:  # the library refuses a result of zeros by itself
        raise Rejected("weak key share") from error


# ---- The text form of identities (R-5.4-2) ---------------------------------------------------------------------------------------

ALPHABET = "qpzry9x8gf2tvdw0s3jn54khce6mua7l"
PREFIX = "aitcp"
BECH32M = 0x2BC830A3


def _polymod(values: list[int]) -> int:
    checksum = 1
    for value in values:
        top = checksum >> 25
        checksum = (checksum & 0x1FFFFFF) << 5 ^ value
        for bit, generator in enumerate((0x3B6A57B2, 0x26508E6D, 0x1EA119FA, 0x3D4233DD, 0x2A1462B3)):
            checksum ^= generator if top >> bit & 1 else 0
    return checksum


def _expanded_prefix() -> list[int]:
    return [ord(c) >> 5 for c in PREFIX] + [0] + [ord(c) & 31 for c in PREFIX]


def identity_to_text(identity: bytes) -> str:
    bits = int.from_bytes(identity, "big") << 4  # 256 bits and four of padding: 52 groups of five
    values = [bits >> 5 * (51 - i) & 31 for i in range(52)]
    checksum = _polymod(_expanded_prefix() + values + [0] * 6) ^ BECH32M
    values += [checksum >> 5 * (5 - i) & 31 for i in range(6)]
    return PREFIX + "1" + "".join(ALPHABET[value] for value in values)


def identity_from_text(text: str) -> bytes:
    if text.upper() == text:
        text = text.lower()
    if len(text) != 64 or not text.startswith(PREFIX + "1"):
        raise Rejected("not the text of an identity")
    values = [ALPHABET.find(c) for c in text[len(PREFIX) + 1 :]]
    if min(values) < 0 or _polymod(_expanded_prefix() + values) != BECH32M:
        raise Rejected("checksum")
    bits = 0
    for value in values[:-6]:
        bits = bits << 5 | value
    if bits & 15:
        raise Rejected("padding")
    identity = (bits >> 4).to_bytes(32, "big")
    if not is_acceptable_point(identity):
        raise Rejected("weak identity")
    return identity
