"""Counts instructions, which are the same on a busy machine as on an idle one, and checks what they have to be in proportion to."""

import re
import subprocess
import sys
import tempfile

# Twice the bytes may take so much more than twice the instructions (tungstenite and hickory were quadratic here).
MOST_FOR_TWICE = 2.2
# A datagram of an attacker's may take so many times what a genuine one takes.
MOST_FOR_AN_ATTACK = 4
# What a genuine datagram is, and what attackers make of it.
GENUINE = {
    "data: genuine": [
        "data: altered",
        "data: replayed",
        "data: random body",
        "data: other link",
        "data: unknown epoch",
        "data: four in one",
        "data: noise",
        "data: from elsewhere",
        # Sealed by a peer that means ill.
        "sealed: ranges",
        "sealed: gaps",
        "sealed: challenges",
        "sealed: pings",
        "sealed: resets",
    ],
    "hello: genuine": [
        "hello: again",
        "hello: without a cookie",
        "hello: with a wrong cookie",
        "hello: weak share",
        "hello: many suites",
        "hello: cut",
    ],
    "accept: genuine": ["accept: forged", "accept: ninth"],
    "auth: genuine": ["auth: altered", "auth: genuine, eight candidates", "auth: altered, eight candidates"],
}


def instructions(*command):
    """What callgrind counts for a command, from its first instruction to its last."""
    with tempfile.NamedTemporaryFile() as profile:
        callgrind = ["valgrind", "--tool=callgrind", f"--callgrind-out-file={profile.name}"]
        run = subprocess.run([*callgrind, *map(str, command)], capture_output=True, text=True)
    if run.returncode != 0:
        sys.exit(f"{command} failed:\n{run.stderr}")
    return int(re.search(r"Collected : (\d+)", run.stderr).group(1))


def one_byte_at_a_time(program):
    nothing, once, twice = (instructions(program, size) for size in (0, 100_000, 200_000))
    ratio = (twice - nothing) / (once - nothing)
    each = (once - nothing) / 100_000
    print(f"one byte at a time: {each:.0f} instructions a byte; twice the bytes take {ratio:.2f} times as many")
    if ratio > MOST_FOR_TWICE:
        sys.exit(f"more than {MOST_FOR_TWICE} times: the work is not in proportion to the bytes")


def adversarial_work(program):
    def per_datagram(kind):
        # Packets of a handshake take a hundred times as long, and differ less from each other.
        few, many = (100, 600) if kind.startswith(("data", "sealed")) else (10, 60)
        return (instructions(program, kind, many) - instructions(program, kind, few)) / (many - few)

    for genuine, attacks in GENUINE.items():
        expected = per_datagram(genuine)
        print(f"{genuine}: {expected:.0f} instructions a datagram")
        for kind in attacks:
            ratio = per_datagram(kind) / expected
            print(f"  {kind}: {ratio:.2f} times as many")
            if ratio > MOST_FOR_AN_ATTACK:
                sys.exit(f"more than {MOST_FOR_AN_ATTACK} times as many")


def main(examples):
    one_byte_at_a_time(f"{examples}/one_byte_at_a_time")
    adversarial_work(f"{examples}/adversarial_work")


main(sys.argv[1])
