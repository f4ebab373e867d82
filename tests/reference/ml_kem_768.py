"""ML-KEM-768 (FIPS 203) in plain Python: slow, not constant time, for checking test vectors.

The vectors fix the randomness of encapsulation, which libraries rightly do not let a caller choose; hence this file. Run it to
check it against the ML-KEM of the `cryptography` package.
"""

from __future__ import annotations

import hashlib
from functools import lru_cache

Q = 3329
K = 3
ETA = 2  # both eta_1 and eta_2 of ML-KEM-768
DU, DV = 10, 4
KEY_LEN = 384 * K + 32
CIPHERTEXT_LEN = 32 * (DU * K + DV)

Poly = list[int]


def _bit_reversed_7(i: int) -> int:
    return int(f"{i:07b}"[::-1], 2)


ZETAS = [pow(17, _bit_reversed_7(i), Q) for i in range(128)]
GAMMAS = [pow(17, 2 * _bit_reversed_7(i) + 1, Q) for i in range(128)]


@lru_cache
def keygen(seed: bytes) -> tuple[bytes, bytes]:
    """Algorithm 16: from the 64 bytes `d || z` to the encapsulation and the decapsulation key."""
    d, z = seed[:32], seed[32:]
    if len(seed) != 64:
        raise ValueError("a seed has 64 bytes")
    ek, dk = _pke_keygen(d)
    return ek, dk + ek + _h(ek) + z


@lru_cache
def encapsulate(ek: bytes, m: bytes) -> tuple[bytes, bytes]:
    """Algorithm 17: from the 32 bytes of randomness `m` to the shared secret and the ciphertext."""
    if len(m) != 32:
        raise ValueError("the randomness has 32 bytes")
    if not is_valid_key(ek):
        raise ValueError("the encapsulation key fails the check of FIPS 203, section 7.2")
    shared, coins = _g(m + _h(ek))
    return shared, _pke_encrypt(ek, m, coins)


@lru_cache
def decapsulate(dk: bytes, ciphertext: bytes) -> bytes:
    """Algorithm 18. A wrong ciphertext gives another secret, not an error."""
    dk_pke, ek, ek_hash, z = dk[: 384 * K], dk[384 * K : 768 * K + 32], dk[768 * K + 32 : 768 * K + 64], dk[-32:]
    m = _pke_decrypt(dk_pke, ciphertext)
    shared, coins = _g(m + ek_hash)
    if _pke_encrypt(ek, m, coins) == ciphertext:
        return shared
    return hashlib.shake_256(z + ciphertext).digest(32)


def is_valid_key(ek: bytes) -> bool:
    """The type and modulus checks of FIPS 203, section 7.2."""
    if len(ek) != KEY_LEN:
        return False
    return all(c < Q for i in range(K) for c in _decode(12, ek[384 * i : 384 * (i + 1)]))


def _pke_keygen(d: bytes) -> tuple[bytes, bytes]:
    rho, sigma = _g(d + bytes([K]))
    a = _matrix(rho)
    s = [_ntt(_noise(sigma, i)) for i in range(K)]
    e = [_ntt(_noise(sigma, K + i)) for i in range(K)]
    t = [_add(_dot(a[i], s), e[i]) for i in range(K)]
    return b"".join(_encode(12, p) for p in t) + rho, b"".join(_encode(12, p) for p in s)


def _pke_encrypt(ek: bytes, m: bytes, coins: bytes) -> bytes:
    t = [_decode(12, ek[384 * i : 384 * (i + 1)]) for i in range(K)]
    a = _matrix(ek[384 * K :])
    y = [_ntt(_noise(coins, i)) for i in range(K)]
    u = [_add(_inverse_ntt(_dot([a[j][i] for j in range(K)], y)), _noise(coins, K + i)) for i in range(K)]
    message = [_decompress(1, bit) for bit in _decode(1, m)]
    v = _add(_add(_inverse_ntt(_dot(t, y)), _noise(coins, 2 * K)), message)
    return b"".join(_encode(DU, [_compress(DU, c) for c in p]) for p in u) + _encode(DV, [_compress(DV, c) for c in v])


def _pke_decrypt(dk: bytes, ciphertext: bytes) -> bytes:
    u = [[_decompress(DU, c) for c in _decode(DU, ciphertext[32 * DU * i : 32 * DU * (i + 1)])] for i in range(K)]
    v = [_decompress(DV, c) for c in _decode(DV, ciphertext[32 * DU * K :])]
    s = [_decode(12, dk[384 * i : 384 * (i + 1)]) for i in range(K)]
    noisy = _inverse_ntt(_dot(s, [_ntt(p) for p in u]))
    return _encode(1, [_compress(1, (a - b) % Q) for a, b in zip(v, noisy)])


def _h(data: bytes) -> bytes:
    return hashlib.sha3_256(data).digest()


def _g(data: bytes) -> tuple[bytes, bytes]:
    digest = hashlib.sha3_512(data).digest()
    return digest[:32], digest[32:]


def _matrix(rho: bytes) -> list[list[Poly]]:
    return [[_sample_ntt(rho + bytes([j, i])) for j in range(K)] for i in range(K)]


def _sample_ntt(seed: bytes) -> Poly:
    """Algorithm 7."""
    stream = hashlib.shake_128(seed).digest(3 * 1024)  # 504 bytes are the mean; 3,072 never run out in practice
    coefficients: Poly = []
    for i in range(0, len(stream), 3):
        d1 = stream[i] + 256 * (stream[i + 1] % 16)
        d2 = stream[i + 1] // 16 + 16 * stream[i + 2]
        coefficients += [d for d in (d1, d2) if d < Q]
        if len(coefficients) >= 256:
            return coefficients[:256]
    raise AssertionError("not enough randomness")


def _noise(seed: bytes, nonce: int) -> Poly:
    """Algorithm 8 on PRF_2."""
    stream = hashlib.shake_256(seed + bytes([nonce])).digest(64 * ETA)
    bits = _decode(1, stream)
    return [(sum(bits[4 * i : 4 * i + 2]) - sum(bits[4 * i + 2 : 4 * i + 4])) % Q for i in range(256)]


def _ntt(f: Poly) -> Poly:
    """Algorithm 9."""
    f, i, length = f[:], 1, 128
    while length >= 2:
        for start in range(0, 256, 2 * length):
            for j in range(start, start + length):
                t = ZETAS[i] * f[j + length] % Q
                f[j + length], f[j] = (f[j] - t) % Q, (f[j] + t) % Q
            i += 1
        length //= 2
    return f


def _inverse_ntt(f: Poly) -> Poly:
    """Algorithm 10."""
    f, i, length = f[:], 127, 2
    while length <= 128:
        for start in range(0, 256, 2 * length):
            for j in range(start, start + length):
                t = f[j]
                f[j], f[j + length] = (t + f[j + length]) % Q, ZETAS[i] * (f[j + length] - t) % Q
            i -= 1
        length *= 2
    return [c * 3303 % Q for c in f]


def _dot(a: list[Poly], b: list[Poly]) -> Poly:
    total = [0] * 256
    for f, g in zip(a, b):
        total = _add(total, _multiply_ntts(f, g))
    return total


def _multiply_ntts(f: Poly, g: Poly) -> Poly:
    """Algorithms 11 and 12."""
    product: Poly = []
    for i in range(128):
        a0, a1, b0, b1 = f[2 * i], f[2 * i + 1], g[2 * i], g[2 * i + 1]
        product += [(a0 * b0 + a1 * b1 * GAMMAS[i]) % Q, (a0 * b1 + a1 * b0) % Q]
    return product


def _add(f: Poly, g: Poly) -> Poly:
    return [(a + b) % Q for a, b in zip(f, g)]


def _compress(d: int, x: int) -> int:
    return ((x << d) + Q // 2) // Q % (1 << d)


def _decompress(d: int, y: int) -> int:
    return (y * Q + (1 << (d - 1))) >> d


def _encode(d: int, f: Poly) -> bytes:
    """Algorithm 5."""
    bits = sum(c << (d * i) for i, c in enumerate(f))
    return bits.to_bytes(32 * d, "little")


def _decode(d: int, data: bytes) -> Poly:
    """Algorithm 6, without reduction: whoever cares checks."""
    bits = int.from_bytes(data, "little")
    return [(bits >> (d * i)) & ((1 << d) - 1) for i in range(len(data) * 8 // d)]


def self_check() -> None:
    """Compares with an independent implementation, both ways."""
    from cryptography.hazmat.primitives.asymmetric.mlkem import MLKEM768PrivateKey, MLKEM768PublicKey

    for i in range(8):
        seed = hashlib.shake_256(b"seed %d" % i).digest(64)
        coins = hashlib.shake_256(b"coins %d" % i).digest(32)
        ek, dk = keygen(seed)
        other = MLKEM768PrivateKey.from_seed_bytes(seed)
        assert ek == other.public_key().public_bytes_raw()

        shared, ciphertext = encapsulate(ek, coins)
        assert shared == decapsulate(dk, ciphertext) == other.decapsulate(ciphertext)
        shared, ciphertext = MLKEM768PublicKey.from_public_bytes(ek).encapsulate()
        assert shared == decapsulate(dk, ciphertext)

        wrong = bytes([ciphertext[0] ^ 1]) + ciphertext[1:]
        assert decapsulate(dk, wrong) == other.decapsulate(wrong) != shared
        too_large = (int.from_bytes(ek[:3], "little") | 0xFFF).to_bytes(3, "little") + ek[3:]
        assert is_valid_key(ek) and not is_valid_key(too_large)


if __name__ == "__main__":
    self_check()
    print("ml_kem_768: agrees with the reference, 8 passed, 0 failed")
